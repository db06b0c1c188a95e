// SPDX-License-Identifier: MIT
// cursor.h - the one way to the entries of an address space: a leaf table, locked, on a path that the space owns.
//
// Model      The fast way down takes no lock but the leaf table's: from the root over OWNED entries with
//            interrupts off, so that no table on it can be freed (whoever unhooks one waits for an
//            interrupt here), then a try for the lock. Where the way is not there yet, the lowest table
//            that is gets locked, and from there each lower one before the upper is let go, each entry
//            being owned or made on the way. So faults in different 2 MiB meet only where a leaf table is
//            missing or shared, and then only at the table above it.
// Rule       what is read in the map of regions holds if it is read under the leaf table's lock: whoever takes
//            addresses away publishes the new map first and then comes to the tables.
// See        CortenMM (SOSP 2025): transactions over ranges, with such a descent.
#pragma once
#include "mm/as.h"
#include "mm/pagetable.h"

// The entry for va, its table locked: the fast way, if it is there and nobody is at the table; else NULL.
static always_inline pte_t *must_check cursor_try(struct as *as, u64 va) {
    struct frame *table = NULL;
    u64 flags = irq_save();
    pte_t *e = pt_find(as->table, va);
    bool got = false;
    if (likely(e)) {
        table = frame_record_of(e);
        got = wordlock_try(&table->lock);
    }
    irq_restore(flags);
    if (unlikely(!got)) { return NULL; }
    wordlock_got(&table->lock, pt_rank(0));
    return e;
}

// The same by the full way; tables that are missing are built if `make` says so. 0, -ENOMEM, or -ENOENT: there is
// no table.
int cursor_open(struct as *as, u64 va, bool make, pte_t **entry) must_check;

// The first leaf table that is there for [*va, end), owned and locked: *entry is that of *va, which moves up to it.
// 1; 0: there is none; -ENOMEM. => as->lock
int cursor_next(struct as *as, u64 *va, u64 end, pte_t **entry) must_check;

// The first leaf table that is there for [*va, end), locked, however many share it; *va moves up to it. FRAME_NONE:
// there is none. Nothing is owned, so nothing is to be made there. => as->lock
frame_t cursor_look(struct as *as, u64 *va, u64 end) must_check;

// Own all leaf tables that are there for [va, end). 0 or -ENOMEM. => as->lock
int cursor_own(struct as *as, u64 va, u64 end) must_check;

static always_inline void cursor_close(pte_t *entry) {
    wordlock_unlock(&frame_record_of(entry)->lock, pt_rank(0));
}

// What is known of a page without owning the path to it.
struct cursor_view {
    pte_t entry;
    // As many spaces reach it, as far as the tables on this path tell; 0: there is no page; 2: it is a file's. A
    // swapped page has an entry as in swap.h.
    u32 sharers;
};
struct cursor_view cursor_view(struct as *as, u64 va);
