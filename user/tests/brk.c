// SPDX-License-Identifier: MIT
// brk.c - the heap's end: query, grow, shrink, and its two sides after a fork.
#include "common.h"

static char *end(void) { return (char *)ksys_brk(NULL); }

static bool set_end(char *to) { return (char *)ksys_brk(to) == to; }

// The first whole page of the heap's free room, with the break set there.
static char *page_end(void) {
    char *at = (char *)(((uintptr_t)end() + PAGE - 1) & -PAGE);
    CHECK(set_end(at));
    return at;
}

static void grow_and_shrink(void) {
    char *base = page_end();
    CHECK(set_end(base + 10 * PAGE));
    CHECK_EQ(end(), base + 10 * PAGE);
    for (int i = 0; i < 10; i++) {
        CHECK(all_bytes(base + i * PAGE, 0, PAGE));
        tag(base + i * PAGE, i);
    }
    CHECK(set_end(base + 3 * PAGE));
    CHECK(tagged(base + 2 * PAGE, 2));
    CHECK_EQ(status_of(poke, base + 3 * PAGE), KILLED(SIGSEGV));
    CHECK(set_end(base + 10 * PAGE));
    CHECK(all_bytes(base + 3 * PAGE, 0, 7 * PAGE));
    CHECK(tagged(base, 0) && tagged(base + 2 * PAGE, 2));
}

static void ends_within_a_page(void) {
    char *base = page_end();
    CHECK(set_end(base + 100));
    poke(base + 99);
    CHECK(set_end(base + PAGE + 1));
    CHECK_EQ(base[99], 1);
    poke(base + 2 * PAGE - 1);
    CHECK_EQ(status_of(poke, base + 2 * PAGE), KILLED(SIGSEGV));
    CHECK(set_end(base + 1));
    CHECK_EQ(status_of(poke, base + PAGE), KILLED(SIGSEGV));
    CHECK_EQ(base[99], 1);
}

static void shrinking_frees_frames(void) {
    enum { PAGES = 100 };
    char *base = page_end();
    long before = ksys_kine_ctl(KINE_RSS, 0, 0);
    for (int round = 0; round < 3; round++) {
        CHECK(set_end(base + PAGES * PAGE));
        for (int i = 0; i < PAGES; i++) { poke(base + i * PAGE); }
        CHECK_EQ(ksys_kine_ctl(KINE_RSS, 0, 0), before + PAGES);
        CHECK(set_end(base));
        CHECK_EQ(ksys_kine_ctl(KINE_RSS, 0, 0), before);
    }
}

static void impossible_ends_change_nothing(void) {
    char *now = end();
    CHECK_EQ(ksys_brk((void *)1), now);  // below where the heap begins
    CHECK_EQ(ksys_brk((void *)0x10000), now);
    CHECK_EQ(ksys_brk((void *)(1ul << 38)), now);
    CHECK_EQ(ksys_brk((void *)(1ul << 62)), now);
    CHECK_EQ(ksys_brk((void *)-1ul), now);
    CHECK_EQ(ksys_brk((void *)0xffffffff80200000), now);
    CHECK_EQ(end(), now);
    CHECK(set_end(now + 5 * PAGE));
}

static void the_heap_stops_at_a_mapping(void) {
    char *base = page_end();
    long at = ksys_mmap(base + 16 * PAGE, PAGE, PROT_RW,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK_EQ(at, base + 16 * PAGE);
    tag((char *)at, 9);
    CHECK(set_end(base + 15 * PAGE));
    CHECK(!set_end(base + 32 * PAGE));
    CHECK_EQ(end(), base + 15 * PAGE);
    CHECK(tagged((char *)at, 9));
}

// After a fork one side changes its heap, then the other; in every combination.
enum side_act { GROW, SHRINK, SHRINK_AND_GROW };

static void change(char *base, enum side_act act, uint64_t who) {
    if (act != GROW) {
        CHECK(set_end(base + 4 * PAGE));
        CHECK(tagged(base + 3 * PAGE, 3));
        CHECK_EQ(status_of(poke, base + 5 * PAGE), KILLED(SIGSEGV));
    }
    if (act != SHRINK) {
        CHECK(set_end(base + 16 * PAGE));
        int first_new = act == GROW ? 8 : 4;
        CHECK(all_bytes(base + first_new * PAGE, 0, (size_t)(16 - first_new) * PAGE));
        for (int i = first_new; i < 16; i++) { tag(base + i * PAGE, who + i); }
    }
    tag(base, who);
}

static void check_change(char *base, enum side_act act, uint64_t who) {
    CHECK(tagged(base, who) && tagged(base + PAGE, 1));
    CHECK_EQ(end(), base + (act == SHRINK ? 4 : 16) * PAGE);
    for (int i = 4; i < (act == SHRINK ? 4 : 16); i++) {
        CHECK(tagged(base + i * PAGE, act == GROW && i < 8 ? (uint64_t)i : who + i));
    }
}

static void both_sides(enum side_act mine, enum side_act its, bool child_first) {
    struct gate go = gate_new(), done = gate_new();
    char *base = page_end();
    CHECK(set_end(base + 8 * PAGE));
    for (int i = 0; i < 8; i++) { tag(base + i * PAGE, i); }
    int pid = spawn();
    if (pid == 0) {
        gate_wait(&go);
        change(base, its, 5000);
        gate_post(&done);
        gate_wait(&go);
        check_change(base, its, 5000);
        leave();
    }
    if (child_first) {
        gate_post(&go);
        gate_wait(&done);
    }
    change(base, mine, 7000);
    if (!child_first) {
        gate_post(&go);
        gate_wait(&done);
    }
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    check_change(base, mine, 7000);
    CHECK(set_end(base));
}

static void both_sides_of_a_fork(void) {
    for (int combination = 0; combination < 18; combination++) {
        both_sides(combination % 3, combination / 3 % 3, combination < 9);
    }
}

TEST_MAIN(TEST(grow_and_shrink), TEST(ends_within_a_page), KINE_TEST(shrinking_frees_frames),
          TEST(impossible_ends_change_nothing), TEST(the_heap_stops_at_a_mapping),
          TEST(both_sides_of_a_fork))
