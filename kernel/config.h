// SPDX-License-Identifier: MIT
// config.h - the constants that shape the machine, and the map of the kernel's half of Sv39.
//
//   0x0000000000000000  user: 256 GiB, one address space per process
//   0xffffffc000000000  DIRECT: every physical address, offset by DIRECT_BASE (128 GiB)
//   0xffffffe000000000  KSTACK: one GiB per hart, kernel stacks with unmapped gaps between them
//   0xffffffff80000000  IMAGE: the kernel's own text, rodata and data
//
// All of the upper half is mapped global in every address space, so a trap changes no satp.
#pragma once

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define HART_MAX 64
#define ASID_MAX 32  // that a hart uses, beside ASID 0
#define CACHE_LINE 64

#define USER_MIN 0x10000ul
#define USER_TOP 0x4000000000ul
// What every program needs, its image and its stack, lies under one entry of the root table, and what may be
// large under others: the heap begins at the next 1 GiB, mappings come down from the top. So a child that
// does little touches little of what it shares (mm/pagetable.h).
#define USER_LIMIT (USER_TOP - PAGE_SIZE)  // nothing is mapped from here on
#define USER_IMAGE_LIMIT (USER_TOP / 2)
#define USER_PART (1ul << 30)
#define USER_STACK_SIZE (8ul << 20)

#define DIRECT_BASE 0xffffffc000000000ul
#define DIRECT_SIZE (128ul << 30)
#define KSTACK_BASE 0xffffffe000000000ul
#define KSTACK_SPAN (1ul << 30)
#define IMAGE_BASE 0xffffffff80000000ul
#define IMAGE_PHYS 0x80000000ul  // where the linker script asks the loader to put IMAGE_BASE

// A stack fills the upper half of its slot: a stack pointer with this bit clear has run over.
#if defined(RACE) || defined(KASAN)
#define KSTACK_SHIFT 15
#elif defined(CHECK)
#define KSTACK_SHIFT 14
#else
#define KSTACK_SHIFT 13
#endif
#define KSTACK_SIZE (1ul << KSTACK_SHIFT)
#define KSTACK_STRIDE (2 * KSTACK_SIZE)

#define TICKS_PER_SECOND 100
#define FD_MAX 128
#define ARG_BYTES_MAX (128ul << 10)
