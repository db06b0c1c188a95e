// SPDX-License-Identifier: MIT
// spin.h - spinlocks.
//
// Model      one word: 0 free, 1 held. Test-and-test-and-set with amoswap, not tickets: on a virtual
//            machine a ticket goes to a waiter whose virtual hart may not be running, and then
//            nobody gets the lock. Short sections and per-hart locks keep waiters rare.
// Ordering   lock is an acquire, unlock a release: they pair with each other.
// Holding    the kernel is not pre-emptible, so plain spin_lock() leaves interrupts on. Locks that an
//            interrupt handler takes (lockrank.h, irq = off) use the _irq forms.
// Records    each hart lists what it holds, for panic; lockdep.h keeps lists of its own. `held`, `nheld`
//            and `owner` are accessed marked only (but for a panic, when all stand still): no access of
//            them can be part of a race, and the race detector need not look.
#pragma once
#include "lib/types.h"
#include "riscv/csr.h"
#include "riscv/hart.h"
#include "sync/atomic.h"
#include "sync/lockdep.h"
#include "sync/schedule.h"

struct spin {
    u32 word;
    u16 rank;
    u16 owner;  // (m: spin_wait looks) index of the holding hart + 1: for panic's eyes
};

#define SPIN_INIT(r) {0, RANK_##r, 0}

static inline void spin_init(struct spin *l, enum lock_rank rank) {
    lockdep_init(l, rank);
    *l = (struct spin){0, rank, 0};
}

void spin_wait(struct spin *l);  // the slow path of spin_lock

static unwatched void spin_note_held(struct spin *l) {
    struct hart *h = this_hart();
    u32 n = read_once(h->nheld);
    write_once(h->nheld, n + 1);  // first the count: a handler in between uses the slot above
    if (likely(n < HELD_MAX)) { write_once(h->held[n], l); }
    write_once(l->owner, h->index + 1);
}

static unwatched void spin_note_dropped(struct spin *l) {
    write_once(l->owner, 0);
    write_once(this_hart()->nheld, read_once(this_hart()->nheld) - 1);
}

static always_inline void spin_lock(struct spin *l) {
    lockdep_take(l, l->rank, LOCKDEP_SPIN);
    schedule_lock(l->rank);
#ifdef MUTANT_lock_relaxed  // "who gets it gets it"
    if (unlikely(atomic_swap_relaxed(&l->word, 1u))) {
#else
    if (unlikely(atomic_swap_acquire(&l->word, 1u))) {  // pairs with spin_unlock
#endif
        spin_wait(l);
    }
    spin_note_held(l);
}

static always_inline bool must_check spin_try_lock(struct spin *l) {
    if (atomic_load_relaxed(&l->word) || atomic_swap_acquire(&l->word, 1u)) {
        return false;
    }
    lockdep_take(l, l->rank, LOCKDEP_TRY);
    spin_note_held(l);
    return true;
}

static always_inline void spin_unlock(struct spin *l) {
    lockdep_drop(l, l->rank, LOCKDEP_SPIN, read_once(l->word));  // others swap
    spin_note_dropped(l);
#ifdef MUTANT_unlock_relaxed  // "a store is a store"
    atomic_store_relaxed(&l->word, 0u);
#else
    atomic_store_release(&l->word, 0u);  // pairs with spin_lock
#endif
}

static always_inline u64 must_check spin_lock_irq(struct spin *l) {
    u64 flags = irq_save();
    spin_lock(l);
    return flags;
}

static always_inline void spin_unlock_irq(struct spin *l, u64 flags) {
    spin_unlock(l);
    irq_restore(flags);
}

static inline bool spin_held_here(const struct spin *l) {
    return read_once(l->owner) == this_hart()->index + 1;
}
