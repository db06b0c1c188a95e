// SPDX-License-Identifier: MIT
// sched.h - switching threads.
#pragma once
#include "proc/thread.h"

void sched_yield(void);                  // let others of this hart's queue run first
void sched_started(struct thread *from); // a new thread's first step (trap.S)
noreturn void sched_idle(void);          // what a hart does when nothing is ready
noreturn void sched_exit(void);          // leave for ever: the state is DEAD
void sched_ring(const struct thread *t); // if t runs on another hart: have it look at its work
// Between two pieces of a long call: stand still if asked to, let others run. False: killed, so end.
// => no spinlock held
bool sched_go_on(void);
// The way back to user mode when thread->work is not zero. => interrupts off, and again after
void sched_user_work(void);
// Move to a hart that the affinity allows, if this one is not. => no spinlock held
void sched_obey_affinity(void);
