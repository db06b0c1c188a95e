// SPDX-License-Identifier: MIT
// unmap.c - see unmap.h.
//
// Model      A table whose addresses all go is unhooked as a whole, shared or not; at most one leaf table at
//            either end is emptied in part.
// Order      unhook entries, shoot down, then drop frames and tables (Linux calls it mmu_gather; the removal
//            of an upper entry needs a fence of all addresses). Nothing unhooked is in hand where this thread
//            may sleep, or it is detached: an audit finds each frame.
#include "mm/unmap.h"
#include "lib/errno.h"
#include "mm/pagetable.h"
#include "mm/refs.h"
#include "mm/swap.h"
#include "mm/tlb.h"

// What has been unhooked and waits for the shootdown.
struct gather {
    struct as *as;
    u32 n;
    u64 lo, hi;
    frame_t frames[128];
    frame_t tables[PT_LEVELS];  // of each level, chained by their records' `next`
};

static void destroy_tables(struct gather *g) {
    for (int level = 0; level < PT_LEVELS; level++) {
        for (frame_t t = g->tables[level], next; t; t = next) {
            next = frame_record(t)->next;
            pt_destroy(t, level);
        }
        g->tables[level] = FRAME_NONE;
    }
}

static void gather_flush(struct gather *g, bool tables) {
#ifdef MUTANT_table_freed_early  // before the fence
    if (tables) { destroy_tables(g); }
#endif
#ifdef MUTANT_unmap_drop_early  // before the fence
    for (u32 i = 0; i < g->n; i++) { frame_release(g->frames[i]); }
#endif
    if (g->lo < g->hi || tables) {
        u64 pages = (g->hi - g->lo) >> PAGE_SHIFT;
#ifdef MUTANT_table_by_page  // the pages are fenced one by one, and the table that mapped them is freed
        tlb_shootdown(g->as, g->lo, MAX(MIN(pages, TLB_PAGES_MAX), 1ul));
#else
        tlb_shootdown(g->as, g->lo, tables ? 0 : pages);
#endif
    }
#ifndef MUTANT_unmap_drop_early
    for (u32 i = 0; i < g->n; i++) { frame_release(g->frames[i]); }
#endif
    g->n = 0;
    g->lo = ~0ul;
    g->hi = 0;
    if (tables) { destroy_tables(g); }
}

static void gather_page(struct gather *g, u64 va, pte_t e) {
    if (swap_is(e)) {
        pt_release(e);
        return;
    }
    g->lo = MIN(g->lo, va);
    g->hi = MAX(g->hi, va + PAGE_SIZE);
    if (!(e & PTE_BORROWED)) { g->frames[g->n++] = frame_of_pte(e); }
    if (g->n == ARRAY_LEN(g->frames)) { gather_flush(g, false); }
}

// => the lock of the table of e, at `level`
static void gather_table(struct gather *g, pte_t *e, int level, u64 va) {
    frame_t lower = pt_unhook(e, level);
    if (lower) {
        frame_record(lower)->next = g->tables[level - 1];
        g->tables[level - 1] = lower;
        g->lo = MIN(g->lo, va);
        g->hi = MAX(g->hi, va + PAGE_SIZE);
    }
}

static void clear_leaves(struct gather *g, frame_t table, u64 va, u64 end) {
    pt_lock(table, 0);
    pte_t *entries = pt_entries(table);
    u32 from = pt_index(va, 0), n = from + ((end - va) >> PAGE_SHIFT);
#ifdef MUTANT_W10  // as many pages, from the wrong one on
    n -= from;
    from = 0;
#endif
    for (u32 i = pt_next(table, from); i < n; i = pt_next(table, i + 1)) {
        pte_t e = entries[i];
        RACE_POINT_FRAME("table.clear", frame_of_pte(e));
        ghost_change(&entries[i], atomic_store_relaxed(&entries[i], 0ul));  // harts may be walking here
        frame_record(table)->live--;
        gather_page(g, va + ((u64)(i - from) << PAGE_SHIFT), e);
    }
    gather_flush(g, false);
    pt_unlock(table, 0);
}

// Empty [va, end) below `table` at `level`. Tables that are cut are owned.
static void clear_range(struct gather *g, frame_t table, int level, u64 va, u64 end) {
    pte_t *entries = pt_entries(table);
    pt_lock(table, level);
    for (u64 next; va < end; va = next) {
        next = MIN(pt_end(va, level), end);
        pte_t *e = &entries[pt_index(va, level)];
        if (!*e) { continue; }
        if (next - va == pt_span(level)) {
            gather_table(g, e, level, va);
        } else if (level > 1) {
            clear_range(g, frame_of_pte(*e), level - 1, va, next);
        } else {
            clear_leaves(g, frame_of_pte(*e), va, next);
        }
    }
    pt_unlock(table, level);
}

static void widen(struct as *as, u64 *lo, u64 *hi) {
    const struct region *below = region_last(as, *lo), *above = region_first(as, *hi);
    u64 floor = below ? MIN(below->end, *lo) : 0, ceiling = above ? MAX(above->start, *hi) : USER_TOP;
    u64 span = pt_span(PT_LEVELS - 1);
    *lo = MAX(floor, ALIGN_DOWN(*lo, span));
    *hi = MIN(ceiling, ALIGN_UP(*hi, span));
}

// Own every table that va cuts.
static int own_edge(struct as *as, u64 va) {
    frame_t t = as->root;
    int level = PT_LEVELS - 1, to = level;
    while (to > 0 && va & (pt_span(to) - 1)) { to--; }
    pt_lock(t, level);
    int error = pt_descend(&t, &level, to, va, false);
    pt_unlock(t, level);
    return error == -ENOENT ? 0 : error;
}

// Own the middle tables of [lo, hi): pagetable.h, Late.
static int own_middle(struct as *as, u64 lo, u64 hi) {
    int level = PT_LEVELS - 1, error = 0;
    u64 end = (hi - 1) / pt_span(level) + 1;
    pt_lock(as->root, level);
    for (u32 i = pt_next(as->root, lo / pt_span(level)); i < end && !error; i = pt_next(as->root, i + 1)) {
        error = pt_own(&as->table[i], level, false);
    }
    pt_unlock(as->root, level);
    return error;
}

int unmap_own(struct as *as, u64 lo, u64 hi) {
    int error = own_middle(as, lo, hi);
    if (!error) { error = own_edge(as, lo); }
    return error ? error : own_edge(as, hi);
}

int unmap_prepare(struct as *as, u64 *lo, u64 *hi) {
    widen(as, lo, hi);
    return unmap_own(as, *lo, *hi);
}

void unmap_range(struct as *as, u64 lo, u64 hi) {
    struct gather g;
    g.as = as;
    g.n = 0;
    g.lo = ~0ul;
    g.hi = 0;
    for (int level = 0; level < PT_LEVELS; level++) { g.tables[level] = FRAME_NONE; }
    clear_range(&g, as->root, PT_LEVELS - 1, lo, hi);
    gather_flush(&g, g.tables[0] || g.tables[1]);
}
