// SPDX-License-Identifier: MIT
// abi.h - what Kine's own system calls (1000 and up) exchange with user programs.
//
// Included by the kernel and by user/: fixed-width types only, no other header but <stdint.h>.
#pragma once
#include <stdint.h>

// kine_audit(report, len): stop every hart at a quiescent point and account for every frame.
// Returns 0 when the books balance, otherwise the number of errors found (positive).
struct kine_audit {
    uint64_t frames;    // all frames that the kernel manages
    uint64_t free;      // on a free list, in a magazine or never used
    uint64_t user;      // user class: mapped by at least one process; without the next
    uint64_t cached;    // pages of files and of shared memory, whoever maps them
    uint64_t table;     // page tables
    uint64_t kernel;    // slabs, stacks, pipes
    uint64_t mappings;  // valid user leaf entries over all address spaces
    uint64_t shared;    // user frames with a count above one
    uint64_t swapped;   // slots of the swap device in use
    uint64_t errors;
    char first[168];    // the first error in words, or ""
};

// kine_counters(hart, out, len): event counts since boot, of one hart or (hart = -1) of all.
// The order is part of the interface: new ones go last.
#define KINE_COUNTERS(X)                                                                           \
    X(syscalls)      /* system calls */                                                            \
    X(faults)        /* page faults resolved: the sum of the next five, and of path_faults, */      \
                     /* file_maps, swap_ins, less cow_around */                                    \
    X(cow_copies)    /* copy-on-write faults that copied a frame */                                \
    X(cow_flips)     /* ... that found a sole owner and only set W */                              \
    X(zero_fills)    /* demand-zero faults */                                                      \
    X(file_fills)    /* pages copied from a file */                                                \
    X(spurious)      /* faults that found the entry already good */                                \
    X(forks)                                                                                       \
    X(execs)                                                                                       \
    X(exits)                                                                                       \
    X(frame_allocs)                                                                                \
    X(frame_frees)                                                                                 \
    X(refills)       /* batches moved into a magazine */                                           \
    X(spills)        /* batches moved out of one */                                                \
    X(frame_steals)  /* refills from another hart's frames */                                      \
    X(switches)      /* context switches */                                                        \
    X(task_steals)   /* threads taken from another hart's run queue */                             \
    X(ipis)          /* inter-processor interrupts sent */                                         \
    X(shootdowns)    /* TLB shootdowns that needed another hart */                                 \
    X(page_fences)   /* local sfence.vma of one page */                                            \
    X(full_fences)   /* local sfence.vma of an address space or of everything */                   \
    X(ticks)         /* timer interrupts */                                                        \
    X(ooms)          /* processes killed for want of memory */                                      \
    X(table_owns)    /* shared page tables taken back: nobody else had them any more */            \
    X(table_copies)  /* shared page tables copied at the first touch of what is below */           \
    X(path_faults)   /* faults that did no more than that */                                       \
    X(file_maps)     /* pages of files mapped where they are, without a copy */                     \
    X(swap_ins)      /* pages read from the swap device */                                         \
    X(swap_outs)     /* pages written there and taken away */                                      \
    X(cow_around)    /* of copies and flips, those made along with another page's fault */         \
    X(ref_changes)   /* changes of the counts of frames and tables; TRACK=1, as the next three */  \
    X(ref_moves)     /* ... of a count that another hart had changed last */                       \
    X(credit_moves)  /* the same if harts took references in batches (sync/track.h) */             \
    X(credit_asks)   /* looks for a sole owner that would have to ask other harts for theirs (REFS=cas) */

struct kine_counters {
#define X(name) uint64_t name;
    KINE_COUNTERS(X)
#undef X
};

// kine_ctl(op, a, b)
enum kine_ctl_op {
    KINE_POWEROFF = 1,    // stop the machine, QEMU exits with status a (0..255)
    KINE_FAIL_NTH = 2,    // the a-th kernel memory allocation made for this thread from now on
                          // fails (1 = the next); 0 = none. Inherited by nobody. Returns how many
                          // allocations the thread has made since the last KINE_FAIL_NTH.
    KINE_HOARD = 3,       // take every free frame there is for the kernel's test hoard;
                          // returns how many were taken by this call
    KINE_UNHOARD = 4,     // free a frames of the hoard (0: all), on the calling hart; returns how many
    KINE_SELFTEST = 5,    // run the kernel's unit tests (CHECK=1 builds; else -ENOSYS): KTAP on the
                          // console; returns the number that failed. Needs "selftest" in bootargs.
    KINE_CRASH = 6,       // a = 0 panic, 1 stack overflow, 2 wild load, 3 (CHECK=1 builds) locks
                          // taken against their order: needs "crash" in bootargs,
                          // otherwise -EPERM
    KINE_NHARTS = 7,      // how many harts are online
    KINE_DELAY = 8,       // race-point delays: a = seed, b = strength (0 = off); CHECK=1 builds,
                          // else -ENOSYS
    KINE_RSS = 9,         // pages that the calling process has, in memory or not
    KINE_RACE = 20,       // the race detector's test (RACE=1 builds, else -ENOSYS): b = play | role << 8 |
                          // players << 16; a = 0 prepare: returns how many plays there are;
                          // 1 print and return whether it went as it should; 2 play the role
    KINE_GHOST = 21,      // changes of page tables, fences and looks that the ghost TLB has checked
                          // (GHOST=1 builds, else 0)
    KINE_SCHEDULE = 22,   // the schedule explorer (SCHED=1 builds, else -EINVAL): a = one of enum
                          // kine_schedule_op, b = a struct kine_schedule
    KINE_INJECT = 23,     // a = one of enum kine_inject | KINE_INJECT_SELF | seed << 8: from now on at one in n
                          // of its occasions (0: never), waiting up to w spins, b = n | w << 32.
                          // Returns how many there have been since boot. CHECK=1 builds, else -EINVAL
    KINE_FREE = 10,       // free frames, summed without stopping anybody (exact only at rest)
};

// What kernel/sync/inject.h injects.
enum kine_inject {
    KINE_SPURIOUS_FAULT,  // a resolved page fault is reported again
    KINE_LATE_IPI,        // a hart does nothing about an inter-processor interrupt for a while
    KINE_SLOW_HART,       // the hart seed % harts waits whenever it enters the kernel
    KINE_NO_MEMORY,       // the n-th allocation from now on fails, whoever makes it, and no other
    KINE_INJECT_KINDS
};
#define KINE_INJECT_SELF 0x80  // only while the calling process runs

// A play of the schedule explorer (kernel/sync/schedule.h): player n is a thread on hart n.
#define KINE_PLAYERS 4
#define KINE_SCHEDULE_DEPTH 8
#define KINE_SCHEDULE_LINES 256
#define KINE_SCHEDULE_STEPS 1024

enum kine_schedule_op {
    KINE_SCHEDULE_PREPARE,  // take over the plan; pages that players share must be there already
    KINE_SCHEDULE_JOIN,     // be a player, from now on only when the scheduler says so
    KINE_SCHEDULE_HERE,     // wait until b have joined; returns how many have
    KINE_SCHEDULE_BEGIN,    // => all have joined
    KINE_SCHEDULE_LEAVE,    // a player is through, as it is by its exit
    KINE_SCHEDULE_OVER,     // wait until all have left
    KINE_SCHEDULE_RECORD,   // what was played: the plan with steps, lost, step[0..steps)
    KINE_SCHEDULE_POINT,    // come to the point user.b, b = 1 .. 9; returns the number of the step that it was
};

enum kine_schedule_mode {
    KINE_SCHEDULE_LIST,    // line[i].next is the i-th choice where there is one; then who runs goes on
    KINE_SCHEDULE_SCRIPT,  // line[i].player runs until it is at line[i].at, or waits, if it may
    KINE_SCHEDULE_SEED,    // random priorities, depth - 1 changes within the first length steps
};

struct kine_schedule_step {
    uint8_t player;   // who came to the point; 0: the beginning
    uint8_t next;     // who goes on
    uint8_t enabled;  // bit i: player i could have
    uint8_t waits;    // recorded: for a lock, or parked; in a script: may wait instead
    char at[20];
};

struct kine_schedule {
    uint32_t players, mode, lines, depth, length;
    uint32_t steps;  // recorded: how many, even when that is more than there is room for
    uint32_t lost;   // recorded: 1 + the first line that could not be followed, 0: none
    uint32_t reserved;
    uint64_t seed;
    uint64_t watch;  // an address of the caller: the frame there is the one that matters; 0: all do
    struct kine_schedule_step line[KINE_SCHEDULE_LINES], step[KINE_SCHEDULE_STEPS];
};

// A flag of clone beyond Linux's: copy all memory at once, share nothing.
#define KINE_CLONE_EAGER (1ull << 40)

// kine_pagemap(va, n, out): one word per page from va on; 0 = nothing mapped.
#define KINE_PM_VALID   (1ull << 0)
#define KINE_PM_READ    (1ull << 1)
#define KINE_PM_WRITE   (1ull << 2)
#define KINE_PM_EXEC    (1ull << 3)
#define KINE_PM_USER    (1ull << 4)
#define KINE_PM_COW     (1ull << 8)
#define KINE_PM_FILE    (1ull << 9)  // the frame is a file's, or shared memory's: count 2, whoever maps it
#define KINE_PM_SWAP    (1ull << 10) // not in memory: the count is the slot's
#define KINE_PM_COUNT(w) ((uint32_t)(((w) >> 12) & 0xfffff))  // the frame's count, capped
#define KINE_PM_FRAME(w) ((uint32_t)((w) >> 32))              // frame number, relative
