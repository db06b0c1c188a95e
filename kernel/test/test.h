// SPDX-License-Identifier: MIT
// test.h - what tests can ask of the kernel from inside.
#pragma once
#include "lib/types.h"

long test_run_all(void);                  // the unit tests: how many failed
u32 test_lockdep_count(void);             // LOCKDEP builds: how many cases there are,
u32 test_lockdep(u32 number);             // and how many failed; the last result so far was `number`
long test_ctl(int op, u64 a, u64 b);      // kine_ctl's test control (abi.h), else -EINVAL
long test_race(u32 op, u32 play, u32 role, u32 n);  // KINE_RACE
long test_schedule(u64 op, uaddr at);     // KINE_SCHEDULE (SCHED builds)
u64 test_hoarded(void);                   // frames that KINE_HOARD has taken
