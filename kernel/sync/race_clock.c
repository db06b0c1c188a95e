// SPDX-License-Identifier: MIT
// race_clock.c - contexts, and what orders them. See race.h.
//
// Clocks     now.at[i] = e: what context i did up to its epoch e has happened before. A context's own
//            epoch goes up whenever it has published its clock, so that what follows is not covered.
// Words      that have been released keep the releaser's clock in a table of buckets, each under a raw
//            lock with interrupts off, within which the atomic operation itself is done, too: operation
//            and transfer are one step. A full bucket folds a word's clock into `lost`, from which
//            every unknown word of the bucket acquires: too much order, never too little.
// Shortcuts  A word whose clock is exactly that of one release (id, epoch) tells nothing to whoever
//            knows that epoch, since whole clocks are passed on. The same context that releases it
//            again, and has learnt nothing meanwhile, changes one number.
// Numbers    are handed out in turn; the next holder goes on where the last one's epoch ended. The turn
//            goes through twice as many as are held, so that clocks stay short.
#include "lib/print.h"
#include "lib/string.h"
#include "mm/kvm.h"
#include "proc/proc.h"
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
static struct race_context irq[HART_MAX];

static u32 number_lock;
static u32 next_number, numbers = 16, held;  // handed out in turn below `numbers`; clocks end there
static u32 holders[RACE_IDS];
static u32 ended[RACE_IDS];  // the epoch at which the number's last holder ended
static int pids[RACE_IDS];   // who used it last, for reports

static bool later(u32 *at, u32 other) {
    bool news = *at < other;
    *at = MAX(*at, other);
    return news;
}

static bool join(struct race_clock *to, const struct race_clock *from) {
    bool news = false;
    for (usize i = 0, n = numbers / 2; i < n; i++) {
        if (to->pairs[i] != from->pairs[i]) {
            news |= later(&to->at[2 * i], from->at[2 * i]) | later(&to->at[2 * i + 1], from->at[2 * i + 1]);
        }
    }
    return news;
}

static void learn(struct race_context *c, const struct race_clock *from) {
    c->version += join(&c->now, from);
}

// By hand: memcpy and memset are watched.
static void copy(struct race_clock *to, const struct race_clock *from) {
    for (usize i = 0, n = numbers / 2; i < n; i++) {
        to->pairs[i] = from->pairs[i];
    }
}

static void clear(struct race_context *c) {
    for (u64 *p = (u64 *)c; p < (u64 *)(c + 1); p++) {
        write_once(*p, 0);
    }
}

static void tick(struct race_context *c) {
    u32 epoch = ++c->now.at[c->id];
    ASSERT(epoch < EPOCH_MAX, "race detector: context %u ran out of epochs", c->id);
    c->stamp += CELL_EPOCH(1);
}

static void raw_lock(u32 *lock) {
    while (atomic_swap_acquire(lock, 1u)) {
        cpu_pause();
    }
}

// ---- words ----

static struct race_sync *bucket_of(u64 address) {
    return &table[(address >> 2) * 0x9e3779b97f4a7c15ul >> (64 - BUCKET_BITS)];
}

static struct word *find(struct race_sync *s, u64 address) {
    for (usize i = 0; i < WAYS; i++) {
        if (s->addresses[i] == address) {
            return &s->words[i];
        }
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
    while (way < WAYS && s->addresses[way]) {
        way++;
    }
    if (way == WAYS) {
        way = s->victim++ % WAYS;
        join(&s->lost, &s->words[way].clock);
        s->any_lost = true;
    }
    s->addresses[way] = address;
    struct word *w = &s->words[way];
    w->id = c->id;
    w->version = 0;
    w->epoch = s->any_lost ? 0 : 1;
    copy(&w->clock, &s->lost);
    return w;
}

struct race_sync *race_sync_lock(u64 address) {
    struct race_sync *s = bucket_of(address);
    raw_lock(&s->lock);
    return s;
}

void race_sync_unlock(struct race_sync *s) {
    atomic_store_release(&s->lock, 0u);
}

static bool knows(const struct race_context *c, const struct word *w) {
    return w->epoch && c->now.at[w->id] >= w->epoch;
}

void race_acquire(struct race_context *c, struct race_sync *s, u64 address) {
    struct word *w = find(s, address);
    if (w && !knows(c, w)) {
        learn(c, &w->clock);
    } else if (!w && s->any_lost) {
        learn(c, &s->lost);
    }
}

// A store breaks with what the word had before; a read-modify-write goes on with it (C11 5.1.2.4,
// release sequences), and makes a word of several releases unless it knows the last one.
static void publish(struct race_context *c, struct word *w, bool store) {
    bool exact = store || knows(c, w);
    if (exact && w->epoch && w->id == c->id && w->version == c->version) {
        w->clock.at[c->id] = c->now.at[c->id];
    } else if (exact) {
        copy(&w->clock, &c->now);
    } else {
        join(&w->clock, &c->now);
    }
    w->id = c->id;
    w->version = c->version;
    w->epoch = exact ? c->now.at[c->id] : 0;
    tick(c);
}

// A store or a read-modify-write of a word; behind a release fence it publishes what was before that.
// A relaxed read-modify-write without such a fence need not come here: it leaves the word as it is.
void race_release(struct race_context *c, struct race_sync *s, u64 address, bool release, bool store) {
    struct word *w = find(s, address);
    if (w && store && !release) {
        forget(s, w);
        w = NULL;
    }
    if (!w && (release || c->fenced)) {
        w = make(c, s, address);
    }
    if (release) {
        publish(c, w, store);
    } else if (c->fenced) {
        c->fenced--;
        join(&w->clock, &c->released);
        w->epoch = 0;
    }
}

void race_fence(struct race_context *c, bool acquire, bool release) {
    for (u32 i = 0; acquire && i < ARRAY_LEN(c->read); i++) {
        if (c->read[i]) {
            struct race_sync *s = race_sync_lock(c->read[i]);
            race_acquire(c, s, c->read[i]);
            race_sync_unlock(s);
            c->read[i] = 0;
        }
    }
    if (release) {
        copy(&c->released, &c->now);
        c->fenced = RACE_FENCED;
        tick(c);
    }
}

void race_forget(const void *p) {
    struct race_context *c = this_hart()->race;
    if (!c) {
        return;
    }
    u64 address = (u64)p, flags = irq_save();
    struct race_sync *s = race_sync_lock(address);
    struct word *w = find(s, address);
    if (w) {
        forget(s, w);
    }
    race_sync_unlock(s);
    irq_restore(flags);
}

// ---- contexts ----

static void number(struct race_context *c) {
    raw_lock(&number_lock);
    if (2 * ++held > numbers && numbers < RACE_IDS) {
        numbers *= 2;
    }
    u32 id = next_number;
    for (u32 i = 0; i < numbers && holders[id]; i++) {
        id = (id + 1) % numbers;
    }
    next_number = (id + 1) % numbers;
    holders[id]++;
    c->id = id;
    c->now.at[id] = ++ended[id];
    c->stamp = CELL_ID(id) | CELL_EPOCH(c->now.at[id]);
    c->version = (u64)c->now.at[id] << 32;
    race_stack_move(c);
    atomic_store_release(&number_lock, 0u);
}

void race_thread_begin(struct thread *t) {
    struct race_context *self = this_hart()->race;
    clear(&t->race);
    if (self) {
        copy(&t->race.now, &self->now);
        tick(self);
    }
    number(&t->race);
}

void race_thread_end(struct thread *t) {
    u32 id = t->race.id;
    raw_lock(&number_lock);
    holders[id]--;
    held--;
    ended[id] = MAX(ended[id], t->race.now.at[id]);
    atomic_store_release(&number_lock, 0u);
}

void race_switch(struct thread *prev, struct thread *next) {
    struct hart *h = this_hart();
    if (h->race) {
        learn(&next->race, &prev->race.now);
        tick(&prev->race);
        h->race = &next->race;
        pids[next->race.id] = next->proc ? next->proc->pid : 0;
    }
}

// ---- interrupts ----

// Its handlers have seen all that was before irq_epoch.
#undef race_irq_enabled
void race_irq_enabled(void) {
    struct race_context *c = this_hart()->race;
    if (c) {
        c->irq_epoch = c->now.at[c->id];
        tick(c);
    }
}

// Up to its last handler: the handler's own epoch has gone on since.
static void after_handlers(struct race_context *c) {
    struct race_context *h = &irq[this_hart()->index];
    u32 end = h->now.at[h->id] - 1;
    if (c != h && c->now.at[h->id] < end) {
        learn(c, &h->now);
        c->now.at[h->id] = end;
    }
}

#undef race_irq_disabled
void race_irq_disabled(void) {
    struct race_context *c = this_hart()->race;
    if (c) {
        after_handlers(c);
    }
}

static bool from_user(const struct trapframe *tf) {
    return !(tf->sstatus & SSTATUS_SPP);
}

void race_irq_enter(const struct trapframe *tf) {
    struct hart *hart = this_hart();
    struct race_context *c = hart->race, *h = &irq[hart->index];
    if (!c) {
        return;
    }
    u32 own = c->now.at[c->id], seen = h->now.at[c->id];
    learn(h, &c->now);
    h->now.at[c->id] = MAX(seen, from_user(tf) ? own : c->irq_epoch);
    if (from_user(tf)) {
        tick(c);
    }
    h->handler_base = ALIGN_DOWN((u64)tf, KSTACK_STRIDE);
    h->handler_bytes = (u64)tf - h->handler_base;
    h->depth = 0;
    race_stack_move(h);
    hart->race = h;
}

void race_irq_leave(const struct trapframe *tf) {
    struct hart *hart = this_hart();
    if (hart->race) {
        tick(&irq[hart->index]);
        hart->race = &hart->current->race;
        if (from_user(tf)) {
            after_handlers(hart->race);
        }
    }
}

// ---- beginning ----

void race_boot(void) {
    race_stack_boot();
    table = boot_alloc(BUCKETS * sizeof(*table));
    for (u32 i = 0; i < nharts; i++) {
        number(&irq[i]);
        number(&harts[i]->idle->race);
    }
    kprintf("race detector: shadow %lu MiB, clocks %lu MiB\n", race_shadow_bytes() >> 20,
            BUCKETS * sizeof(*table) >> 20);
}

void race_begin_hart(struct hart *h) {
    h->race = &h->idle->race;
}

const char *race_context_name(u32 id, char *text, usize n) {
    for (u32 i = 0; i < nharts; i++) {
        if (irq[i].id == id || harts[i]->idle->race.id == id) {
            snprintf(text, n, "hart %u's %s", i, irq[i].id == id ? "interrupts" : "idle loop");
            return text;
        }
    }
    snprintf(text, n, "pid %d", pids[id]);
    return text;
}
