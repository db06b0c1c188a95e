// SPDX-License-Identifier: MIT
// pagetable.h - Sv39 tables of one address space. => as->lock held, everywhere
#pragma once
#include "mm/as.h"

static always_inline pte_t *table_at(pte_t e) { return pa_to_kva(pte_pa(e)); }

// The entry for va in its leaf table, or NULL if the table is not there.
static always_inline pte_t *pt_find(struct as *as, u64 va) {
    pte_t e = as->table[pt_index(va, 2)];
    if (unlikely(!(e & PTE_V))) { return NULL; }
    e = table_at(e)[pt_index(va, 1)];
    if (unlikely(!(e & PTE_V))) { return NULL; }
    pte_t *leaf = &table_at(e)[pt_index(va, 0)];
    if (!leaf) {
        __builtin_unreachable();  // saves the callers' second test
    }
    return leaf;
}
// The same, building what is missing. NULL: no memory.
pte_t *pt_make(struct as *as, u64 va) must_check;
// Put a leaf into an empty entry. No fence: an entry that was invalid needs none on harts that do not
// cache such entries, and where they do, as_fault() finds the entry good, fences and returns.
void pt_set(struct as *as, pte_t *e, pte_t leaf);
// Remove what [start, end) maps, tables that become empty included. Frames are dropped after the
// shootdown (unhook, fence, free). quiet: no hart holds translations, so there is none.
void pt_clear(struct as *as, u64 start, u64 end, bool quiet);
// How many pages are mapped.
u64 pt_pages(struct as *as);
// A table that is all zeros, or FRAME_NONE; and back, when it is all zeros again.
frame_t pt_alloc(void) must_check;
void pt_free(frame_t table);

static always_inline frame_t pt_table_of(const pte_t *e) { return frame_from_kva(e); }
