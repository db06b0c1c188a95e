// SPDX-License-Identifier: MIT
// waitq.h - wait queues: threads that sleep until somebody says that a condition may hold.
//
//     struct waiter w;
//     waitq_add(&q, &w);              // from here on a wake-up cannot be missed
//     while (!condition && !park_killed()) {
//         park();
//         waitq_again(&q, &w);        // announce once more before looking once more
//     }
//     waitq_del(&q, &w);
//
// Invariant W1: a waiter is on its queue iff `queued`; both change under the queue's lock only, and a
//               waker unparks under that lock, so the sleeper cannot vanish before it has done so.
#pragma once
#include "lib/list.h"
#include "sync/spin.h"

struct waitq {
    struct spin lock;
    struct list waiters;
};

struct waiter {
    struct list link;
    struct thread *thread;
    bool queued;
};

#define WAITQ_INIT(q) {SPIN_INIT(WAITQ), LIST_INIT((q).waiters)}
void waitq_init(struct waitq *q);
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_again(struct waitq *q, struct waiter *w);
void waitq_del(struct waitq *q, struct waiter *w);
void waitq_wake_one(struct waitq *q);
void waitq_wake_all(struct waitq *q);
