// SPDX-License-Identifier: MIT
// test_model.c - long random histories of address spaces that fork from each other, checked against models:
// on one hart with an audit every few steps, and on all harts with spaces that change hands.
#include "lib/string.h"
#include "sync/atomic.h"
#include "test/host/model.h"

enum { SPACES = 10 };

static void audit(struct model **family, u32 n) {
    struct as *all[SPACES];
    for (u32 i = 0; i < n; i++) { all[i] = family[i]->as; }
    EXPECT(books_balance(all, n, 0));
}

static u32 leave(struct model **family, u32 n, u32 which) {
    model_destroy(family[which]);
    family[which] = family[n - 1];
    return n - 1;
}

TEST(one_hart_follows_the_model) {
    struct model *family[SPACES] = {model_new()};
    u32 n = 1;
    for (u32 i = 1; i <= 6000; i++) {
        u32 which = pick(n);
        struct model *child = model_step(family[which]);
        if (child) { family[n++] = child; }
        if (n > 1 && (n == SPACES || pick(20) == 0)) { n = leave(family, n, pick(n)); }
        if (i % 100 == 0) {
            audit(family, n);
            model_expect(family[pick(n)]);
        }
    }
    while (n) {
        model_expect(family[n - 1]);
        n = leave(family, n, n - 1);
    }
}

// Spaces wait here for whichever hart takes them next.
static struct model *square[8];  // (a)

static void put_somewhere(struct model *m) {
    m = atomic_swap_acq_rel(&square[pick(ARRAY_LEN(square))], m);
    if (m) {
        model_expect(m);
        model_destroy(m);
    }
}

static void live_in_spaces(void *arg) {
    u32 rounds = *(u32 *)arg;
    for (u32 i = 0; i < rounds; i++) {
        struct model *m = atomic_swap_acq_rel(&square[pick(ARRAY_LEN(square))], (struct model *)NULL);
        for (u32 k = 0; m && k < 10; k++) {
            struct model *child = model_step(m);
            if (child) { put_somewhere(child); }
        }
        as_switch(NULL);
        if (m) { put_somewhere(m); }
    }
}

// All are descendants of one space, so that harts share, break and drop the same frames at once.
TEST(all_harts_follow_their_models) {
    u32 rounds = 250;
    for (u32 i = 0; i < 200; i++) {
        square[0] = square[0] ? square[0] : model_new();
        square[1] = model_step(square[0]);
        if (square[1]) {
            model_destroy(square[1]);
            square[1] = NULL;
        }
    }
    as_switch(NULL);
    on_harts(HARTS, live_in_spaces, &rounds);
    for (u32 i = 0; i < ARRAY_LEN(square); i++) {
        if (square[i]) {
            model_expect(square[i]);
            model_destroy(square[i]);
            square[i] = NULL;
        }
    }
}
