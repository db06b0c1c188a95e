// SPDX-License-Identifier: MIT
// mutex.c - the slow paths of mutex.h.
#include "sync/mutex.h"
#include "sync/park.h"

void mutex_init(struct mutex *m, enum lock_rank rank) {
    lockdep_init(m, rank);
    *m = (struct mutex){.rank = rank};
    waitq_init(&m->waiters);
}

// Queue first, then swap: an unlock that comes after the swap sees 2 and finds us on the queue.
void mutex_wait(struct mutex *m) {
    struct waiter w;
    waitq_add(&m->waiters, &w);
    while (atomic_swap_acquire(&m->state, 2u) != 0) {  // pairs with mutex_unlock
        park();
        waitq_again(&m->waiters, &w);
    }
    waitq_del(&m->waiters, &w);
}

void mutex_wake(struct mutex *m) { waitq_wake_one(&m->waiters); }
