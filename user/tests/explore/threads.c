// SPDX-License-Identifier: MIT
// threads.c - what players do that are threads of one process (house.c), and children that come from it.
//
// Content   as in scenarios.c. A child is a snapshot: unless it says otherwise, it must find the page as the
//           play began, and check(0) is the house's first thread's.
// Stale     A hart keeps a translation in QEMU as long as it fences nothing and does not use SUM: so who has
//           read or written a page and then only comes to a point (point()) goes on by what it has looked up.
#include "explore.h"

int threads_failures(void) {
    int failed = checks_failed;
    checks_failed = 0;
    return failed;
}

// ---- how the page stands when the play begins

void stage_plain(void) {}

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

static uint64_t at_first;  // the child: what the fork has kept

static void write_and_fork(int role) {
    if (role == 1) { scenario_write(1); }
    if (role == 3) { at_first = words()[64]; }
    if (role == 2) {
        house_bring(3);
        point(1);
    }
}

static void check_kept(int role) {
    scenario_words(role == 0 || at_first == mark(1) ? 1 : 0);
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

void stage_elsewhere(void) {
    long at = ksys_mmap(shared + ELSEWHERE, 16 * PAGE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK_EQ(at, (long)shared + ELSEWHERE);
    shared[ELSEWHERE + PAGE] = 1;
}

static void exchange(void) {
    stage_elsewhere();
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

// ---- 1 copies a page that 2 has looked up; 3 writes to it

static volatile long told;  // 3 has written

static void beside_neighbour(void) {
    house_neighbour();
    told = 0;  // and the page of it is the house's own
}

// What 3 has written before it told 2 is there, whenever 2 looks.
static void copy_write_look(int role) {
    if (role == 1) { scenario_write(1); }
    if (role == 3) {
        point(1);
        scenario_write(3);
        told = 1;
        point(2);
    }
    if (role == 2) {
        CHECK(words()[192] || true);
        point(1);
        long before = told;
        uint64_t first = words()[192];
        point(2);
        uint64_t second = words()[192];
        CHECK(!before || (first == mark(3) && second == mark(3)));
        CHECK(first == second || first == pattern(192));
    }
}

static void check_both(int role) {
    (void)role;
    CHECK(words()[64] == mark(1) && words()[192] == mark(3));
}

// ---- 1 copies a page that 2 has looked up, and lets go of the old one; child 3 writes to that

static void copy_and_look_on(int role) {
    if (role == 1) {
        house_bring(3);
        point(1);
        scenario_write(1);
    } else if (role == 2) {
        point(1);
        CHECK(words()[192] || true);
        point(2);
        CHECK_EQ(words()[192], pattern(192));
    } else {
        CHECK(words()[0] || true);
        point(1);
        scenario_write(3);
    }
}

static void check_apart(int role) { scenario_words(role ? role : 1); }

// ---- 1 copies a page while 2, whose hart was idle, comes and looks it up; child 3 wakes 2

static long copied, looking;
static uint64_t found;

static void copy_while_one_comes(int role) {
    if (role == 1) {
        house_bring(3);
        point(1);
        scenario_write(1);
        long step = point(2);
        copied = step;
    } else if (role == 2) {
        uint64_t message;
        CHECK_EQ(scenario_receive(&message), 8);
        CHECK_EQ(scenario_receive(&message), 8);
        CHECK(words()[64] || true);
        point(1);
        long step = point(2);
        uint64_t word = words()[64];
        point(3);
        found = word;
        looking = step;
    } else {
        CHECK(words()[0] || true);
        point(1);
        scenario_send();
    }
}

static void check_found(int role) {
    scenario_words(role ? 0 : 1);
    CHECK(role || looking < copied || found == mark(1));
}

// ---- 1 writes to a page while 2 discards it, and writes, too

static void write_and_discard(int role) {
    if (role == 2) { CHECK_EQ(ksys_madvise(shared, PAGE, 4), 0); }
    scenario_write(role);
}

static void check_discarded(int role) {
    (void)role;
    for (int i = 0; i < (int)(PAGE / 8); i++) {
        CHECK(words()[i] == 0 || (i == 64 && words()[i] == mark(1)) || i == 128);
    }
    CHECK_EQ(words()[128], mark(2));
}

// ---- both write to a page that is theirs alone

static void check_written_by_both(int role) {
    (void)role;
    CHECK(words()[64] == mark(1) && words()[128] == mark(2));
}

const struct scenario house_scenarios[] = {
    {"table", 2, write_beside_child, check_child, .late = 1, .stage = stage_plain},
    {"tablemarked", 2, write_beside_child, check_child, .late = 1, .stage = marked},
    {"forkstore", 4, fork_and_store, check_snapshot, .late = 1, .stage = exchange},
    {"views", 3, copy_write_look, check_both, .stage = beside_neighbour},
    {"copyapart", 3, copy_and_look_on, check_apart, .late = 1, .stage = stage_plain},
    {"comes", 3, copy_while_one_comes, check_found, .late = 1, .stage = stage_plain},
    {"decide", 2, write_and_discard, check_discarded, .stage = beside_neighbour},
    {"both", 2, scenario_write, check_written_by_both, .stage = marked},
    {"flipfork", 3, write_and_fork, check_kept, .late = 1, .stage = marked},
};
const int nhouse_scenarios = COUNT(house_scenarios);
