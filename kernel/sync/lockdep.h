// SPDX-License-Identifier: MIT
// lockdep.h - deadlocks reported from the order in which locks are taken, before one happens.
// (LOCKDEP=1; CHECK=1 brings it along. In other builds every hook is nothing.)
//
// Model      A class is a rank of lockrank.h; the kernel's own tests have some without a rank.
//            Spinlocks held are listed per hart, mutexes per thread (it may sleep), each with the
//            stack that took it. Whoever takes a lock adds an edge to it from each class held; an
//            edge must not close a cycle, nor contradict the ranks. Classes have uses (below), too.
// Invariants D1 the graph has no cycle: an edge or a use that is reported never enters it.
//            D2 a hart's list changes with interrupts off; a handler finds only its own part of it.
//            D3 a trylock never waits, so it adds no edge; what is taken inside it does.
// Conflicts  x leads to y (or is y):
//            x taken in handlers, y held with interrupts on: it waits for what it interrupts
//            x waited for with interrupts off, y held while other harts must answer an IPI
// Cost       the fast paths ask one word, what is known of the class, for the classes held and the
//            uses that hold now. They call nobody, so they need no frame; all else is judge()'s.
//            Only a new edge or use takes the graph's lock, which is a bare word.
// A report panics; those of the thread that runs the self-test are recorded instead.
#pragma once
#include "sync/lockrank.h"

enum lockdep_how { LOCKDEP_SPIN, LOCKDEP_MUTEX, LOCKDEP_TRY };

#ifdef LOCKDEP
#include "config.h"
#include "lib/print.h"
#define LOCKDEP_ONLY(...) __VA_ARGS__
#define LOCKDEP_DEPTH 4
#define LOCKDEP_HELD_MAX 16

struct thread;

struct lockdep_stack {
    u32 pc[LOCKDEP_DEPTH];
};

struct lockdep_held {
    const void *lock;
    u64 class;
    struct lockdep_stack stack;  // that took it
    u64 since;                   // instret when it had it
    u64 outer;                   // `now` of the list before it came
    u64 spare[2];                // 64 bytes: an index is a shift
};

struct lockdep_list {
    struct lockdep_held held[LOCKDEP_HELD_MAX];
    u64 n;
    u64 base;     // held[0..base) belong to what a handler has interrupted
    u64 now;      // as lockdep_class.known: classes of held[base..n); USE_IN_IRQ: a handler runs
    struct lockdep_list *mutexes, *interrupted;  // of a hart's thread; none in handlers, early boot
};

// ---- hooks ----

// Their callers' frames: from there the stack is taken down.
#define LOCKDEP_FRAME ((u64)__builtin_frame_address(0))
// About to wait for it. One function for each `how`, which is known where it is called.
#define lockdep_take(lock, class, how)                                                             \
    ((how) == LOCKDEP_SPIN    ? lockdep_take_spin(lock, class, LOCKDEP_FRAME)                      \
     : (how) == LOCKDEP_MUTEX ? lockdep_take_mutex(lock, class, LOCKDEP_FRAME)                     \
                              : lockdep_took(lock, class, LOCKDEP_FRAME))
void lockdep_take_spin(const void *lock, u64 class, u64 fp);
void lockdep_take_mutex(const void *lock, u64 class, u64 fp);
void lockdep_took(const void *lock, u64 class, u64 fp);  // without waiting
void lockdep_waited(const void *lock);                   // got it only now
#define lockdep_drop(lock, class, how, held)                                                       \
    ((how) == LOCKDEP_MUTEX ? lockdep_drop_mutex(lock, class, held, LOCKDEP_FRAME)                 \
                            : lockdep_drop_spin(lock, class, held, LOCKDEP_FRAME))
void lockdep_drop_spin(const void *lock, u64 class, u32 held, u64 fp);
void lockdep_drop_mutex(const void *lock, u64 class, u32 held, u64 fp);
void lockdep_init(const void *lock, u32 class);
// Perhaps: for a mutex of this class; RANK_NONE: parks.
#define lockdep_sleep(class) lockdep_may_sleep(class, LOCKDEP_FRAME)
void lockdep_may_sleep(u64 class, u64 fp);
// To the thread that holds these. => interrupts off
#define lockdep_switch(list) (lockdep_sleep(RANK_NONE), (void)(lockdep_spins()->mutexes = (list)))
void lockdep_ipi_wait(void);   // waits until other harts have taken an interrupt
void lockdep_leave(void);      // to user mode, or for ever: nothing may be held
void lockdep_irq_enter(void);
void lockdep_irq_leave(void);  // the handler goes: it, too, may hold nothing

// ---- for panic, boot, and the self-test ----

#define LOCKDEP_PROBLEMS(X)                                                                        \
    X(NONE, "nothing: %s %s")                                                                      \
    X(AA, "takes %s, which it holds already")                                                      \
    X(SAME, "takes %s while it holds another of its class, %s")                                    \
    X(RANK, "takes %s inside %s, against the order of lockrank.h")                                 \
    X(CYCLE, "takes %s inside %s, elsewhere it is the other way round")                            \
    X(IRQ, "would let a handler wait for %s until what it interrupts drops %s")                    \
    X(DECLARED, "takes %s with interrupts not as lockrank.h says")                                 \
    X(FREE, "releases %s, which nobody holds")                                                     \
    X(OWNER, "releases %s, which somebody else holds")                                             \
    X(SLEEP, "may sleep (%s) while it holds the spinlock %s")                                      \
    X(HANDLER, "may sleep (%s) in an interrupt handler")                                           \
    X(LEAVE, "leaves the kernel with %s held")                                                     \
    X(IPI, "lets other harts wait for %s with interrupts off, and for them with %s held")          \
    X(LONG, "has held %s for too long")                                                            \
    X(INIT, "initialises %s, which it holds")                                                      \
    X(MANY, "takes %s and holds more than there is room to list")

enum lockdep_problem {
#define X(name, text) LOCKDEP_##name,
    LOCKDEP_PROBLEMS(X)
#undef X
};

void lockdep_explain(print_say say);  // the stacks behind the report that has panicked
void lockdep_summary(void);             // one line
// From now on this thread's reports are only recorded; NULL: no more. Test classes are as new.
// Returns what was recorded since the last call: bits of enum lockdep_problem.
u32 lockdep_record(struct thread *t);

// ---- implementation: shared by lockdep.c (lists), lockdep_graph.c, lockdep_report.c ----

enum lockdep_use { USE_IPI, USE_IRQ_OFF, USE_IRQ_ON, USE_IN_IRQ, USES };
#define CLASS_BIT(class) (1ul << (USES + (class)))

struct lockdep_class {
    u64 known;           // (a) bits of its uses; CLASS_BIT(i): it has been taken inside class i
    u64 bound;           // of holding it, in instret; 0: none
    u64 longest;         // (m: all harts note theirs; one may be lost) it was held
    u64 after;           // (a) bit i: class i has been taken inside this one
    u8 rank;             // 0: has no place in the order
    u8 declared;         // bits of the uses that lockrank.h forbids
} __attribute__((aligned(64)));  // an index is a shift

// Uses that must not stand at two classes of which the upper leads to the lower, or is it.
struct lockdep_conflict {
    u8 upper, lower;
    enum lockdep_problem what;
};

struct lockdep_report {
    enum lockdep_problem what;
    struct lockdep_held now, other;
    const struct lockdep_conflict *conflict;  // NULL: none; else upper leads to lower
    u8 upper, lower;
};

// In one piece, for one base address: the classes, and each hart's list at a shift of its index.
extern struct lockdep_all {
    struct lockdep_class classes[RANK_END];
    struct lockdep_list spins[HART_MAX];
} lockdep_all;
#define lockdep_classes (lockdep_all.classes)
#define lockdep_spins() (&lockdep_all.spins[this_hart()->index])
extern struct lockdep_stack lockdep_order_stacks[RANK_END][RANK_END][2];  // of the outer, the inner
extern struct lockdep_stack lockdep_use_stacks[RANK_END][USES];
void lockdep_order(const struct lockdep_held *outer, const struct lockdep_held *inner);
void lockdep_use(const struct lockdep_held *h, u32 uses);
u32 lockdep_next(u32 from, u32 to);  // the next step of the way that is known; RANK_NONE: none is
void lockdep_report(const struct lockdep_report *r);
void lockdep_recount(struct lockdep_list *l);
void lockdep_forget_tests(void);
#else
#define LOCKDEP_ONLY(...)
#define lockdep_take(lock, class, how) ((void)0)
#define lockdep_waited(lock) ((void)0)
#define lockdep_drop(lock, class, how, held) ((void)0)
#define lockdep_init(lock, class) ((void)0)
#define lockdep_sleep(class) ((void)0)
#define lockdep_switch(mutexes) ((void)0)
#define lockdep_ipi_wait() ((void)0)
#define lockdep_leave() ((void)0)
#define lockdep_irq_enter() ((void)0)
#define lockdep_irq_leave() ((void)0)
#define lockdep_explain(say) ((void)0)
#define lockdep_summary() ((void)0)
#endif
