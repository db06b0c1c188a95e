// SPDX-License-Identifier: MIT
// quiesce.h - stop the world, for audits.
#pragma once
#include "lib/types.h"

// Stop every other hart at the edge of user mode or idle; run fn; let them go on.
// => one at a time, no spinlock held
void quiesce_run(void (*fn)(void *arg), void *arg);
bool quiesce_asked(void);
void quiesce_stand(void);  // stand still as long as it is asked. => interrupts on, at an edge
