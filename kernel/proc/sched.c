// SPDX-License-Identifier: MIT
// sched.c - switching threads, sleeping and waking, and stealing.
//
// Model      Each hart has one queue, first in, first out, with its own lock. Threads wake up where
//            they ran last. A hart with nothing to do steals from the others, else sleeps in wfi.
//            A hart that leaves a thread finishes that thread's state only after the switch
//            (finish), so nobody else can run a thread that is still on its stack.
// Wake-ups   of a sleeping hart: it stores idle_now, full fence, looks at the queue; the waker queues,
//            full fence, looks at idle_now (Dekker). wfi returns for a pending interrupt even with
//            interrupts off, so an IPI between the look and the wfi is not lost.
// Ordering   Q1 PARKED is stored (CAS, release) after the thread's context; whoever readies it
//            acquires. The run queue's lock carries the rest.
#include "proc/sched.h"
#include "dev/ipi.h"
#include "dev/timer.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/kstack.h"
#include "mm/kvm.h"
#include "proc/proc.h"
#include "riscv/csr.h"
#include "sync/park.h"
#include "sync/point.h"
#include "sync/schedule.h"
#include "sync/waitq.h"

struct runq {
    struct spin lock;
    u32 length;
    struct list threads;
} cacheline_aligned;

struct thread *context_switch(struct context *from, struct context *to, struct thread *prev);
void fpu_save(u64 *f);
void fpu_load(const u64 *f);

static u64 idle_mask;  // (a) harts that sleep: a hint where to send work
static u32 quiesce;    // (a) 1: harts are asked to stand still
static u32 standing;   // (a) how many do

void sched_init_hart(struct hart *h) {
    h->runq = boot_alloc(sizeof(struct runq));
    spin_init(&h->runq->lock, RANK_RUNQ);
    list_init(&h->runq->threads);
}

// ---- queues ----

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

static struct thread *dequeue(struct runq *q) {
    if (!read_once(q->length)) {
        return NULL;
    }
    struct thread *t = NULL;
    u64 flags = spin_lock_irq(&q->lock);
    if (!list_empty(&q->threads)) {
        t = list_first(&q->threads, struct thread, run_link);
        list_del(&t->run_link);
        write_once(q->length, q->length - 1);
    }
    spin_unlock_irq(&q->lock, flags);
    return t;
}

static void kick_if_idle(struct hart *h) {
    atomic_fence_full();  // the queue before idle_now: pairs with sched_idle
    if (atomic_load_relaxed(&h->idle_now)) {
        ipi_send(h);
    }
}

// Some sleeping hart among `allowed`, to come and steal.
static void kick_a_thief(u64 allowed) {
    u64 candidates = atomic_load_relaxed(&idle_mask) & allowed;
    if (candidates) {
        ipi_send(harts[bits_lowest(candidates)]);
    }
}

static u32 allowed_hart(struct thread *t) {
    u64 affinity = read_once(t->affinity);
    if (affinity >> t->hart & 1) {
        return t->hart;
    }
    if (!(affinity & (~0ul >> (64 - nharts)))) {
        panic("thread of pid %d may run nowhere: affinity %lx", t->proc->pid, affinity);
    }
    return bits_lowest(affinity);
}

void sched_ready(struct thread *t) {
    struct hart *h = harts[allowed_hart(t)];
    u64 allowed = read_once(t->affinity);
    enqueue(h, t);  // from here on t may run, end, and be freed
    if (h != this_hart()) {
        kick_if_idle(h);
    }
    if (allowed != 1ul << h->index && read_once(h->runq->length) > 1) {
        kick_a_thief(allowed);
    }
}

static struct thread *steal_from(struct hart *victim) {
    struct runq *q = victim->runq;
    struct thread *found = NULL;
    if (!read_once(q->length)) {
        return NULL;
    }
    u64 flags = irq_save();
    if (spin_try_lock(&q->lock)) {
        list_each(it, &q->threads) {
            struct thread *t = list_entry(it, struct thread, run_link);
            if (read_once(t->affinity) >> this_hart()->index & 1) {
                found = t;
                list_del(&t->run_link);
                write_once(q->length, q->length - 1);
                break;
            }
        }
        spin_unlock(&q->lock);
    }
    irq_restore(flags);
    return found;
}

static struct thread *steal(void) {
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

// ---- switching ----

// After a switch: `prev` is off its stack now, so others may have it.
static void finish(struct thread *prev) {
    if (unlikely(atomic_load_relaxed(&quiesce))) {  // the IPI may have come to the one before us
        atomic_or_relaxed(&thread_self()->work, WORK_QUIESCE);
    }
    switch (atomic_load_relaxed(&prev->state)) {
    case THREAD_PARKING:
        if (atomic_cas32_acq_rel(&prev->state, THREAD_PARKING, THREAD_PARKED)) {  // Q1
            return;
        }
        __attribute__((fallthrough));  // somebody woke it meanwhile
    case THREAD_RUNNING:
        if (prev == this_hart()->idle) {
            return;
        }
        atomic_store_relaxed(&prev->state, THREAD_READY);
        sched_ready(prev);
        return;
    case THREAD_DEAD:
        proc_bury(prev);
        return;
    }
}

void sched_save_fp(struct thread *t) {
    struct trapframe *tf = thread_trapframe(t);
    if ((tf->sstatus & SSTATUS_FS) == SSTATUS_FS_DIRTY) {
        csr_set(sstatus, SSTATUS_FS);
        fpu_save(t->fp);
        csr_clear(sstatus, SSTATUS_FS);
        tf->sstatus = (tf->sstatus & ~SSTATUS_FS) | SSTATUS_FS_CLEAN;
    }
}

// FS in the frame says whether the thread uses floating point at all; trap.c turns it on.
static void fp_in(struct thread *t) {
    csr_set(sstatus, SSTATUS_FS);
    fpu_load(t->fp);
    csr_clear(sstatus, SSTATUS_FS);
}

// First use of floating point, found out by trap.c.
void sched_start_fp(struct thread *t) {
    struct trapframe *tf = thread_trapframe(t);
    memset(t->fp, 0, sizeof(t->fp));
    t->fp_used = true;
    fp_in(t);
    tf->sstatus = (tf->sstatus & ~SSTATUS_FS) | SSTATUS_FS_CLEAN;
}

static void switch_to(struct thread *next) {
    struct hart *h = this_hart();
    struct thread *prev = h->current;
    lockdep_switch(&next->mutexes);
    if (prev->fp_used) {
        sched_save_fp(prev);
    }
    write_once(h->current, next);  // proc_kill looks
    h->kernel_sp = next->stack - TF_SIZE;
    h->inject = &next->inject;
    write_once(next->hart, h->index);
    if (next->stack_hart != h->index) {
        next->stack_hart = h->index;
        kstack_fence(next->stack);
    }
    ghost_stack(next->stack);
    atomic_store_relaxed(&next->state, THREAD_RUNNING);
    as_switch(next->proc ? next->proc->as : NULL);
    COUNT(switches);
    race_switch(prev, next);
    prev = context_switch(&prev->context, &next->context, prev);
    finish(prev);
    if (thread_self()->fp_used) {
        fp_in(thread_self());
    }
}

void sched_started(struct thread *from) {
    finish(from);
    if (thread_self()->fp_used) {
        fp_in(thread_self());
    }
    irq_enable();
}

static void reschedule(void) {
    u64 flags = irq_save();
    ASSERT(read_once(this_hart()->nheld) == 0, "hart %u switches with %u spinlocks held, first %s",
           this_hart()->index, this_hart()->nheld, lock_rank_name[this_hart()->held[0]->rank]);
    struct thread *next = dequeue(this_hart()->runq);
    bool may_stay = atomic_load_relaxed(&thread_self()->state) == THREAD_RUNNING;
    if (!next && !may_stay) {
        next = this_hart()->idle;
    }
    if (next) {
        switch_to(next);
    }
    irq_restore(flags);
}

void sched_yield(void) {
    reschedule();
}

noreturn void sched_exit(void) {
    schedule_leave();
    lockdep_leave();
    irq_disable();
    atomic_store_relaxed(&thread_self()->state, THREAD_DEAD);
    reschedule();
    panic("a dead thread runs");
}

// ---- sleeping (sync/park.h) ----

struct thread *park_self(void) {
    return thread_self();
}

void park_announce(void) {
    atomic_store_relaxed(&thread_self()->state, THREAD_PARKING);
}

void park_cancel(void) {
    atomic_store_relaxed(&thread_self()->state, THREAD_RUNNING);
}

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
                sched_ready(t);
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
    struct proc *p = thread_self()->proc;
    atomic_fence_full();  // our announcement before the look: pairs with proc_kill
    return p && read_once(p->kill_signal);
}

// ---- standing still ----

static void stand_still(void) {
    atomic_add_release(&standing, 1u);  // all that we did comes before what is done meanwhile
    while (atomic_load_acquire(&quiesce)) {
        u64 flags = irq_save();
        if (atomic_load_acquire(&quiesce)) {
            wait_for_interrupt();
        }
        irq_restore(flags | SSTATUS_SIE);
    }
    atomic_sub_release(&standing, 1u);
}

void sched_quiesced(void (*fn)(void *), void *arg) {
    lockdep_ipi_wait();
    atomic_store_relaxed(&quiesce, 1u);
    atomic_fence_full();
    for (u32 i = 0; i < nharts; i++) {
        if (harts[i] != this_hart()) {
            ipi_send(harts[i]);
        }
    }
    while (atomic_load_acquire(&standing) != nharts - 1) {  // pairs with stand_still
        cpu_pause();
    }
    fn(arg);
    atomic_store_release(&quiesce, 0u);
    for (u32 i = 0; i < nharts; i++) {
        if (harts[i] != this_hart()) {
            ipi_send(harts[i]);
        }
    }
    while (atomic_load_acquire(&standing)) {
        cpu_pause();
    }
}

// ---- the edges: user mode, idle, tick ----

void sched_obey_affinity(void) {
    struct thread *t = thread_self();
    while (!(read_once(t->affinity) >> this_hart()->index & 1)) {
        u64 flags = irq_save();
        struct thread *next = dequeue(this_hart()->runq);
        switch_to(next ? next : this_hart()->idle);  // finish() sends us to an allowed hart
        irq_restore(flags);
    }
}

void sched_user_work(void) {
    struct thread *t = thread_self();
    u32 work;
    while ((work = atomic_swap_acquire(&t->work, 0u)) || atomic_load_relaxed(&quiesce)) {
        irq_enable();
        if (atomic_load_relaxed(&quiesce)) {
            stand_still();
        }
        if (park_killed()) {
            proc_exit(read_once(t->proc->kill_signal));
        }
        sched_obey_affinity();
        if (work & WORK_RESCHED) {
            sched_yield();
        }
        irq_disable();
    }
}

void sched_tick(void) {
    if (read_once(this_hart()->runq->length)) {
        atomic_or_relaxed(&thread_self()->work, WORK_RESCHED);
        if (read_once(this_hart()->runq->length) > 1) {
            u64 idle = atomic_load_relaxed(&idle_mask);
            if (idle) {
                ipi_send(harts[bits_lowest(idle)]);
            }
        }
    }
}

static void sleep_until_work(void) {
    struct hart *h = this_hart();
    u64 bit = 1ul << h->index;
    irq_disable();
    atomic_or_relaxed(&idle_mask, bit);
    atomic_store_relaxed(&h->idle_now, 1u);
    atomic_fence_full();  // idle_now before the queue: pairs with kick_if_idle
    if (!read_once(h->runq->length) && !atomic_load_relaxed(&quiesce)) {
        timer_idle();
        wait_for_interrupt();
    }
    atomic_store_relaxed(&h->idle_now, 0u);
    atomic_and_relaxed(&idle_mask, ~bit);
    timer_busy();
    irq_enable();
}

noreturn void sched_idle(void) {
    for (;;) {
        if (atomic_load_relaxed(&quiesce)) {
            stand_still();
        }
        struct thread *next = dequeue(this_hart()->runq);
        if (!next) {
            next = steal();
        }
        if (next) {
            u64 flags = irq_save();
            switch_to(next);
            irq_restore(flags);
        } else {
            sleep_until_work();
        }
    }
}
