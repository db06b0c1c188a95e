// SPDX-License-Identifier: MIT
// lockdep_report.c - what is said: the sentence, what is held here and since where, and the stacks
// that made the known part of the story. See lockdep.h.
// One line per stack, innermost function first. Only the first report is told: it stops everybody.
#include "sync/lockdep.h"

#ifdef LOCKDEP
#include "lib/print.h"
#include "riscv/csr.h"
#include "riscv/hart.h"
#include "symbols.h"
#include "sync/atomic.h"
#include "sync/park.h"

static const char *const sentences[] = {
#define X(name, text) text,
    LOCKDEP_PROBLEMS(X)
#undef X
};
static const char *const use_names[USES] = {
    "held with interrupts on, since", "taken in a handler, at", "taken with interrupts off, at",
    "held while other harts are waited for, since"};

static struct lockdep_report told;
static u32 claimed;              // (a) somebody tells
static struct thread *recorder;  // the thread that runs the self-test
static u32 recorded;

static void say_stack(print_say say, const char *what, u32 class, struct lockdep_stack *at) {
    char where[80];
    snprintf(where, sizeof(where), "%s %s", lock_rank_name[class], what);
    symbol_say_stack(say, where, at->pc, LOCKDEP_DEPTH);
}

static void say_list(print_say say, struct lockdep_list *l) {
    for (u32 i = 0; l && i < l->n; i++) {
        say_stack(say, "is listed here, since", l->held[i].class, &l->held[i].stack);
    }
}

// The edges by which `from` is known to lead to `to`, if it is.
static void say_way(print_say say, u32 from, u32 to) {
    for (u32 next; from != to && (next = lockdep_next(from, to)) != RANK_NONE; from = next) {
        say_stack(say, "was taken before, at", from, &lockdep_order_stacks[from][next][0]);
        say_stack(say, "then inside it, at", next, &lockdep_order_stacks[from][next][1]);
    }
}

static void say_use(print_say say, u32 class, u32 use) {
    say_stack(say, use_names[use], class, &lockdep_use_stacks[class][use]);
}

void lockdep_explain(print_say say) {
    struct lockdep_report *r = &told;
    if (r->what == LOCKDEP_NONE) { return; }
    say("-- lockdep --\n");
    say_stack(say, "now, at", r->now.class, &r->now.stack);
    say_list(say, lockdep_spins()->mutexes);
    say_list(say, lockdep_spins());
    if (r->conflict) {
        say_use(say, r->upper, r->conflict->upper);
        say_way(say, r->upper, r->other.class);
        say_way(say, r->now.class, r->lower);
        say_use(say, r->lower, r->conflict->lower);
    } else {
        say_way(say, r->now.class, r->other.class);
    }
}

void lockdep_report(const struct lockdep_report *r) {
    if (recorder && this_hart()->current == recorder) {
        recorded |= 1u << r->what;
        return;
    }
    while (atomic_swap_relaxed(&claimed, 1u)) {
        park_poll_stop();  // somebody else speaks
    }
    told = *r;
    char text[PRINT_BYTES];
    snprintf(text, sizeof(text), sentences[r->what],
             lock_rank_name[r->conflict ? r->upper : r->now.class],
             lock_rank_name[r->conflict ? r->lower : r->other.class]);
    panic("lockdep: %s", text);
}

u32 lockdep_record(struct thread *t) {
    u32 bits = recorded;
    recorded = 0;
    recorder = t;
    lockdep_forget_tests();
    struct lockdep_list *s = lockdep_spins(), *m = s->mutexes;
    lockdep_recount(s);  // the test empties lists
    if (m) { lockdep_recount(m); }
    return bits;
}

void lockdep_summary(void) {
    u32 orders = 0, longest = 0;
    for (u32 c = 0; c < RANK_TEST; c++) {
        orders += bits_count(lockdep_classes[c].after);
        longest = lockdep_classes[c].longest > lockdep_classes[longest].longest ? c : longest;
    }
    kprintf("# lockdep: %u orders among %u classes, longest held: %s, %lu of instret\n", orders,
            RANK_COUNT - 1, lock_rank_name[longest], lockdep_classes[longest].longest);
}
#endif
