// SPDX-License-Identifier: MIT
// race_internal.h - what the parts of the race detector say to each other. None of them is instrumented.
//
// Cell       one remembered access: epoch 27 | context 7 | bytes of the word 8 | write | atomic | stack 20
#pragma once
#include "config.h"
#include "lib/types.h"
#include "riscv/hart.h"
#include "sync/race.h"

#define CELLS 4  // per word of 8 bytes
#define CELL_STACK ((1ul << 20) - 1)
#define CELL_ATOMIC (1ul << 20)
#define CELL_WRITE (1ul << 21)
#define CELL_BYTES(mask) ((u64)(mask) << 22)
#define CELL_ID(id) ((u64)(id) << 30)
#define CELL_EPOCH(epoch) ((u64)(epoch) << 37)
#define CELL_SAME ((1ul << 37) - 1 - CELL_STACK)  // all but epoch and stack
#define EPOCH_MAX ((1u << 27) - 2)

static inline u32 cell_bytes(u64 cell) { return cell >> 22 & 255; }
static inline u32 cell_id(u64 cell) { return cell >> 30 & 127; }
static inline u32 cell_epoch(u64 cell) { return cell >> 37; }

#define CALLER ((u64)__builtin_return_address(0) - 4)

// race_clock.c. => interrupts off from lock to unlock
struct race_sync;
struct race_sync *race_sync_lock(u64 address);
void race_sync_unlock(struct race_sync *s);
void race_acquire(struct race_context *c, struct race_sync *s, u64 address);
void race_read(struct race_context *c, u64 address);
void race_release(struct race_context *c, struct race_sync *s, u64 address, bool release, bool store);
void race_fence(struct race_context *c, bool acquire, bool release);
const char *race_context_name(u32 id, char *text, usize n);

// race_shadow.c: flags are CELL_WRITE, CELL_ATOMIC
void race_atomic_access(struct race_context *c, u64 va, u32 bytes, u64 flags, u64 pc);
u64 race_shadow_bytes(void);

// race_stack.c: a stack is the number of (path it was reached by, pc)
void race_stack_boot(void);
u32 race_stack_search(u64 pair, u32 at);
extern u64 *race_stacks;
u64 race_stack_pc(u32 stack, u32 *caller);

static always_inline u32 race_stack_of(u32 path, u64 pc) {
    u64 pair = (u64)path << 32 | (u32)(pc - IMAGE_BASE);
    u32 at = pair * 0x9e3779b97f4a7c15ul >> 44;
    return likely(race_stacks[at] == pair) ? at : race_stack_search(pair, at);
}

static always_inline u32 race_path(const struct race_context *c) {
    return c->paths[MIN(c->depth, RACE_DEPTH - 1)];
}

// race_report.c
void race_report(struct race_context *c, u64 va, u64 old, u64 mine);
