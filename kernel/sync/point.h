// SPDX-License-Identifier: MIT
// point.h - race points: named places at which a race would be decided.
//
// In CHECK builds a hart that passes one may be held up for a moment, chosen by a seeded generator
// (bootargs seed= delay=, or KINE_DELAY). In other builds a race point is nothing.
#pragma once

#ifdef CHECK
void point_pass(const char *name);
#define RACE_POINT(name) point_pass(name)
#else
#define RACE_POINT(name) ((void)0)
#endif
