// SPDX-License-Identifier: MIT
// waitq.pml - sleepers, wakers and a killer: no wake-up is lost.
//
// Model      Thread 0 waits to be killed; the other SLEEPERS - 1 wait for a token each, all as waitq.h
//            prescribes. As many wakers bring a token and wake all.
// Invariants those of sleep.inc, and: nobody sleeps for ever (SPIN: no invalid end state).
// Left out   waitq_wake_one with sleepers that can be killed: the killed one could swallow the wake-up
//            of another. Nobody in the kernel does that: only mutexes wake one, and their waiters stay.
#ifndef SLEEPERS
#define SLEEPERS 2
#endif
#define THREADS SLEEPERS
#define QUEUES 1
#include "sleep.inc"

byte tokens;
bool killed, have[SLEEPERS];

#define READY_TO_GO(t) (have[t] || (killed && t == 0))
inline look(t) { d_step { if :: tokens > 0 && !have[t] && t > 0 -> tokens--; have[t] = true :: else fi } }

proctype sleeper(byte t) {
#ifdef MUTANT_ADD_LATE
    look(t); if :: !READY_TO_GO(t) -> waitq_add(0, t); park(t) :: else fi;
#else
    waitq_add(0, t);
#endif
    do
    :: look(t);
        if
        :: READY_TO_GO(t) -> break
        :: else ->
            park(t);
#ifdef MUTANT_LOOK_THEN_ANNOUNCE
            look(t); if :: READY_TO_GO(t) -> break :: else fi;
            waitq_add(0, t); park(t)
#else
            waitq_add(0, t)
#endif
        fi
    od;
    waitq_del(0, t);
    gone[t] = true
}
proctype waker() {
    byte w; mtype s;
    tokens++;
    wake_all(0)
}
proctype killer() {
    mtype s;
    killed = true;                          // @ thread_kill: write_once(t->killed, true)
#ifndef MUTANT_KILL_ONLY_MARKS
    unpark(0)                               // @ thread_kill: unpark(t)
#endif
}
init {
    byte i;
    atomic {
        for (i : 0 .. SLEEPERS - 1) { run finisher(i) }
        for (i : 0 .. SLEEPERS - 1) { run sleeper(i) }
        for (i : 1 .. SLEEPERS - 1) { run waker() }
        run killer()
    }
}
