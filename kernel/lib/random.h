// SPDX-License-Identifier: MIT
// random.h - xorshift64 (Marsaglia, "Xorshift RNGs", 2003) for delays, schedules and the order of
// stealing: the same seed, the same numbers. Not for secrets.
#pragma once
#include "lib/types.h"

// Where the stream of a seed starts. (From 0 it would not move.)
static inline u64 random_start(u64 seed, u32 stream) {
    return (seed + 1) * 0x9e3779b97f4a7c15ul + stream;
}

static always_inline u64 random_next(u64 state) {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^ state << 17;
}
