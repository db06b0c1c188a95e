// SPDX-License-Identifier: MIT
// race_word.c - atomic words that have been released, and what their releases tell. See race.h.
//
// Words      keep the releaser's clock in a table of buckets, each under a raw lock with interrupts off,
//            within which the atomic operation itself is done, too: operation and transfer are one step.
//            A full bucket folds a word's clock into `lost`, from which every unknown word of the bucket
//            acquires: too much order, never too little.
// Shortcuts  A word whose clock is exactly that of one release (id, epoch) tells nothing to whoever
//            knows that epoch, since whole clocks are passed on. The same context that releases it
//            again, and has learnt nothing meanwhile, changes one number. Neither holds for a number
//            that two contexts share, nor the first for a former holder's epochs.
#include "mm/kvm.h"
#include "riscv/csr.h"
#include "sync/atomic.h"
#include "sync/race_internal.h"

#define WAYS 7
#define BUCKET_BITS 12
#define BUCKETS (1u << BUCKET_BITS)

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

static struct race_sync *table;

static struct race_sync *bucket_of(u64 address) {
    return &table[(address >> 2) * 0x9e3779b97f4a7c15ul >> (64 - BUCKET_BITS)];
}

static struct word *find(struct race_sync *s, u64 address) {
    for (usize i = 0; i < WAYS; i++) {
        if (s->addresses[i] == address) { return &s->words[i]; }
    }
    return NULL;
}

// Whoever acquires from it acquires `lost`.
static void forget(struct race_sync *s, struct word *w) {
    s->addresses[w - s->words] = 0;
}

// As long as nothing is lost, c knows all that a new word tells: nothing.
static noinline struct word *make(struct race_context *c, struct race_sync *s, u64 address) {
    u32 way = 0;
    while (way < WAYS && s->addresses[way]) { way++; }
    if (way == WAYS) {
        way = s->victim++ % WAYS;
        race_clock_join(&s->lost, &s->words[way].clock);
        s->any_lost = true;
    }
    s->addresses[way] = address;
    struct word *w = &s->words[way];
    w->id = c->id;
    w->version = 0;
    w->epoch = s->any_lost ? 0 : 1;
    race_clock_copy(&w->clock, &s->lost);
    return w;
}

struct race_sync *race_word_lock(u64 address) {
    struct race_sync *s = bucket_of(address);
    race_raw_lock(&s->lock);
    return s;
}

static bool knows(const struct race_clock *clock, const struct word *w) {
    return w->epoch && clock->at[w->id] >= w->epoch && w->epoch >= read_once(race_since[w->id]);
}

// A store breaks with what the word had before; a read-modify-write goes on with it (C11 5.1.2.4,
// release sequences), and makes a word of several releases unless `whole`: what it publishes has that, too.
static always_inline void publish(struct race_context *c, struct word *w, const struct race_clock *clock,
                                  u64 version, bool whole) {
    u32 epoch = clock->at[c->id];
    bool alone = read_once(race_since[c->id]) != RACE_SHARED;
    if (alone && w->id == c->id && w->epoch > epoch) {
        return;  // behind a fence: it has published more since
    }
    bool exact = whole || knows(clock, w);
    bool again = alone && exact && w->epoch && w->id == c->id && w->version == version;
    w->id = c->id;
    w->version = version;
    w->epoch = alone && exact ? epoch : 0;
    if (again) {
        w->clock.at[c->id] = epoch;
    } else if (exact) {
        race_clock_copy(&w->clock, clock);
    } else {
        race_clock_join(&w->clock, clock);
    }
}

static void unlock(struct race_sync *s) { atomic_store_release(&s->lock, 0u); }

// A store or a read-modify-write of a word; behind a release fence it publishes what was before that.
static noinline void modify(struct race_context *c, struct race_sync *s, struct word *w, u64 address, u32 did) {
    bool release = did & RACE_RELEASE;
    if (w && did & RACE_STORE && !release) {
        w->epoch = 0;
        if (!c->fenced) { forget(s, w); }
    }
    if (release || c->fenced) {
        w = w ? w : make(c, s, address);
        publish(c, w, release ? &c->now : &c->released, release ? c->version : c->released_version,
                did & (release ? RACE_STORE | RACE_ACQUIRE : RACE_STORE));
        if (release) {
            race_clock_tick(c);
        } else {
            c->fenced--;
        }
    }
    unlock(s);
}

// A relaxed read-modify-write without a fence before it leaves the word as it is.
static always_inline void finish(struct race_context *c, struct race_sync *s, struct word *w, u64 address,
                                 u32 did) {
    if (did & (RACE_RELEASE | RACE_STORE) || (did & RACE_MODIFY && c->fenced)) {
        modify(c, s, w, address, did);
    } else {
        unlock(s);
    }
}

static noinline void acquire(struct race_context *c, struct race_sync *s, struct word *w, u64 address, u32 did) {
    race_clock_learn(c, w ? &w->clock : &s->lost);
    finish(c, s, w, address, did);
}

void race_word_unlock(struct race_context *c, struct race_sync *s, u64 address, u32 did) {
    struct word *w = find(s, address);
    if (did & RACE_ACQUIRE && (w ? !knows(&c->now, w) : s->any_lost)) {
        acquire(c, s, w, address, did);
    } else {
        finish(c, s, w, address, did);
    }
}

void race_word_fence(struct race_context *c, bool acquire, bool release) {
    for (u32 i = 0; acquire && i < ARRAY_LEN(c->read); i++) {
        if (c->read[i]) {
            struct race_sync *s = race_word_lock(c->read[i]);
            race_word_unlock(c, s, c->read[i], RACE_ACQUIRE);
            c->read[i] = 0;
        }
    }
    if (release) {
        race_clock_copy(&c->released, &c->now);
        c->released_version = c->version;
        c->fenced = RACE_FENCED;
        race_clock_tick(c);
    }
}

void race_forget(const void *p) {
    struct race_context *c = this_hart()->race;
    if (!c) { return; }
    u64 address = (u64)p, flags = irq_save();
    struct race_sync *s = race_word_lock(address);
    struct word *w = find(s, address);
    if (w) { forget(s, w); }
    race_word_unlock(c, s, address, 0);
    irq_restore(flags);
}

void race_word_boot(void) { table = boot_alloc(BUCKETS * sizeof(*table)); }

u64 race_word_bytes(void) { return BUCKETS * sizeof(*table); }
