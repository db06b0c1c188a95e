// SPDX-License-Identifier: MIT
// mutex.h - locks whose waiters sleep.
//
// States     0 free, 1 held, 2 held and somebody may be waiting (Drepper, "Futexes Are Tricky",
//            mutex 2). Without waiters: one CAS to lock, one swap to unlock.
// Ordering   lock acquires, unlock releases; they pair with each other.
// => not from interrupt handlers; not while a spinlock is held. Waiting is not ended by kill.
#pragma once
#include "sync/waitq.h"

struct mutex {
    u32 state;
    u32 rank;
    struct thread *owner;  // (m: others may ask mutex_held_here)
    struct waitq waiters;
};

#define MUTEX_INIT(m, r) {0, RANK_##r, NULL, WAITQ_INIT((m).waiters)}
void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_wait(struct mutex *m);  // the slow path of mutex_lock
void mutex_wake(struct mutex *m);  // and of mutex_unlock

static always_inline void mutex_lock(struct mutex *m) {
    lockdep_take(m, m->rank, LOCKDEP_MUTEX);
    schedule_lock(m->rank);
#ifdef MUTANT_mutex_lock_relaxed  // "the branch keeps the order"
    if (unlikely(!atomic_cas32_relaxed(&m->state, 0, 1))) {
#else
    if (unlikely(!atomic_cas32_acquire(&m->state, 0, 1))) {  // pairs with mutex_unlock
#endif
        mutex_wait(m);
    }
    write_once(m->owner, this_hart()->current);
}

static inline bool must_check mutex_try(struct mutex *m) {
    if (!atomic_cas32_acquire(&m->state, 0, 1)) { return false; }  // pairs with mutex_unlock
    lockdep_take(m, m->rank, LOCKDEP_MUTEX);
    write_once(m->owner, this_hart()->current);
    return true;
}

static always_inline void mutex_unlock(struct mutex *m) {
    lockdep_drop(m, m->rank, LOCKDEP_MUTEX, read_once(m->state));  // a waiter may make it 2
    write_once(m->owner, NULL);
#ifdef MUTANT_mutex_unlock_relaxed  // "a swap is a fence"
    if (unlikely(atomic_swap_relaxed(&m->state, 0u) == 2)) {
#else
    if (unlikely(atomic_swap_release(&m->state, 0u) == 2)) {  // pairs with mutex_lock
#endif
        mutex_wake(m);
    }
}

static inline bool mutex_held_here(struct mutex *m) {
    return read_once(m->owner) == this_hart()->current && atomic_load_relaxed(&m->state);
}
