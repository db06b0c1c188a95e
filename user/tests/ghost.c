// SPDX-License-Identifier: MIT
// ghost.c - random changes of address spaces on all harts, against a model of what each page must hold.
//
//     /tests/ghost [operations] [seed]
//
// Model   One worker per hart, each in an arena of pages of its own, some side by side and some so far
//         apart that each has a leaf table for itself, and a heap. `want` says what each must hold:
//         nothing (it is not mapped), zeros, or a tag. An operation writes or looks at a page, maps or
//         unmaps some, moves the break, changes the hart, yields, forks, or execs. A child goes on with
//         operations of its own while its parent does, and ends.
// Judged  by the contents here, by the frame audit, and in a kernel with GHOST=1 by the ghost TLB, which
//         panics: a program that comes to its end has had no violation.
#include "common.h"
#include <stdio.h>
#include <stdlib.h>

enum { DENSE = 40, SPARSE = 8, PAGES = DENSE + SPARSE, HEAP = 16, CHILDREN = 3, GONE = -1 };

static char *dense, *sparse, *heap;
static long want[PAGES], heap_want[HEAP];
static int heap_pages, children, harts, worker, depth;
static uint64_t rng;

static unsigned pick(unsigned below) {
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (rng >> 16) % below;
}

static char *address(int i) {
    return i < DENSE ? dense + i * PAGE : sparse + (i - DENSE) * 2 * MIB;
}

static bool holds(const char *page, long what) {
    return what ? tagged(page, (uint64_t)what) : page[0] == 0 && page[PAGE - 1] == 0;
}

static void map_pages(int i, int n) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    CHECK_EQ(ksys_mmap(address(i), n * PAGE, PROT_RW, flags, -1, 0), address(i));
    memset(want + i, 0, n * sizeof *want);
}

// Some pages side by side, or one of the lonely ones: how many.
static int some(int *first) {
    *first = pick(PAGES);
    return *first >= DENSE ? 1 : 1 + pick(DENSE - *first < 8 ? DENSE - *first : 8);
}

static void change_mapping(void) {
    int i, n = some(&i);
    if (pick(2)) {
        map_pages(i, n);
        return;
    }
    unmap_pages(address(i), n);
    for (int k = i; k < i + n; k++) { want[k] = GONE; }
}

static void move_break(void) {
    int n = pick(HEAP + 1);
    CHECK_EQ(ksys_brk(heap + n * PAGE), heap + n * PAGE);
    for (int i = heap_pages; i < n; i++) { heap_want[i] = 0; }
    heap_pages = n;
}

// Write to a page, or look at it.
static void touch(bool write) {
    bool in_heap = heap_pages && pick(4) == 0;
    int i = pick(in_heap ? heap_pages : PAGES);
    char *page = in_heap ? heap + i * PAGE : address(i);
    long *what = in_heap ? &heap_want[i] : &want[i];
    if (*what == GONE) { map_pages(i, 1); }
    CHECK(holds(page, *what));
    if (write) {
        *what = 1 + pick(1u << 30);
        tag(page, (uint64_t)*what);
    }
}

static void reap_one(void) {
    CHECK_EQ(reap(-1), 0);
    children--;
}

static void end(void) {
    while (children) { reap_one(); }
    for (int i = 0; i < PAGES; i++) {
        CHECK(want[i] == GONE || holds(address(i), want[i]));
    }
    leave();
}

static void run(long operations);

// Returns how many operations the child does.
static long start_child(void) {
    if (depth == 2 || children == CHILDREN) { return 0; }
    long operations = pick(24);
    uint64_t seed = rng + pick(1u << 30);
    int pid = spawn();
    CHECK(pid >= 0);
    if (pid == 0) {
        rng = seed | 1;
        children = 0;
        depth++;
        run(operations);
        if (pick(64) == 0) {
            static char *const words[] = {"true", NULL};
            ksys_execve("/bin/true", words, words + 1);
        }
        end();
    }
    children += pid > 0;
    return operations;
}

static long operate(void) {
    unsigned what = pick(100);
    if (what < 70) {
        touch(what < 45);
    } else if (what < 82) {
        change_mapping();
    } else if (what < 87) {
        move_break();
    } else if (what < 90) {
        pin(pick(harts));
    } else if (what < 93) {
        ksys_sched_yield();
    } else if (what < 96 && children) {
        reap_one();
    } else if (what >= 96) {
        return 1 + start_child();
    }
    return 1;
}

static void run(long operations) {
    while (operations > 0) {
        long before = operations;
        operations -= operate();
        if (worker == 0 && depth == 0 && operations / 10000 != before / 10000) {
            ktap_comment("worker 0 has %ld operations to go", operations);
            fflush(stdout);
        }
    }
}

static void work(int number, long operations, uint64_t seed) {
    rng = (seed * 64 + number + 1) * 0x9e3779b97f4a7c15ull | 1;
    worker = number;
    CHECK_EQ(pin(number), 0);
    dense = map(DENSE, PROT_RW);
    sparse = map((SPARSE + 1) * 512, PROT_RW);
    heap = (char *)((ksys_brk(NULL) + PAGE - 1) & -PAGE);
    move_break();
    run(operations);
    end();
}

// Forks of which the k-th allocation fails, with no kernel stack left over from others: one of them
// fails when a part of its stack is mapped already.
static bool fork_fails_in_a_stack(void) {
    enum { BLOCKED = 40, ALLOCATIONS = 12 };
    struct gate gate = gate_new();
    int blocked = 0, failed = 0;
    pin(0);
    for (int k = 0; k < BLOCKED + ALLOCATIONS; k++) {
        fail_nth(k < BLOCKED ? 0 : k - BLOCKED + 1);
        int pid = spawn();
        if (pid == 0) {
            gate_wait(&gate);
            leave();
        }
        blocked += pid > 0;
        failed += pid < 0;
    }
    fail_nth(0);
    for (int k = 0; k < blocked; k++) { gate_post(&gate); }
    for (int k = 0; k < blocked; k++) { CHECK_EQ(reap(-1), 0); }
    gate_free(&gate);
    return failed > 3 && checks_failed == 0;
}

int main(int argc, char **argv) {
    long operations = argc > 1 ? atol(argv[1]) : 20000, seed = argc > 2 ? atol(argv[2]) : 1, failed = 0;
    if (!have_kine()) {
        printf("KTAP version 1\n1..0 # SKIP needs Kine's own calls\n");
        return 0;
    }
    ktap_plan(2);
    open_books();
    ktap_ok(fork_fails_in_a_stack(), "a fork fails in the middle of a kernel stack");
    harts = ksys_kine_ctl(KINE_NHARTS, 0, 0);
    for (int i = 0; i < harts; i++) {
        if (spawn() == 0) { work(i, operations / harts, seed); }
    }
    for (int i = 0; i < harts; i++) { failed += reap(-1) != 0; }
    close_books();
    ktap_comment("the ghost TLB has checked %ld events", (long)ksys_kine_ctl(KINE_GHOST, 0, 0));
    ktap_ok(failed == 0 && checks_failed == 0, "%ld operations, %ld violations", operations, failed);
    return ktap_end();
}
