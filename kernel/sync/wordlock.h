// SPDX-License-Identifier: MIT
// wordlock.h - a lock in one word whose waiters sleep in the parking lot.
//
// States     0 free, 1 held, 2 held and somebody may be waiting (as mutex.h).
// Stability  the word may be somebody's long after the object around it is another one: all that a late
//            waiter does is to make 1 a 2, and to wake up when that is let go. So who has waited without
//            holding what keeps the object must look again from the start (wordlock_try, wordlock_wait).
// Ordering   lock acquires, unlock releases; they pair with each other.
// => as a mutex: not from handlers, not while a spinlock is held
#pragma once
#include "riscv/hart.h"
#include "sync/atomic.h"
#include "sync/lockdep.h"
#include "sync/schedule.h"

struct wordlock {
    u32 word;  // (a)
};

void wordlock_wait(struct wordlock *l);  // until it may be free. => not held by the caller
void wordlock_wake(struct wordlock *l);

// Without waiting, and without a word to lockdep: who gets it says wordlock_got, with interrupts on.
static always_inline bool must_check wordlock_try(struct wordlock *l) {
#ifdef MUTANT_wordlock_try_relaxed  // "the branch keeps the order"
    return atomic_cas32_relaxed(&l->word, 0, 1);
#else
    return atomic_cas32_acquire(&l->word, 0, 1);  // pairs with wordlock_unlock
#endif
}

#define wordlock_got(l, rank) lockdep_take(l, rank, LOCKDEP_MUTEX)

// => the caller holds what keeps the object around it (states, above)
static always_inline void wordlock_lock(struct wordlock *l, u64 rank) {
    (void)rank;
    wordlock_got(l, rank);
    schedule_lock(rank);
    while (unlikely(!wordlock_try(l))) { wordlock_wait(l); }
}

static always_inline void wordlock_unlock(struct wordlock *l, u64 rank) {
    (void)rank;
    lockdep_drop(l, rank, LOCKDEP_MUTEX, atomic_load_relaxed(&l->word));
#ifdef MUTANT_wordlock_relaxed  // "a swap is a fence"
    if (unlikely(atomic_swap_relaxed(&l->word, 0u) == 2)) { wordlock_wake(l); }
#else
    if (unlikely(atomic_swap_release(&l->word, 0u) == 2)) { wordlock_wake(l); }  // pairs with wordlock_try
#endif
}
