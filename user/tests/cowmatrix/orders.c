// SPDX-License-Identifier: MIT
// orders.c - three processes share the pages and end in each of the six orders.
//
// The parent here is not the test itself but a child of it, so that it can end first too; the test
// hands out the turns. Each process writes its own tags, checks that no other's end changed them,
// and ends.
#include "matrix.h"

enum { MEMBERS = 3 };

// One member: write when told, then check and end when told. Only the last may find itself alone.
static void member(struct pages p, int me, const struct gate *turn, const struct gate *done) {
    gate_wait(turn);
    CHECK(untouched(p));
    write_both(p, NEW + 10 * me);
    gate_post(done);
    gate_wait(turn);
    CHECK(wrote_both(p, NEW + 10 * me));
    if (!checks_failed) { gate_post(done); }
    leave();
}

// Members 1 and 2 are children of member 0.
static void family(struct pages p, const struct gate *turn, const struct gate *done) {
    for (int i = 1; i < MEMBERS; i++) {
        if (spawn() == 0) { member(p, i, &turn[i], done); }
    }
    member(p, 0, &turn[0], done);
}

static void exit_in_order(struct pages p, const int *order, bool write_first) {
    struct gate turn[MEMBERS], done = gate_new();
    for (int i = 0; i < MEMBERS; i++) { turn[i] = gate_new(); }
    int pid = spawn();
    if (pid == 0) { family(p, turn, &done); }
    ksys_close(done.ends[1]);
    if (write_first) {  // all write, then all end; otherwise each writes and ends at once
        for (int i = 0; i < MEMBERS; i++) {
            gate_post(&turn[order[i]]);
            gate_wait(&done);
        }
    }
    for (int i = 0; i < MEMBERS; i++) {
        for (int posts = write_first ? 1 : 2; posts > 0; posts--) {
            gate_post(&turn[order[i]]);
            gate_wait(&done);
        }
    }
    CHECK_EQ(reap(pid), 0);
    CHECK(untouched(p));
    write_both(p, NEW);
    CHECK(wrote_both(p, NEW));
}

#define ORDER(a, b, c)                                                                             \
    static void order_##a##b##c(struct pages p) {                                                  \
        exit_in_order(p, (const int[]){a, b, c}, true);                                            \
    }                                                                                              \
    static void turns_##a##b##c(struct pages p) {                                                  \
        exit_in_order(p, (const int[]){a, b, c}, false);                                           \
    }

#define NAMES(a, b, c)                                                                             \
    {"all write, then exit " #a #b #c, order_##a##b##c},                                           \
        {"each writes and exits " #a #b #c, turns_##a##b##c},

ORDER(0, 1, 2)
ORDER(0, 2, 1)
ORDER(1, 0, 2)
ORDER(1, 2, 0)
ORDER(2, 0, 1)
ORDER(2, 1, 0)

const struct action orders[] = {
    NAMES(0, 1, 2) NAMES(0, 2, 1) NAMES(1, 0, 2) NAMES(1, 2, 0) NAMES(2, 0, 1) NAMES(2, 1, 0)
};
const int order_count = COUNT(orders);
