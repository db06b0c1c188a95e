// SPDX-License-Identifier: MIT
// pagetable.c - walking, building and emptying page tables.
//
// Invariants T1 frame_record(table)->live = number of valid entries in the table; a table with
//               live == 0 is all zeros (so it goes back to the list of zeroed frames) and, other
//               than a root, is not pointed at while the lock is free.
// Order      of removal: unhook entries, shoot down, then drop frames and tables (Linux calls it
//            mmu_gather; a non-leaf entry's removal needs a fence of all addresses).
#include "mm/pagetable.h"
#include "lib/string.h"
#include "mm/refs.h"
#include "mm/tlb.h"

frame_t pt_alloc(void) { return frame_alloc_zeroed(FRAME_TABLE); }

void pt_free(frame_t table) {
    ASSERT(frame_record(table)->live == 0, "table %u has %u live entries (T1)", table,
           frame_record(table)->live);
    if (frame_put(table)) { frame_free_zeroed(table); }
}

pte_t *pt_make(struct as *as, u64 va) {
    pte_t *table = frame_kva(as->root);
    for (int level = PT_LEVELS - 1; level > 0; level--) {
        pte_t *e = &table[pt_index(va, level)];
        if (!(*e & PTE_V)) {
            frame_t lower = pt_alloc();
            if (!lower) { return NULL; }
            frame_record(pt_table_of(e))->live++;
            // zeros before the pointer
#ifdef MUTANT_table_relaxed  // "it was zeroed long ago"
            ghost_change(e, atomic_store_relaxed(e, pte_make(frame_pa(lower), PTE_V)));
#else
            ghost_change(e, atomic_store_release(e, pte_make(frame_pa(lower), PTE_V)));
#endif
        }
        table = table_at(*e);
    }
    return &table[pt_index(va, 0)];
}

void pt_set(struct as *as, pte_t *e, pte_t leaf) {
    ASSERT(!(*e & PTE_V), "entry %p is in use: %lx", (void *)e, *e);
    frame_record(pt_table_of(e))->live++;
    (void)as;
#ifdef MUTANT_M03  // counts the mapping, and so did the allocation
    frame_get(frame_of_pte(leaf));
#endif
    RACE_POINT_FRAME("table.set", frame_of_pte(leaf));
#ifdef MUTANT_leaf_relaxed  // "the lock is let go later"
    ghost_change(e, atomic_store_relaxed(e, leaf));
#else
    ghost_change(e, atomic_store_release(e, leaf));  // the page's contents before the entry
#endif
}

static u64 pages_below(const pte_t *table, int level) {
    if (level == 0) { return frame_record(pt_table_of(table))->live; }
    u64 n = 0, slots = level == PT_LEVELS - 1 ? PT_ENTRIES / 2 : PT_ENTRIES;
    for (u64 i = 0; i < slots; i++) {
        if (table[i] & PTE_V) { n += pages_below(table_at(table[i]), level - 1); }
    }
    return n;
}

u64 pt_pages(struct as *as) { return pages_below(as->table, PT_LEVELS - 1); }

// Frames that have been unhooked and wait for the shootdown.
struct gather {
    struct as *as;
    bool quiet;
    u32 n;
    u64 va_lo, va_hi;
    frame_t frames[128];
    u32 ntables;
    frame_t table[8];
};

static void gather_finish(struct gather *g) {
#ifdef MUTANT_table_freed_early  // before the fence
    for (; g->ntables; g->ntables--) { pt_free(g->table[g->ntables - 1]); }
#endif
    if (!g->quiet && (g->n || g->ntables)) {
        u64 pages = (g->va_hi - g->va_lo) >> PAGE_SHIFT;
#ifdef MUTANT_table_by_page  // the pages are fenced one by one, and the table that mapped them is freed
        tlb_shootdown(g->as, g->va_lo, MAX(MIN(pages, TLB_PAGES_MAX), 1ul));
#else
        tlb_shootdown(g->as, g->va_lo, g->ntables ? 0 : MAX(pages, 1ul));
#endif
    }
    for (u32 i = 0; i < g->n; i++) { frame_release(g->frames[i]); }
    for (u32 i = 0; i < g->ntables; i++) { pt_free(g->table[i]); }
    g->n = g->ntables = 0;
    g->va_lo = ~0ul;
    g->va_hi = 0;
}

static void gather_page(struct gather *g, u64 va, frame_t f) {
    g->va_lo = MIN(g->va_lo, va);
    g->va_hi = MAX(g->va_hi, va + PAGE_SIZE);
    g->frames[g->n++] = f;
    if (g->n == ARRAY_LEN(g->frames)) { gather_finish(g); }
}

static void clear_leaves(struct gather *g, pte_t *table, u64 va, u64 end) {
    struct frame *r = frame_record(frame_from_kva(table));
    u32 live = r->live, gone = 0;
    bool quiet = g->quiet;
    for (pte_t *e = &table[pt_index(va, 0)]; va < end && gone < live; e++, va += PAGE_SIZE) {
        if (!(*e & PTE_V)) { continue; }
        frame_t f = frame_of_pte(*e);
        RACE_POINT_FRAME("table.clear", f);
        ghost_change(e, write_once(*e, 0ul));  // harts may be walking here
        gone++;
        if (quiet) {
            frame_release(f);
        } else {
            gather_page(g, va, f);
        }
    }
    r->live = live - gone;
}

// Empty [va, end) below `table` at `level`; unhook tables below it that are empty then.
static void clear_range(struct gather *g, pte_t *table, int level, u64 va, u64 end) {
    if (level == 0) {
        clear_leaves(g, table, va, end);
        return;
    }
    for (u64 next; va < end; va = next) {
        next = MIN(ALIGN_DOWN(va, pt_span(level)) + pt_span(level), end);
        pte_t *e = &table[pt_index(va, level)];
        if (!(*e & PTE_V)) { continue; }
        frame_t lower = frame_of_pte(*e);
        clear_range(g, frame_kva(lower), level - 1, va, next);
        if (frame_record(lower)->live) { continue; }
        ghost_change(e, write_once(*e, 0ul));  // harts may be walking here
        frame_record(pt_table_of(e))->live--;
        g->va_lo = MIN(g->va_lo, va);
        g->va_hi = MAX(g->va_hi, next);
#ifndef MUTANT_M17  // tables are nobody's to free
        g->table[g->ntables++] = lower;
#endif
        if (g->ntables == ARRAY_LEN(g->table)) { gather_finish(g); }
    }
}

void pt_clear(struct as *as, u64 start, u64 end, bool quiet) {
    struct gather g;
    g.as = as;
    g.quiet = quiet;
    g.n = g.ntables = 0;
    g.va_lo = ~0ul;
    g.va_hi = 0;
    clear_range(&g, frame_kva(as->root), PT_LEVELS - 1, start, end);
    gather_finish(&g);
}
