// SPDX-License-Identifier: MIT
// race_stack.c - call paths as numbers. A path is (the path of the caller, where it called from); an
// access's stack is (its function's path, its pc). Both live in one hash table of such pairs, and the
// number of a pair is its place there: nothing is ever moved or removed. 0 is the empty path, and what
// all are called when the table is full.
#include "config.h"
#include "mm/kvm.h"
#include "sync/atomic.h"
#include "sync/race_internal.h"

#define PATHS (CELL_STACK + 1)
#define PROBES 64

static u64 *pairs;  // path << 32 | offset of the pc in the image

void race_stack_boot(void) {
    pairs = boot_alloc(PATHS * sizeof(*pairs));
}

u32 race_stack_of(u32 path, u64 pc) {
    u64 pair = (u64)path << 32 | (u32)(pc - IMAGE_BASE);
    u64 hash = pair * 0x9e3779b97f4a7c15ul;
    u32 at = hash >> 44;
    for (u32 i = 0; i < PROBES; i++, at = (at + 1) & CELL_STACK) {
        u64 there = atomic_load_relaxed(&pairs[at]);
        if (there == pair) {
            return at;
        }
        if (at && !there && (atomic_cas64_acq_rel(&pairs[at], 0, pair) || atomic_load_relaxed(&pairs[at]) == pair)) {
            return at;
        }
    }
    return 0;
}

u64 race_stack_pc(u32 stack, u32 *caller) {
    u64 pair = pairs[stack];
    *caller = pair >> 32;
    return pair ? IMAGE_BASE + (u32)pair : 0;
}
