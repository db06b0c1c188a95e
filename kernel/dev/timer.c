// SPDX-License-Identifier: MIT
// timer.c - stimecmp where the hart has Sstc (Privileged spec ch. 12), SBI's timer otherwise.
//
// Model      each hart has a list of its sleepers, sorted by deadline, and one alarm: the earlier of
//            the next tick (only while threads run) and the first sleeper.
// Locking    the list's lock (irq off): sleepers leave it themselves when they are killed, on whatever
//            hart they are by then, and their records, on their stacks, go with them. So the list's hart
//            sets its alarm by a copy of the first deadline; one that is gone costs it an interrupt.
#include "dev/timer.h"
#include "dev/fdt.h"
#include "lib/list.h"
#include "mm/kvm.h"
#include "proc/runq.h"
#include "riscv/csr.h"
#include "riscv/sbi.h"
#include "sync/park.h"
#include "sync/spin.h"

struct timer_queue {
    struct spin lock;
    struct list sleepers;
    u64 first;  // (m: its hart looks without the lock) the first one's deadline, ~0: none
    u64 next_tick;
    u64 armed;
} cacheline_aligned;

struct sleeper {
    struct list link;
    u64 deadline;
    struct thread *thread;
    bool queued;
};

static void arm(struct timer_queue *q, u64 deadline) {
    q->armed = deadline;
    if (machine.sstc) {
        __asm__ volatile("csrw 0x14d, %0" ::"r"(deadline));  // stimecmp
    } else {
        sbi_set_timer(deadline);
    }
}

// The list has changed. => q->lock
static void note_first(struct timer_queue *q) {
    write_once(q->first, list_empty(&q->sleepers)
                             ? ~0ul : list_first(&q->sleepers, struct sleeper, link)->deadline);
}

static void leave(struct timer_queue *q, struct sleeper *s) {
    list_del(&s->link);
    s->queued = false;
    note_first(q);
}

static u64 tick_length(void) { return machine.timebase / TICKS_PER_SECOND; }

struct timer_queue *timer_alloc(void) { return boot_alloc(sizeof(struct timer_queue)); }

void timer_interrupt(void) {
    struct timer_queue *q = this_hart()->timers;
    u64 now = time_now();
    spin_lock(&q->lock);
    while (q->first <= now) {
        struct sleeper *s = list_first(&q->sleepers, struct sleeper, link);
        leave(q, s);
        unpark(s->thread);
    }
    spin_unlock(&q->lock);
    if (now >= q->next_tick) {
        COUNT(ticks);
        q->next_tick = now + tick_length();
        runq_tick();
    }
    arm(q, MIN(q->next_tick, read_once(q->first)));
}

static void next_tick_at(u64 time) {
    struct timer_queue *q = this_hart()->timers;
    q->next_tick = time;
    arm(q, MIN(time, read_once(q->first)));
}

void timer_idle(void) { next_tick_at(~0ul); }

void timer_busy(void) { next_tick_at(time_now() + tick_length()); }

void timer_init_hart(void) {
    struct timer_queue *q = this_hart()->timers;
    spin_init(&q->lock, RANK_TIMERS);
    list_init(&q->sleepers);
    note_first(q);
    timer_busy();
}

static void insert(struct timer_queue *q, struct sleeper *s) {
    struct list *at = q->sleepers.next;
    while (at != &q->sleepers && list_entry(at, struct sleeper, link)->deadline <= s->deadline) {
        at = at->next;
    }
    list_add_tail(at, &s->link);
    s->queued = true;
    note_first(q);
    if (s->deadline < q->armed) { arm(q, s->deadline); }
}

bool timer_sleep_until(u64 deadline) {
    struct timer_queue *q = this_hart()->timers;
    struct sleeper s = {.deadline = deadline, .thread = park_self()};
    u64 flags = spin_lock_irq(&q->lock);
    insert(q, &s);
    do {
        park_announce();
        spin_unlock_irq(&q->lock, flags);
        if (park_killed()) { park_cancel(); }
        park();  // not if cancelled
        flags = spin_lock_irq(&q->lock);
    } while (s.queued && !park_killed());
    if (s.queued) { leave(q, &s); }
    park_cancel();
    spin_unlock_irq(&q->lock, flags);
    return time_now() < deadline;
}

void timer_park(u64 deadline) {
    struct timer_queue *q = this_hart()->timers;
    struct sleeper s = {.deadline = deadline, .thread = park_self()};
    u64 flags = spin_lock_irq(&q->lock);
    insert(q, &s);
    spin_unlock_irq(&q->lock, flags);
    park();
    flags = spin_lock_irq(&q->lock);
    if (s.queued) { leave(q, &s); }
    spin_unlock_irq(&q->lock, flags);
}

u64 timer_nanoseconds(void) {
    u64 now = time_now(), hz = machine.timebase;
    return now / hz * 1000000000 + now % hz * 1000000000 / hz;
}
