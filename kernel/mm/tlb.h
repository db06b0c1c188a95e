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

// Upper entries included, which a fence of a page is not for.
static always_inline void tlb_fence_space(void) {
    COUNT(full_fences);
    sfence_space();
}

static always_inline void tlb_fence_all(void) {
    COUNT(full_fences);
    sfence_all();
}

// More pages than this are fenced by dropping everything.
#define TLB_PAGES_MAX 16
// In the place of a number of pages: instructions, not translations; nothing but an answer.
#define TLB_TEXT (~0ul - 1)
#define TLB_NOTHING (~0ul)

// No hart holds a translation of [va, va + pages) of `as` when this returns. pages = 0: of any
// address, non-leaf entries included.
// => interrupts on; no spinlock held: the targets answer from their interrupt handlers
void tlb_shootdown(struct as *as, u64 va, u64 pages);
// Other harts that may be in the space, as a mask; who comes later sees all that was done before. And: each of
// them has had interrupts on since this was called.
u64 tlb_others(struct as *as);
void tlb_sync(struct as *as);
// The same for a range of the kernel's half, on every hart.
void tlb_shootdown_kernel(u64 va, u64 pages);
// A frame that holds text is about to be mapped in `as`: no hart in the space holds older instructions
// of it when this returns; one that comes later fences then (as_switch). => as tlb_shootdown
void tlb_fence_text(struct as *as);
// Do what other harts have asked of this one. => interrupts off
void tlb_serve(void);
