// SPDX-License-Identifier: MIT
// tlb.c - TLB shootdown by our own inter-processor interrupts (Privileged spec 10.2.1: data fence,
// IPI, local fence there, acknowledgement).
//
// Model      The initiator writes down what it wants in its own struct hart, sets its bit in every
//            target's tlb_requests, rings, and waits for shoot_pending to reach 0. While it waits it
//            serves requests itself, so two harts that shoot at each other cannot deadlock.
// Targets    the harts whose bit stands in as->harts: set before satp, cleared after satp has changed
//            (as_switch). Here: change the entry, raise the generation, full fence, read the mask; there: set
//            the bit, full fence, read the generation, walk. One of the two sees the other (Dekker). A bit
//            that is clear was cleared with release, behind that hart's last access.
// Fences     are by the ASID that the space has on the hart which fences, now in satp or not. If it has none any
//            more, its last one was fenced when it was given away (G2). Whoever fences what one change has
//            taken has one more behind it, if it had all before (G3).
// Ordering   T1 request bit: release, after the request is written; taken with acquire.
//            T2 acknowledgement: release, after the fence instruction; awaited with acquire.
#include "mm/tlb.h"
#include "dev/ipi.h"
#include "mm/as.h"
#include "sync/atomic.h"
#include "sync/lockdep.h"
#include "sync/park.h"
#include "sync/point.h"

static void fence_range(u64 asid, u64 va, u64 pages) {
    if (pages == 0 || pages > TLB_PAGES_MAX) {
        COUNT(full_fences);
        sfence_space(asid);
        return;
    }
    for (u64 i = 0; i < pages; i++) {
        COUNT(page_fences);
        sfence_page_of(va + i * PAGE_SIZE, asid);
    }
}

// Global entries.
static void fence_range_kernel(u64 va, u64 pages) {
    if (pages == 0 || pages > TLB_PAGES_MAX) {
        tlb_fence_all();
        return;
    }
    for (u64 i = 0; i < pages; i++) {
        COUNT(page_fences);
        sfence_page(va + i * PAGE_SIZE);
    }
}

static void forget(const struct shoot *s) {
    struct hart *h = this_hart();
    u32 asid = s->as->asid[h->index];
    struct asid *slot = &h->asids[asid];
    if (h->nasids && slot->space != s->as->id) { return; }
    fence_range(asid, s->va, s->pages);
    if (slot->generation + 1 == s->generation) { slot->generation = s->generation; }
}

static void answer(const struct shoot *s) {
    if (s->pages >= TLB_TEXT) {
        if (s->pages == TLB_TEXT) { fence_i(); }
    } else if (s->as) {
        forget(s);
    } else {
        fence_range_kernel(s->va, s->pages);
    }
}

void tlb_serve(void) {
    struct hart *self = this_hart();
    if (!atomic_load_relaxed(&self->tlb_requests)) { return; }
    u64 from = atomic_swap_acquire(&self->tlb_requests, 0ul);  // T1
    for (u32 i = 0; from; i++, from >>= 1) {
        if (from & 1) {
            answer(&harts[i]->shoot);
#ifdef MUTANT_ack_relaxed  // "only a number"
            atomic_sub_relaxed(&harts[i]->shoot_pending, 1u);
#else
            atomic_sub_release(&harts[i]->shoot_pending, 1u);  // T2
#endif
        }
    }
}

static void shoot(u64 targets, const struct shoot *what) {
#ifdef MUTANT_M28  // no shootdown on other harts
    return;
#endif
    struct hart *self = this_hart();
    COUNT(shootdowns);
    lockdep_ipi_wait();
    u64 flags = irq_save();
    self->shoot = *what;
    atomic_store_relaxed(&self->shoot_pending, bits_count(targets));
    for (u32 i = 0; i < nharts; i++) {
        if (targets >> i & 1) {
#ifdef MUTANT_request_relaxed  // "the bell fences"
            atomic_or_relaxed(&harts[i]->tlb_requests, 1ul << self->index);
#else
            atomic_or_release(&harts[i]->tlb_requests, 1ul << self->index);  // T1
#endif
            ipi_send(harts[i]);
        }
    }
#ifdef MUTANT_ack_is_quick
    u64 asked = time_now();
#endif
    while (atomic_load_acquire(&self->shoot_pending)) {  // T2
#ifdef MUTANT_ack_is_quick  // whoever has not answered within a fifth of a second never will
        if (time_now() - asked > 2000000) { break; }
#endif
#ifndef MUTANT_no_poll  // "it will be done when this is"
        tlb_serve();
#endif
        park_poll_stop();
        cpu_pause();
    }
    irq_restore(flags);
}

void tlb_shootdown(struct as *as, u64 va, u64 pages) {
    RACE_POINT("tlb.shootdown");
    struct shoot s = {.as = as, .va = va, .pages = pages};
#ifdef MUTANT_raise_relaxed  // "there is a fence behind it"
    s.generation = atomic_add_relaxed(&as->generation, 1ul) + 1;
#elif !defined(MUTANT_generation_kept)  // "all that hold it are shot at"
    s.generation = atomic_add_release(&as->generation, 1ul) + 1;  // the change is before it: pairs with asid.c, enter
#endif
#ifndef MUTANT_shootdown_unfenced  // "the load acquires"
    atomic_fence_full();  // the change and the generation before the mask: pairs with asid.c, enter
#endif
    u64 mask = atomic_load_acquire(&as->harts);  // who has left did so after its last access
    u64 self = 1ul << this_hart()->index;
    if (mask & self) {
        u64 flags = irq_save();  // a request that comes now would change the same slot
        forget(&s);
        irq_restore(flags);
    }
    if (unlikely(mask & ~self)) { shoot(mask & ~self, &s); }
    RACE_POINT("tlb.done");
}

u64 tlb_others(struct as *as) {
    atomic_fence_full();  // what was published, or filled, before the mask: pairs with asid.c, enter
    return atomic_load_acquire(&as->harts) & ~(1ul << this_hart()->index);
}

void tlb_fence_text(struct as *as) {
    fence_i();
    u64 others = tlb_others(as);
#ifdef MUTANT_text_fenced_here  // "the others have never seen it"
    return;
#endif
    if (unlikely(others)) { shoot(others, &(struct shoot){.pages = TLB_TEXT}); }
}

void tlb_sync(struct as *as) {
    u64 others = tlb_others(as);
    if (others) { shoot(others, &(struct shoot){.pages = TLB_NOTHING}); }
}

void tlb_shootdown_kernel(u64 va, u64 pages) {
    atomic_fence_full();
    fence_range_kernel(va, pages);
    u64 others = harts_all() & ~(1ul << this_hart()->index);
    if (others) { shoot(others, &(struct shoot){.va = va, .pages = pages}); }
}
