// SPDX-License-Identifier: MIT
// race_word.h - the way of most operations that acquire, inlined wherever one is done: what there is to
// acquire is known, and nothing is published. race_word.c has the rest, and says what a word is.
#pragma once
#include "riscv/csr.h"
#include "sync/race_internal.h"

#define WAYS 7
#define BUCKET_BITS 13

struct word {
    u64 version;
    u32 id, epoch;  // of the release that made it; epoch 0: made of several
    struct race_clock clock;
};

struct race_sync {
    u32 lock;
    u32 victim;
    bool any_lost;
    u64 addresses[WAYS];
    struct race_clock lost;
    struct word words[WAYS];
};

// What an operation asks for. Only what releases publishes, or what modifies behind a release fence.
enum { RACE_ACQUIRE = 1, RACE_RELEASE = 2, RACE_MODIFY = 4, RACE_STORE = 8 };

noinline u64 race_word_transfer(struct race_context *c, struct race_sync *s, u64 address, u32 did,
                                u64 result, u64 flags);
void race_word_fence(struct race_context *c, bool acquire, bool release);
void race_word_boot(void);
void race_word_begin(struct race_context *c);
u64 race_word_bytes(void);

// For the acquire fence that may follow.
static always_inline void race_word_read(struct race_context *c, u64 address) {
    c->read[c->nread++ % ARRAY_LEN(c->read)] = address;
}

static always_inline bool race_word_known(const struct race_clock *clock, const struct word *w) {
    return w->epoch && clock->at[w->id] >= w->epoch && w->epoch >= read_once(race_since[w->id]);
}

// => interrupts are off until it is unlocked
static always_inline struct race_sync *race_word_lock(struct race_context *c, u64 address) {
    struct race_sync *s = &c->words[(address >> 2) * c->factor >> (64 - BUCKET_BITS)];
    race_raw_lock(&s->lock);
    return s;
}

// Does it tell anything? No for sure, or perhaps.
static always_inline bool race_word_news(struct race_context *c, struct race_sync *s, u64 address) {
    return s->addresses[0] != address || !race_word_known(&c->now, &s->words[0]);
}

// Pass on what the operation since the lock asks for, and restore interrupts. Returns `result`: whoever
// has nothing else to do needs no frame for this call.
static always_inline u64 race_word_unlock(struct race_context *c, struct race_sync *s, u64 address,
                                          u32 did, u64 result, u64 flags) {
    bool publishes = did & (RACE_RELEASE | RACE_STORE) || (did & RACE_MODIFY && c->fenced);
    if (publishes || (did & RACE_ACQUIRE && race_word_news(c, s, address))) {
        return race_word_transfer(c, s, address, did, result, flags);
    }
    atomic_store_release(&s->lock, 0u);
    irq_restore(flags);
    return result;
}
