// SPDX-License-Identifier: MIT
// pte.h - Sv39 page table entries (Privileged spec 10.3-10.4).
//
// A and D are preset in every leaf: the same on harts that set them in hardware and on harts that
// would fault for it. PTE_COW stands in RSW[0]: a private writable page that may be shared. PTE_BORROWED in
// RSW[1] of a leaf: the frame is a file's, and not counted here (mm/backing.h).
// Invariants P1 a valid leaf never has both W and COW.
//            P2 a leaf entry is valid, empty, or names a swapped page (mm/swap.h).
#pragma once
#include "config.h"
#include "lib/types.h"

typedef u64 pte_t;

#define PTE_V (1ul << 0)
#define PTE_R (1ul << 1)
#define PTE_W (1ul << 2)
#define PTE_X (1ul << 3)
#define PTE_U (1ul << 4)
#define PTE_G (1ul << 5)
#define PTE_A (1ul << 6)
#define PTE_D (1ul << 7)
#define PTE_COW (1ul << 8)
#define PTE_BORROWED (1ul << 9)
#define PTE_SHARED_TABLE (1ul << 9)  // of an entry without V that points at a table (mm/pagetable.h)
#define PTE_LEAF (PTE_R | PTE_W | PTE_X)
#define PTE_FLAGS 0x3fful

#define PT_ENTRIES 512
#define PT_LEVELS 3

static always_inline u64 pte_pa(pte_t e) { return (e >> 10) << PAGE_SHIFT; }

static always_inline pte_t pte_make(u64 pa, u64 flags) {
    return (pa >> PAGE_SHIFT) << 10 | flags;
}

static always_inline bool pte_is_leaf(pte_t e) { return e & PTE_LEAF; }

// Index of `va` in a table of `level` (2 = root).
static always_inline u64 pt_index(u64 va, int level) {
    return va >> (PAGE_SHIFT + 9 * level) & (PT_ENTRIES - 1);
}

static always_inline u64 pt_span(int level) { return 1ul << (PAGE_SHIFT + 9 * level); }

// Where what the entry for va in a table of `level` covers ends.
static always_inline u64 pt_end(u64 va, int level) { return ALIGN_DOWN(va, pt_span(level)) + pt_span(level); }
