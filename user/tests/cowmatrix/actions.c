// SPDX-License-Identifier: MIT
// actions.c - who writes, and what forks and ends around it.
#include "matrix.h"

static void child_writes(struct pages p) {
    IN_CHILD(pid, CHECK(untouched(p)); write_both(p, NEW); CHECK(wrote_both(p, NEW)))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW));
}

static void parent_writes(struct pages p) {
    struct gate go = gate_new();
    IN_CHILD(pid, gate_wait(&go); CHECK(reads(p, OLD, NEW)))
    write_both(p, NEW);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK(wrote_both(p, NEW));
}

static void both_write(struct pages p) {
    struct gate go = gate_new(), back = gate_new();
    IN_CHILD(pid, write_both(p, NEW); gate_post(&back); gate_wait(&go);
             CHECK(reads(p, NEW, NEW + 2)))
    gate_wait(&back);
    write_both(p, NEW + 2);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK(wrote_both(p, NEW + 2));
}

static void one_page_of_two(struct pages p) {
    struct gate go = gate_new();
    IN_CHILD(pid, tag(p.first, NEW); gate_wait(&go); CHECK_EQ(tagged(p.second, NEW + 9), p.shared))
    tag(p.second, NEW + 9);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK_EQ(tagged(p.first, NEW), p.shared);
    CHECK(tagged(p.second, NEW + 9));
}

static void child_only_reads(struct pages p) {
    IN_CHILD(pid, CHECK(untouched(p)))
    CHECK_EQ(reap(pid), 0);
    CHECK(untouched(p));
    write_both(p, NEW);
    CHECK(wrote_both(p, NEW));
}

static void grandchild_writes(struct pages p) {
    IN_CHILD(pid, IN_CHILD(grandchild, write_both(p, NEW)) CHECK_EQ(reap(grandchild), 0);
             CHECK(reads(p, OLD, NEW)))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW));
}

static void child_writes_then_forks(struct pages p) {
    IN_CHILD(pid, write_both(p, NEW);
             IN_CHILD(grandchild, CHECK(wrote_both(p, NEW)); write_both(p, NEW + 2))
             CHECK_EQ(reap(grandchild), 0);
             CHECK(reads(p, NEW, NEW + 2)))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW + 2));
}

// The middle generation ends first; its orphan says by the second gate how it went.
static void middle_generation_exits(struct pages p) {
    struct gate go = gate_new(), back = gate_new();
    IN_CHILD(middle, IN_CHILD(orphan, gate_wait(&go); CHECK(reads(p, OLD, NEW + 2));
                              write_both(p, NEW); CHECK(wrote_both(p, NEW)); if (!checks_failed) gate_post(&back)))
    CHECK_EQ(reap(middle), 0);
    ksys_close(back.ends[1]);
    write_both(p, NEW + 2);
    gate_post(&go);
    gate_wait(&back);
    CHECK(reads(p, NEW + 2, NEW));
}

static void middle_writes_and_exits(struct pages p) {
    struct gate go = gate_new(), back = gate_new();
    IN_CHILD(middle, IN_CHILD(orphan, gate_wait(&go); CHECK(reads(p, OLD, NEW));
                              if (!checks_failed) gate_post(&back))
             write_both(p, NEW))
    CHECK_EQ(reap(middle), 0);
    ksys_close(back.ends[1]);
    CHECK(reads(p, OLD, NEW));
    gate_post(&go);
    gate_wait(&back);
}

static void four_generations(struct pages p) {
    int depth = 0, pid;
    while (depth < 4 && (pid = spawn()) == 0) {
        CHECK(depth == 0 ? untouched(p) : wrote_both(p, NEW + 2 * depth));
        depth++;
        write_both(p, NEW + 2 * depth);
    }
    if (depth < 4) { CHECK_EQ(reap(pid), 0); }
    CHECK(reads(p, depth == 0 ? OLD : NEW + 2 * depth, NEW + 8));
    if (depth > 0) { leave(); }
}

static void sole_owner_writes(struct pages p) {
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(status_of(nothing, NULL), 0);
        write_both(p, NEW + 2 * round);
        CHECK(wrote_both(p, NEW + 2 * round));
    }
}

// Every fork is a snapshot, of what is private: the i-th child sees exactly the i-th write.
static void snapshots(struct pages p) {
    enum { CHILDREN = 8 };
    struct gate go = gate_new();
    int pid[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        write_both(p, NEW + 2 * i);
        if ((pid[i] = spawn()) == 0) {
            gate_wait(&go);
            CHECK(reads(p, NEW + 2 * i, OLD + 500));
            leave();
        }
    }
    write_both(p, OLD + 500);
    for (int i = 0; i < CHILDREN; i++) { gate_post(&go); }
    for (int i = 0; i < CHILDREN; i++) { CHECK_EQ(reap(pid[i]), 0); }
    CHECK(wrote_both(p, OLD + 500));
}

enum { SIBLINGS = 8, ROUNDS = 20 };

// Of shared pages a sibling can say nothing until all are done.
static _Noreturn void sibling(struct pages p, int me) {
    CHECK(p.shared || untouched(p));
    for (int round = 0; round < ROUNDS; round++) {
        write_both(p, NEW + 100 * me + round);
        ksys_sched_yield();
        CHECK(p.shared || wrote_both(p, NEW + 100 * me + round));
    }
    leave();
}

// ... then each word is the last that one of them has stored there.
static void siblings_all_write(struct pages p) {
    int pid[SIBLINGS];
    for (int i = 0; i < SIBLINGS; i++) {
        if ((pid[i] = spawn()) == 0) { sibling(p, i); }
    }
    for (int i = 0; i < SIBLINGS; i++) { CHECK_EQ(reap(pid[i]), 0); }
    if (p.shared) {
        CHECK_EQ(*(uint64_t *)p.first % 100, ROUNDS - 1);
        CHECK_EQ(*(uint64_t *)p.second % 100, ROUNDS);
    } else {
        CHECK(untouched(p));
    }
}

static void child_unmaps(struct pages p) {
    IN_CHILD(pid, CHECK_EQ(ksys_munmap(p.first, PAGE), 0); tag(p.second, NEW);
             CHECK(tagged(p.second, NEW)))
    CHECK_EQ(reap(pid), 0);
    CHECK(p.shared ? tagged(p.second, NEW) : untouched(p));
}

static void parent_unmaps(struct pages p) {
    struct gate go = gate_new();
    IN_CHILD(pid, gate_wait(&go); CHECK(untouched(p)); write_both(p, NEW);
             CHECK(wrote_both(p, NEW)))
    CHECK_EQ(ksys_munmap(p.first, 2 * PAGE), 0);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
}

static void child_maps_over(struct pages p) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    IN_CHILD(pid, CHECK_EQ(ksys_mmap(p.first, 2 * PAGE, PROT_RW, flags, -1, 0), p.first);
             CHECK(all_bytes(p.first, 0, 2 * PAGE)); write_both(p, NEW))
    CHECK_EQ(reap(pid), 0);
    CHECK(untouched(p));
}

static void child_is_killed(struct pages p) {
    struct gate back = gate_new();
    IN_CHILD(pid, tag(p.first, NEW); gate_post(&back); for (;;) tag(p.second, NEW))
    gate_wait(&back);
    CHECK_EQ(ksys_kill(pid, SIGKILL), 0);
    CHECK_EQ(reap(pid), KILLED(SIGKILL));
    CHECK(p.shared ? tagged(p.first, NEW) : untouched(p));
}

static void child_execs(struct pages p) {
    const char *argv[] = {"/bin/true", NULL};
    IN_CHILD(pid, write_both(p, NEW); ksys_execve(argv[0], argv, argv + 1); checks_failed++)
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW));
    write_both(p, NEW + 2);
    CHECK(wrote_both(p, NEW + 2));
}

const struct action actions[] = {
    {"the child writes", child_writes},
    {"the parent writes", parent_writes},
    {"both write", both_write},
    {"each writes one page", one_page_of_two},
    {"the child only reads", child_only_reads},
    {"the grandchild writes", grandchild_writes},
    {"the child writes, then forks", child_writes_then_forks},
    {"the middle generation exits", middle_generation_exits},
    {"the middle generation writes and exits", middle_writes_and_exits},
    {"four generations", four_generations},
    {"the sole owner writes", sole_owner_writes},
    {"forks are snapshots", snapshots},
    {"eight siblings write", siblings_all_write},
    {"the child unmaps", child_unmaps},
    {"the parent unmaps", parent_unmaps},
    {"the child maps over", child_maps_over},
    {"the child is killed", child_is_killed},
    {"the child execs", child_execs},
};
const int action_count = COUNT(actions);
