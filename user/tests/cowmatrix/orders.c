// SPDX-License-Identifier: MIT
// orders.c - three processes share the pages and end in each of the six orders.
//
// The parent here is not the test itself but a child of it, so that it can end first too; the test
// hands out the turns. Each process writes its own tags, checks that no other's end changed them,
// and ends.
#include "matrix.h"

enum { MEMBERS = 3 };

// Who writes and ends when; all write, then all end, or each writes and ends at once.
struct plan {
    const int *order;
    bool write_first;
};

static uint64_t tag_of(int member) { return NEW + 10 * member; }

// What was written last before the turn of `me`, and when it ends.
static uint64_t before(const struct plan *plan, int me) {
    int turn = 0;
    while (plan->order[turn] != me) { turn++; }
    return turn == 0 ? OLD : tag_of(plan->order[turn - 1]);
}

static uint64_t at_the_end(const struct plan *plan, int me) {
    return tag_of(plan->write_first ? plan->order[MEMBERS - 1] : me);
}

// The end of a turn, and whether all has been well: an orphan has nobody else to tell.
static void report(const struct gate *done) {
    CHECK_EQ(ksys_write(done->ends[1], checks_failed ? "-" : "+", 1), 1);
}

static void await_report(const struct gate *done) {
    char said = 0;
    CHECK_EQ(ksys_read(done->ends[0], &said, 1), 1);
    CHECK_EQ(said, '+');
}

// One member: write when told, then check and end when told. Only the last may find itself alone.
static void member(struct pages p, const struct plan *plan, int me, const struct gate *turn,
                   const struct gate *done) {
    gate_wait(turn);
    CHECK(reads(p, OLD, before(plan, me)));
    write_both(p, tag_of(me));
    report(done);
    gate_wait(turn);
    CHECK(reads(p, tag_of(me), at_the_end(plan, me)));
    report(done);
    leave();
}

// Members 1 and 2 are children of member 0.
static void family(struct pages p, const struct plan *plan, const struct gate *turn,
                   const struct gate *done) {
    for (int i = 1; i < MEMBERS; i++) {
        if (spawn() == 0) { member(p, plan, i, &turn[i], done); }
    }
    member(p, plan, 0, &turn[0], done);
}

static void run_plan(struct pages p, const struct plan *plan) {
    struct gate turn[MEMBERS], done = gate_new();
    for (int i = 0; i < MEMBERS; i++) { turn[i] = gate_new(); }
    int pid = spawn();
    if (pid == 0) { family(p, plan, turn, &done); }
    ksys_close(done.ends[1]);
    int rounds = plan->write_first ? 2 : 1;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < MEMBERS; i++) {
            for (int post = 0; post < 2 / rounds; post++) {
                gate_post(&turn[plan->order[i]]);
                await_report(&done);
            }
        }
    }
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, tag_of(plan->order[MEMBERS - 1])));
    write_both(p, NEW);
    CHECK(wrote_both(p, NEW));
}

#define ORDER(a, b, c)                                                                             \
    static void order_##a##b##c(struct pages p) {                                                  \
        run_plan(p, &(struct plan){(const int[]){a, b, c}, true});                                 \
    }                                                                                              \
    static void turns_##a##b##c(struct pages p) {                                                  \
        run_plan(p, &(struct plan){(const int[]){a, b, c}, false});                                \
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
