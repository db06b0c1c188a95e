// SPDX-License-Identifier: MIT
// thread.h - threads: what the scheduler runs.
//
// States     RUNNING   on a hart
//            READY     on a run queue, or about to be (its switch-out is being finished)
//            PARKING   still on its hart, has announced that it will sleep
//            PARKED    asleep
//            DEAD      will never run again; its process is reaped by the parent
// Changes    RUNNING -> PARKING by the thread; PARKING -> RUNNING by whoever wakes it too early;
//            PARKING -> PARKED by the hart that has switched away from it (CAS: one of these two wins);
//            PARKED -> READY by whoever wakes it (CAS: exactly one).
#pragma once
#include "lib/list.h"
#include "riscv/hart.h"
#include "riscv/trapframe.h"
#include "sync/lockdep.h"
#include "sync/race.h"

enum thread_state { THREAD_RUNNING, THREAD_READY, THREAD_PARKING, THREAD_PARKED, THREAD_DEAD };

// Reasons to look up before returning to user mode.
enum { WORK_RESCHED = 1, WORK_KILL = 2, WORK_QUIESCE = 4, WORK_NEW_FRAME = 8 };

struct context {
    u64 ra, sp, s[12];
};

struct thread {
    struct context context;
    u32 state;     // (a) enum thread_state
    u32 work;      // (a) WORK_*
    struct proc *proc;
    u64 stack;     // top of the kernel stack
    u32 stack_hart;  // the hart that has run on it last: another one fences first (kstack.c)
    u32 hart;      // (m: sched_ring looks at any time) where it ran last
    u64 affinity;  // (m: sched_setaffinity, at any time) bit i: may run on hart i
    struct list run_link;
    struct inject inject;
    LOCKDEP_ONLY(struct lockdep_list mutexes;)  // held
    bool fp_used;
    u64 fp[33];
#ifdef RACE
    struct race_context race;
#endif
} cacheline_aligned;

static inline struct thread *thread_self(void) { return this_hart()->current; }

static inline struct trapframe *thread_trapframe(struct thread *t) {
    return (struct trapframe *)(t->stack - TF_SIZE);
}
