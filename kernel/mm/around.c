// SPDX-License-Identifier: MIT
// around.c - see around.h.
//
// Choice     Each hart remembers where the next write would come if somebody went through shared memory page by page,
//            and for how many pages that has held. From AROUND_FEW on, the rest of the aligned block of AROUND_FEW
//            pages is copied along, from AROUND_MANY on a block of that many. Whoever writes here and there
//            never gets so far; who stops has made at most a block too many. Whose page it is hardly matters: a
//            run that another thread breaks begins anew.
// Bounds     a block lies in one leaf table, whose lock is held. What may be copied is COW, so in a region that may
//            be written; a page whose owner is alone gets W without a copy. No memory: then it is left.
// Order      as that of one page (fault.c): entries to 0, one shootdown for all, the new entries, and only then let go.
#include "mm/around.h"
#include "mm/pagetable.h"
#include "mm/refs.h"
#include "mm/tlb.h"
#include "riscv/hart.h"

enum { AROUND_FEW = 8, AROUND_MANY = 16 };

struct run {
    u32 n;
    pte_t *entries[AROUND_MANY];
    pte_t old[AROUND_MANY];
    frame_t copies[AROUND_MANY];
};

// How many pages behind that of va belong to its block.
static u64 ahead(u64 va, u32 streak) {
    u64 block = streak < AROUND_FEW ? 1 : streak < AROUND_MANY ? AROUND_FEW : AROUND_MANY;
    return block - 1 - (va >> PAGE_SHIFT) % block;
}

// Up to n entries from e on, as far as they want a copy and there is memory. How many pages that covers.
static u64 collect(struct run *r, pte_t *e, u64 n) {
    u64 i = 0;
    for (; i < n; i++) {
        if ((e[i] & (PTE_V | PTE_COW | PTE_BORROWED)) != (PTE_V | PTE_COW)) { break; }
        frame_t f = frame_of_pte(e[i]);
        if (frame_sole(f)) {
            ghost_change(&e[i], atomic_xor_relaxed(&e[i], PTE_W | PTE_COW));
            COUNT(cow_flips);
            COUNT(cow_around);
            continue;
        }
        r->copies[r->n] = frame_copy(f);
        if (!r->copies[r->n]) { break; }
        r->entries[r->n++] = &e[i];
    }
    return i;
}

static void break_run(struct as *as, struct run *r, u64 va, u64 pages) {
    for (u32 i = 0; i < r->n; i++) {
        pte_t *e = r->entries[i];
        r->old[i] = *e;
        ghost_change(e, atomic_swap_relaxed(e, 0ul));
    }
#ifdef MUTANT_around_unfenced  // "the first one has been shot down"
    (void)as, (void)va, (void)pages;
#else
    tlb_shootdown(as, va, pages);
#endif
    for (u32 i = 0; i < r->n; i++) {
        pte_t new = pte_make(frame_pa(r->copies[i]), (r->old[i] & PTE_FLAGS & ~PTE_COW) | PTE_W);
        ghost_change(r->entries[i], atomic_store_release(r->entries[i], new));  // the page before the entry
        COUNT(cow_copies);
        COUNT(cow_around);
    }
    for (u32 i = 0; i < r->n; i++) { frame_release(frame_of_pte(r->old[i])); }
}

static noinline u64 copy_ahead(struct as *as, pte_t *e, u64 va, u64 n) {
    struct run r;
    r.n = 0;
    u64 pages = collect(&r, e, n);
    if (r.n) { break_run(as, &r, va, pages); }
    return pages;
}

void around_go_on(struct as *as, pte_t *e, u64 va) {
    struct hart *h = this_hart();  // nobody parks here, so it stays
    u64 n = ahead(va, ++h->streak), pages = n ? copy_ahead(as, e + 1, va + PAGE_SIZE, n) : 0;
    h->streak += pages;
    h->streak_next += pages * PAGE_SIZE;
}
