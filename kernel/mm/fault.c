// SPDX-License-Identifier: MIT
// fault.c - page faults: demand-zero, fill from a file, and copy-on-write.
//
// Protocol   of a write to a COW page, all under as->lock, which keeps fork of this space out:
//              sole owner    one AMO turns COW into W; a local fence; no copy.
//              shared        copy to a new frame; break: entry := 0 and shoot it down on every hart
//                            that may hold it; make: entry := new frame with W; only then drop the
//                            old frame's count.
//            The permission is derived from the entry each time; no decision outlives the lock.
// Orders     the sole-owner test acquires and pairs with the last sharer's release (refs_cas.h, O4).
#include "lib/errno.h"
#include "mm/pagetable.h"
#include "mm/refs.h"
#include "mm/tlb.h"
#include "sync/race.h"

static u64 leaf_flags(u32 prot) {
#ifdef MUTANT_ad_by_hardware  // the walker will set them
    u64 flags = PTE_V | PTE_U;
#else
    u64 flags = PTE_V | PTE_U | PTE_A | PTE_D;
#endif
    flags |= prot & (PROT_READ | PROT_WRITE) ? PTE_R : 0;  // W without R is reserved
    flags |= prot & PROT_WRITE ? PTE_W : 0;
    flags |= prot & PROT_EXEC ? PTE_X : 0;
    return flags;
}

static always_inline bool permits(pte_t e, enum access access) {
    u64 need = access == ACCESS_WRITE ? PTE_W : access == ACCESS_EXEC ? PTE_X : PTE_R;
    return e & need;
}

// Fill a new frame from the file, zeros behind its end. false: the file could not be read.
static bool fill(struct region *r, u64 va, void *page) {
    u64 at = va - r->start;
    u64 n = at < r->file_bytes ? MIN(r->file_bytes - at, PAGE_SIZE) : 0;
    memset((char *)page + n, 0, PAGE_SIZE - n);
    return n == 0 || r->backing->read(r->backing, r->file_off + at, page, n) == (long)n;
}

// Kept out of line, as is break_shared: the shortest fault should not save registers for them.
static noinline int populate(struct as *as, struct region *r, u64 va) {
    bool zero = !r->backing || va - r->start >= r->file_bytes;
    pte_t *e = pt_make(as, va);
    frame_t f = FRAME_NONE;
    if (e) { f = zero ? frame_alloc_zeroed(FRAME_USER) : frame_alloc(FRAME_USER); }
    if (!f || (!zero && !fill(r, va, frame_kva(f)))) {
        if (f) { frame_release(f); }
        pt_clear(as, va, va + PAGE_SIZE, false);  // tables that were built for nothing
        return f ? -EFAULT : -ENOMEM;
    }
    if (zero) {
        COUNT(zero_fills);
    } else {
        COUNT(file_fills);
    }
#ifndef MUTANT_fill_without_fence_i
    if (r->prot & PROT_EXEC) { tlb_fence_text(as, f); }
#endif
    pt_set(as, e, pte_make(frame_pa(f), leaf_flags(r->prot)));
    r->lo = MIN(r->lo, va);
    r->hi = MAX(r->hi, va + PAGE_SIZE);
    return 0;
}

#include "mm/mutant_break.h"  // break_shared in a wrong order; normally nothing
#ifndef BREAK_IS_MUTANT
static noinline int break_shared(struct as *as, pte_t *e, u64 va, frame_t f, frame_t copy) {
    pte_t old = *e;
    RACE_POINT_FRAME("cow.break", f);
    ghost_change(e, atomic_swap_relaxed(e, 0ul));
    tlb_shootdown(as, va, 1);
    ghost_change(e, atomic_store_release(e, pte_make(frame_pa(copy), (old & PTE_FLAGS & ~PTE_COW) |
                                                                         PTE_W)));
    RACE_POINT_FRAME("cow.drop", f);
    frame_release(f);
    COUNT(cow_copies);
    return 0;
}
#endif

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
    case BREAK_COPIED:
        return break_shared(as, e, va, f, copy);
    default:
#ifdef MUTANT_W13  // the page is given up although there is no other
        write_once(*e, 0ul);
#endif
#ifdef MUTANT_M11  // unmapped in time for a copy, which there is not
        pt_clear(as, va, va + PAGE_SIZE, false);
#endif
#ifdef MUTANT_M08  // "this cannot happen"
        panic("no frame for a copy");
#endif
        return -ENOMEM;
    }
}

// => as->lock held
static always_inline int fault_locked(struct as *as, u64 va, enum access access) {
    pte_t *e = pt_find(as, va);
#ifdef MUTANT_M10  // whatever has the mark is a page
    if (e && *e & PTE_COW && !permits(*e, access)) { return break_cow(as, e, va); }
#endif
#ifdef MUTANT_M05  // one of two bits has to do
    if (e && *e & PTE_V && access == ACCESS_WRITE && *e & (PTE_COW | PTE_U) && !(*e & PTE_W)) {
        return break_cow(as, e, va);
    }
#endif
    if (e && *e & PTE_V) {
        if (permits(*e, access)) {  // somebody was faster, or the TLB was older
            tlb_fence_page(va);
            COUNT(spurious);
#ifdef MUTANT_spurious_is_fatal  // "this cannot happen"
            return -EFAULT;
#endif
            return 0;
        }
        return access == ACCESS_WRITE && *e & PTE_COW ? break_cow(as, e, va) : -EFAULT;
    }
    struct region *r = region_find(as, va);
#ifdef MUTANT_M09  // "the table must be there"
    if (!r && access == ACCESS_WRITE) { panic("a store to %lx, where nothing is", va); }
#endif
#ifdef MUTANT_W14  // a store is reason enough
    if (r && access == ACCESS_WRITE) { r->prot = PROT_READ | PROT_WRITE | PROT_EXEC; }
#endif
    if (!r || !(r->prot & access || (access == ACCESS_READ && r->prot & PROT_WRITE))) {
#ifdef MUTANT_entry_kept  // marked before anybody knows whether there is a page
        if (e) { *e = PTE_COW; }
#endif
        return -EFAULT;
    }
    return populate(as, r, va);
}

int as_fault(struct as *as, u64 va, enum access access) {
    va = ALIGN_DOWN(va, PAGE_SIZE);
    if (unlikely(va / USER_TOP)) { return -EFAULT; }
    mutex_lock(&as->lock);
    int result = fault_locked(as, va, access);
    mutex_unlock(&as->lock);
    return result;
}

void *as_populate(struct as *as, u64 va) {
    void *kva = NULL;
    mutex_lock(&as->lock);
    pte_t *e = pt_find(as, va);
    if (!e || !(*e & PTE_V)) {
        e = fault_locked(as, ALIGN_DOWN(va, PAGE_SIZE), ACCESS_WRITE) ? NULL : pt_find(as, va);
    }
    if (e) { kva = (char *)pa_to_kva(pte_pa(*e)) + (va & (PAGE_SIZE - 1)); }
    mutex_unlock(&as->lock);
    return kva;
}
