// SPDX-License-Identifier: MIT
// lockrank.h - the order of all locks, outermost first. docs/architecture.md's table is made from it.
//
// A lock may be taken only while every lock held has a smaller rank (sync/lockdep.h enforces it).
// X(name, kind, irq, protects)
//   kind  spin: short, never slept under.  mutex (or wordlock.h): may be slept under, taken before any
//         spinlock.
//   irq   off: taken with interrupts off, because handlers or the context switch take it too.
#pragma once

#define LOCK_RANKS(X)                                                                              \
    X(AUDIT, mutex, on, "one audit at a time")                                                     \
    X(PIPE, mutex, on, "a pipe's buffer and ends")                                                 \
    X(FILE, mutex, on, "an open file's offset")                                                    \
    X(BOUNCE, mutex, on, "one bounce page of a disk's file")                                       \
    X(SWAPON, mutex, on, "the choice of a swap device")                                             \
    X(AS, mutex, on, "an address space: its map, and changes of more than one table")              \
    X(ROOT, mutex, on, "the entries of a root page table")                                          \
    X(MIDDLE, mutex, on, "the entries of a middle page table")                                      \
    X(LEAF, mutex, on, "the entries of a leaf page table")                                          \
    X(PAGE, mutex, on, "a page of a file, while it is read")                                        \
    X(PARENT, spin, off, "a process's link to its parent")                                         \
    X(CHILDREN, spin, off, "a process's lists of children and zombies")                            \
    X(PIDS, spin, off, "one bucket of the pid hash")                                               \
    X(THREADS, spin, off, "a process's lists of threads")                                          \
    X(SPACES, spin, on, "one hart's list of the address spaces that it has made")                  \
    X(FILES, spin, on, "a table of descriptors, while several threads use it")                     \
    X(FUTEX, spin, on, "one bucket of those who wait for a word of user memory")                   \
    X(KSTACK, spin, on, "page tables of one hart's kernel stacks")                                 \
    X(CACHE, spin, on, "one hart's slabs of one object cache")                                     \
    X(FREELIST, spin, on, "one hart's depot of free frames")                                       \
    X(TIMERS, spin, off, "one hart's sleepers by time")                                            \
    X(TTYBUF, spin, off, "the console's input line")                                               \
    X(DISK, spin, off, "a disk's queue and the states of its requests")                            \
    X(WAITQ, spin, off, "the sleepers on one condition")                                           \
    X(RUNQ, spin, off, "one hart's run queue")                                                     \
    X(REFS, spin, on, "REFS=biglock: every count, held across a copy")                             \
    X(FRAMES, spin, on, "REFS=freelock, biglock: the one free list (freelock: counts too)")        \
    X(CONSOLE, spin, off, "the UART's transmitter")

enum lock_rank {
    RANK_NONE,
#define X(name, kind, irq, protects) RANK_##name,
    LOCK_RANKS(X)
#undef X
    RANK_COUNT,
    RANK_TEST = RANK_COUNT,  // the kernel's own tests have classes without a place in the order
    RANK_END = RANK_TEST + 8
};

extern const char *const lock_rank_name[RANK_END];
