// SPDX-License-Identifier: MIT
// thread.h - threads: what the scheduler runs.
//
// Shares     a thread has one count of each thing that it may share: its address space, its table of
//            descriptors, its working directory. It gives them up itself (exit.c, exec.c).
// States     RUNNING   on a hart
//            READY     on a run queue, or about to be (its switch-out is being finished)
//            PARKING   still on its hart, has announced that it will sleep
//            PARKED    asleep
//            DEAD      will never run again; freed by a sibling (thread_sweep), or with its process
// Changes    RUNNING -> PARKING by the thread; PARKING -> RUNNING by whoever wakes it too early;
//            PARKING -> PARKED by the hart that has switched away from it (CAS: one of these two wins);
//            PARKED -> READY by whoever wakes it (CAS: exactly one).
//
// Fields: (c) constant, (o) the thread itself, (t) the process's threads_lock.
#pragma once
#include "lib/list.h"
#include "proc/pid.h"
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
    struct as *as;           // (o) NULL: none any more
    struct fd_table *files;  // (o)
    struct inode *dir;       // (o) where it works, unless it shares that (CLONE_FS):
    struct cwd *cwd;         // (o) NULL, or where they do
    bool killed;             // (m: park_killed looks at any time) set under (t): it has to end
    i32 tid;                 // (o) changes in exec only: the process's number, then
    struct pid id;           // of all but the leader, which is found by the process's
    struct list sibling;     // (t) on the process's threads, or dead
    uaddr set_tid;           // (o) where a new thread writes its number. 0: nowhere
    uaddr clear_tid;         // (o) where to say, at the end, that there is this thread no more. 0: nowhere
    struct vfork *vfork;     // (o) whoever waits until the parent's memory is not used any more
    struct as *building;     // (o) exec's new space, and its frame of addresses (0: none), for the audit
    u32 building_frame;
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

static inline struct as *as_self(void) { return thread_self()->as; }

static inline struct trapframe *thread_trapframe(struct thread *t) {
    return (struct trapframe *)(t->stack - TF_SIZE);
}
