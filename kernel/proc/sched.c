// SPDX-License-Identifier: MIT
// sched.c - switching threads, sleeping and waking, and the edges where a hart looks for work.
//
// Model      A hart that leaves a thread finishes that thread's state only after the switch
//            (finish), so nobody else can run a thread that is still on its stack. Who waits for a
//            hart: runq.c.
// Ordering   Q1 PARKED is stored (CAS, release) after the thread's context; whoever readies it
//            acquires. The run queue's lock carries the rest.
#include "proc/sched.h"
#include "dev/ipi.h"
#include "lib/print.h"
#include "mm/kstack.h"
#include "proc/fpu.h"
#include "proc/proc.h"
#include "proc/quiesce.h"
#include "proc/runq.h"
#include "riscv/csr.h"
#include "sync/park.h"
#include "sync/point.h"
#include "sync/schedule.h"

struct thread *context_switch(struct context *from, struct context *to, struct thread *prev);

// ---- switching ----

// After a switch: `prev` is off its stack now, so others may have it.
static void finish(struct thread *prev) {
    schedule_switched();
    if (unlikely(quiesce_asked())) {  // the IPI may have come to the one before us
        atomic_or_relaxed(&thread_self()->work, WORK_QUIESCE);
    }
    switch (atomic_load_relaxed(&prev->state)) {
    case THREAD_PARKING:
#ifdef MUTANT_parked_relaxed  // "it left long ago"
        if (atomic_cas32_acquire(&prev->state, THREAD_PARKING, THREAD_PARKED)) {
#else
        if (atomic_cas32_acq_rel(&prev->state, THREAD_PARKING, THREAD_PARKED)) {  // Q1
#endif
            return;
        }
        __attribute__((fallthrough));  // somebody woke it meanwhile
    case THREAD_RUNNING:
        if (prev == this_hart()->idle) { return; }
        atomic_store_relaxed(&prev->state, THREAD_READY);
        runq_add(prev);
        return;
    case THREAD_DEAD:
        thread_bury(prev);
        return;
    }
}

static void switch_to(struct thread *next) {
    u64 flags = irq_save();
    struct hart *h = this_hart();
    struct thread *prev = h->current;
    lockdep_switch(&next->mutexes);
    if (prev->fp_used) { fpu_update(prev); }
    write_once(h->current, next);
    h->kernel_sp = next->stack - TF_SIZE;
    h->inject = &next->inject;
    write_once(next->hart, h->index);
    if (next->stack_hart != h->index) {
        next->stack_hart = h->index;
        kstack_fence(next->stack);
    }
    ghost_stack(next->stack);
    atomic_store_relaxed(&next->state, THREAD_RUNNING);
    as_switch(next->as);
    COUNT(switches);
    race_switch(prev, next);
    prev = context_switch(&prev->context, &next->context, prev);
    finish(prev);
    if (thread_self()->fp_used) { fpu_restore(thread_self()); }
    irq_restore(flags);
}

void sched_started(struct thread *from) {
    finish(from);
    if (thread_self()->fp_used) { fpu_restore(thread_self()); }
    irq_enable();
}

static void reschedule(void) {
    ASSERT(read_once(this_hart()->nheld) == 0, "hart %u switches with %u spinlocks held, first %s",
           this_hart()->index, this_hart()->nheld, lock_rank_name[this_hart()->held[0]->rank]);
    struct thread *next = runq_take();
    bool may_stay = atomic_load_relaxed(&thread_self()->state) == THREAD_RUNNING;
    if (!next && !may_stay) { next = this_hart()->idle; }
    if (next) { switch_to(next); }
}

void sched_yield(void) { reschedule(); }

noreturn void sched_exit(void) {
    schedule_leave();
    lockdep_leave();
    irq_disable();
    atomic_store_relaxed(&thread_self()->state, THREAD_DEAD);
    reschedule();
    panic("a dead thread runs");
}

// ---- sleeping (sync/park.h) ----

struct thread *park_self(void) { return thread_self(); }

void park_announce(void) { atomic_store_relaxed(&thread_self()->state, THREAD_PARKING); }

void park_cancel(void) { atomic_store_relaxed(&thread_self()->state, THREAD_RUNNING); }

void park(void) {
    lockdep_sleep(RANK_NONE);
    if (atomic_load_relaxed(&thread_self()->state) == THREAD_PARKING) {
        RACE_POINT("sched.park");
        schedule_park();
        reschedule();
        schedule_parked();
    }
}

void unpark(struct thread *t) {
    for (;;) {
        u32 s = atomic_load_acquire(&t->state);
        if (s == THREAD_PARKED) {
            if (atomic_cas32_acq_rel(&t->state, THREAD_PARKED, THREAD_READY)) {  // Q1
                schedule_unparked(t);
                runq_add(t);
                return;
            }
        } else if (s != THREAD_PARKING ||
                   atomic_cas32_acq_rel(&t->state, THREAD_PARKING, THREAD_RUNNING)) {
            schedule_unparked(t);
            return;
        }
    }
}

bool park_killed(void) {
#ifndef MUTANT_park_unfenced  // "the queue's lock is let go in between"
    atomic_fence_full();  // our announcement before the look: pairs with thread_kill
#endif
    return read_once(thread_self()->killed);
}

// ---- the edges: user mode, idle, tick ----

void sched_obey_affinity(void) {
    struct thread *t = thread_self();
    while (!(read_once(t->affinity) >> this_hart()->index & 1)) {
        struct thread *next = runq_take();
        switch_to(next ? next : this_hart()->idle);  // finish() sends us to an allowed hart
    }
}

void sched_user_work(void) {
    struct thread *t = thread_self();
    u32 work;
    while ((work = atomic_swap_acquire(&t->work, 0u)) || quiesce_asked()) {
        irq_enable();
        if (quiesce_asked()) { quiesce_stand(); }
        if (park_killed()) { thread_exit(0); }
        sched_obey_affinity();
        if (work & WORK_RESCHED && !schedule_player()) { sched_yield(); }
        irq_disable();
    }
}

void sched_ring(const struct thread *t) {
    struct hart *h = harts[read_once(t->hart)];
    if (h != this_hart() && read_once(h->current) == t) { ipi_send(h); }
}

bool sched_go_on(void) {
    struct thread *t = thread_self();
    if (quiesce_asked()) { quiesce_stand(); }
    if (atomic_load_relaxed(&t->work) & WORK_RESCHED) {
        atomic_and_relaxed(&t->work, ~(u32)WORK_RESCHED);
        sched_yield();
    }
    return !park_killed();
}

noreturn void sched_idle(void) {
    for (;;) {
        if (quiesce_asked()) { quiesce_stand(); }
        struct thread *next = runq_take();
        if (!next) { next = runq_steal(); }
        if (next) {
            switch_to(next);
        } else {
            runq_wait();
        }
    }
}
