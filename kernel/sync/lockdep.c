// SPDX-License-Identifier: MIT
// lockdep.c - the lists of what is held, and the questions asked at each change. See lockdep.h.
//
// The entry is listed before the lock is waited for: the report must come before the hang. A
// handler that comes in between treats it as held, which it would be a moment later.
#include "sync/lockdep.h"

#ifdef LOCKDEP
#include "riscv/csr.h"
#include "riscv/hart.h"
#include "riscv/stack.h"
#include "sync/atomic.h"

static struct lockdep_list spins[HART_MAX];

struct lockdep_list *lockdep_spins(void) {
    return &spins[this_hart()->index];
}

static noinline void problem(enum lockdep_problem what, const struct lockdep_held *now,
                             const struct lockdep_held *other) {
    struct lockdep_report r = {.what = what, .now = *now, .other = *other};
    lockdep_report(&r);
}

static always_inline void check_orders(struct lockdep_list *l, const struct lockdep_held *now) {
    for (u32 i = l->base; i < l->n; i++) {
        const struct lockdep_class *outer = &lockdep_classes[l->held[i].class];
        if (unlikely(!(atomic_load_relaxed(&outer->after) >> now->class & 1))) {
            lockdep_order(&l->held[i], now);
        }
    }
}

static always_inline void check_use(const struct lockdep_held *h, u32 uses) {
    if (unlikely(uses & ~atomic_load_relaxed(&lockdep_classes[h->class].uses))) {
        lockdep_use(h, uses);
    }
}

static void check_sleep(const struct lockdep_list *l, const struct lockdep_held *now) {
    if (unlikely(l->in_irq)) {
        problem(LOCKDEP_HANDLER, now, now);
    } else if (unlikely(l->n)) {
        problem(LOCKDEP_SLEEP, now, &l->held[l->n - 1]);
    }
}

// The newest first: it is the one that is asked for.
static always_inline struct lockdep_held *find(struct lockdep_list *l, const void *lock) {
    for (u32 i = l ? l->n : 0; i && i > l->base; i--) {
        if (l->held[i - 1].lock == lock) {
            return &l->held[i - 1];
        }
    }
    return NULL;
}

static always_inline void note_time(const struct lockdep_held *h) {
    struct lockdep_class *c = &lockdep_classes[h->class];
    u64 held = csr_read(instret) - h->since;
    if (held > read_once(c->longest)) {
        write_once(c->longest, held);
    }
    if (unlikely(c->bound && held > c->bound)) {
        problem(LOCKDEP_LONG, h, h);
    }
}

static always_inline void fill(struct lockdep_held *h, const void *lock, u32 class) {
    h->lock = lock;
    h->class = class;
    stack_take(h->stack.pc, LOCKDEP_DEPTH, (u64)__builtin_frame_address(0));
}

noinline void lockdep_take(const void *lock, u32 class, enum lockdep_how how) {
    u64 flags = irq_save();
    struct lockdep_list *s = lockdep_spins(), *m = s->mutexes, *l = how == LOCKDEP_MUTEX ? m : s;
    struct lockdep_held none, *now = likely(l && l->n < LOCKDEP_HELD_MAX) ? &l->held[l->n] : &none;
    fill(now, lock, class);
    if (how != LOCKDEP_TRY) {
        check_orders(s, now);
        if (m) {
            check_orders(m, now);
        }
    }
    if (how == LOCKDEP_MUTEX) {
        check_sleep(s, now);
    } else {
        u32 waits = how == LOCKDEP_TRY ? 0 : 1;  // D3
        u32 off = waits << USE_IRQ_OFF | (s->in_irq & waits) << USE_IN_IRQ;
        check_use(now, flags ? 1u << USE_IRQ_ON : off);
    }
    if (likely(now != &none)) {
        now->since = csr_read(instret);
        l->n++;
    } else if (l) {
        problem(LOCKDEP_MANY, now, now);
    }
    irq_restore(flags);
}

void lockdep_waited(const void *lock) {
    u64 flags = irq_save();
    find(lockdep_spins(), lock)->since = csr_read(instret);
    irq_restore(flags);
}

noinline void lockdep_drop(const void *lock, u32 class, enum lockdep_how how, bool held) {
    u64 flags = irq_save();
    struct lockdep_list *s = lockdep_spins(), *l = how == LOCKDEP_MUTEX ? s->mutexes : s;
    struct lockdep_held *h = find(l, lock);
    if (likely(h)) {
        if (how == LOCKDEP_SPIN) {
            check_use(h, flags ? 1u << USE_IRQ_ON : 0);
            note_time(h);
        }
        for (l->n--; h < &l->held[l->n]; h++) {
            h[0] = h[1];
        }
    } else if (l) {
        struct lockdep_held now;
        fill(&now, lock, class);
        problem(held ? LOCKDEP_OWNER : LOCKDEP_FREE, &now, &now);
    }
    irq_restore(flags);
}

noinline void lockdep_init(const void *lock, u32 class) {
    u64 flags = irq_save();
    struct lockdep_held *h = find(lockdep_spins(), lock);
    if (unlikely(h || (h = find(lockdep_spins()->mutexes, lock)))) {
        struct lockdep_held now;
        fill(&now, lock, class);
        problem(LOCKDEP_INIT, &now, h);
    }
    irq_restore(flags);
}

noinline void lockdep_sleep(u32 class) {
    u64 flags = irq_save();
    struct lockdep_list *s = lockdep_spins(), *m = s->mutexes;
    if (s->n || s->in_irq || (class && m && m->n)) {
        struct lockdep_held now;
        fill(&now, NULL, class);
        check_sleep(s, &now);
        if (class && m) {
            check_orders(m, &now);
        }
    }
    irq_restore(flags);
}

// => interrupts off
void lockdep_switch(struct lockdep_list *next) {
    lockdep_sleep(RANK_NONE);
    lockdep_spins()->mutexes = next;
}

noinline void lockdep_ipi_wait(void) {
    u64 flags = irq_save();
    struct lockdep_list *l = lockdep_spins();
    for (u32 i = 0; i < l->n; i++) {
        check_use(&l->held[i], 1u << USE_IPI);
    }
    irq_restore(flags);
}

noinline void lockdep_leave(void) {
    u64 flags = irq_save();
    struct lockdep_list *l = lockdep_spins();
    l = l->n ? l : l->mutexes;
    if (unlikely(l && l->n)) {
        problem(LOCKDEP_LEAVE, &l->held[l->n - 1], &l->held[l->n - 1]);
    }
    irq_restore(flags);
}

// What the handler interrupts is held with interrupts on, however it was taken. => interrupts off
void lockdep_irq_enter(void) {
    struct lockdep_list *l = lockdep_spins();
    for (u32 i = 0; i < l->n; i++) {
        check_use(&l->held[i], 1u << USE_IRQ_ON);
    }
    l->base = l->n;
    l->in_irq = true;
    l->interrupted = l->mutexes;
    l->mutexes = NULL;
}

void lockdep_irq_leave(void) {
    struct lockdep_list *l = lockdep_spins();
    if (unlikely(l->n != l->base)) {
        problem(LOCKDEP_LEAVE, &l->held[l->n - 1], &l->held[l->n - 1]);
    }
    l->base = 0;
    l->in_irq = false;
    l->mutexes = l->interrupted;
}
#endif
