// SPDX-License-Identifier: MIT
// point.h - race points: named places at which a race would be decided.
//
// In CHECK builds a hart that passes one may be held up for a moment, chosen by a seeded generator
// (bootargs seed= delay=, or KINE_DELAY). In other builds a race point is nothing.
// In SCHED builds the explorer decides there who goes on (schedule.h). A point that belongs to a frame says
// to which.
#pragma once

#ifdef SCHED
#include "sync/schedule.h"
#define RACE_POINT(name) schedule_point(name)
#define RACE_POINT_FRAME(name, frame) schedule_point_frame(name, frame)
#elif defined(CHECK)
void point_pass(const char *name);
#define RACE_POINT(name) point_pass(name)
#define RACE_POINT_FRAME(name, frame) point_pass(name)
#else
#define RACE_POINT(name) ((void)0)
#define RACE_POINT_FRAME(name, frame) ((void)0)
#endif
