// SPDX-License-Identifier: MIT
// sched.h - switching threads.
#pragma once
#include "proc/thread.h"

void sched_yield(void);                  // let others of this hart's queue run first
void sched_started(struct thread *from); // a new thread's first step (trap.S)
noreturn void sched_idle(void);          // what a hart does when nothing is ready
noreturn void sched_exit(void);          // leave for ever: the state is DEAD
// The way back to user mode when thread->work is not zero. => interrupts off, and again after
void sched_user_work(void);
// Move to a hart that the affinity allows, if this one is not. => no spinlock held
void sched_obey_affinity(void);
