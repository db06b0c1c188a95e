// SPDX-License-Identifier: MIT
// test.h - what tests can ask of the kernel from inside.
#pragma once
#include "lib/types.h"

#if defined(CHECK) || defined(LOCKDEP) || defined(GHOST) || defined(KASAN) || defined(UBSAN) || defined(TRACK)
#define TESTS
#endif

long test_run_all(void);                  // the unit tests: how many failed
// Suites: run the cases, number their results from number + 1; returns how many failed. number = -1:
// run nothing and return how many there are.
typedef u32 test_suite(long number);
test_suite test_lockdep, test_refs, test_traps, test_frames, test_disk, test_ghost, test_kasan, test_ubsan;
long test_ctl(int op, u64 a, u64 b);      // kine_ctl's test control (abi.h), else -EINVAL
long test_race(u32 op, u32 play, u32 role, u32 n);  // KINE_RACE
long test_schedule(u64 op, uaddr at);     // KINE_SCHEDULE (SCHED builds)
u64 test_hoarded(void);                   // frames that KINE_HOARD has taken

#ifdef TESTS
// Perform what should panic. Returns what it said, or NULL if it came back; see catch.c.
const char *test_catch(void (*act)(void *arg), void *arg);
const char *test_explained(void);         // the stacks of the last one
void test_panicked(const char *text);     // for panic(): does not return if the panic was asked for
// Print one result: `said` must contain `want`, or both must be NULL.
bool test_judge(const char *suite, long number, const char *name, const char *said, const char *want);
#else
#define test_panicked(text) ((void)0)
#endif
