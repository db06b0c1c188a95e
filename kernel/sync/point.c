// SPDX-License-Identifier: MIT
// point.c - seeded delays at race points. One pass in eight is held up, for a random time whose bound
// is the strength; a quarter of those for eight times as long, so that a window stays open while
// other harts do a whole operation.
#include "sync/point.h"
#include "riscv/hart.h"
#include "sync/atomic.h"

#if defined(CHECK) && !defined(SCHED)
void point_pass(const char *name) {
    (void)name;
    u32 strength = read_once(this_hart()->delay);
    if (!strength) { return; }
    u64 r = hart_random();
    if (r & 7) { return; }
    u64 spins = (r >> 8) % strength;
    if ((r >> 3 & 3) == 0) { spins *= 8; }
    while (spins--) { cpu_pause(); }
}
#endif
