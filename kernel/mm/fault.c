// SPDX-License-Identifier: MIT
// fault.c - page faults: pages that are touched for the first time (fill.c), or away (swap.c), and copy-on-write.
//
// Protocol   of a write to a COW page, under the lock of its leaf table, to which the path is owned (cursor.h):
//              sole owner    one AMO turns COW into W; a local fence; no copy.
//              shared        copy to a new frame; break: entry := 0 and shoot it down on every hart
//                            that may hold it; make: entry := new frame with W; only then drop the
//                            old frame's count.
//            The permission is derived from the entry each time; no decision outlives the lock. A page that
//            is there needs no look at the map.
// Orders     the sole-owner test acquires and pairs with the last sharer's release (refs_cas.h, O4).
#include "lib/errno.h"
#include "mm/around.h"
#include "mm/cursor.h"
#include "mm/fill.h"
#include "mm/refs.h"
#include "mm/swap.h"
#include "mm/tlb.h"
#include "sync/race.h"

static always_inline bool permits(pte_t e, enum access access) {
    u64 need = access == ACCESS_WRITE ? PTE_W : access == ACCESS_EXEC ? PTE_X : PTE_R;
    return e & need;
}

// Whether a page of the region may be made for this access.
static bool allows(const struct region *r, enum access access) {
#ifdef MUTANT_W14
    if (access == ACCESS_WRITE) { return true; }
#endif
    return r->prot & access || (access == ACCESS_READ && r->prot & PROT_WRITE);
}

// Kept out of line, as is break_shared: the shortest fault should not save registers for them.
static noinline int populate(struct as *as, pte_t *e, u64 va, enum access access) {
    struct region r;
    RACE_POINT("fault.populate");
    u64 flags = irq_save();
#ifdef MUTANT_fill_late  // "the table is locked"
    bool owned = true;
#else
    bool owned = pt_find(as->table, va) == e;  // pagetable.h, Late
#endif
    bool there = region_look(as, va, &r), busy = as_is_busy(as, va);
    irq_restore(flags);
    if (!owned) { return 0; }  // again from the root
    if (busy) { return -EAGAIN; }
#ifdef MUTANT_W14  // a store is reason enough
    if (access == ACCESS_WRITE) { r.prot = PROT_READ | PROT_WRITE | PROT_EXEC; }
#endif
    if (!there || !allows(&r, access)) {
#ifdef MUTANT_entry_kept  // marked before anybody knows whether there is a page
        *e = PTE_COW;
#endif
        return -EFAULT;
    }
    pte_t leaf, old = *e;
    int error = old ? swap_read(old, &leaf) : fill_leaf(&r, va, access, &leaf);
    if (error) { return error; }
#ifndef MUTANT_fill_without_fence_i
    if (r.prot & PROT_EXEC) {
        tlb_fence_text(as);
        if (pt_find(as->table, va) != e) {  // shared meanwhile: with a space whose harts have not been told
            pt_release(leaf);
            return 0;
        }
    }
#endif
    if (!old) {
        pt_set(e, leaf);
    } else {
        ghost_change(e, atomic_store_release(e, leaf));  // as pt_set
        swap_put(old);
    }
    return 0;
}

#include "mm/mutant_break.h"  // break_shared in a wrong order; normally nothing
#ifndef BREAK_IS_MUTANT
static noinline void break_shared(struct as *as, pte_t *e, u64 va, frame_t copy) {
    pte_t old = *e;
    RACE_POINT_FRAME("cow.break", frame_of_pte(old));
    ghost_change(e, atomic_swap_relaxed(e, 0ul));
    tlb_shootdown(as, va, 1);
    ghost_change(e, atomic_store_release(e, pte_make(frame_pa(copy), (old & PTE_FLAGS & ~(PTE_COW | PTE_BORROWED)) |
                                                                         PTE_W)));
    RACE_POINT_FRAME("cow.drop", frame_of_pte(old));
    pt_release(old);
    COUNT(cow_copies);
}
#endif

// => the frame's count is 1 and the path owned
static always_inline int flip(pte_t *e, u64 va, frame_t f) {
    (void)f;
    RACE_POINT_FRAME("cow.flip", f);
    race_range(frame_kva(f), PAGE_SIZE, true);  // the owner will write
#ifdef MUTANT_M07  // the mark is left
    ghost_change(e, atomic_or_relaxed(e, PTE_W));
#else
    ghost_change(e, atomic_xor_relaxed(e, PTE_W | PTE_COW));  // one AMO: never both (P1)
#endif
    tlb_fence_page(va);
    COUNT(cow_flips);
    return 0;
}

static always_inline int break_cow(struct as *as, pte_t *e, u64 va) {
    frame_t f = frame_of_pte(*e), copy;
#ifdef MUTANT_W07  // the kernel writes through the mark
    if (csr_read(sstatus) & SSTATUS_SPP) {
        atomic_xor_relaxed(e, PTE_W | PTE_COW);
        return 0;
    }
#endif
    switch (frame_break(f, &copy)) {
    case BREAK_SOLE:
        return flip(e, va, f);
    case BREAK_COPIED:
        break_shared(as, e, va, copy);
        around_copied(as, e, va);
        return 0;
    default:
#ifdef MUTANT_W13  // the page is given up although there is no other
        write_once(*e, 0ul);
#endif
#ifdef MUTANT_M11  // unmapped in time for a copy, which there is not
        ghost_change(e, write_once(*e, 0ul));
        frame_record(pt_table_of(e))->live--;
        frame_release(f);
#endif
#ifdef MUTANT_M08  // "this cannot happen"
        panic("no frame for a copy");
#endif
        return -ENOMEM;
    }
}

// The entry is good, and this hart may hold an older one: somebody was faster, or the path was all that lacked.
// Then upper entries are older, too, which a fence of a page is not for; as it is if that has not helped.
static void refresh(u64 va, bool slow) {
    struct hart *h = this_hart();
    if (slow || h->refreshed == va) {
        tlb_fence_space();
    } else {
        tlb_fence_page(va);
    }
    h->refreshed = va;
}

// => e is the entry for va, at a cursor; `slow`: that took more than the fast way
static always_inline int fault_locked(struct as *as, pte_t *e, u64 va, enum access access, bool slow) {
#ifdef MUTANT_M10  // whatever has the mark is a page
    if (*e & PTE_COW && !permits(*e, access)) { return break_cow(as, e, va); }
#endif
#ifdef MUTANT_M05  // one of two bits has to do
    if (*e & PTE_V && access == ACCESS_WRITE && *e & (PTE_COW | PTE_U) && !(*e & PTE_W)) {
        return break_cow(as, e, va);
    }
#endif
    if (!(*e & PTE_V)) { return populate(as, e, va, access); }
    if (likely(!permits(*e, access))) {
        return access == ACCESS_WRITE && *e & PTE_COW ? break_cow(as, e, va) : -EFAULT;
    }
    if (unlikely(!(*e & PTE_A))) { atomic_or_relaxed(e, PTE_A | PTE_D); }  // hardware that leaves that to us
    refresh(va, slow);
    if (slow) {
        COUNT(path_faults);
    } else {
        COUNT(spurious);
#ifdef MUTANT_spurious_is_fatal  // "this cannot happen"
        return -EFAULT;
#endif
    }
    return 0;
}

// Somebody is changing what is mapped there: when that is over, the access is made again.
static noinline int await_change(struct as *as) {
    RACE_POINT("fault.busy");
    mutex_lock(&as->lock);
    mutex_unlock(&as->lock);
    return 0;
}

// All but the shortest.
static noinline int fault_here(struct as *as, pte_t *e, u64 va, enum access access) {
    int result = fault_locked(as, e, va, access, false);
    cursor_close(e);
    return unlikely(result == -EAGAIN) ? await_change(as) : result;
}

// By the full way, for what may be there only.
static noinline int fault_slowly(struct as *as, u64 va, enum access access, void **kva) {
    struct region r;
    pte_t *e;
    bool there = region_look(as, va, &r);
#ifdef MUTANT_M09  // "the table must be there"
    if (!there && access == ACCESS_WRITE) { panic("a store to %lx, where nothing is", va); }
#endif
    int error = there && allows(&r, access) ? cursor_open(as, va, true, &e) : -EFAULT;
    if (error) { return error; }
    if (!kva || !(*e & PTE_V)) { error = fault_locked(as, e, va, access, true); }
    if (kva) { *kva = error || !(*e & PTE_V) ? NULL : pa_to_kva(pte_pa(*e)); }
    cursor_close(e);
    return error;
}

static noinline int fault_slowly_or_wait(struct as *as, u64 va, enum access access) {
    int error = fault_slowly(as, va, access, NULL);
    return error == -EAGAIN ? await_change(as) : error;
}

#ifdef SCHED  // the frame that a race point belongs to
static frame_t seen_at(struct as *as, u64 va) {
    pte_t *e = pt_find(as->table, va);
    return e ? frame_of_pte(*e) : FRAME_NONE;
}
#endif

int as_fault(struct as *as, u64 va, enum access access) {
    va = ALIGN_DOWN(va, PAGE_SIZE);
    if (unlikely(va / USER_TOP)) { return -EFAULT; }
    RACE_POINT_FRAME("fault.begin", seen_at(as, va));
#ifdef MUTANT_flip_unlocked  // "one atomic operation needs no lock"
    pte_t *seen = pt_find(as->table, va);
    if (seen && access == ACCESS_WRITE && *seen & PTE_COW && frame_sole(frame_of_pte(*seen))) {
        return flip(seen, va, frame_of_pte(*seen));
    }
#endif
#ifdef MUTANT_decided_early  // what to do is found out before the table is locked
    pte_t *early = pt_find(as->table, va), was = early ? *early : 0;
    if (was & PTE_COW) { RACE_POINT_FRAME("break.test", frame_of_pte(was)); }
#endif
    pte_t *e = cursor_try(as, va);
#ifdef MUTANT_decided_early
    if (e && access == ACCESS_WRITE && was & PTE_COW) {
        frame_t copy = frame_copy(frame_of_pte(was));
        if (copy) { break_shared(as, e, va, copy); }
        cursor_close(e);
        return copy ? 0 : -ENOMEM;
    }
#endif
    if (unlikely(!e)) { return fault_slowly_or_wait(as, va, access); }
    if (access == ACCESS_WRITE && *e & PTE_COW) {
        frame_t f = frame_of_pte(*e);
        RACE_POINT_FRAME("break.test", f);
        if (frame_sole(f)) {
            flip(e, va, f);
            cursor_close(e);
            return 0;
        }
    }
    return fault_here(as, e, va, access);
}

void *as_populate(struct as *as, u64 va) {
    void *kva = NULL;
    int error = fault_slowly(as, ALIGN_DOWN(va, PAGE_SIZE), ACCESS_WRITE, &kva);
    return error ? NULL : (char *)kva + (va & (PAGE_SIZE - 1));
}
