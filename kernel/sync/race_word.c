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
#include "sync/race_word.h"

#define BUCKETS (1u << BUCKET_BITS)

static struct race_sync *table;

static noinline struct word *find_behind(struct race_sync *s, u64 address) {
    for (usize i = 1; i < WAYS; i++) {
        if (s->addresses[i] == address) { return &s->words[i]; }
    }
    return NULL;
}

static always_inline struct word *find(struct race_sync *s, u64 address) {
    return likely(s->addresses[0] == address) ? &s->words[0] : find_behind(s, address);
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

// A store breaks with what the word had before; a read-modify-write goes on with it (C11 5.1.2.4,
// release sequences), and makes a word of several releases unless `whole`: what it publishes has that, too.
static always_inline void publish(struct race_context *c, struct word *w,
                                  const struct race_clock *clock, u64 version, bool whole) {
    u32 epoch = clock->at[c->id];
    bool alone = read_once(race_since[c->id]) != RACE_SHARED;
    if (clock != &c->now && alone && w->id == c->id && w->epoch > epoch) {
        return;  // behind a fence: it has published more since
    }
    bool exact = whole || race_word_known(clock, w);
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

// A store or a read-modify-write of a word; behind a release fence it publishes what was before that.
static always_inline void modify(struct race_context *c, struct word *w, u32 did) {
    if (did & RACE_RELEASE) {
        publish(c, w, &c->now, c->version, did & (RACE_STORE | RACE_ACQUIRE));
        race_clock_tick(c);
    } else {
        c->fenced--;
        publish(c, w, &c->released, c->released_version, did & RACE_STORE);
    }
}

static always_inline u64 unlock(struct race_sync *s, u64 result, u64 flags) {
    atomic_store_release(&s->lock, 0u);
    irq_restore(flags);
    return result;
}

// A relaxed read-modify-write without a fence before it leaves the word as it is.
static always_inline u64 transfer(struct race_context *c, struct race_sync *s, struct word *w,
                                  u64 address, u32 did, u64 result, u64 flags) {
    if (did & RACE_ACQUIRE && (w ? !race_word_known(&c->now, w) : s->any_lost)) {
        race_clock_learn(c, w ? &w->clock : &s->lost);
    }
    if (w && did & RACE_STORE && !(did & RACE_RELEASE)) {
        w->epoch = 0;
        if (!c->fenced) { forget(s, w); }
    }
    if (did & RACE_RELEASE || (did & RACE_MODIFY && c->fenced)) {
        modify(c, w ? w : make(c, s, address), did);
    }
    return unlock(s, result, flags);
}

static noinline u64 transfer_behind(struct race_context *c, struct race_sync *s, u64 address, u32 did,
                                    u64 result, u64 flags) {
    return transfer(c, s, find_behind(s, address), address, did, result, flags);
}

// Most words are the first of their bucket; for those it calls nothing.
u64 race_word_transfer(struct race_context *c, struct race_sync *s, u64 address, u32 did, u64 result,
                       u64 flags) {
    if (unlikely(s->addresses[0] != address)) {
        return transfer_behind(c, s, address, did, result, flags);
    }
    return transfer(c, s, &s->words[0], address, did, result, flags);
}

void race_word_fence(struct race_context *c, bool acquire, bool release) {
    for (u32 i = 0; acquire && i < ARRAY_LEN(c->read); i++) {
        if (c->read[i]) {
            struct race_sync *s = race_word_lock(c, c->read[i]);
            race_word_unlock(c, s, c->read[i], RACE_ACQUIRE, 0, 0);
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
    struct race_sync *s = race_word_lock(c, address);
    struct word *w = find(s, address);
    if (w) { forget(s, w); }
    unlock(s, 0, flags);
}

void race_word_boot(void) { table = boot_alloc(BUCKETS * sizeof(*table)); }

void race_word_begin(struct race_context *c) { c->words = table; }

u64 race_word_bytes(void) { return BUCKETS * sizeof(*table); }
