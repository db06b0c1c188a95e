// SPDX-License-Identifier: MIT
// tlb.h - fences on this hart, and shootdowns on others.
#pragma once
#include "lib/types.h"
#include "riscv/csr.h"
#include "riscv/hart.h"

struct as;

static always_inline void tlb_fence_page(u64 va) {
    COUNT(page_fences);
    sfence_page(va);
}

static always_inline void tlb_fence_all(void) {
    COUNT(full_fences);
    sfence_all();
}

// More pages than this are fenced by dropping everything.
#define TLB_PAGES_MAX 16
#define TLB_TEXT (~0ul)  // in the place of a number of pages: instructions, not translations

// No hart holds a translation of [va, va + pages) of `as` when this returns. pages = 0: of any
// address, non-leaf entries included.
// => interrupts on; no spinlock held: the targets answer from their interrupt handlers
void tlb_shootdown(struct as *as, u64 va, u64 pages);
// The same for a range of the kernel's half, on every hart.
void tlb_shootdown_kernel(u64 va, u64 pages);
// Frame f has been filled with text of `as`, and is about to be mapped: no hart in the space holds older
// instructions of it when this returns; one that comes later fences then (as_switch). => as tlb_shootdown
void tlb_fence_text(struct as *as, u32 f);
// Do what other harts have asked of this one. => interrupts off
void tlb_serve(void);
