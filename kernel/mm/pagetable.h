// SPDX-License-Identifier: MIT
// pagetable.h - Sv39 tables, which address spaces share until one of them touches what is below.
//
// Model      A table is a frame with a count of the entries, anywhere, that point at it (roots: 1). An
//            entry of a root or middle table is
//              empty
//              OWNED   V=1: its table's count is 1, and hardware may walk it
//              SHARED  V=0, with the table's number kept in bits that the hardware ignores then
//                      (Privileged spec 10.3.1): fork has made it so on both sides. Nobody's hardware
//                      gets below it, so the leaf entries there may keep W.
//            A leaf entry is empty, or names a swapped page (swap.h), or maps a frame, whose count is the number of
//            LEAF TABLES that map it; or it borrows a file's, and is not counted (backing.h).
//            Who touches an address owns the path to it first (pt_own): a table that nobody else points at
//            any more is taken back as it is; else it is copied, and each entry in it becomes SHARED, or
//            COW if it had W, in both. Own the path, then test the frame.
// Invariants T1 frame_record(table)->live = number of entries that are not empty.
//            T2 a table has a count of 1 if an OWNED entry points at it.
//            T3 a detached table is pointed at by no entry: whoever has it in hand answers for it (audit.c), and
//               empties and frees it under its lock.
//            T4 a frame that is mapped by a SHARED table's entry with W is mapped by no other table, if it is not
//               borrowed.
// Locking    an entry changes, and is relied on, only under its table's lock (cursor.h), upper tables' locks
//            first.
// Late       fork takes no leaf lock: a thread may be at work at a leaf table that has become SHARED meanwhile. It
//            goes on, for what it does changes nobody's memory, in tables that no hardware reaches, as long as
//              - who makes a table OWNED, copies or frees it, waits for its lock first;
//              - an empty entry is filled only if in one window without interrupts the whole path is OWNED and
//                the map says that there is something (fault.c): else it might be there in the parent alone;
//              - unmap owns the tables above the leaf tables before it unhooks anything: else a middle table
//                might come into other hands as a whole, and nobody would have asked for the leaf's lock.
// Freeing    as Linux's mmu_gather: unhook, shoot down, free. Who walks without a lock has interrupts off until
//            it has the table's, so the shootdown waits for it, and the end of the table for the lock.
//            A SHARED entry's table is let go at once: no translation leads there.
// See        Zhao et al., "On-demand-fork" (EuroSys 2021), which shares by the write bit of x86's upper
//            entries; RISC-V has none. stress/model/tables.pml has all of this, and what goes wrong without.
#pragma once
#include "mm/frame.h"
#include "riscv/hart.h"
#include "riscv/pte.h"
#include "sync/lockrank.h"
#include "sync/wordlock.h"

static always_inline pte_t *table_at(pte_t e) { return pa_to_kva(pte_pa(e)); }
static always_inline frame_t pt_table_of(const pte_t *e) { return frame_from_kva(e); }
static always_inline pte_t *pt_entries(frame_t table) { return frame_kva(table); }

static always_inline struct wordlock *pt_lock_of(frame_t table) { return &frame_record(table)->lock; }
static always_inline u64 pt_rank(int level) { return RANK_LEAF - level; }
// => the lock of the table above, or the only reference: see wordlock.h on stability
static always_inline void pt_lock(frame_t table, int level) { wordlock_lock(pt_lock_of(table), pt_rank(level)); }
static always_inline void pt_unlock(frame_t table, int level) {
    wordlock_unlock(pt_lock_of(table), pt_rank(level));
}

// An OWNED or a SHARED entry for a table.
static always_inline pte_t pt_owned(frame_t table) { return pte_make(frame_pa(table), PTE_V); }
static always_inline pte_t pt_shared(frame_t table) { return pte_make(frame_pa(table), PTE_SHARED_TABLE); }

// A table that is all zeros, with a count of one, or FRAME_NONE; and back, when it is all zeros again.
frame_t pt_alloc(int level) must_check;
void pt_free(frame_t table);
// The index of the first entry from i on that is not empty, or PT_ENTRIES. Of a root: in the user's half only.
// => the table's lock
u32 pt_next(frame_t table, u32 i);
// A table is in somebody's hand from now on, and is not any more: audits want to know of each.
static inline void pt_detach(frame_t table) {
    if (!frame_record(table)->detached) { this_hart()->tables_in_hand++; }
    frame_record(table)->detached = true;
}
static inline void pt_attach(frame_t table) {
    if (frame_record(table)->detached) { this_hart()->tables_in_hand--; }
    frame_record(table)->detached = false;
}
// An entry that was empty is not any more. => the table's lock
static always_inline void pt_count(pte_t *e) {
    struct frame *r = frame_record_of(e);
    r->live++;
    r->lines |= 1ul << (u64)e / CACHE_LINE % 64;
}

// Make entry e of a table at `level` an OWNED one, whatever it is; an empty one gets an empty table if `make`
// says so. 0, -ENOMEM, or -ENOENT: it is empty. => the table's lock
int pt_own(pte_t *e, int level, bool make) must_check;
// From a locked table at *level go down the way to va as far as level `to`, owning each entry, and making those that
// are missing if `make` says so; each lower table is locked before the upper is let go. 0 or as pt_own; either way
// *table is locked, at *level.
int pt_descend(frame_t *table, int *level, int to, u64 va, bool make) must_check;
// Make all entries of a root SHARED, and let those of a new one, which is empty, share them. True: there were
// some, so a fence is due, of all addresses. => the lock of `from`
bool pt_share_root(frame_t from, frame_t to) must_check;
// Copy all that table `from` leads to, frames too, into an empty one. false: no memory, and `to` holds a part.
bool pt_copy(frame_t from, frame_t to, int level) must_check;
// Empty entry e of a table at `level`. A SHARED table is let go, and with the last reference freed with all
// below: FRAME_NONE. An OWNED one is detached: pt_destroy it when no hart holds the entry. => the table's lock
frame_t pt_unhook(pte_t *e, int level) must_check;
// Free a detached table that was at `level`, and all below.
void pt_destroy(frame_t table, int level);
// Drop all that a root's user half maps. => nobody uses the space
void pt_empty_root(frame_t root);

// Let go of what a leaf entry that is gone, or never came to be, has counted.
void pt_release(pte_t leaf);
// Put a leaf into an empty entry. No fence: an entry that was invalid needs none on harts that do not
// cache such entries, and where they do, as_fault() finds the entry good, fences and returns.
// => the table's lock
void pt_set(pte_t *e, pte_t leaf);

// The entry for va if the path to it is owned and there, else NULL. Relies on nothing.
static always_inline pte_t *pt_find(const pte_t *root, u64 va) {
    pte_t e = atomic_load_dependent(&root[pt_index(va, 2)]);
    if (unlikely(!(e & PTE_V))) { return NULL; }
    e = atomic_load_dependent(&table_at(e)[pt_index(va, 1)]);
    if (unlikely(!(e & PTE_V))) { return NULL; }
    const pte_t *leaf = &table_at(e)[pt_index(va, 0)];
    if (!leaf) {
        __builtin_unreachable();  // saves the callers' second test
    }
    return (pte_t *)leaf;
}
