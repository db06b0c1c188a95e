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

// Where the function that has just been entered will return to. With __builtin_return_address the
// compiler would save ra, which a function that calls nothing but in its last act need not do.
static always_inline u64 race_return_address(void) {
    u64 ra;
    __asm__ volatile("mv %0, ra" : "=r"(ra));
    return ra;
}

// race_clock.c
// Clocks end at race_numbers. That is a multiple of STRIDE: so many pairs, of which there are some, need no
// question of the loop in between.
extern u32 race_numbers;
#define STRIDE 16
#define EACH_PAIR(i, act)                                                                          \
    do {                                                                                           \
        usize start_ = 0;                                                                          \
        do {                                                                                       \
            _Pragma("GCC unroll 8") for (usize i = start_; i < start_ + STRIDE / 2; i++) { act; }  \
            start_ += STRIDE / 2;                                                                  \
        } while (2 * start_ < race_numbers);                                                       \
    } while (0)

static always_inline bool race_clock_later(u32 *at, u32 other) {
    if (*at >= other) { return false; }
    *at = other;
    return true;
}

// Was anything new?
static always_inline bool race_clock_join(struct race_clock *to, const struct race_clock *from) {
    bool news = false;
    EACH_PAIR(i, if (to->pairs[i] != from->pairs[i]) {
        if (race_clock_later(&to->at[2 * i], from->at[2 * i])) { news = true; }
        if (race_clock_later(&to->at[2 * i + 1], from->at[2 * i + 1])) { news = true; }
    });
    return news;
}

// By hand: memcpy and memset are watched.
static always_inline void race_clock_copy(struct race_clock *to, const struct race_clock *from) {
    EACH_PAIR(i, to->pairs[i] = from->pairs[i]);
}

static always_inline void race_clock_learn(struct race_context *c, const struct race_clock *from) {
    c->version += race_clock_join(&c->now, from);
}

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

static inline void race_raw_lock(u32 *lock) {
    while (atomic_swap_acquire(lock, 1u)) { cpu_pause(); }
}

// race_shadow.c
u64 race_shadow_bytes(void);
void race_shadow_begin(struct race_context *c);

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
