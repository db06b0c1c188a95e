// SPDX-License-Identifier: MIT
// lockdep.c - the lists of what is held, and the questions asked at each change. See lockdep.h.
//
// The entry is listed before the lock is waited for: the report must come before the hang. A handler
// that comes in between treats it as held, which it would be a moment later.
#include "sync/lockdep.h"

#ifdef LOCKDEP
#include "lib/print.h"
#include "riscv/csr.h"
#include "riscv/hart.h"
#include "riscv/stack.h"
#include "sync/atomic.h"
#include "sync/park.h"

static struct lockdep_list spins[HART_MAX];

struct lockdep_list *lockdep_spins(void) {
    return &spins[this_hart()->index];
}

// The mutexes that matter here: a handler and the first steps of boot have none.
static struct lockdep_list *mutexes(void) {
    return lockdep_spins()->in_irq ? NULL : park_mutexes();
}

static void problem(enum lockdep_problem what, const struct lockdep_held *now,
                    const struct lockdep_held *other) {
    struct lockdep_report r = {.what = what, .now = *now, .other = *other};
    lockdep_report(&r);
}

static u32 listed(const struct lockdep_list *l) {
    return MIN(l->n, (u32)LOCKDEP_HELD_MAX);
}

// ---- questions ----

static void check_orders(const struct lockdep_list *l, const struct lockdep_held *now) {
    for (u32 i = l->base; i < listed(l); i++) {
        const struct lockdep_class *outer = &lockdep_classes[l->held[i].class];
        if (unlikely(!(atomic_load_relaxed(&outer->after) >> now->class & 1))) {
            lockdep_order(&l->held[i], now);
        }
    }
    for (u32 i = 0; i < MIN(l->base, listed(l)); i++) {  // in a handler: the very same lock?
        if (unlikely(l->held[i].lock == now->lock)) {
            problem(LOCKDEP_AA, now, &l->held[i]);
        }
    }
}

static void check_use(const struct lockdep_held *h, u32 uses) {
    u32 known = atomic_load_relaxed(&lockdep_classes[h->class].uses);
    if (unlikely(uses & ~known)) {
        lockdep_use(h, uses & ~known);
    }
}

static void check_sleep(const struct lockdep_held *now) {
    const struct lockdep_list *l = lockdep_spins();
    if (unlikely(l->in_irq)) {
        problem(LOCKDEP_HANDLER, now, now);
    } else if (unlikely(l->n)) {
        problem(LOCKDEP_SLEEP, now, &l->held[listed(l) - 1]);
    }
}

// A spinlock that is taken, or tried.
static u32 uses_of(enum lockdep_how how, u64 irqs_on, bool in_irq) {
    return (irqs_on ? 1u << USE_IRQ_ON : 0) |
           (how == LOCKDEP_TRY ? 0 : (in_irq ? 1u << USE_IN_IRQ : 0) | (irqs_on ? 0 : 1u << USE_IRQ_OFF));
}

// ---- lists ----

static void push(struct lockdep_list *l, const struct lockdep_held *h) {
    if (unlikely(l->n >= LOCKDEP_HELD_MAX)) {
        problem(LOCKDEP_MANY, h, h);
        return;
    }
    l->held[l->n] = *h;
    l->held[l->n++].since = csr_read(instret);
}

static struct lockdep_held *find(struct lockdep_list *l, const void *lock) {
    for (u32 i = l ? listed(l) : 0; i; i--) {
        if (i > l->base && l->held[i - 1].lock == lock) {
            return &l->held[i - 1];
        }
    }
    return NULL;
}

static void pull(struct lockdep_list *l, struct lockdep_held *h) {
    for (l->n--; h < &l->held[l->n]; h++) {
        h[0] = h[1];
    }
}

static void note_time(const struct lockdep_held *h) {
    struct lockdep_class *c = &lockdep_classes[h->class];
    u64 held = csr_read(instret) - h->since;
    if (held > read_once(c->longest)) {
        write_once(c->longest, held);
    }
    if (unlikely(c->bound && held > c->bound)) {
        problem(LOCKDEP_LONG, h, h);
    }
}

// ---- hooks ----

#define HERE(lock, class)                                                                          \
    {lock, class, {{0}}, 0};                                                                       \
    stack_take(now.stack.pc, LOCKDEP_DEPTH, (u64)__builtin_frame_address(0))

noinline void lockdep_take(const void *lock, u32 class, enum lockdep_how how) {
    u64 flags = irq_save();
    struct lockdep_list *s = lockdep_spins(), *m = mutexes();
    struct lockdep_held now = HERE(lock, class);
    if (how != LOCKDEP_TRY) {
        check_orders(s, &now);
        if (m) {
            check_orders(m, &now);
        }
    }
    if (how == LOCKDEP_MUTEX) {
        check_sleep(&now);
    } else {
        check_use(&now, uses_of(how, flags, s->in_irq));
    }
    struct lockdep_list *l = how == LOCKDEP_MUTEX ? m : s;
    if (l && !find(l, lock)) {
        push(l, &now);
    }
    irq_restore(flags);
}

void lockdep_waited(const void *lock) {
    u64 flags = irq_save();
    struct lockdep_held *h = find(lockdep_spins(), lock);
    if (h) {
        h->since = csr_read(instret);
    }
    irq_restore(flags);
}

noinline void lockdep_drop(const void *lock, u32 class, enum lockdep_how how, bool held) {
    u64 flags = irq_save();
    struct lockdep_list *l = how == LOCKDEP_MUTEX ? mutexes() : lockdep_spins();
    struct lockdep_held *h = find(l, lock);
    if (likely(h)) {
        if (how == LOCKDEP_SPIN) {
            check_use(h, flags ? 1u << USE_IRQ_ON : 0);
            note_time(h);
        }
        pull(l, h);
    } else if (l) {
        struct lockdep_held now = HERE(lock, class);
        problem(held ? LOCKDEP_OWNER : LOCKDEP_FREE, &now, &now);
    }
    irq_restore(flags);
}

noinline void lockdep_init(const void *lock, u32 class) {
    u64 flags = irq_save();
    struct lockdep_held *h = find(lockdep_spins(), lock);
    if (unlikely(h || (h = find(mutexes(), lock)))) {
        struct lockdep_held now = HERE(lock, class);
        problem(LOCKDEP_INIT, &now, h);
    }
    irq_restore(flags);
}

noinline void lockdep_sleep(u32 class) {
    u64 flags = irq_save();
    struct lockdep_list *s = lockdep_spins(), *m = mutexes();
    if (s->n || s->in_irq || (class && m && m->n)) {
        struct lockdep_held now = HERE(NULL, class);
        check_sleep(&now);
        if (class && m) {
            check_orders(m, &now);
        }
    }
    irq_restore(flags);
}

noinline void lockdep_ipi_wait(void) {
    u64 flags = irq_save();
    struct lockdep_list *l = lockdep_spins();
    for (u32 i = 0; i < listed(l); i++) {
        check_use(&l->held[i], 1u << USE_IPI);
    }
    irq_restore(flags);
}

noinline void lockdep_leave(void) {
    u64 flags = irq_save();
    struct lockdep_list *s = lockdep_spins(), *m = mutexes();
    if (unlikely(s->n || (m && m->n))) {
        struct lockdep_held now = s->n ? s->held[listed(s) - 1] : m->held[listed(m) - 1];
        problem(LOCKDEP_LEAVE, &now, &now);
    }
    irq_restore(flags);
}

// What the handler interrupts is held with interrupts on, however it was taken. => interrupts off
void lockdep_irq_enter(void) {
    struct lockdep_list *l = lockdep_spins();
    for (u32 i = 0; i < listed(l); i++) {
        check_use(&l->held[i], 1u << USE_IRQ_ON);
    }
    l->base = l->n;
    l->in_irq = true;
}

void lockdep_irq_leave(void) {
    struct lockdep_list *l = lockdep_spins();
    if (unlikely(l->n != l->base)) {
        problem(LOCKDEP_LEAVE, &l->held[listed(l) - 1], &l->held[listed(l) - 1]);
    }
    l->base = 0;
    l->in_irq = false;
}

void lockdep_set_bound(u32 class, u64 instret) {
    lockdep_classes[class].bound = instret;
}
#endif
