// SPDX-License-Identifier: MIT
// ends.c - what players do who are threads of one process (house.c), and take away what others use: pages,
// tables, the space, their lives.
#include "explore.h"

int ends_failures(void) {
    int failed = checks_failed;
    checks_failed = 0;
    return failed;
}

// ---- 1 discards a page that 2 has looked up; 3 takes whatever frame is free

static volatile long taken;  // frames, by 3

static void wide(void) {
    long at = ksys_mmap(shared, ELSEWHERE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK_EQ(at, (long)shared);
    for (int i = 0; i < (int)(PAGE / 8); i++) { words()[i] = pattern(i); }
    stage_elsewhere();
    taken = 0;  // and the page of it is the house's own
}

static void take_all(void) { CHECK(ksys_kine_ctl(KINE_HOARD, 0, 0) > 0); }

static void discard(size_t bytes, int role) {
    if (role == 1) { CHECK_EQ(ksys_madvise(shared, bytes, 4), 0); }
    if (role == 2) {
        CHECK(words()[192] || true);
        point(1);
        CHECK_EQ(words()[192], pattern(192));
        point(2);
    }
    for (int i = 2; role == 3 && i < 4; i++) {  // the kernel writes: where there is no frame, that is no end
        taken += ksys_clock_gettime(CLOCK_MONOTONIC, (struct timespec *)(shared + ELSEWHERE + i * PAGE)) == 0;
    }
}

static void discard_page(int role) { discard(PAGE, role); }
static void discard_table(int role) { discard(ELSEWHERE, role); }

// ---- the kernel writes for 1 to a page that 2 unmaps

static long answer;

static void have_written(int role) {
    if (role == 1) { answer = ksys_kine_pagemap(shared + ELSEWHERE, 1, (uint64_t *)&words()[64]); }
    if (role == 2) { CHECK_EQ(ksys_munmap(shared, PAGE), 0); }
}

static void check_unmapped(int role) {
    (void)role;
    CHECK(answer >= 0 || answer == -EFAULT);
    CHECK_EQ(pagemap(shared), 0);
}

// 2 fills new pages with what it has unmapped.
enum { NEW = 16 };

static void read_and_unmap(int role) {
    if (role == 1) { answer = scenario_receive((void *)&words()[64]); }
    if (role == 2) {
        CHECK_EQ(ksys_munmap(shared, PAGE), 0);
        for (int i = 2; i < NEW; i++) { CHECK(shared[ELSEWHERE + i * PAGE] == 0); }
        for (int i = 2; i < NEW; i++) { shared[ELSEWHERE + i * PAGE] = 0; }
    }
}

static void check_new_pages(int role) {
    check_unmapped(role);
    for (int i = 2; i < NEW; i++) { CHECK(all_bytes(shared + ELSEWHERE + i * PAGE, 0, PAGE)); }
}

// ---- 1 moves what 2 touches for the first time; there are just the frames for tables of what is there, and for 2

enum { PARTS = 3 * ELSEWHERE, TO = 16 * ELSEWHERE, FRAMES = 5 };

static char *frames(void) { return shared + 8 * ELSEWHERE; }

// Regions' records of hart 1 will not want a frame of their own.
static void make_records(void) {
    long at[8];
    pin(1);
    for (int i = 0; i < 8; i++) { at[i] = ksys_mmap(NULL, PAGE, i % 2, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
    for (int i = 0; i < 8; i++) { CHECK_EQ(ksys_munmap((void *)at[i], PAGE), 0); }
    pin(0);
}

static void stage_three_parts(void) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    CHECK_EQ(ksys_mmap(shared, PARTS, PROT_RW, flags, -1, 0), (long)shared);
    CHECK_EQ(ksys_mmap(frames(), 2 * FRAMES * PAGE, PROT_RW, flags, -1, 0), (long)frames());
    for (int i = 0; i < 2 * FRAMES; i++) { frames()[i * PAGE] = 1; }
    shared[0] = shared[PARTS - PAGE] = 1;
    make_records();
    answer = 0;
}

static void move_and_touch(int role) {
    if (role == 1) {
        CHECK_EQ(ksys_madvise(frames(), FRAMES * PAGE, MADV_DONTNEED), 0);
        answer = ksys_mremap(shared, PARTS, PARTS, MREMAP_MAYMOVE | MREMAP_FIXED, shared + TO);
    }
    if (role == 2) { ksys_clock_gettime(CLOCK_MONOTONIC, (struct timespec *)(shared + ELSEWHERE)); }
}

static void check_moved(int role) {
    (void)role;
    CHECK_EQ(answer, (long)shared + TO);
    CHECK(shared[TO] == 1 && shared[TO + PARTS - PAGE] == 1);
}

// ---- 1 faults while 2 ends what it is part of

static void touch_elsewhere(void) { *(volatile char *)(shared + ELSEWHERE) = 1; }

static void fault_and_exec(int role) {
    char *const argv[] = {"/bin/true", NULL};
    if (role == 1) { touch_elsewhere(); }
    if (role == 2) { CHECK_EQ(ksys_execve(argv[0], argv, argv + 1), 0); }
}

static void fault_and_exit(int role) {
    if (role == 1) { touch_elsewhere(); }
    if (role == 2) { ksys_exit_group(5); }
}

static bool exited_with_5(const int status[]) { return status[1] == EXITED(5); }

// ---- 1 is the first to run a page of text

void fresh_text(void);
__asm__(".pushsection .text.fresh, \"ax\"\n"
        ".balign 4096\n"
        ".globl fresh_text\n"
        "fresh_text: ret\n"
        ".space 4092\n"  // nobody else runs in it
        ".popsection\n");

static void run_text(int role) {
    if (role == 1) { fresh_text(); }
    if (role == 2) { point(1); }
}

// ---- 1 forks, and child 2 kills it

static int house_pid;

static void name_house(void) { house_pid = (int)ksys_getpid(); }

static void fork_and_kill(int role) {
    if (role == 2) {
        CHECK_EQ(ksys_kill(house_pid, SIGKILL), 0);
        return;
    }
    house_bring(2);
    point(1);
    if (spawn() == 0) { leave(); }
}

static bool was_killed(const int status[]) { return status[1] == SIGKILL; }
static void nothing_to_see(int role) { (void)role; }

const struct scenario end_scenarios[] = {
    {"discard", 3, discard_page, NULL, .before = take_all, .stage = wide},
    {"discardtable", 3, discard_table, NULL, .before = take_all, .stage = wide},
    {"unmap", 2, have_written, check_unmapped, .stage = stage_elsewhere},
    {"unmapread", 2, read_and_unmap, check_new_pages, .stage = stage_elsewhere},
    {"remap", 2, move_and_touch, check_moved, .before = take_all, .stage = stage_three_parts},
    {"exec", 2, fault_and_exec, NULL, .stage = stage_elsewhere},
    {"exit", 2, fault_and_exit, NULL, .judge = exited_with_5, .stage = stage_elsewhere},
    {"text", 2, run_text, NULL, .stage = stage_plain},
    {"kill", 2, fork_and_kill, nothing_to_see, .judge = was_killed, .late = 1, .stage = name_house},
};
const int nend_scenarios = COUNT(end_scenarios);
