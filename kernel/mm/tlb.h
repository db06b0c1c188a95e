// SPDX-License-Identifier: MIT
// tlb.h - fences on this hart, shootdowns on others, and what a hart may keep of a space that it has left.
//
// ASIDs      Each hart has its own, 1 to nasids; hart->asids says which space each belongs to. ASID 0 is that of
//            the kernel's root, whose mappings are all global. What a hart holds of a space stays when it
//            leaves, and nobody shoots at it then: it looks at as->generation when it comes back (asid.c).
// Invariants G1 A translation is used while the ASID is in satp under which it was walked, or is global.
//               (10.1.11: the ASID in satp takes effect at once. 10.2.1: a hart walks, unasked too, from the
//               root in satp only.)
//            G2 Since it was fenced last, an ASID has belonged to one space. (10.2.1: an ASID may be fenced
//               while it is not in satp, if it gets there together with its new root.) as->id never comes
//               back, so what is held of a space that is gone, frames, tables and root, is never used.
//            G3 as->generation counts the changes that take something away. The hart of a slot with
//               generation g has forgotten all that the changes up to g have taken.
//            G4 A hart in the space (S3) has g as in G3 or is asked, by whoever makes a change above
//               g; away from it, it comes back by way of g.
//            So frames and tables are free to use when a shootdown is over: who is in the space has forgotten
//            them, who is away will before it uses them, or never comes back.
#pragma once
#include "lib/types.h"
#include "riscv/csr.h"
#include "riscv/hart.h"

struct as;

// Of the space in satp; no global entries.
static always_inline void tlb_fence_page(u64 va) {
    COUNT(page_fences);
    sfence_page_of(va, this_hart()->asid);
}

// Upper entries included, which a fence of a page is not for.
static always_inline void tlb_fence_space(void) {
    COUNT(full_fences);
    sfence_space(this_hart()->asid);
}

static always_inline void tlb_fence_all(void) {
    COUNT(full_fences);
    sfence_all();
}

void asid_probe(void);  // each hart's boot: how many has it? Leaves an ASID in satp that is not 0

// More pages than this are fenced by dropping everything.
#define TLB_PAGES_MAX 16
// In the place of a number of pages: instructions, not translations; nothing but an answer.
#define TLB_TEXT (~0ul - 1)
#define TLB_NOTHING (~0ul)

// No hart makes use of a translation of [va, va + pages) of `as` that is older, when this returns. pages = 0: of any
// address, non-leaf entries included.
// => interrupts on; no spinlock held: the targets answer from their interrupt handlers
void tlb_shootdown(struct as *as, u64 va, u64 pages);
// Other harts that may be in the space, as a mask; who comes later sees all that was done before. And: each of
// them has had interrupts on since this was called.
u64 tlb_others(struct as *as);
void tlb_sync(struct as *as);
// Of a range of the kernel's half, which every hart may hold.
void tlb_shootdown_kernel(u64 va, u64 pages);
// A frame that holds text is about to be mapped in `as`: no hart in the space holds older instructions
// of it when this returns; one that comes later fences then (as_switch). => as tlb_shootdown
void tlb_fence_text(struct as *as);
// Do what other harts have asked of this one. => interrupts off
void tlb_serve(void);
