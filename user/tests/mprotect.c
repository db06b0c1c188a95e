// SPDX-License-Identifier: MIT
// mprotect.c - rights that are taken and given, and pages that are discarded, with fork before and after.
#include "team.h"

static long protect(void *at, size_t pages, int prot) { return ksys_mprotect(at, pages * PAGE, prot); }
static long discard(void *at, size_t pages) { return ksys_madvise(at, pages * PAGE, MADV_DONTNEED); }

static char *filled(size_t pages) {
    char *at = map(pages, PROT_RW);
    for (size_t i = 0; i < pages; i++) { tag(at + i * PAGE, i + 1); }
    return at;
}

static bool as_filled(const char *at, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        if (!tagged(at + i * PAGE, i + 1)) { return false; }
    }
    return true;
}

static void rights_come_and_go(void) {
    char *at = filled(3);
    CHECK_EQ(protect(at, 3, PROT_READ), 0);
    CHECK(as_filled(at, 0, 3) && dies(poke, at) && dies(poke, at + 2 * PAGE));
    CHECK_EQ(protect(at, 3, PROT_NONE), 0);
    CHECK(dies(peek, at) && dies(poke, at + PAGE));
    CHECK_EQ(protect(at, 3, PROT_RW), 0);
    CHECK(as_filled(at, 0, 3));
    tag(at + PAGE, 7);
    CHECK(tagged(at + PAGE, 7) && as_filled(at, 2, 3) && as_filled(at, 0, 1));
}

static void the_kernel_heeds_them(void) {
    char *at = filled(1);
    int pipe[2];
    CHECK_EQ(ksys_pipe2(pipe, 0), 0);
    CHECK_EQ(ksys_write(pipe[1], at, 16), 16);
    CHECK_EQ(protect(at, 1, PROT_READ), 0);
    CHECK_EQ(ksys_read(pipe[0], at, 8), -EFAULT);
    CHECK_EQ(ksys_write(pipe[1], at, 8), 8);
    CHECK_EQ(protect(at, 1, PROT_NONE), 0);
    CHECK_EQ(ksys_write(pipe[1], at, 8), -EFAULT);
    CHECK_EQ(protect(at, 1, PROT_RW), 0);
    CHECK(ksys_read(pipe[0], at, 8) == 8);
}

// Untouched pages, too, and each page of one mapping by itself.
static void a_page_in_the_middle(void) {
    char *at = map(9, PROT_RW);
    tag(at + 4 * PAGE, 4);
    CHECK_EQ(protect(at + 4 * PAGE, 1, PROT_READ), 0);
    CHECK_EQ(protect(at + 6 * PAGE, 1, PROT_NONE), 0);
    for (int i = 0; i < 9; i++) {
        CHECK_EQ(dies(poke, at + i * PAGE), i == 4 || i == 6);
        CHECK_EQ(dies(peek, at + i * PAGE), i == 6);
    }
    CHECK_EQ(protect(at, 9, PROT_RW), 0);
    for (int i = 0; i < 9; i++) { poke(at + i * PAGE); }
}

static void before_a_fork(void) {
    char *at = filled(2);
    CHECK_EQ(protect(at, 2, PROT_READ), 0);
    int pid = spawn();
    if (pid == 0) {
        CHECK(as_filled(at, 0, 2) && dies(poke, at));
        CHECK_EQ(protect(at, 2, PROT_RW), 0);
        tag(at, 55);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    CHECK(as_filled(at, 0, 2) && dies(poke, at));
    CHECK_EQ(protect(at, 2, PROT_RW), 0);
    tag(at, 1);
    CHECK(as_filled(at, 0, 2));
}

static void after_a_fork(void) {
    char *at = filled(600);  // more than a table
    struct gate gone = gate_new(), go = gate_new();
    int pid = spawn();
    if (pid == 0) {
        CHECK_EQ(protect(at, 600, PROT_READ), 0);
        gate_post(&gone);
        gate_wait(&go);
        CHECK(as_filled(at, 0, 600) && dies(poke, at + 599 * PAGE));
        leave();
    }
    gate_wait(&gone);
    for (int i = 0; i < 600; i++) { tag(at + i * PAGE, 1000 + i); }  // the child's rights are its own
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    for (int i = 0; i < 600; i++) { CHECK(tagged(at + i * PAGE, 1000 + i)); }
}

static void what_is_refused(void) {
    char *at = filled(4);
    CHECK_EQ(ksys_mprotect(at + 1, PAGE, PROT_READ), -EINVAL);
    CHECK_EQ(ksys_mprotect(at, PAGE, 8), -EINVAL);
    CHECK_EQ(ksys_mprotect(at, 0, PROT_NONE), 0);
    CHECK_EQ(ksys_mprotect(at, ~0ul - 8191, PROT_READ), -ENOMEM);
    CHECK_EQ(ksys_mprotect((void *)(1ul << 38), PAGE, PROT_READ), -ENOMEM);
    unmap_pages(at + 2 * PAGE, 1);
    CHECK_EQ(protect(at, 4, PROT_READ), -ENOMEM);  // a hole
    CHECK_EQ(ksys_madvise(at + 1, PAGE, MADV_DONTNEED), -EINVAL);
    CHECK_EQ(ksys_madvise(at, PAGE, 77), -EINVAL);
    CHECK_EQ(ksys_madvise(at, 0, MADV_DONTNEED), 0);
    CHECK_EQ(discard(at, 4), -ENOMEM);  // and all that there is has gone
    CHECK(all_bytes(at, 0, PAGE) && all_bytes(at + 3 * PAGE, 0, PAGE));
}

static void never_writable_and_executable(void) {
    char *at = map(1, PROT_RW);
    CHECK_EQ(protect(at, 1, PROT_RW | PROT_EXEC), -EACCES);
    CHECK_EQ(protect(at, 1, PROT_WRITE | PROT_EXEC), -EACCES);
}

// li a0, 42; ret: written, then run, by way of rights that never come together.
static void text_is_written_and_then_run(void) {
    uint32_t *code = (uint32_t *)map(1, PROT_RW);
    code[0] = 0x02a00513;
    code[1] = 0x00008067;
    CHECK_EQ(protect(code, 1, PROT_READ | PROT_EXEC), 0);
    __asm__ volatile("fence.i" ::: "memory");
    CHECK_EQ(((int (*)(void))(uintptr_t)code)(), 42);
    CHECK(dies(poke, code));
}

static void discarded_pages_are_as_new(void) {
    char *at = filled(1300);
    struct kine_audit before, after;
    audit(&before);
    CHECK_EQ(discard(at + 100 * PAGE, 1100), 0);
    audit(&after);
    CHECK(before.user - after.user >= 1100);
    CHECK(as_filled(at, 0, 100) && as_filled(at, 1200, 1300));
    for (int i = 100; i < 1200; i++) { CHECK(all_bytes(at + i * PAGE, 0, 64)); }
}

static void discarded_on_one_side_of_a_fork(void) {
    char *at = filled(1300);
    int pid = spawn();
    if (pid == 0) {
        CHECK_EQ(discard(at + 10 * PAGE, 1200), 0);
        CHECK(as_filled(at, 0, 10) && as_filled(at, 1210, 1300) && all_bytes(at + 700 * PAGE, 0, PAGE));
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    CHECK(as_filled(at, 0, 1300));
    pid = spawn();
    if (pid == 0) {
        nap(20 * MS);
        CHECK(as_filled(at, 0, 1300));
        leave();
    }
    CHECK_EQ(discard(at, 1300), 0);
    CHECK(all_bytes(at, 0, PAGE) && all_bytes(at + 1299 * PAGE, 0, PAGE));
    CHECK_EQ(reap(pid), 0);
}

// ---- another thread has the page in its hart's TLB

static volatile uint64_t *counter;
static uint32_t counting;

static void *count(void *unused) {
    (void)unused;
    pin(1);
    for (;;) {
        ++*counter;
        __atomic_store_n(&counting, 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

// The thread that goes on writing ends the process; a write that still gets through ends it otherwise.
static void take_away_while_it_counts(void *unused) {
    (void)unused;
    counter = (volatile uint64_t *)map(1, PROT_RW);
    pin(0);
    begin(count, NULL);
    while (!__atomic_load_n(&counting, __ATOMIC_ACQUIRE)) { ksys_sched_yield(); }
    CHECK_EQ(protect((void *)counter, 1, PROT_READ), 0);
    uint64_t then = *counter;
    for (int i = 0; i < 1000000; i++) {
        if (*counter != then) { ksys_exit_group(9); }
    }
    nap(10000 * MS);
    ksys_exit_group(8);
}

static void rights_are_taken_on_every_hart(void) {
    if (ksys_kine_ctl(KINE_NHARTS, 0, 0) > 1) { CHECK_EQ(status_of(take_away_while_it_counts, NULL), SIGSEGV); }
}

TEST_MAIN(TEST(rights_come_and_go), TEST(the_kernel_heeds_them), TEST(a_page_in_the_middle), TEST(before_a_fork),
          TEST(after_a_fork), TEST(what_is_refused), KINE_TEST(never_writable_and_executable),
          TEST(text_is_written_and_then_run), KINE_TEST(discarded_pages_are_as_new),
          TEST(discarded_on_one_side_of_a_fork), KINE_TEST(rights_are_taken_on_every_hart))
