// SPDX-License-Identifier: MIT
// memory.c - atomic words as histories, and who may still read what.
//
// Model      Views (Kang et al., POPL 2017, without promises), as in stress/model/weak.py. A word is a list
//            of messages. A player's view says, for each word, the oldest message that it may still read, and
//            for each player the step up to which all is known; a message carries what its writer lets
//            others know.
//              load      any message not older than the view; acquire takes over the message's view
//              store     the newest message; release gives the own view away, otherwise that of the last
//                        release fence
//              update    reads the newest message and carries its view on (release sequences, as in C++20)
//              fence     acquire: all that its loads could have told; release: later stores tell all; full:
//                        both, and meets one common view
// Plain      accesses see memory as it is; two of them, one a write, of which neither happens before the
//            other are a race, and a race is a failure.
// Not        load buffering; a store that is older than one which has been made already (2+2W): weak.py has
// covered    the latter.
#include <stdlib.h>
#include <string.h>
#include "test/weak/weak.h"

enum { WORDS = 320, MESSAGES = 48, CELLS = 1 << 15 };

struct view {
    u8 at[WORDS];
    u16 clock[PLAYERS + 1];
};

struct message {
    u64 value;
    struct view *view;
};

struct word {
    char *p;
    u32 n;
    struct message messages[MESSAGES];
};

// The last accesses of a plain byte: by whom, in which step.
struct cell {
    char *p;
    u64 execution;  // in an earlier one: the cell is empty
    u16 writer, written;
    u16 read[PLAYERS + 1];
};

struct knows {
    struct view now, collected, released;
};

static struct memory {
    struct knows who[PLAYERS + 1];
    struct view common;
    u32 nwords, nviews;
    struct word words[WORDS];
    struct view views[WORDS * 4];
    u64 execution;
    struct cell cells[CELLS];
} *m;

static struct knows *self(void) { return &m->who[player()]; }

static void join(struct view *a, const struct view *b) {
    for (u32 i = 0; i < m->nwords; i++) { a->at[i] = MAX(a->at[i], b->at[i]); }
    for (u32 i = 0; i <= PLAYERS; i++) { a->clock[i] = MAX(a->clock[i], b->clock[i]); }
}

void memory_begin(void) {
    if (!m) { m = calloc(1, sizeof(*m)); }
    memset(m->who, 0, sizeof(m->who));
    memset(&m->common, 0, sizeof(m->common));
    m->nwords = m->nviews = 0;
    m->execution++;
    memory_meet();
}

void memory_meet(void) {
    struct view all = {0};
    for (u32 i = 0; i <= PLAYERS; i++) { join(&all, &m->who[i].now); }
    for (u32 i = 0; i < m->nwords; i++) { all.at[i] = m->words[i].n - 1; }
    for (u32 i = 0; i <= PLAYERS; i++) {
        m->who[i].now = m->who[i].collected = all;
        m->who[i].now.clock[i]++;
    }
}

static struct view *new_view(void) {
    if (m->nviews == ARRAY_LEN(m->views)) { fail("memory.c: more than %zu messages", ARRAY_LEN(m->views)); }
    struct view *v = &m->views[m->nviews++];
    memset(v, 0, sizeof(*v));
    return v;
}

static u64 get(const void *p, u32 size) {
    u64 value = 0;
    memcpy(&value, p, size);
    return value;
}

// What memory holds when a word is first seen is known to all.
static u32 word_of(void *p, u32 size) {
    for (u32 i = 0; i < m->nwords; i++) {
        if (m->words[i].p == p) { return i; }
    }
    if (m->nwords == WORDS) { fail("memory.c: more than %d atomic words", WORDS); }
    struct word *w = &m->words[m->nwords];
    *w = (struct word){.p = p, .n = 1};
    w->messages[0] = (struct message){get(p, size), new_view()};
    return m->nwords++;
}

static void append(u32 i, u32 size, u64 value, enum order order, const struct view *carried) {
    struct word *w = &m->words[i];
    struct knows *s = self();
    if (w->n == MESSAGES) { fail("memory.c: more than %d messages", MESSAGES); }
    s->now.at[i] = s->collected.at[i] = w->n;
    struct view *v = new_view();
    join(v, order == RELEASE || order == ACQ_REL || order == SEQ_CST ? &s->now : &s->released);
    if (carried) { join(v, carried); }
    v->at[i] = w->n;
    w->messages[w->n++] = (struct message){value, v};
    memcpy(w->p, &value, size);
    s->now.clock[player()]++;
    news();
}

static u64 take(u32 i, u32 at, enum order order) {
    struct knows *s = self();
    const struct message *message = &m->words[i].messages[at];
    s->now.at[i] = MAX(s->now.at[i], at);
    join(&s->collected, message->view);
    if (order == ACQUIRE || order == ACQ_REL || order == SEQ_CST) { join(&s->now, message->view); }
    return message->value;
}

// The oldest message that the player may read. When nobody can go on, every store has become visible.
static u32 oldest(u32 i) { return player_is_desperate() ? m->words[i].n - 1 : self()->now.at[i]; }

u64 memory_load(void *p, u32 size, enum order order) {
    step(p, false);
    u32 i = word_of(p, size), newest = m->words[i].n - 1;
    return take(i, newest - choose(newest - oldest(i) + 1), order);
}

void memory_store(void *p, u32 size, u64 value, enum order order) {
    step(p, true);
    append(word_of(p, size), size, value, order, NULL);
}

u64 memory_update(void *p, u32 size, u64 (*f)(u64 old, u64 arg), u64 arg, enum order order) {
    step(p, true);
    u32 i = word_of(p, size);
    struct message old = m->words[i].messages[m->words[i].n - 1];
    take(i, m->words[i].n - 1, order);
    append(i, size, f(old.value, arg), order, old.view);
    return old.value;
}

// Fails by any message that is not what is expected; succeeds by the newest.
bool memory_cas(void *p, u32 size, u64 *expected, u64 desired, enum order success, enum order failure) {
    step(p, true);
    u32 i = word_of(p, size), newest = m->words[i].n - 1, candidates[MESSAGES], n = 0;
    for (u32 at = newest + 1; at-- > oldest(i);) {
        bool same = m->words[i].messages[at].value == *expected;
        if (at == newest || !same) { candidates[n++] = at; }
    }
    u32 at = candidates[choose(n)];
    struct message old = m->words[i].messages[at];
    if (old.value != *expected) {
        *expected = take(i, at, failure);
        return false;
    }
    take(i, at, success);
    append(i, size, desired, success, old.view);
    return true;
}

void memory_fence(enum order order) {
    if (order == SEQ_CST) { step(&m->common, true); }
    struct knows *s = self();
    if (order != RELEASE) { join(&s->now, &s->collected); }
    if (order == SEQ_CST) {
        join(&s->now, &m->common);
        join(&m->common, &s->now);
    }
    if (order != ACQUIRE) { s->released = s->now; }
    s->now.clock[player()]++;
}

static struct cell *cell_of(char *p) {
    for (u64 i = (u64)p * 0x9e3779b97f4a7c15ul >> 40;; i++) {
        struct cell *c = &m->cells[i % CELLS];
        if (c->execution != m->execution) { *c = (struct cell){.p = p, .execution = m->execution}; }
        if (c->p == p) { return c; }
    }
}

static void touch(char *p, bool write) {
    struct cell *c = cell_of(p);
    const u16 *known = self()->now.clock;
    bool after_write = c->written <= known[c->writer], after_reads = true;
    for (u32 i = 0; write && i <= PLAYERS; i++) { after_reads &= c->read[i] <= known[i]; }
    if (!after_write || !after_reads) {
        fail("race: a %s of %p by player %u is not ordered after a %s", write ? "write" : "read", p, player(),
             after_write ? "read" : "write");
    }
    if (write) {
        c->writer = player();
        c->written = known[player()];
    } else {
        c->read[player()] = known[player()];
    }
}

void memory_plain(void *p, u32 size, bool write) {
    for (u32 i = 0; i < size; i++) { touch((char *)p + i, write); }
}
