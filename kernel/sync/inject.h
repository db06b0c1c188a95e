// SPDX-License-Identifier: MIT
// inject.h - what a machine may do and QEMU does not: faults for no reason, interrupts that are answered
// late, a hart that is slow; and no memory for once. (CHECK=1; in other builds every hook is nothing.)
//
// Model      each kind comes at one in `rate` of its occasions, by a seeded generator per hart; a wait
//            lasts up to `bound` spins. Everywhere, or only while one process runs.
// Kinds      SPURIOUS_FAULT a page fault that has been resolved is reported once more, as by a hart whose
//                           TLB still holds the entry of before (Privileged spec 10.2.1 allows that)
//            LATE_IPI       a hart takes a software interrupt and does nothing about it for a while
//            SLOW_HART      the hart `seed` waits at each entry into the kernel
//            NO_MEMORY      not one in `rate`: the rate-th allocation from now on fails, whoever makes it, and
//                           no other. Whoever it is gets an error or is killed; init's death is a panic,
//                           so a test counts only while init sleeps. (One thread's own: KINE_FAIL_NTH.)
// Bootargs   spurious=RATE late=BOUND slow=BOUND nomem=NTH (one wait in eight, seed= as ever), or KINE_INJECT.
#pragma once
#include "lib/types.h"

#ifdef CHECK
#include "syscall/abi.h"
struct inject;
void inject_boot(u64 seed, u64 spurious, u64 late, u64 slow, u64 nomem);  // the bootargs
// As KINE_INJECT, which see. Returns how many there have been so far, or -EINVAL.
long inject_set(u64 how, u64 when);
bool inject_spurious(void);  // shall this fault come again?
void inject_late(void);      // an IPI has come
void inject_slow(void);      // the kernel has been entered
// An allocation is about to be counted in `in`: is it the one that fails for all?
void inject_no_memory(struct inject *in);
#else
#define inject_boot(seed, spurious, late, slow, nomem) ((void)0)
#define inject_spurious() false
#define inject_late() ((void)0)
#define inject_slow() ((void)0)
#define inject_no_memory(in) ((void)0)
#endif
