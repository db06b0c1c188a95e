// SPDX-License-Identifier: MIT
// park.h - what sync needs from the scheduler above it (proc/sched.c), so that the layers point one
// way. A thread announces that it will sleep, re-checks its condition, and parks; a wake-up that
// comes in between cancels the parking. Nothing is lost and nobody spins for a switch to finish.
#pragma once
#include "lib/types.h"

struct thread;

struct thread *park_self(void);
void park_announce(void);        // RUNNING -> PARKING
void park_cancel(void);          // back to RUNNING, whatever has happened
void park(void);                 // sleep until unparked (at once, if that has happened already)
                                 // => no spinlock held, interrupts as you like
void unpark(struct thread *t);   // => t is kept alive by the caller (its wait queue's lock, e.g.)
bool park_killed(void);          // the calling thread has been told to end
void park_poll_stop(void);       // in a wait loop with interrupts off: stop if panic says so
