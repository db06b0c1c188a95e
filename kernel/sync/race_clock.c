// SPDX-License-Identifier: MIT
// race_clock.c - clocks, contexts, and the order that threads and interrupts make. See race.h.
//
// Clocks     now.at[i] = e: what context i did up to its epoch e has happened before. A context's own
//            epoch goes up whenever it has published its clock, so that what follows is not covered.
// Numbers    are handed out in turn; the next holder goes on where the last one's epoch ended, and is
//            taken for it. The turn goes through twice as many as are held, so that clocks stay short.
//            But who has heard of the next one's epochs has not heard what the last one knew: an epoch
//            tells that only from race_since[] on. When all are held, two go on with one number, and
//            its epochs tell nothing for good.
#include "lib/print.h"
#include "mm/kvm.h"
#include "proc/proc.h"
#include "riscv/csr.h"
#include "riscv/trapframe.h"
#include "sync/atomic.h"
#include "sync/race_word.h"

static struct race_context irq[HART_MAX];

static u32 number_lock;
static u32 next_number, held;  // handed out in turn below race_numbers
u32 race_numbers = STRIDE;
static u32 fixed;  // numbers below are the harts' own: shared only if there are no others
static u32 holders[RACE_IDS];
u32 race_since[RACE_IDS];
static u32 ended[RACE_IDS];  // the epoch at which the number's last holder ended
static int pids[RACE_IDS];   // who used it last, for reports

static void clear(struct race_context *c) {
    for (u64 *p = (u64 *)c; p < (u64 *)(c + 1); p++) { write_once(*p, 0); }
}

// ---- contexts ----

static void number(struct race_context *c) {
    race_raw_lock(&number_lock);
    if (2 * ++held > race_numbers && race_numbers < RACE_IDS) { race_numbers *= 2; }
    u32 id = next_number;
    for (u32 i = 0; i < race_numbers && holders[id]; i++) { id = (id + 1) % race_numbers; }
    if (holders[id] && id < fixed && fixed < RACE_IDS) {
        id = fixed + id % (RACE_IDS - fixed);
    }
    next_number = (id + 1) % race_numbers;
    c->id = id;
    ended[id] = MIN(MAX(ended[id], c->now.at[id]) + 1, EPOCH_MAX);
    c->now.at[id] = ended[id];
    if (holders[id]++) {
        write_once(race_since[id], RACE_SHARED);
    } else if (race_since[id] != RACE_SHARED) {
        write_once(race_since[id], ended[id]);
    }
    c->stamp = CELL_ID(id) | CELL_EPOCH(c->now.at[id]);
    c->version = (u64)c->now.at[id] << 32;
    race_stack_begin(c);
    race_word_begin(c);
    atomic_store_release(&number_lock, 0u);
}

void race_thread_begin(struct thread *t) {
    struct race_context *self = this_hart()->race;
    clear(&t->race);
    race_shadow_begin(&t->race);
    if (self) {
        race_clock_copy(&t->race.now, &self->now);
        race_clock_tick(self);
    }
    number(&t->race);
}

void race_thread_end(struct thread *t) {
    u32 id = t->race.id;
    race_raw_lock(&number_lock);
    holders[id]--;
    held--;
    ended[id] = MAX(ended[id], t->race.now.at[id]);
    atomic_store_release(&number_lock, 0u);
}

void race_switch(struct thread *prev, struct thread *next) {
    struct hart *h = this_hart();
    if (h->race) {
        race_clock_learn(&next->race, &prev->race.now);
        race_clock_tick(&prev->race);
        next->race.handlers = prev->race.handlers;
        h->race = &next->race;
        pids[next->race.id] = next->proc ? next->tid : 0;
    }
}

// ---- interrupts ----

// Its handlers have seen all that was before irq_epoch.
#undef race_irq_enabled
void race_irq_enabled(void) {
    struct race_context *c = this_hart()->race;
    if (c) {
        c->irq_epoch = c->now.at[c->id];
        race_clock_tick(c);
    }
}

static noinline void learn_handlers(struct race_context *c, const struct race_context *h, u32 seen) {
    race_clock_learn(c, &h->now);
    c->now.at[h->id] = seen;
}

// Up to its last handler: the handler's own epoch has gone on since.
static always_inline void after_handlers(struct race_context *c) {
    struct race_context *h = c->handlers;
    u32 end = h->now.at[h->id] - 1, seen = c->now.at[h->id];
    if (c != h && unlikely(seen < end || race_since[h->id] == RACE_SHARED)) {
        learn_handlers(c, h, MAX(seen, end));
    }
}

#undef race_irq_disabled
void race_irq_disabled(void) {
    struct race_context *c = this_hart()->race;
    if (c) { after_handlers(c); }
}

static bool from_user(const struct trapframe *tf) { return !(tf->sstatus & SSTATUS_SPP); }

void race_irq_enter(const struct trapframe *tf) {
    struct hart *hart = this_hart();
    struct race_context *c = hart->race, *h = &irq[hart->index];
    if (!c) { return; }
    u32 own = c->now.at[c->id], seen = h->now.at[c->id];
    race_clock_learn(h, &c->now);
    h->now.at[c->id] = MAX(seen, from_user(tf) ? own : c->irq_epoch);
    if (from_user(tf)) { race_clock_tick(c); }
    h->handler_base = ALIGN_DOWN((u64)tf, KSTACK_STRIDE);
    h->handler_bytes = (u64)(tf + 1) - h->handler_base;  // with the trap frame
    h->depth = 0;
    race_stack_move(h);
    hart->race = h;
}

void race_irq_leave(const struct trapframe *tf) {
    struct hart *hart = this_hart();
    if (hart->race) {
        race_clock_tick(&irq[hart->index]);
        hart->race = &hart->current->race;
        if (from_user(tf)) { after_handlers(hart->race); }
    }
}

// ---- beginning ----

void race_boot(void) {
    race_stack_boot();
    race_word_boot();
    for (u32 i = 0; i < nharts; i++) {
        number(&irq[i]);
        number(&harts[i]->idle->race);
        race_shadow_begin(&harts[i]->idle->race);
    }
    fixed = next_number;
    kprintf("race detector: shadow %lu MiB, clocks %lu MiB\n", race_shadow_bytes() >> 20,
            race_word_bytes() >> 20);
}

void race_begin_hart(struct hart *h) {
    irq[h->index].idle_stack = ALIGN_DOWN((u64)__builtin_frame_address(0), KSTACK_STRIDE);
    h->idle->race.handlers = irq[h->index].handlers = &irq[h->index];
    h->race = &h->idle->race;
}

void race_stop(void) {
    if (this_hart()) { this_hart()->race = NULL; }
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
