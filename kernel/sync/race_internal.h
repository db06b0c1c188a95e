// SPDX-License-Identifier: MIT
// race_internal.h - what the parts of the race detector say to each other. None of them is instrumented.
//
// Cell       one remembered access: epoch 27 | context 7 | bytes of the word 8 | write | plain | stack 20
// Kind       its bytes, write and plain: an access whose kind has all the bits of another's races with
//            whatever that one races with.
#pragma once
#include "config.h"
#include "lib/types.h"
#include "riscv/hart.h"
#include "sync/atomic.h"
#include "sync/race.h"

#define CELLS 4  // per word of 8 bytes
#define CELL_STACK ((1ul << 20) - 1)
#define CELL_PLAIN (1ul << 20)  // not atomic, not marked
#define CELL_WRITE (1ul << 21)
#define CELL_BYTES(mask) ((u64)(mask) << 22)
#define CELL_KIND (CELL_BYTES(255) | CELL_WRITE | CELL_PLAIN)
#define CELL_ID_SHIFT 30
#define CELL_ID(id) ((u64)(id) << CELL_ID_SHIFT)
#define CELL_EPOCH(epoch) ((u64)(epoch) << 37)
#define CELL_SAME (CELL_KIND | CELL_ID(127))  // all but epoch and stack
#define EPOCH_MAX ((1u << 27) - 2)

static inline u32 cell_bytes(u64 cell) { return cell >> 22 & 255; }
static inline u32 cell_id(u64 cell) { return cell >> 30 & 127; }
static inline u32 cell_epoch(u64 cell) { return cell >> 37; }

#define CALLER ((u64)__builtin_return_address(0))

// race_clock.c
bool race_clock_join(struct race_clock *to, const struct race_clock *from);  // was anything new?
void race_clock_copy(struct race_clock *to, const struct race_clock *from);
void race_clock_learn(struct race_context *c, const struct race_clock *from);
static always_inline void race_clock_tick(struct race_context *c) {
    if (likely(c->now.at[c->id] < EPOCH_MAX)) {  // else it goes on without, and is believed to be ordered
        c->now.at[c->id]++;
        c->stamp += CELL_EPOCH(1);
    }
}
// The epoch from which on a number has been its present holder's alone.
#define RACE_SHARED ~0u  // two have had it at once
extern u32 race_since[RACE_IDS];
const char *race_context_name(u32 id, char *text, usize n);

// race_word.c. => interrupts off from lock to unlock, which passes on what the operation in between asks for
struct race_sync;
struct race_sync *race_word_lock(u64 address);
enum { RACE_ACQUIRE = 1, RACE_RELEASE = 2, RACE_MODIFY = 4, RACE_STORE = 8 };
void race_word_unlock(struct race_context *c, struct race_sync *s, u64 address, u32 did);
void race_word_fence(struct race_context *c, bool acquire, bool release);
void race_word_boot(void);
u64 race_word_bytes(void);

// For the acquire fence that may follow.
static always_inline void race_word_read(struct race_context *c, u64 address) {
    c->read[c->nread++ % ARRAY_LEN(c->read)] = address;
}

static inline void race_raw_lock(u32 *lock) {
    while (atomic_swap_acquire(lock, 1u)) { cpu_pause(); }
}

// race_shadow.c
u64 race_shadow_bytes(void);

// race_stack.c: a stack is the number of a pair: the path it was reached by, pc
void race_stack_boot(void);
u32 race_stack_search(const struct race_context *c, u64 pair);
void race_stack_begin(struct race_context *c);
u64 race_stack_pc(u32 stack, u32 *caller);

// The upper half of every pc in the image is all ones: one operation makes a pair.
static always_inline u64 race_stack_pair(const struct race_context *c, u64 pc) {
    return c->path ^ pc;
}

static always_inline u32 race_stack_place(const struct race_context *c, u64 pair) {
    return pair * c->factor >> 44;
}

// The path at the depth where c is.
static always_inline void race_stack_move(struct race_context *c) {
    c->path = c->paths[MIN(c->depth, RACE_DEPTH - 1)];
}

// race_report.c
void race_report(struct race_context *c, u64 va, u64 old, u64 mine);
