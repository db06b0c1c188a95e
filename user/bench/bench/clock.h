// SPDX-License-Identifier: MIT
// clock.h - the two clocks of a measurement.
//
// `ns` is CLOCK_MONOTONIC_RAW. `instret` is the retired-instruction counter: exact under
// `-icount shift=0` with one hart, and without -icount not a count of instructions at all.
#pragma once

#include "sys.h"

enum clock_kind { CLOCK_NS, CLOCK_INSTRET };
extern enum clock_kind clock_kind;

SYS_INLINE uint64_t clock_instret(void)
{
    uint64_t count;
    __asm__ volatile("rdinstret %0" : "=r"(count)::"memory");
    return count;
}

SYS_INLINE uint64_t clock_ns(void)
{
    enum { MONOTONIC_RAW = 4 };
    struct {
        int64_t seconds, ns;
    } now;
    sys_clock_gettime(MONOTONIC_RAW, (uaddr)&now);
    return (uint64_t)now.seconds * 1000000000u + (uint64_t)now.ns;
}

SYS_INLINE uint64_t clock_now(void)
{
    return clock_kind == CLOCK_INSTRET ? clock_instret() : clock_ns();
}
