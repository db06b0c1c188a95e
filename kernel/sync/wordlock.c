// SPDX-License-Identifier: MIT
// wordlock.c - the slow paths of wordlock.h.
#include "sync/wordlock.h"
#include "sync/parking.h"

void wordlock_wait(struct wordlock *l) {
    if (atomic_load_relaxed(&l->word) == 2 || atomic_cas32_relaxed(&l->word, 1, 2)) {
        parking_sleep(&l->word, 2);
    }
}

void wordlock_wake(struct wordlock *l) { parking_wake_all(&l->word); }
