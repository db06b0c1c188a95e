// SPDX-License-Identifier: MIT
// asid.c - which space a hart translates by, and under which ASID. See tlb.h for what that rests on.
//
// Entering   set the bit in as->harts, full fence, load the generation. If the slot has this space and this
//            generation, satp is all. Otherwise fence the ASID, which is not in satp yet, and remember the
//            generation that was loaded before.
// Leaving    another satp, then the bit is cleared with release: behind the last access. The slot stays.
// Giving     slots go round. The one in satp is left out: an interrupt may still ask what is under it.
// Without    (nasids 0) all roots have ASID 0, and each write to satp is followed by a fence of that.
// Ordering   bit, full fence, generation; generation (tlb_shootdown), full fence, bits: one of the two sees the
//            other. The generation is raised with release and loaded with acquire: who sees it walks to what
//            has changed. Before satp is written the loads are done, and walks from a root begin behind that
//            (a CSR is written in program order with what it changes, Unprivileged spec 6.1).
#include "mm/as.h"
#include "mm/kvm.h"
#include "mm/tlb.h"
#include "riscv/hart.h"
#include "sync/point.h"

void asid_probe(void) {
    csr_write(satp, SATP_SV39 | SATP_ASIDS << SATP_ASID_SHIFT | kvm_root_pa >> PAGE_SHIFT);
    u64 last = csr_read(satp) >> SATP_ASID_SHIFT & SATP_ASIDS;
    this_hart()->nasids = last < 2 ? 0 : MIN(last, (u64)ASID_MAX);
}

// The ASID for `as` from now on. What its last space has left there is still to be fenced.
static u32 give(struct hart *h, struct as *as) {
    do {
        h->last_asid = h->last_asid % h->nasids + 1;
    } while (h->last_asid == h->asid);
    h->asids[h->last_asid].space = as->id;
    return as->asid[h->index] = h->last_asid;
}

// Out of line, as what is not to happen when two spaces take turns.
static noinline u32 fence_anew(struct hart *h, struct as *as, u64 generation) {
    u32 asid = as->asid[h->index];
    bool given = h->asids[asid].space != as->id;
    if (given) { asid = give(h, as); }
#ifdef MUTANT_asid_unfenced  // "the hart has nothing of it yet"
    if (given) {
        h->asids[asid].generation = generation;
        return asid;
    }
#endif
    COUNT(full_fences);
    sfence_space(asid);
    h->asids[asid].generation = generation;
    return asid;
}

// => the hart's bit is set, and whoever does not see it has raised the generation before this
static u32 asid_of(struct hart *h, struct as *as, u64 generation) {
    u32 asid = as->asid[h->index];
    const struct asid *slot = &h->asids[asid];
    if (likely(slot->space == as->id && slot->generation == generation)) { return asid; }
    return h->nasids ? fence_anew(h, as, generation) : 0;
}

static u32 enter(struct hart *h, struct as *as) {
#ifdef MUTANT_generation_early  // "the bit is for the others"
    u64 generation = atomic_load_acquire(&as->generation);
    RACE_POINT("switch.early");
    atomic_or_relaxed(&as->harts, 1ul << h->index);
    atomic_fence_full();
    return asid_of(h, as, generation);
#endif
    atomic_or_relaxed(&as->harts, 1ul << h->index);
#ifndef MUTANT_enter_unfenced  // "satp comes later anyway"
    atomic_fence_full();
#endif
    RACE_POINT("switch.enter");
#ifdef MUTANT_seen_relaxed  // "the fence comes before it"
    return asid_of(h, as, atomic_load_relaxed(&as->generation));
#else
    return asid_of(h, as, atomic_load_acquire(&as->generation));  // pairs with tlb_shootdown
#endif
}

void as_switch(struct as *as) {
    struct hart *h = this_hart();
    struct as *old = h->active_as;
    if (old == as) { return; }
    u64 flags = irq_save();  // who is asked to fence meanwhile changes the same slots
    u64 asid = as ? enter(h, as) : 0, root = as ? frame_pa(as->root) : kvm_root_pa;
    ghost_satp(frame_from_pa(root), asid,
               csr_write(satp, SATP_SV39 | asid << SATP_ASID_SHIFT | root >> PAGE_SHIFT));
    h->active_as = as;
    h->asid = asid;
    if (unlikely(!h->nasids)) { tlb_fence_space(); }
#ifndef MUTANT_switch_without_fence_i
    fence_i();  // text may have been filled in by another hart
#endif
    if (old) {
#ifdef MUTANT_leave_relaxed  // "sfence.vma has fenced"
        atomic_and_relaxed(&old->harts, ~(1ul << h->index));
#else
        atomic_and_release(&old->harts, ~(1ul << h->index));  // pairs with as_destroy, tlb_shootdown
#endif
    }
    irq_restore(flags);
}
