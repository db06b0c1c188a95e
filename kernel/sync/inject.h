// SPDX-License-Identifier: MIT
// inject.h - what a machine may do and QEMU does not: faults for no reason, interrupts that are answered
// late, a hart that is slow. (CHECK=1; in other builds every hook is nothing.)
//
// Model      each kind comes at one in `rate` of its occasions, by a seeded generator per hart; a wait
//            lasts up to `bound` spins. Everywhere, or only while one process runs.
// Kinds      SPURIOUS_FAULT a page fault that has been resolved is reported once more, as by a hart whose
//                           TLB still holds the entry of before (Privileged spec 10.2.1 allows that)
//            LATE_IPI       a hart takes a software interrupt and does nothing about it for a while
//            SLOW_HART      the hart `seed` waits at each entry into the kernel
// Bootargs   spurious=RATE late=BOUND slow=BOUND (one wait in eight, seed= as ever), or KINE_INJECT.
#pragma once
#include "lib/types.h"

#ifdef CHECK
#include "syscall/abi.h"
void inject_boot(u64 seed, u64 spurious, u64 late, u64 slow);  // the bootargs
// As KINE_INJECT, which see. Returns how many there have been so far, or -EINVAL.
long inject_set(u64 how, u64 when);
bool inject_spurious(void);  // shall this fault come again?
void inject_late(void);      // an IPI has come
void inject_slow(void);      // the kernel has been entered
#else
#define inject_boot(seed, spurious, late, slow) ((void)0)
#define inject_spurious() false
#define inject_late() ((void)0)
#define inject_slow() ((void)0)
#endif
