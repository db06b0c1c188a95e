// SPDX-License-Identifier: MIT
// oom.c - when no frame is left: who pays, what survives, and that every frame comes back.
//
// "No frame left" is made exact by the kernel's hoard: it holds all free frames until released.
#include "common.h"

static long hoard(void) { return ksys_kine_ctl(KINE_HOARD, 0, 0); }

static long unhoard(void) { return ksys_kine_ctl(KINE_UNHOARD, 0, 0); }

static long harts(void) { return ksys_kine_ctl(KINE_NHARTS, 0, 0); }

static void a_cow_fault_kills_only_the_writer(void) {
    char *page = map(1, PROT_RW);
    struct gate go = gate_new(), ready = gate_new();
    tag(page, 1);
    int pid = spawn();
    if (pid == 0) {
        gate_post(&go);
        gate_wait(&go);  // so that the stack is this process's own by now
        gate_post(&ready);
        gate_wait(&go);
        tag(page, 2);
        leave();
    }
    gate_wait(&ready);
    CHECK(hoard() > 0);
    gate_post(&go);
    int status = reap(pid);
    CHECK(unhoard() > 0);
    CHECK_EQ(status, KILLED(SIGKILL));
    CHECK(tagged(page, 1));
}

// One frame is left, and it is good for a copy.
static void the_last_frame_serves_a_copy(void) {
    char *shared = map(2, PROT_RW), *spare = map(2, PROT_RW);
    struct gate hold = gate_new();
    tag(shared, 1);
    tag(shared + PAGE, 1);
    tag(spare, 1);
    tag(spare + PAGE, 1);
    int sleeper = spawn();
    if (sleeper == 0) {
        gate_wait(&hold);
        CHECK(tagged(shared, 1) && tagged(shared + PAGE, 1));
        leave();
    }
    nap(20 * MS);
    tag(spare, 2);  // a frame of our own, the other one stays shared
    CHECK(hoard() > 0);
    unmap_pages(spare, 1);
    long left = ksys_kine_ctl(KINE_FREE, 0, 0);
    tag(shared, 2);
    long after = ksys_kine_ctl(KINE_FREE, 0, 0);
    CHECK(unhoard() > 0);
    CHECK_EQ(left, 1);
    CHECK_EQ(after, 0);
    CHECK(tagged(shared, 2) && tagged(shared + PAGE, 1));
    gate_post(&hold);
    CHECK_EQ(reap(sleeper), 0);
}

static void a_fork_fails_with_enomem(void) {
    char *page = map(1, PROT_RW);
    tag(page, 1);
    CHECK_EQ(status_of(nothing, NULL), 0);
    CHECK(hoard() > 0);
    int pid = spawn();
    if (pid == 0) { leave(); }
    tag(page, 2);  // still ours, still writable
    CHECK(unhoard() > 0);
    CHECK_EQ(pid, -ENOMEM);
    CHECK(tagged(page, 2));
    CHECK_EQ(status_of(nothing, NULL), 0);
}

static void calls_fail_without_harm(void) {
    static char untouched_pages[2 * PAGE] __attribute__((aligned(4096)));
    struct gate pipe = gate_new();
    char byte;
    gate_post(&pipe);
    CHECK(hoard() > 0);
    long into_heap = ksys_read(pipe.ends[0], untouched_pages, 1);
    long at = ksys_brk(NULL), grown = ksys_brk((void *)(at + PAGE));
    CHECK(unhoard() > 0);
    CHECK(into_heap == -ENOMEM || into_heap == -EFAULT);
    CHECK(grown == at || grown == at + (long)PAGE);
    long again = into_heap < 0 ? ksys_read(pipe.ends[0], &byte, 1) : 1;
    CHECK_EQ(again, 1);  // the byte was not lost
}

// wait4 needs no memory, even if the zombie held it all. The status goes to a page that the zombie shared: with
// nobody else there, no copy is needed.
static void wait4_works_when_the_zombie_held_it_all(void) {
    int *status = (int *)map(1, PROT_RW);
    *status = -1;
    int pid = spawn();
    if (pid == 0) {
        nap(20 * MS);  // until the parent waits
        char *heap = map(4096, PROT_RW);
        for (int i = 0; i < 4096; i++) { heap[i * PAGE] = 1; }
        hoard();
        ksys_exit_group(7);
    }
    CHECK_EQ(ksys_wait4(pid, status, 0, NULL), pid);
    unhoard();
    CHECK_EQ(*status, EXITED(7));
}

static void a_zombie_holds_no_memory(void) {
    enum { PAGES = 32 * MIB / PAGE };
    static struct kine_audit before, during;
    struct gate touched = gate_new();
    CHECK_EQ(status_of(nothing, NULL), 0);
    audit(&during);
    audit(&before);  // now that `during` has its page
    int pid = spawn();
    if (pid == 0) {
        char *heap = map(PAGES, PROT_RW);
        for (int i = 0; i < PAGES; i++) { tag(heap + i * PAGE, i); }
        gate_post(&touched);
        leave();
    }
    gate_wait(&touched);
    for (int tries = 0; tries < 200; tries++) {
        nap(10 * MS);
        audit(&during);
        if (during.user <= before.user) { break; }
    }
    CHECK_EQ(during.user, before.user);
    CHECK_EQ(during.table, before.table);
    CHECK_EQ(reap(pid), 0);
}

// More is mapped than there is: whoever touches too much dies, the others do not notice.
static void overcommit_ends_with_a_kill(void) {
    struct sysinfo info;
    char *page = map(1, PROT_RW);
    tag(page, 1);
    CHECK_EQ(ksys_sysinfo(&info), 0);
    size_t pages = info.totalram * info.mem_unit / PAGE * 2;
    for (int round = 0; round < 2; round++) {
        int pid = spawn();
        if (pid == 0) {
            char *heap = map(pages, PROT_RW);
            for (size_t i = 0; i < pages; i++) {
                *(volatile char *)(heap + i * PAGE) = 1;
            }
            leave();
        }
        CHECK_EQ(reap(pid), KILLED(SIGKILL));
        CHECK(tagged(page, 1));
    }
}

static long free_frames(void) { return ksys_kine_ctl(KINE_FREE, 0, 0); }

// One hart takes every frame; another frees them all; the first must be able to take them again.
static void one_hart_gets_every_frame_another_freed(void) {
    long others = harts();
    CHECK_EQ(status_of(nothing, NULL), 0);
    for (long other = 0; other < others; other++) {
        CHECK_EQ(pin(0), 0);
        nap(20 * MS);
        long free = free_frames();
        long first = hoard();
        CHECK_EQ(first, free);
        CHECK_EQ(free_frames(), 0);
        CHECK_EQ(pin((int)other), 0);
        CHECK_EQ(unhoard(), first);
        CHECK_EQ(pin(0), 0);
        CHECK_EQ(hoard(), first);
        CHECK_EQ(unhoard(), first);
    }
}

// The same without the hoard: a process takes what is free down to a few frames for its tables.
static void a_process_gets_nearly_every_frame(void) {
    static struct kine_audit books;
    audit(&books);
    size_t pages = books.free - books.free / 256 - 64;
    for (int hart = 0; hart < 2; hart++) {
        int pid = spawn();
        if (pid == 0) {
            pin(hart % (int)harts());
            char *heap = map(pages, PROT_RW);
            for (size_t i = 0; i < pages; i++) {
                *(volatile char *)(heap + i * PAGE) = 1;
            }
            leave();
        }
        CHECK_EQ(reap(pid), 0);
    }
}

TEST_MAIN(KINE_TEST(a_cow_fault_kills_only_the_writer),
          KINE_TEST(the_last_frame_serves_a_copy), KINE_TEST(a_fork_fails_with_enomem),
          KINE_TEST(calls_fail_without_harm), KINE_TEST(wait4_works_when_the_zombie_held_it_all),
          KINE_TEST(a_zombie_holds_no_memory), KINE_TEST(overcommit_ends_with_a_kill),
          KINE_TEST(one_hart_gets_every_frame_another_freed),
          KINE_TEST(a_process_gets_nearly_every_frame))
