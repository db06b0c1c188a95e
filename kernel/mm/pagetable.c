// SPDX-License-Identifier: MIT
// pagetable.c - see pagetable.h: tables, the sharing of them, and their end.
#include "mm/pagetable.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/refs.h"
#include "mm/swap.h"
#include "riscv/hart.h"
#include "sync/ghost.h"
#include "sync/park.h"

frame_t pt_alloc(int level) {
    frame_t t = frame_alloc_zeroed(FRAME_TABLE);
    if (t) {
        frame_record(t)->level = level;
        frame_record(t)->lines = 0;
    }
    return t;
}

void pt_free(frame_t table) {
    ASSERT(frame_record(table)->live == 0, "table %u has %u entries (T1)", table, frame_record(table)->live);
    pt_attach(table);
    if (frame_put(table)) { frame_free_zeroed(table); }
}

u32 pt_next(frame_t table, u32 i) {
    const pte_t *entries = pt_entries(table);
    u64 lines = frame_record(table)->lines;
    while (i < PT_ENTRIES) {
        u64 rest = lines >> i / 8;
        if (!rest) { break; }
        if (!(rest & 1)) { i = ALIGN_DOWN(i, 8) + 8 * bits_lowest(rest); }
        do {
            if (entries[i]) { return i; }
        } while (++i % 8);
    }
    return PT_ENTRIES;
}

// The same, of what comes behind i; mostly the neighbour.
static always_inline u32 after(frame_t table, const pte_t *entries, u32 i) {
    return ++i % 8 && entries[i] ? i : pt_next(table, i);
}

#define each_entry(i, table, entries)                                                              \
    (u32 i = pt_next(table, 0); i < PT_ENTRIES; i = after(table, entries, i))

void pt_release(pte_t leaf) {
    if (swap_is(leaf)) {
        swap_put(leaf);
        return;
    }
#ifdef MUTANT_borrowed_let_go  // "whoever unmaps has had it"
    frame_release(frame_of_pte(leaf));
#else
    if (!(leaf & PTE_BORROWED)) { frame_release(frame_of_pte(leaf)); }
#endif
}

void pt_set(pte_t *e, pte_t leaf) {
    ASSERT(!*e, "entry %p is in use: %lx", (void *)e, *e);
    pt_count(e);
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

// ---- the end of tables ----

static void let_go(frame_t table, int level);

// Empty a table of `level`. => its lock, or nobody else knows it
static void drop_entries(frame_t table, int level) {
    pte_t *entries = pt_entries(table);
    for each_entry(i, table, entries) {
        pte_t e = entries[i];
        frame_t lower = frame_of_pte(e);
        if (level > 0) { pt_lock(lower, level - 1); }
        RACE_POINT_FRAME("table.clear", lower);
        ghost_change(&entries[i], atomic_store_relaxed(&entries[i], 0ul));
        frame_record(table)->live--;
        if (level > 0) {
            let_go(lower, level - 1);
        } else {
            pt_release(e);
        }
    }
}

// Drop the reference of an entry that is gone, and with the last one the table and all below. => lock held: it ends
static void let_go(frame_t table, int level) {
    RACE_POINT("table.put");
    bool last = frame_put(table);
    if (last) {
        pt_detach(table);
        drop_entries(table, level);
        pt_attach(table);
    }
    pt_unlock(table, level);
#ifndef MUTANT_M17  // tables are nobody's to free
    if (last) { frame_free_zeroed(table); }
#endif
}

frame_t pt_unhook(pte_t *e, int level) {
    frame_t lower = frame_of_pte(*e);
    bool owned = *e & PTE_V;
    pt_lock(lower, level - 1);
    ghost_change(e, atomic_store_relaxed(e, 0ul));  // harts may be walking here
    frame_record_of(e)->live--;
    if (!owned) {
        let_go(lower, level - 1);
        return FRAME_NONE;
    }
    pt_detach(lower);
    pt_unlock(lower, level - 1);
    return lower;
}

void pt_destroy(frame_t table, int level) {
    pt_lock(table, level);  // somebody may not have let go of it yet
    let_go(table, level);
}

void pt_empty_root(frame_t root) { drop_entries(root, PT_LEVELS - 1); }

// ---- sharing ----

// What both tables will hold of a leaf entry that one of them had. Nobody's hardware gets at it.
static pte_t share_leaf(pte_t *from) {
    pte_t e = *from;
    if (swap_is(e)) {
#ifndef MUTANT_slot_uncounted  // "it is not in memory"
        swap_get(e);
#endif
        return e;
    }
#ifdef MUTANT_M19  // what was read-only is marked, too, and then written
    if (!(e & (PTE_W | PTE_COW))) {
        *from |= PTE_COW;
        e |= PTE_COW;
    }
#endif
#ifndef MUTANT_shared_marked  // whatever can be written is copied
    if (e & PTE_BORROWED) { return e; }
#endif
#ifdef MUTANT_W03  // marked by an earlier fork: not writable, so read-only
    e &= ~PTE_COW;
#endif
#ifdef MUTANT_M16  // both may go on writing
    frame_get(frame_of_pte(e));
    return e;
#endif
    if (e & PTE_W) {
        e ^= PTE_W | PTE_COW;
#ifndef MUTANT_original_kept  // "the copy is marked"
        ghost_change(from, write_once(*from, e));  // nobody else looks; a hart that did would be told of it
#endif
    }
    RACE_POINT_FRAME("share.get", frame_of_pte(e));
#ifdef MUTANT_W04  // a child of the dying need not be counted
    if (park_killed()) { return e; }
#endif
#ifdef MUTANT_get_late  // in privatise
    return e;
#endif
    frame_get(frame_of_pte(e));
    return e;
}

static pte_t share_table(pte_t *from) {
    frame_t lower = frame_of_pte(*from);
    frame_get(lower);
    ghost_change(from, atomic_store_relaxed(from, pt_shared(lower)));
    return pt_shared(lower);
}

static void copy_counts(frame_t to, frame_t from) {
    frame_record(to)->live = frame_record(from)->live;
    frame_record(to)->lines = frame_record(from)->lines;
}

// A new table with the entries of one that others point at as well, or FRAME_NONE. => its lock
static frame_t copy_shared(frame_t shared, int level) {
    frame_t copy = pt_alloc(level);
    if (!copy) { return FRAME_NONE; }
    pte_t *from = pt_entries(shared), *to = pt_entries(copy);
    for each_entry(i, shared, from) {
        pte_t e = level == 0 ? share_leaf(&from[i]) : share_table(&from[i]);
        ghost_change(&to[i], to[i] = e);
    }
    copy_counts(copy, shared);
#ifdef MUTANT_M10  // the mark for every entry, whether there is a page or not
    for (u32 i = 0; level == 0 && i < PT_ENTRIES; i++) {
        if (!from[i]) { from[i] = to[i] = PTE_COW; }
    }
#endif
    return copy;
}

// => the lock of `shared`, at lower_level: it ends
static int privatise(pte_t *e, frame_t shared, int lower_level) {
    RACE_POINT("table.copy");
    frame_t copy = copy_shared(shared, lower_level);
    if (!copy) {
#ifdef MUTANT_M31  // "there is always one more"
        panic("no table for a child");
#endif
#ifdef MUTANT_M12  // gives back what it has not counted
        if (lower_level == 0) { frame_release(frame_of_pte(pt_entries(shared)[pt_next(shared, 0)])); }
#endif
#ifdef MUTANT_M20  // counts first, and does not take that back
        if (lower_level == 0) { frame_get(frame_of_pte(pt_entries(shared)[pt_next(shared, 0)])); }
#endif
#ifdef MUTANT_M32  // what cannot be copied is left out
        ghost_change(e, atomic_store_relaxed(e, 0ul));
        frame_record_of(e)->live--;
        let_go(shared, lower_level);
        return -ENOENT;
#endif
        pt_unlock(shared, lower_level);
        return -ENOMEM;
    }
#ifdef MUTANT_copy_relaxed  // "the lock is let go later"
    ghost_change(e, atomic_store_relaxed(e, pt_owned(copy)));
#else
    ghost_change(e, atomic_store_release(e, pt_owned(copy)));  // its entries before the pointer
#endif
    let_go(shared, lower_level);
    RACE_POINT("table.copied");
#ifdef MUTANT_get_late  // pages are counted when all have their tables
    pte_t *late = pt_entries(copy);
    for each_entry(i, copy, late) {
        if (!lower_level) { frame_get(frame_of_pte(late[i])); }
    }
#endif
    COUNT(table_copies);
    return 0;
}

static int new_table(pte_t *e, int level) {
    frame_t lower = pt_alloc(level);
    if (!lower) { return -ENOMEM; }
    pt_count(e);
#ifdef MUTANT_table_relaxed  // "it was zeroed long ago"
    ghost_change(e, atomic_store_relaxed(e, pt_owned(lower)));
#else
    ghost_change(e, atomic_store_release(e, pt_owned(lower)));  // zeros before the pointer
#endif
    return 0;
}

// The count is looked at under the lower table's lock: somebody may be at work there who came before a fork.
int pt_own(pte_t *e, int level, bool make) {
    if (!*e) { return make ? new_table(e, level - 1) : -ENOENT; }
    if (*e & PTE_V) { return 0; }
    frame_t lower = frame_of_pte(*e);
    pt_lock(lower, level - 1);
#ifdef MUTANT_frame_only  // "whether a page is shared, its own count says"
    if (level > 1)
#endif
    if (!frame_sole(lower)) { return privatise(e, lower, level - 1); }
    // What was done below by those who shared it, before the entry: who walks without a lock follows it.
    ghost_change(e, atomic_store_release(e, pt_owned(lower)));
    pt_unlock(lower, level - 1);
    COUNT(table_owns);
    return 0;
}

int pt_descend(frame_t *table, int *level, int to, u64 va, bool make) {
    while (*level > to) {
        pte_t *e = &pt_entries(*table)[pt_index(va, *level)];
        int error = pt_own(e, *level, make);
        if (error) { return error; }
        frame_t lower = frame_of_pte(*e);
        pt_lock(lower, *level - 1);
        pt_unlock(*table, *level);
        *table = lower;
        --*level;
    }
    return 0;
}

bool pt_share_root(frame_t from, frame_t to) {
    pte_t *entries = pt_entries(from);
    for each_entry(i, from, entries) { pt_entries(to)[i] = share_table(&entries[i]); }
    copy_counts(to, from);
    return frame_record(from)->live;
}

// ---- copying ----

static pte_t copy_leaf(pte_t e) {
    if (swap_is(e)) {
        swap_get(e);
        return e;
    }
    if (e & PTE_BORROWED) { return e; }
    frame_t copy = frame_copy(frame_of_pte(e));
    return copy ? pte_make(frame_pa(copy), e & PTE_COW ? (e & PTE_FLAGS) ^ (PTE_W | PTE_COW) : e & PTE_FLAGS) : 0;
}

bool pt_copy(frame_t from, frame_t to, int level) {
    pte_t *entries = pt_entries(from), *copies = pt_entries(to);
    bool done = true;
    pt_lock(from, level);
    for each_entry(i, from, entries) {
        frame_t lower = level > 0 ? pt_alloc(level - 1) : FRAME_NONE;
        pte_t e = level == 0 ? copy_leaf(entries[i]) : lower ? pt_owned(lower) : 0;
        done = e;
        if (!done) { break; }
        ghost_change(&copies[i], copies[i] = e);
        pt_count(&copies[i]);
        done = level == 0 || pt_copy(frame_of_pte(entries[i]), lower, level - 1);
        if (!done) { break; }
    }
    pt_unlock(from, level);
    return done;
}
