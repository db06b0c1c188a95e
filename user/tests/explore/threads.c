// SPDX-License-Identifier: MIT
// threads.c - what players do that are threads of one process (house.c), and children that come from it.
//
// Content   as in scenarios.c. A child is a snapshot: unless it says otherwise, it must find the page as the
//           play began, and check(0) is the house's first thread's.
// Stale     A hart keeps a translation in QEMU as long as it fences nothing and does not use SUM: so who has
//           read or written a page and then only comes to a point (point()) goes on by what it has looked up.
#include "explore.h"

enum { ELSEWHERE = 2 << 20 };  // from the page: another leaf table

static volatile uint64_t *words(void) { return (volatile uint64_t *)shared; }

int threads_failures(void) {
    int failed = checks_failed;
    checks_failed = 0;
    return failed;
}

// ---- how the page stands when the play begins

static void plain(void) {}

// COW and counted once: there was a child, and it has gone.
static void marked(void) {
    int pid = spawn();
    if (pid == 0) {
        CHECK(words()[0] || true);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    CHECK(words()[0] || true);
}

// ---- a table that is shared: 1 writes, 2 is a child that looks

static void write_beside_child(int role) {
    if (role == 1) {
        house_bring(2);
        point(1);
        scenario_write(1);
    } else {
        CHECK(words()[0] || true);
    }
}

static void check_child(int role) { scenario_words(role == 0 ? 1 : 0); }

// ---- 1 writes while 2 forks child 3, which looks

static void write_and_fork(int role) {
    if (role == 1) { scenario_write(1); }
    if (role == 3) { CHECK(words()[0] || true); }
    if (role == 2) {
        house_bring(3);
        point(1);
    }
}

// ---- 3 stores by what its hart has looked up, while 2 forks child 4; 1 fills a page that was not there

// What came after what: the numbers of steps at which 1 had written, and 3 was about to. A child that
// does not have the one must not have the other.
static long written, storing;
static struct gate letter;  // from the child to the house's first thread

static void fork_and_store(int role) {
    if (role == 1) {
        point(1);
        ksys_kine_pagemap(shared, 1, (uint64_t *)(shared + ELSEWHERE));  // the kernel writes: no store of ours
        long step = point(2);
        written = step;
    } else if (role == 2) {
        point(1);
        house_bring(4);
    } else if (role == 3) {
        scenario_write(2);
        point(1);
        long step = point(2);
        scenario_write(3);
        point(3);
        storing = step;
    }
}

static void room_elsewhere(void) {
    long at = ksys_mmap(shared + ELSEWHERE, 2 * PAGE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK_EQ(at, (long)shared + ELSEWHERE);
    shared[ELSEWHERE + PAGE] = 1;
}

static void exchange(void) {
    room_elsewhere();
    letter = gate_new();
}

static void check_snapshot(int role) {
    int saw;  // by the child: 1: 1's page, 2: 3's store
    if (role == 4) {
        saw = (*(uint64_t *)(shared + ELSEWHERE) != 0) | (words()[192] != pattern(192)) << 1;
        CHECK_EQ(ksys_write(letter.ends[1], &saw, sizeof saw), sizeof saw);
    } else {
        CHECK_EQ(ksys_read(letter.ends[0], &saw, sizeof saw), sizeof saw);
        CHECK(saw != 2 || storing < written);
        CHECK(words()[192] != pattern(192));
    }
}

const struct scenario house_scenarios[] = {
    {"table", 2, write_beside_child, check_child, .late = 1, .stage = plain},
    {"tablemarked", 2, write_beside_child, check_child, .late = 1, .stage = marked},
    {"forkstore", 4, fork_and_store, check_snapshot, .late = 1, .stage = exchange},
    {"flipfork", 3, write_and_fork, check_child, .late = 1, .stage = marked},
};
const int nhouse_scenarios = COUNT(house_scenarios);
