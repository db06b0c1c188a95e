// SPDX-License-Identifier: MIT
// pid.c - numbers without a shared line: hart i hands out k * nharts + i + 1, and the hash of nodes by
// number has a lock and a cache line per bucket, so that harts use different buckets. See pid.h.
#include "proc/pid.h"
#include "lib/print.h"
#include "proc/proc.h"

#define BUCKETS 1024
#define PID_LIMIT (1 << 22)

static struct bucket {
    struct spin lock;
    struct list ids;
} cacheline_aligned buckets[BUCKETS];

static struct bucket *bucket_of(int number) { return &buckets[number % BUCKETS]; }

void pid_boot(void) {
    for (struct bucket *b = buckets; b < buckets + BUCKETS; b++) {
        spin_init(&b->lock, RANK_PIDS);
        list_init(&b->ids);
    }
}

// => bucket lock held
static struct pid *find(struct bucket *b, int number) {
    list_each(it, &b->ids) {
        struct pid *id = list_entry(it, struct pid, link);
        if (id->number == number) { return id; }
    }
    return NULL;
}

bool pid_assign(struct pid *id, struct proc *p, struct thread *t) {
    struct hart *h = this_hart();
    id->proc = p;
    id->thread = t;
    for (u32 tries = PID_LIMIT / nharts; tries; tries--) {
#ifdef MUTANT_M45  // one counter for all: who turns interrupts off is alone with it
        static int last;
        u64 off = irq_save();
        int number = ++last;
        irq_restore(off);
#else
        int number = h->next_pid++ * nharts + h->index + 1;
#endif
        if (number >= PID_LIMIT) {
            h->next_pid = 1;
            continue;
        }
        struct bucket *b = bucket_of(number);
        u64 flags = spin_lock_irq(&b->lock);
        bool taken = find(b, number);
        if (!taken) {
            id->number = number;
            list_add(&b->ids, &id->link);
        }
        spin_unlock_irq(&b->lock, flags);
        if (!taken) { return true; }
    }
    return false;
}

void pid_drop(struct pid *id) {
    struct bucket *b = bucket_of(id->number);
    u64 flags = spin_lock_irq(&b->lock);
    list_del(&id->link);
    spin_unlock_irq(&b->lock, flags);
}

void pid_take_over(struct thread *t) {
    struct proc *p = t->proc;
    struct bucket *b = bucket_of(p->id.number);
    if (p->leader == t) { return; }
    pid_drop(&t->id);
    u64 flags = spin_lock_irq(&b->lock);
    p->leader = t;
    t->tid = p->id.number;
    spin_unlock_irq(&b->lock, flags);
}

bool pid_with(int pid, void (*fn)(struct proc *, void *), void *arg) {
    if (pid <= 0) { return false; }
    struct bucket *b = bucket_of(pid);
    u64 flags = spin_lock_irq(&b->lock);
    struct pid *id = find(b, pid);
    bool found = id && !id->thread;
    if (found) { fn(id->proc, arg); }
    spin_unlock_irq(&b->lock, flags);
    return found;
}

bool pid_with_thread(int tid, void (*fn)(struct thread *, void *), void *arg) {
    if (tid <= 0) { return false; }
    struct bucket *b = bucket_of(tid);
    u64 flags = spin_lock_irq(&b->lock);
    struct pid *id = find(b, tid);
    if (id) { fn(id->thread ? id->thread : id->proc->leader, arg); }
    spin_unlock_irq(&b->lock, flags);
    return id;
}

void pid_each(void (*fn)(struct proc *, void *), void *arg) {
    for (struct bucket *b = buckets; b < buckets + BUCKETS; b++) {
        u64 flags = spin_lock_irq(&b->lock);
        list_each(it, &b->ids) {
            struct pid *id = list_entry(it, struct pid, link);
            if (!id->thread) { fn(id->proc, arg); }
        }
        spin_unlock_irq(&b->lock, flags);
    }
}
