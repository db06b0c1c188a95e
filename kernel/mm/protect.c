// SPDX-License-Identifier: MIT
// protect.c - other rights for a range of addresses.
//
// Order      own all tables of the range, publish the map, change the entries, shoot down if a right was taken. A
//            page that a fault makes meanwhile has the old rights if its table comes later, and the new ones if
//            not (cursor.h, rule).
// Entries    W is never given to what is private, only COW: the next write finds out whether the page is shared. A
//            page without any right keeps its frame: V with none of R, W, X, which at a leaf is no right at all
//            (Privileged spec 10.3.2, step 4 of the translation).
#include "lib/errno.h"
#include "mm/cursor.h"
#include "mm/swap.h"
#include "mm/tlb.h"

// 0; -ENOMEM: not all is mapped; -EACCES: some of it cannot have these rights.
static long refuse(struct as *as, u64 start, u64 end, u32 prot) {
    while (start < end) {
        const struct region *r = region_find(as, start);
        if (!r || r->never & prot) { return r ? -EACCES : -ENOMEM; }
        start = r->end;
    }
    return 0;
}

// 0 or -ENOMEM; then the regions up to some address have the new rights, and none of their pages has.
static int change_map(struct as *as, u64 start, u64 end, u32 prot) {
    for (u64 next; start < end; start = next) {
        struct region r = *region_find(as, start);
        next = MIN(r.end, end);
        if (r.prot == prot) { continue; }
        struct region part = region_cut(&r, start, next);
        part.prot = prot;
        if (!region_set(as, &part)) { return -ENOMEM; }
    }
    return 0;
}

// What a page's entry becomes.
static pte_t with_rights(pte_t e, u32 prot, bool shared) {
    pte_t bits = e & ~(PTE_R | PTE_W | PTE_X | PTE_COW);
    bits |= prot & (PROT_READ | PROT_WRITE) ? PTE_R : 0;
    bits |= prot & PROT_EXEC ? PTE_X : 0;
    bool w = shared || e & PTE_W || swap_is(e);  // whose W means no more than COW
    return bits | (prot & PROT_WRITE ? (w ? PTE_W : PTE_COW) : 0);
}

// The entries of one leaf table from `e` on, n of them. True: a right was taken.
static bool change_entries(pte_t *e, u64 n, u32 prot, bool shared) {
    bool taken = false;
    for (pte_t *end = e + n; e < end; e++) {
        pte_t old = *e, new = with_rights(old, prot, shared);
        if (!old || new == old) { continue; }
        ghost_change(e, atomic_store_relaxed(e, new));
        taken |= old & PTE_V && old & ~new & PTE_LEAF;
    }
    return taken;
}

static void change_pages(struct as *as, u64 start, u64 end, u32 prot, bool shared) {
    bool taken = false;
    pte_t *e;
    for (u64 va = start, next; cursor_next(as, &va, end, &e) > 0; va = next) {
        next = MIN(pt_end(va, 1), end);
        taken |= change_entries(e, (next - va) >> PAGE_SHIFT, prot, shared);
        cursor_close(e);
    }
#ifndef MUTANT_protect_unfenced
    if (taken) { tlb_shootdown(as, start, (end - start) >> PAGE_SHIFT); }
#endif
}

long as_protect(struct as *as, u64 start, u64 len, u32 prot) {
    u64 end = start + len;
    mutex_lock(&as->lock);
    long error = refuse(as, start, end, prot);
    if (!error) { error = cursor_own(as, start, end); }
    if (!error) { error = change_map(as, start, end, prot); }
    // Of a change that has stopped in the middle the pages follow the map as far as that got.
    for (const struct region *r; start < end; start = r->end) {
        r = region_find(as, start);
        if (!r || r->prot != prot) { break; }
        change_pages(as, start, MIN(r->end, end), prot, r->shared);
    }
    if (prot & PROT_EXEC) { tlb_fence_text(as); }
    mutex_unlock(&as->lock);
    return error;
}
