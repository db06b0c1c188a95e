// SPDX-License-Identifier: MIT
// lockdep.c - the lists of what is held, and the questions asked at each change. See lockdep.h.
//
// The entry is listed before the lock is waited for: the report must come before the hang. A
// handler that comes in between treats it as held, which it would be a moment later.
#include "sync/lockdep.h"

#ifdef LOCKDEP
#include "config.h"
#include "riscv/csr.h"
#include "riscv/hart.h"
#include "sync/atomic.h"

#define COMPUTED(p) __asm__("" : "+r"(p))  // once, not again at each use
// For the fast paths: leaves without a frame. What they cannot decide they leave to a function by
// a jump (-O2), so that CALLER is the same in both.
#define FAST noinline __attribute__((optimize("omit-frame-pointer")))
#define CALLER ((u64)__builtin_return_address(0))

// The same in a leaf, for which the compiler's own would save ra.
static always_inline u32 caller_of_leaf(void) {
    u32 ra;
    __asm__ volatile("mv %0, ra" : "=r"(ra));
    return ra;
}

static noinline void problem(enum lockdep_problem what, const struct lockdep_held *now,
                             const struct lockdep_held *other) {
    struct lockdep_report r = {.what = what, .now = *now, .other = *other};
    lockdep_report(&r);
}

static noinline void add_orders(struct lockdep_list *l, const struct lockdep_held *now) {
    for (u64 i = l->base; i < l->n; i++) {
        u64 known = atomic_load_relaxed(&lockdep_classes[now->class].known);
        if (~known & CLASS_BIT(l->held[i].class)) { lockdep_order(&l->held[i], now); }
    }
}

// One that was not the newest is gone.
noinline void lockdep_recount(struct lockdep_list *l) {
    l->now &= 1ul << USE_IN_IRQ;
    for (u64 i = l->base; i < l->n; i++) {
        l->held[i].outer = l->now;
        l->now |= CLASS_BIT(l->held[i].class);
    }
}

static void check_use(const struct lockdep_held *h, u32 uses) {
    if (uses & ~atomic_load_relaxed(&lockdep_classes[h->class].known)) { lockdep_use(h, uses); }
}

static bool in_irq(const struct lockdep_list *s) { return s->now >> USE_IN_IRQ & 1; }

static noinline void check_sleep(const struct lockdep_list *l, const struct lockdep_held *now) {
    if (in_irq(l)) {
        problem(LOCKDEP_HANDLER, now, now);
    } else if (l->n) {
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

// riscv/stack.h's stack_take, from a live frame. A stack is an aligned block of KSTACK_SIZE
// (config.h), so one test says that the next pair of frame pointer and return address is in it.
static always_inline void walk(u32 *pc, u32 n, u64 fp) {
    u64 pair = fp - 16;
#pragma GCC unroll 8
    for (u32 i = 0; i < n; i++) {
        pc[i] = ((u64 *)pair)[1];
        u64 next = *(u64 *)pair - 16;
        if (i + 1 < n && unlikely((next ^ pair) & ~(KSTACK_SIZE - 8))) {
            pc[i + 1] = 0;
            break;
        }
        pair = next;
    }
}

static always_inline void fill(struct lockdep_held *h, const void *lock, u64 class, u32 pc,
                               u64 fp) {
    h->lock = lock;
    h->class = class;
    write_once(h->stack.pc[0], pc);  // by itself: to join it with the next costs more
    walk(&h->stack.pc[1], LOCKDEP_DEPTH - 1, fp);
}

static always_inline void push(struct lockdep_list *l, struct lockdep_held *h, u64 class) {
    h->since = csr_read(instret);
    h->outer = l->now;
    l->now |= CLASS_BIT(class);
    l->n++;
}

static u32 uses_of(const struct lockdep_list *s, enum lockdep_how how, u64 flags) {
    u32 waits = how != LOCKDEP_TRY;  // D3
    return flags ? 1u << USE_IRQ_ON : waits << USE_IRQ_OFF | (in_irq(s) & waits) << USE_IN_IRQ;
}

// Something is new, or wrong: find out what.
static noinline void judge(const void *lock, u64 class, u64 fp, u64 flags,
                           enum lockdep_how how) {
    struct lockdep_list *s = lockdep_spins(), *m = s->mutexes, *l = how == LOCKDEP_MUTEX ? m : s;
    struct lockdep_held none, *now = l && l->n < LOCKDEP_HELD_MAX ? &l->held[l->n] : &none;
    fill(now, lock, class, CALLER, fp);
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
        push(l, now, class);
    } else if (l) {
        problem(LOCKDEP_MANY, now, now);
    }
    irq_restore(flags);
}

// The use with interrupts on, or off, of somebody who waits; and without waiting, if they are on.
_Static_assert(SSTATUS_SIE == 2 && USE_IRQ_OFF == 1 && USE_IRQ_ON == 2, "flags are uses");
static always_inline u64 waiting_use(u64 flags) { return flags + (1u << USE_IRQ_OFF); }
static always_inline u64 open_use(u64 flags) { return flags << 1; }

// Has all of it been seen before? `known` and `now` have the same bits.
static always_inline bool is_known(const struct lockdep_list *s, u64 class, enum lockdep_how how,
                                   u64 flags) {
    u64 unknown = ~atomic_load_relaxed(&lockdep_classes[class].known);
    u64 outer = s->mutexes ? s->mutexes->now : 0;
    return how == LOCKDEP_MUTEX ? s->mutexes && !(s->now | (outer & unknown))
           : how == LOCKDEP_TRY ? !(open_use(flags) & unknown)
                                : !((s->now | outer | waiting_use(flags)) & unknown);
}

static always_inline void take(const void *lock, u64 class, u64 fp, u32 pc,
                               enum lockdep_how how) {
    u64 flags = irq_save();
    struct lockdep_list *s = lockdep_spins();
    COMPUTED(s);
    struct lockdep_list *l = how == LOCKDEP_MUTEX ? s->mutexes : s;
    if (unlikely(!is_known(s, class, how, flags) || l->n >= LOCKDEP_HELD_MAX)) {
        judge(lock, class, fp, flags, how);
        return;
    }
    struct lockdep_held *h = &l->held[l->n];
    COMPUTED(h);
    fill(h, lock, class, pc, fp);
    push(l, h, class);
    irq_restore(flags);
}

FAST void lockdep_take_spin(const void *lock, u64 class, u64 fp) {
    take(lock, class, fp, caller_of_leaf(), LOCKDEP_SPIN);
}

FAST void lockdep_take_mutex(const void *lock, u64 class, u64 fp) {
    take(lock, class, fp, caller_of_leaf(), LOCKDEP_MUTEX);
}

FAST void lockdep_took(const void *lock, u64 class, u64 fp) {
    take(lock, class, fp, caller_of_leaf(), LOCKDEP_TRY);
}

void lockdep_waited(const void *lock) {
    u64 flags = irq_save();
    find(lockdep_spins(), lock)->since = csr_read(instret);
    irq_restore(flags);
}

static void check_drop(const struct lockdep_held *h, u64 flags, u64 held) {
    struct lockdep_class *c = &lockdep_classes[h->class];
    check_use(h, open_use(flags));
    if (held > read_once(c->longest)) { write_once(c->longest, held); }
    if (c->bound && held > c->bound) { problem(LOCKDEP_LONG, h, h); }
}

// Not the newest, or none that is held, or not as it is known. `at`: instret.
static noinline void judge_drop(const void *lock, u64 class, u32 held, u64 fp, u64 flags, u64 at,
                                enum lockdep_how how) {
    struct lockdep_list *s = lockdep_spins(), *l = how == LOCKDEP_MUTEX ? s->mutexes : s;
    struct lockdep_held *h = find(l, lock);
    if (h) {
        if (how == LOCKDEP_SPIN) { check_drop(h, flags, at - h->since); }
        for (l->n--; h < &l->held[l->n]; h++) { h[0] = h[1]; }
        lockdep_recount(l);
    } else if (l) {
        struct lockdep_held now;
        fill(&now, lock, class, CALLER, fp);
        problem(held ? LOCKDEP_OWNER : LOCKDEP_FREE, &now, &now);
    }
    irq_restore(flags);
}

// Has check_drop nothing to say?
static always_inline bool is_usual_drop(const struct lockdep_held *h, u64 flags, u64 held) {
    const struct lockdep_class *c = &lockdep_classes[h->class];
    return !(open_use(flags) & ~atomic_load_relaxed(&c->known)) &&
           held <= read_once(c->longest) && (!c->bound || held <= c->bound);
}

static always_inline void drop(const void *lock, u64 class, u32 held, u64 fp,
                               enum lockdep_how how) {
    u64 flags = irq_save(), at = how == LOCKDEP_SPIN ? csr_read(instret) : 0;
    struct lockdep_list *s = lockdep_spins();
    COMPUTED(s);
    struct lockdep_list *l = how == LOCKDEP_MUTEX ? s->mutexes : s;
    bool listed = how == LOCKDEP_SPIN || l;
    struct lockdep_held *end = listed ? &l->held[l->n] : NULL;
    COMPUTED(end);
    struct lockdep_held *h = end - 1;
    if (unlikely(!listed || l->n <= l->base || h->lock != lock ||
                 (how == LOCKDEP_SPIN && !is_usual_drop(h, flags, at - h->since)))) {
        judge_drop(lock, class, held, fp, flags, at, how);
        return;
    }
    l->now = h->outer;
    l->n--;
    irq_restore(flags);
}

FAST void lockdep_drop_spin(const void *lock, u64 class, u32 held, u64 fp) {
    drop(lock, class, held, fp, LOCKDEP_SPIN);
}

FAST void lockdep_drop_mutex(const void *lock, u64 class, u32 held, u64 fp) {
    drop(lock, class, held, fp, LOCKDEP_MUTEX);
}

noinline void lockdep_init(const void *lock, u32 class) {
    u64 flags = irq_save();
    struct lockdep_held *h = find(lockdep_spins(), lock);
    if (unlikely(h || (h = find(lockdep_spins()->mutexes, lock)))) {
        struct lockdep_held now;
        fill(&now, lock, class, CALLER, LOCKDEP_FRAME);
        problem(LOCKDEP_INIT, &now, h);
    }
    irq_restore(flags);
}

static noinline void judge_sleep(u64 class, u64 fp) {
    u64 flags = irq_save();
    struct lockdep_list *s = lockdep_spins(), *m = s->mutexes;
    struct lockdep_held now;
    fill(&now, NULL, class, CALLER, fp);
    check_sleep(s, &now);
    if (class && m) { add_orders(m, &now); }
    irq_restore(flags);
}

// Interrupts may be on, here and in lockdep_leave: a handler leaves the lists as it found them.
FAST void lockdep_may_sleep(u64 class, u64 fp) {
    struct lockdep_list *s = lockdep_spins();
    COMPUTED(s);
    bool known = is_known(s, class, LOCKDEP_MUTEX, 0);
    if (unlikely(!known)) { judge_sleep(class, fp); }
}

noinline void lockdep_ipi_wait(void) {
    u64 flags = irq_save();
    struct lockdep_list *l = lockdep_spins();
    for (u32 i = 0; i < l->n; i++) { check_use(&l->held[i], 1u << USE_IPI); }
    irq_restore(flags);
}

static noinline void judge_leave(const struct lockdep_list *l) {
    l = l->n ? l : l->mutexes;
    if (l && l->n) { problem(LOCKDEP_LEAVE, &l->held[l->n - 1], &l->held[l->n - 1]); }
}

FAST void lockdep_leave(void) {
    struct lockdep_list *s = lockdep_spins();
    COMPUTED(s);
    if (unlikely(s->now | (s->mutexes ? s->mutexes->now : 0))) { judge_leave(s); }
}

// What the handler interrupts is held with interrupts on, however it was taken. => interrupts off
void lockdep_irq_enter(void) {
    struct lockdep_list *l = lockdep_spins();
    for (u32 i = 0; i < l->n; i++) { check_use(&l->held[i], 1u << USE_IRQ_ON); }
    l->base = l->n;
    l->now = 1ul << USE_IN_IRQ;
    l->interrupted = l->mutexes;
    l->mutexes = NULL;
}

void lockdep_irq_leave(void) {
    struct lockdep_list *l = lockdep_spins();
    if (unlikely(l->n != l->base)) {
        problem(LOCKDEP_LEAVE, &l->held[l->n - 1], &l->held[l->n - 1]);
    }
    l->base = l->now = 0;
    lockdep_recount(l);
    l->mutexes = l->interrupted;
}
#endif
