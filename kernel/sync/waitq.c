// SPDX-License-Identifier: MIT
// waitq.c - see waitq.h. First in, first out.
#include "sync/waitq.h"
#include "sync/park.h"

void waitq_init(struct waitq *q) {
    spin_init(&q->lock, RANK_WAITQ);
    list_init(&q->waiters);
}

void waitq_add(struct waitq *q, struct waiter *w) {
    w->thread = park_self();
    u64 flags = spin_lock_irq(&q->lock);
    w->queued = true;
    list_add_tail(&q->waiters, &w->link);
    park_announce();
    spin_unlock_irq(&q->lock, flags);
}

void waitq_again(struct waitq *q, struct waiter *w) {
    u64 flags = spin_lock_irq(&q->lock);
    if (!w->queued) {
        w->queued = true;
        list_add_tail(&q->waiters, &w->link);
    }
    park_announce();
    spin_unlock_irq(&q->lock, flags);
}

void waitq_del(struct waitq *q, struct waiter *w) {
    u64 flags = spin_lock_irq(&q->lock);
    if (w->queued) {
        w->queued = false;
        list_del(&w->link);
    }
    park_cancel();
    spin_unlock_irq(&q->lock, flags);
}

// => q->lock held
static void wake_first(struct waitq *q) {
    struct waiter *w = list_first(&q->waiters, struct waiter, link);
    w->queued = false;
    list_del(&w->link);
    unpark(w->thread);
}

void waitq_wake_one(struct waitq *q) {
    u64 flags = spin_lock_irq(&q->lock);
    if (!list_empty(&q->waiters)) { wake_first(q); }
    spin_unlock_irq(&q->lock, flags);
}

void waitq_wake_all(struct waitq *q) {
    u64 flags = spin_lock_irq(&q->lock);
    while (!list_empty(&q->waiters)) { wake_first(q); }
    spin_unlock_irq(&q->lock, flags);
}
