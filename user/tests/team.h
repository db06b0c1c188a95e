// SPDX-License-Identifier: MIT
// team.h - threads of a test: begun, and ended by their return; that each begins and ends is checked.
#pragma once
#include "common.h"
#include <thread.h>

static inline struct thread *begin(void *(*fn)(void *), void *arg) {
    struct thread *t = NULL;
    CHECK_EQ(thread_create(&t, fn, arg), 0);
    return t;
}

// What it has returned.
static inline void *end(struct thread *t) {
    void *result = NULL;
    CHECK_EQ(thread_join(t, &result), 0);
    return result;
}
