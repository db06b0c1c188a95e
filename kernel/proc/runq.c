// SPDX-License-Identifier: MIT
// runq.c - who waits for a hart: queues, stealing, and the sleep of a hart with nothing to do.
//
// Model      Each hart has one queue, first in, first out, with its own lock. Threads wake up where
//            they ran last. A hart with nothing to do steals from the others, else sleeps in wfi.
// Wake-ups   of a sleeping hart: it stores idle_now, full fence, looks at the queue; the waker queues,
//            full fence, looks at idle_now (Dekker). wfi returns for a pending interrupt even with
//            interrupts off, so an IPI between the look and the wfi is not lost.
// Ordering   a thread's state is carried by the lock of the queue that it goes through.
#include "proc/runq.h"
#include "dev/ipi.h"
#include "dev/timer.h"
#include "lib/print.h"
#include "mm/kvm.h"
#include "proc/proc.h"
#include "proc/quiesce.h"
#include "riscv/csr.h"
#include "sync/spin.h"

struct runq {
    struct spin lock;
    u32 length;  // (m: its hart, wakers and thieves look without the lock)
    struct list threads;
} cacheline_aligned;

static u64 idle_mask;  // (a) harts that sleep: a hint where to send work

void runq_init_hart(struct hart *h) {
    h->runq = boot_alloc(sizeof(struct runq));
    spin_init(&h->runq->lock, RANK_RUNQ);
    list_init(&h->runq->threads);
}

static void enqueue(struct hart *h, struct thread *t) {
    struct runq *q = h->runq;
    write_once(t->hart, h->index);
#ifdef MUTANT_irq_unsafe_runq  // a timer that wakes somebody wants this lock too
    u64 flags = 0;
    spin_lock(&q->lock);
#else
    u64 flags = spin_lock_irq(&q->lock);
#endif
    list_add_tail(&q->threads, &t->run_link);
    write_once(q->length, q->length + 1);
    spin_unlock_irq(&q->lock, flags);
}

// The first one that may run on one of the harts in `mask`, or NULL. => q->lock
static struct thread *dequeue(struct runq *q, u64 mask) {
    list_each(it, &q->threads) {
        struct thread *t = list_entry(it, struct thread, run_link);
        if (read_once(t->affinity) & mask) {
            list_del(it);
            write_once(q->length, q->length - 1);
            return t;
        }
    }
    return NULL;
}

struct thread *runq_take(void) {
    struct runq *q = this_hart()->runq;
    if (!read_once(q->length)) { return NULL; }
    u64 flags = spin_lock_irq(&q->lock);
    struct thread *t = dequeue(q, ~0ul);  // who may no longer run here goes on by itself
    spin_unlock_irq(&q->lock, flags);
    return t;
}

static void kick_if_idle(struct hart *h) {
#ifndef MUTANT_kick_unfenced  // "the unlock was a release"
    atomic_fence_full();  // the queue before idle_now: pairs with runq_wait
#endif
    if (atomic_load_relaxed(&h->idle_now)) { ipi_send(h); }
}

// Some sleeping hart among `allowed`, to come and steal.
static void kick_a_thief(u64 allowed) {
    u64 candidates = atomic_load_relaxed(&idle_mask) & allowed;
    if (candidates) { ipi_send(harts[bits_lowest(candidates)]); }
}

// Where it ran last, if it still may.
static struct hart *home(struct thread *t, u64 allowed) {
#ifdef MUTANT_wakes_anywhere  // and nowhere near its cache
    u32 lot = hart_random() % nharts;
    if (allowed >> lot & 1) { return harts[lot]; }
#endif
    if (allowed >> t->hart & 1) { return harts[t->hart]; }
    if (!(allowed & harts_all())) {
        panic("thread of pid %d may run nowhere: affinity %lx", t->proc->id.number, allowed);
    }
    return harts[bits_lowest(allowed)];
}

void runq_add(struct thread *t) {
    u64 allowed = read_once(t->affinity);
    struct hart *h = home(t, allowed);
    enqueue(h, t);  // from here on t may run, end, and be freed
    if (h != this_hart()) { kick_if_idle(h); }
    // One that waits alone is left to this hart until the next tick: mostly whom it wakes, or has just
    // forked, runs at once because it sleeps, and moving that one would cost an IPI and a cold cache.
    if (allowed != 1ul << h->index && read_once(h->runq->length) > 1) { kick_a_thief(allowed); }
}

static struct thread *steal_from(struct hart *victim) {
    struct runq *q = victim->runq;
    struct thread *t = NULL;
    if (!read_once(q->length)) { return NULL; }
    u64 flags = irq_save();
    if (spin_try_lock(&q->lock)) {
        t = dequeue(q, 1ul << this_hart()->index);
        spin_unlock(&q->lock);
    }
    irq_restore(flags);
    return t;
}

struct thread *runq_steal(void) {
#ifdef MUTANT_no_stealing  // every queue is worked off in the end
    return NULL;
#endif
    u32 first = hart_random() % nharts;
    for (u32 i = 0; i < nharts; i++) {
        struct hart *victim = harts[(first + i) % nharts];
        struct thread *t = victim == this_hart() ? NULL : steal_from(victim);
        if (t) {
            COUNT(task_steals);
            return t;
        }
    }
    return NULL;
}

void runq_tick(void) {
    if (read_once(this_hart()->runq->length)) {
        atomic_or_relaxed(&thread_self()->work, WORK_RESCHED);
        kick_a_thief(~0ul);
    }
}

void runq_wait(void) {
    struct hart *h = this_hart();
    u64 bit = 1ul << h->index;
    irq_disable();
    atomic_or_relaxed(&idle_mask, bit);
    atomic_store_relaxed(&h->idle_now, 1u);
#ifndef MUTANT_idle_unfenced  // "one after the other"
    atomic_fence_full();  // idle_now before the queue: pairs with kick_if_idle
#endif
    if (!read_once(h->runq->length) && !quiesce_asked()) {
        timer_idle();
        wait_for_interrupt();
    }
    atomic_store_relaxed(&h->idle_now, 0u);
    atomic_and_relaxed(&idle_mask, ~bit);
    timer_busy();
    irq_enable();
}
