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

struct lockdep_list *lockdep_spins(void) { return &spins[this_hart()->index]; }

static noinline void problem(enum lockdep_problem what, const struct lockdep_held *now,
                             const struct lockdep_held *other) {
    struct lockdep_report r = {.what = what, .now = *now, .other = *other};
    lockdep_report(&r);
}

static noinline void add_orders(struct lockdep_list *l, const struct lockdep_held *now) {
    for (u64 i = l->base; i < l->n; i++) {
        if (!(atomic_load_relaxed(&lockdep_before[now->class]) >> l->held[i].class & 1)) {
            lockdep_order(&l->held[i], now);
        }
    }
}

// One that was not the newest is gone.
static noinline void recount(struct lockdep_list *l) {
    l->classes = 0;
    for (u64 i = l->base; i < l->n; i++) {
        l->held[i].outer = l->classes;
        l->classes |= 1ul << l->held[i].class;
    }
}

static always_inline void check_use(const struct lockdep_held *h, u32 uses) {
    if (unlikely(uses & ~atomic_load_relaxed(&lockdep_classes[h->class].uses))) {
        lockdep_use(h, uses);
    }
}

static noinline void check_sleep(const struct lockdep_list *l, const struct lockdep_held *now) {
    if (unlikely(l->in_irq)) {
        problem(LOCKDEP_HANDLER, now, now);
    } else if (unlikely(l->n)) {
        problem(LOCKDEP_SLEEP, now, &l->held[l->n - 1]);
    }
}

// The newest first: it is the one that is asked for.
static always_inline struct lockdep_held *find(struct lockdep_list *l, const void *lock) {
    for (u64 i = l ? l->n : 0; i && i > l->base; i--) {
        if (l->held[i - 1].lock == lock) { return &l->held[i - 1]; }
    }
    return NULL;
}

static noinline void note_longest(const struct lockdep_held *h, u64 held) {
    struct lockdep_class *c = &lockdep_classes[h->class];
    if (held > read_once(c->longest)) { write_once(c->longest, held); }
    if (unlikely(c->bound && held > c->bound)) { problem(LOCKDEP_LONG, h, h); }
}

static always_inline void note_time(const struct lockdep_held *h) {
    const struct lockdep_class *c = &lockdep_classes[h->class];
    u64 held = csr_read(instret) - h->since;
    if (unlikely(held > read_once(c->longest) || (c->bound && held > c->bound))) {
        note_longest(h, held);
    }
}

static always_inline void fill(struct lockdep_held *h, const void *lock, u32 class, u64 fp) {
    h->lock = lock;
    h->class = class;
    stack_take(h->stack.pc, LOCKDEP_DEPTH, fp);
}

#define HERE ((u64)__builtin_frame_address(0))

static always_inline void push(struct lockdep_list *l, struct lockdep_held *h) {
    h->since = csr_read(instret);
    h->outer = l->classes;
    l->classes |= 1ul << h->class;
    l->n++;
}

static always_inline u32 uses_of(const struct lockdep_list *s, enum lockdep_how how, u64 flags) {
    u32 waits = how != LOCKDEP_TRY;  // D3
    return flags ? 1u << USE_IRQ_ON : waits << USE_IRQ_OFF | (s->in_irq & waits) << USE_IN_IRQ;
}

// Something is new, or wrong: find out what.
static noinline void judge(struct lockdep_list *l, const void *lock, u32 class, enum lockdep_how how, u64 flags,
                           u64 fp) {
    struct lockdep_list *s = lockdep_spins(), *m = s->mutexes;
    struct lockdep_held none, *now = l && l->n < LOCKDEP_HELD_MAX ? &l->held[l->n] : &none;
    fill(now, lock, class, fp);
    if (how != LOCKDEP_TRY) {
        add_orders(s, now);
        if (m) { add_orders(m, now); }
    }
    if (how == LOCKDEP_MUTEX) {
        check_sleep(s, now);
    } else {
        check_use(now, uses_of(s, how, flags));
    }
    if (now != &none) {
        push(l, now);
    } else if (l) {
        problem(LOCKDEP_MANY, now, now);
    }
}

// What has been seen before needs no more than two words: the classes held, and the uses.
static always_inline bool is_known(const struct lockdep_list *s, u32 class, enum lockdep_how how, u64 flags) {
    u64 held = s->classes | (s->mutexes ? s->mutexes->classes : 0);
    return (how == LOCKDEP_TRY || !(held & ~atomic_load_relaxed(&lockdep_before[class]))) &&
           (how == LOCKDEP_MUTEX ? !s->n && !s->in_irq
                                 : !(uses_of(s, how, flags) & ~atomic_load_relaxed(&lockdep_classes[class].uses)));
}

static always_inline void take(const void *lock, u32 class, enum lockdep_how how) {
    u64 flags = irq_save();
    struct lockdep_list *s = lockdep_spins();
    __asm__("" : "+r"(s));  // not to be computed again
    struct lockdep_list *l = how == LOCKDEP_MUTEX ? s->mutexes : s;
    if (likely(l && l->n < LOCKDEP_HELD_MAX && is_known(s, class, how, flags))) {
        struct lockdep_held *now = &l->held[l->n];
        __asm__("" : "+r"(now));
        fill(now, lock, class, HERE);
        push(l, now);
    } else {
        judge(l, lock, class, how, flags, HERE);
    }
    irq_restore(flags);
}

noinline void lockdep_take_spin(const void *lock, u32 class) {
    take(lock, class, LOCKDEP_SPIN);
}

noinline void lockdep_take_mutex(const void *lock, u32 class) {
    take(lock, class, LOCKDEP_MUTEX);
}

noinline void lockdep_took(const void *lock, u32 class) {
    take(lock, class, LOCKDEP_TRY);
}

void lockdep_waited(const void *lock) {
    u64 flags = irq_save();
    find(lockdep_spins(), lock)->since = csr_read(instret);
    irq_restore(flags);
}

static always_inline void check_drop(const struct lockdep_held *h, enum lockdep_how how, u64 flags) {
    if (how == LOCKDEP_SPIN) {
        check_use(h, flags ? 1u << USE_IRQ_ON : 0);
        note_time(h);
    }
}

// Not the newest, or none that is held.
static noinline void judge_drop(struct lockdep_list *l, const void *lock, u32 class, enum lockdep_how how, u64 flags,
                                bool held, u64 fp) {
    struct lockdep_held *h = find(l, lock);
    if (h) {
        check_drop(h, how, flags);
        for (l->n--; h < &l->held[l->n]; h++) { h[0] = h[1]; }
        recount(l);
    } else if (l) {
        struct lockdep_held now;
        fill(&now, lock, class, fp);
        problem(held ? LOCKDEP_OWNER : LOCKDEP_FREE, &now, &now);
    }
}

static always_inline void drop(const void *lock, u32 class, enum lockdep_how how, bool held) {
    u64 flags = irq_save();
    struct lockdep_list *s = lockdep_spins();
    __asm__("" : "+r"(s));
    struct lockdep_list *l = how == LOCKDEP_MUTEX ? s->mutexes : s;
    struct lockdep_held *h = l ? &l->held[l->n - 1] : NULL;
    __asm__("" : "+r"(h));
    if (likely(l && l->n > l->base && h->lock == lock)) {
        check_drop(h, how, flags);
        l->classes = h->outer;
        l->n--;
    } else {
        judge_drop(l, lock, class, how, flags, held, HERE);
    }
    irq_restore(flags);
}

noinline void lockdep_drop_spin(const void *lock, u32 class, bool held) {
    drop(lock, class, LOCKDEP_SPIN, held);
}

noinline void lockdep_drop_mutex(const void *lock, u32 class, bool held) {
    drop(lock, class, LOCKDEP_MUTEX, held);
}

noinline void lockdep_init(const void *lock, u32 class) {
    u64 flags = irq_save();
    struct lockdep_held *h = find(lockdep_spins(), lock);
    if (unlikely(h || (h = find(lockdep_spins()->mutexes, lock)))) {
        struct lockdep_held now;
        fill(&now, lock, class, HERE);
        problem(LOCKDEP_INIT, &now, h);
    }
    irq_restore(flags);
}

static noinline void judge_sleep(u32 class, u64 fp) {
    struct lockdep_list *s = lockdep_spins(), *m = s->mutexes;
    struct lockdep_held now;
    fill(&now, NULL, class, fp);
    check_sleep(s, &now);
    if (class && m) { add_orders(m, &now); }
}

void lockdep_sleep(u32 class) {
    u64 flags = irq_save();
    struct lockdep_list *s = lockdep_spins();
    u64 outer = class && s->mutexes ? s->mutexes->classes : 0;
    if (unlikely(s->n || s->in_irq || outer & ~atomic_load_relaxed(&lockdep_before[class]))) {
        judge_sleep(class, HERE);
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
    for (u32 i = 0; i < l->n; i++) { check_use(&l->held[i], 1u << USE_IPI); }
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
    for (u32 i = 0; i < l->n; i++) { check_use(&l->held[i], 1u << USE_IRQ_ON); }
    l->base = l->n;
    l->classes = 0;
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
    recount(l);
    l->in_irq = false;
    l->mutexes = l->interrupted;
}
#endif
