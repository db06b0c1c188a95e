// SPDX-License-Identifier: MIT
// spin.c - waiting for a spinlock, and the check of the lock order.
#include "sync/spin.h"
#include "lib/print.h"
#include "sync/park.h"

const char *const lock_rank_name[RANK_COUNT] = {
    "none",
#define X(name, kind, irq, protects) #name,
    LOCK_RANKS(X)
#undef X
};

// Look without writing until the word is free, then try; a hart that another one has told to stop
// (panic) stops here too, since it may wait for ever.
void spin_wait(struct spin *l) {
    do {
        while (atomic_load_relaxed(&l->word)) {
            cpu_pause();
            park_poll_stop();
        }
    } while (atomic_swap_acquire(&l->word, 1u));  // pairs with spin_unlock
}

void spin_check_order(const struct spin *l) {
    struct hart *h = this_hart();
    u32 n = MIN(read_once(h->nheld), HELD_MAX);
    for (u32 i = h->irq_base; i < n; i++) {
        const struct spin *held = read_once(h->held[i]);
        if (held->rank >= l->rank) {
            panic("lock order: hart %u takes %s (%p) while it holds %s (%p)", h->index,
                  lock_rank_name[l->rank], (void *)l, lock_rank_name[held->rank], (void *)held);
        }
    }
}
