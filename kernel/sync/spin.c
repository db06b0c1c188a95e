// SPDX-License-Identifier: MIT
// spin.c - waiting for a spinlock, and the names of the classes.
#include "sync/spin.h"
#include "sync/park.h"

const char *const lock_rank_name[RANK_END] = {
    "none",
#define X(name, kind, irq, protects) #name,
    LOCK_RANKS(X)
#undef X
    [RANK_TEST] = "test A", "test B", "test C", "test D", "test E", "test F", "test G", "test H",
};

// Look without writing until the word is free, then try; a hart that another one has told to stop
// (panic) stops here too, since it may wait for ever.
void spin_wait(struct spin *l) {
    do {
        while (atomic_load_relaxed(&l->word)) {
            schedule_spin(&l->word, read_once(l->owner) - 1, lock_rank_name[l->rank]);
            cpu_pause();
            park_poll_stop();
        }
    } while (atomic_swap_acquire(&l->word, 1u));  // pairs with spin_unlock
    lockdep_waited(l);
}
