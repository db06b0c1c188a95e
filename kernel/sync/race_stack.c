// SPDX-License-Identifier: MIT
// race_stack.c - call paths as numbers. A path is (the path of the caller, where it called from); an
// access's stack is (its function's path, its pc). Both live in one hash table of such pairs, and the
// number of a pair is its place there: nothing is ever moved or removed. 0 is the empty path, and what
// all are called when the table is full. A pc is that behind the call, as a return address is.
#include "config.h"
#include "mm/kvm.h"
#include "sync/atomic.h"
#include "sync/race_internal.h"

#define PATHS (CELL_STACK + 1)
#define PROBES 64

static u64 *table;  // path << 32 ^ pc

void race_stack_boot(void) { table = boot_alloc(PATHS * sizeof(*table)); }

void race_stack_begin(struct race_context *c) {
    c->stacks = table;
    c->factor = 0x9e3779b97f4a7c15ul;
    race_stack_move(c);
}

u32 race_stack_search(const struct race_context *c, u64 pair) {
    u32 at = race_stack_place(c, pair);
    for (u32 i = 0; i < PROBES; i++, at = (at + 1) & CELL_STACK) {
        u64 *there = &table[at];
        if (at && !atomic_load_relaxed(there)) {
            (void)!atomic_cas64_acq_rel(there, 0, pair);
        }
        if (atomic_load_relaxed(there) == pair) { return at; }
    }
    return 0;
}

u64 race_stack_pc(u32 stack, u32 *caller) {
    u64 pair = table[stack];
    *caller = ~pair >> 32;
    return pair ? ~0ul << 32 | ((u32)pair - 4) : 0;
}
