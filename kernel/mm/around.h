// SPDX-License-Identifier: MIT
// around.h - copies of pages that are about to be written: more than one at a time.
#pragma once
#include "mm/as.h"
#include "riscv/hart.h"

void around_go_on(struct as *as, pte_t *e, u64 va);

// The page of entry e, at va, has just been copied for a write. => its table's lock, on a path that is owned
static always_inline void around_copied(struct as *as, pte_t *e, u64 va) {
    struct hart *h = this_hart();
    bool goes_on = va == h->streak_next;
    h->streak_next = va + PAGE_SIZE;
    if (goes_on) {
        around_go_on(as, e, va);
    } else {
        h->streak = 1;
    }
}
