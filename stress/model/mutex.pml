// SPDX-License-Identifier: MIT
// mutex.pml - the three states of a mutex (Drepper's mutex 2), with waiters that sleep.
//
// Model      THREADS threads lock and unlock; thread 0 does it SECTIONS times.
// Invariants M1 one thread is inside at a time. M2 nobody waits for ever (SPIN: no invalid end state).
//            M3 at the end the mutex is free.
#ifndef SECTIONS
#define SECTIONS 1
#endif
#define THREADS 3
#define QUEUES 1
#include "sleep.inc"

byte m, inside;

inline swap(to) { d_step { old = m; m = to } }
inline mutex_wait(t) {
#ifdef MUTANT_WAIT_SWAPS_FIRST
    swap(2);
    do :: old != 0 -> waitq_add(0, t); park(t); swap(2) :: else -> break od;
#else
    waitq_add(0, t);                        // @ mutex_wait: waitq_add(&m->waiters, &w)
    do
#ifdef MUTANT_WAIT_SWAPS_ONE
    :: swap(1);
#else
    :: swap(2);                             // @ mutex_wait: atomic_swap_acquire(&m->state, 2u)
#endif
        if
        :: old == 0 -> break
        :: else -> park(t);                 // @ mutex_wait: park()
            waitq_add(0, t)                 // @ mutex_wait: waitq_again(&m->waiters, &w)
        fi
    od;
#endif
    waitq_del(0, t)                         // @ mutex_wait: waitq_del(&m->waiters, &w)
}
inline mutex_lock(t) {
#ifdef MUTANT_LOCK_TORN
    old = m; if :: old == 0 -> m = 1 :: else -> mutex_wait(t) fi;
#else
    if
    :: atomic { m == 0 -> m = 1 }           // @ mutex_lock: atomic_cas32_acquire(&m->state, 0, 1)
    :: atomic { m != 0 -> skip } mutex_wait(t)  // @ mutex_lock: mutex_wait(m)
    fi;
#endif
    d_step { inside++; assert(inside == 1) }                                              // M1
}
inline mutex_unlock() {
    inside--;
#ifdef MUTANT_UNLOCK_TORN
    old = m; m = 0;
#else
    swap(0);                                // @ mutex_unlock: atomic_swap_release(&m->state, 0u)
#endif
#ifndef MUTANT_UNLOCK_SILENT
    if :: old == 2 -> wake_one(0) :: else fi  // @ mutex_unlock: mutex_wake(m)
#endif
}
proctype thread(byte t) {
    byte i, old, w;
    mtype s;
    for (i : 1 .. (t == 0 -> SECTIONS : 1)) {
        mutex_lock(t);
        mutex_unlock();
        old = 0
    }
}
init {
    atomic {
        run finisher(0); run finisher(1); run finisher(2);
        run thread(0); run thread(1); run thread(2)
    }
    _nr_pr == 4;
    assert(m == 0 && !queued[0] && !queued[1] && !queued[2])                              // M3
}
