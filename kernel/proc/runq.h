// SPDX-License-Identifier: MIT
// runq.h - per-hart run queues.
#pragma once
#include "proc/thread.h"

void runq_init_hart(struct hart *h);
// Put a READY thread on the queue of a hart that it may run on, and see to it that somebody comes.
void runq_add(struct thread *t);
struct thread *runq_take(void);   // the first of this hart's queue; NULL: it is empty
struct thread *runq_steal(void);  // one that waits for another hart and may run here; NULL: none found
void runq_tick(void);             // somebody waits: pre-empt, and call for help. => timer interrupt
// Sleep until an interrupt, if nothing is to be done. => interrupts on
void runq_wait(void);
