// SPDX-License-Identifier: MIT
// sched.h - per-hart run queues.
#pragma once
#include "proc/thread.h"

void sched_init_hart(struct hart *h);
void sched_ready(struct thread *t);      // put a READY thread on a run queue
void sched_yield(void);                  // let others of this hart's queue run first
void sched_started(struct thread *from); // a new thread's first step (trap.S)
void sched_tick(void);                   // => from the timer interrupt
noreturn void sched_idle(void);          // what a hart does when nothing is ready
noreturn void sched_exit(void);          // leave for ever: the state is DEAD
// The way back to user mode when thread->work is not zero. => interrupts off, and again after
void sched_user_work(void);
// Move to a hart that the affinity allows, if this one is not. => no spinlock held
void sched_obey_affinity(void);

// Bring thread->fp up to date (fork), or begin to use it.
void sched_save_fp(struct thread *t);
void sched_start_fp(struct thread *t);

// Stop every other hart at the edge of user mode or idle; run fn; let them go on.
void sched_quiesced(void (*fn)(void *arg), void *arg);
