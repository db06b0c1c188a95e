// SPDX-License-Identifier: MIT
// timer.h - time, ticks and sleepers, per hart.
#pragma once
#include "lib/types.h"

struct timer_queue *timer_alloc(void);  // boot
void timer_init_hart(void);
void timer_interrupt(void);
void timer_idle(void);  // the hart is about to sleep: no ticks, only the next sleeper
void timer_busy(void);  // it runs threads again
// Sleep until the time CSR reaches `deadline`; true if the sleep was cut short by kill.
bool timer_sleep_until(u64 deadline);
// Like park(), but no longer than until then. => announced
void timer_park(u64 deadline);
u64 timer_nanoseconds(void);  // since boot
