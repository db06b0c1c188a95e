// SPDX-License-Identifier: MIT
// pid.c - process numbers without a shared line: hart i hands out k * nharts + i + 1, and the hash of
// processes by number has a lock and a cache line per bucket, so that harts use different buckets.
#include "proc/proc.h"
#include "lib/print.h"

#define BUCKETS 1024
#define PID_LIMIT (1 << 22)

static struct bucket {
    struct spin lock;
    struct list procs;
} cacheline_aligned buckets[BUCKETS];

static struct bucket *bucket_of(int pid) { return &buckets[pid % BUCKETS]; }

void pid_boot(void) {
    for (struct bucket *b = buckets; b < buckets + BUCKETS; b++) {
        spin_init(&b->lock, RANK_PIDS);
        list_init(&b->procs);
    }
}

// => bucket lock held
static struct proc *find(struct bucket *b, int pid) {
    list_each(it, &b->procs) {
        struct proc *p = list_entry(it, struct proc, pid_link);
        if (p->pid == pid) { return p; }
    }
    return NULL;
}

bool pid_assign(struct proc *p) {
    struct hart *h = this_hart();
    for (u32 tries = PID_LIMIT / nharts; tries; tries--) {
#ifdef MUTANT_M45  // one counter for all: who turns interrupts off is alone with it
        static int last;
        u64 off = irq_save();
        int pid = ++last;
        irq_restore(off);
#else
        int pid = h->next_pid++ * nharts + h->index + 1;
#endif
        if (pid >= PID_LIMIT) {
            h->next_pid = 1;
            continue;
        }
        struct bucket *b = bucket_of(pid);
        u64 flags = spin_lock_irq(&b->lock);
        bool taken = find(b, pid);
        if (!taken) {
            p->pid = pid;
            list_add(&b->procs, &p->pid_link);
        }
        spin_unlock_irq(&b->lock, flags);
        if (!taken) { return true; }
    }
    return false;
}

void pid_drop(struct proc *p) {
    struct bucket *b = bucket_of(p->pid);
    u64 flags = spin_lock_irq(&b->lock);
    list_del(&p->pid_link);
    spin_unlock_irq(&b->lock, flags);
}

bool pid_with(int pid, void (*fn)(struct proc *, void *), void *arg) {
    if (pid <= 0) { return false; }
    struct bucket *b = bucket_of(pid);
    u64 flags = spin_lock_irq(&b->lock);
    struct proc *p = find(b, pid);
    if (p) { fn(p, arg); }
    spin_unlock_irq(&b->lock, flags);
    return p;
}

void pid_each(void (*fn)(struct proc *, void *), void *arg) {
    for (struct bucket *b = buckets; b < buckets + BUCKETS; b++) {
        u64 flags = spin_lock_irq(&b->lock);
        list_each(it, &b->procs) { fn(list_entry(it, struct proc, pid_link), arg); }
        spin_unlock_irq(&b->lock, flags);
    }
}
