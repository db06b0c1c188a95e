// SPDX-License-Identifier: MIT
// lockdep_graph.c - which class leads to which, and how each is used. See lockdep.h.
//
// Model      one word per class: the classes that were taken inside it. "x leads to y" is the
//            closure, walked only when an edge or a use is new, which soon is never.
// Locking    a bare word guards adding; the fast path looks at `known` without it, and at
//            nothing else: the stacks are read only by a report.
#include "sync/lockdep.h"

#ifdef LOCKDEP
#include "lib/string.h"
#include "sync/atomic.h"
#include "sync/park.h"

_Static_assert(USES + RANK_END <= 64, "a word has a bit for each use and each class");

enum { IRQ_on = 1 << USE_IN_IRQ, IRQ_off = 1 << USE_IRQ_ON };  // what lockrank.h's `irq` forbids

struct lockdep_all lockdep_all = {.classes = {
#define spin_IRQ(irq) IRQ_##irq
#define mutex_IRQ(irq) 0
#define X(name, kind, irq, protects)                                                               \
    [RANK_##name] = {.rank = RANK_##name, .declared = kind##_IRQ(irq)},
    LOCK_RANKS(X)
#undef X
    [RANK_NONE] = {.known = ~0ul},  // who parks may do so with any mutex held
}};

struct lockdep_stack lockdep_order_stacks[RANK_END][RANK_END][2];
struct lockdep_stack lockdep_use_stacks[RANK_END][USES];
static u32 word;  // (a) 1: somebody adds

static const struct lockdep_conflict conflicts[] = {{USE_IN_IRQ, USE_IRQ_ON, LOCKDEP_IRQ},
                                                    {USE_IRQ_OFF, USE_IPI, LOCKDEP_IPI}};

// => interrupts off
static void graph_lock(void) {
    while (atomic_swap_acquire(&word, 1u)) {  // pairs with the release of `word`
        cpu_pause();
        park_poll_stop();
    }
}

enum way { BELOW, ABOVE };

// `class`, and all that it leads to, or that lead to it.
static u64 reach(u32 class, enum way way) {
    u64 reached = 1ul << class, before;
    do {
        before = reached;
        for (u32 c = 0; c < RANK_END; c++) {
            u64 after = lockdep_classes[c].after;
            reached |= way == ABOVE ? (u64)!!(after & before) << c : before >> c & 1 ? after : 0;
        }
    } while (reached != before);
    return reached;
}

u32 lockdep_next(u32 from, u32 to) {
    u64 steps = lockdep_classes[from].after;
    for (u32 c = 0; c < RANK_END && !(steps >> to & 1); c++) {
        if (steps >> c & 1 && reach(c, BELOW) >> to & 1) { return c; }
    }
    return steps >> to & 1 ? to : RANK_NONE;
}

static u32 first_with(u64 classes, u32 use) {
    u32 c = RANK_NONE;
    while (++c < RANK_END && !(classes >> c & lockdep_classes[c].known >> use & 1)) {}
    return c;
}

// Does a conflict stand between these uppers, which lead to these lowers? Fills in which.
static bool conflict(struct lockdep_report *r, u64 uppers, u64 lowers) {
    for (const struct lockdep_conflict *c = conflicts; c < conflicts + ARRAY_LEN(conflicts); c++) {
        r->upper = first_with(uppers, c->upper);
        r->lower = first_with(lowers, c->lower);
        if (r->upper < RANK_END && r->lower < RANK_END) {
            r->conflict = c;
            r->what = c->what;
            return true;
        }
    }
    return false;
}

// Judges the edge from r->other to r->now.
static void judge_order(struct lockdep_report *r) {
    u32 outer = r->other.class, inner = r->now.class;
    u32 outer_rank = lockdep_classes[outer].rank, inner_rank = lockdep_classes[inner].rank;
    if (outer == inner) {
        r->what = r->other.lock == r->now.lock ? LOCKDEP_AA : LOCKDEP_SAME;
    } else if (outer_rank && inner_rank && outer_rank > inner_rank) {
        r->what = LOCKDEP_RANK;
    } else if (reach(inner, BELOW) >> outer & 1) {
        r->what = LOCKDEP_CYCLE;
    } else {
        conflict(r, reach(outer, ABOVE), reach(inner, BELOW));
    }
}

void lockdep_order(const struct lockdep_held *outer, const struct lockdep_held *inner) {
    struct lockdep_report r = {.now = *inner, .other = *outer};
    graph_lock();
    judge_order(&r);
    if (r.what == LOCKDEP_NONE) {  // D1
        lockdep_order_stacks[outer->class][inner->class][0] = outer->stack;
        lockdep_order_stacks[outer->class][inner->class][1] = inner->stack;
        atomic_or_relaxed(&lockdep_classes[outer->class].after, 1ul << inner->class);
        atomic_or_relaxed(&lockdep_classes[inner->class].known, CLASS_BIT(outer->class));
    }
    atomic_store_release(&word, 0u);
    if (r.what != LOCKDEP_NONE) { lockdep_report(&r); }
}

void lockdep_use(const struct lockdep_held *h, u32 uses) {
    struct lockdep_report r = {.now = *h, .other = *h};
    struct lockdep_class *c = &lockdep_classes[h->class];
    graph_lock();
    u64 self = 1ul << h->class;
    u64 had = c->known;
    for (u32 use = 0; use < USES; use++) {
        if (uses >> use & ~had >> use & 1) {
            lockdep_use_stacks[h->class][use] = h->stack;
        }
    }
    atomic_or_relaxed(&c->known, (u64)uses);
    if (!conflict(&r, self, reach(h->class, BELOW)) && !conflict(&r, reach(h->class, ABOVE), self)) {
        r.what = uses & c->declared ? LOCKDEP_DECLARED : LOCKDEP_NONE;
    }
    if (r.what != LOCKDEP_NONE) { atomic_store_relaxed(&c->known, had); }  // D1
    atomic_store_release(&word, 0u);
    if (r.what != LOCKDEP_NONE) { lockdep_report(&r); }
}

void lockdep_forget_tests(void) {
    for (u32 c = RANK_NONE + 1; c < RANK_TEST; c++) {
        atomic_and_relaxed(&lockdep_classes[c].after, (1ul << RANK_TEST) - 1);
        atomic_and_relaxed(&lockdep_classes[c].known, CLASS_BIT(RANK_TEST) - 1);
    }
    memset(&lockdep_classes[RANK_TEST], 0, (RANK_END - RANK_TEST) * sizeof(lockdep_classes[0]));
}
#endif
