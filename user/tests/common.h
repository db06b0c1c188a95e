// SPDX-License-Identifier: MIT
// common.h - what every test program here is made of.
//
// Model   A program is a table of tests. Each test runs in a child of its own, so that a kill, a
//         leak or a wrecked address space stays inside it, and is judged three times: by its own
//         CHECKs, by the way it died, and by the books: after it, the frame audit must be exact
//         and the user and page-table frames must be as many as before.
// Calls   The raw stubs of ksys.h: what is checked is the kernel's answer, -errno and all.
// Output  KTAP. `<program> <test>` runs one test alone.
// Under qemu-riscv64 (Linux) the tests that need Kine's own calls are skipped.
#pragma once

#include "kernel/syscall/abi.h"
#include <fcntl.h>
#include <ksys.h>
#include <ktap.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define PAGE 4096ul
#define MIB (1ul << 20)
#define MS 1000000l  // a millisecond, in ns

// ---- checks

// In this process; spawn() starts the child's from zero. Weak: one for all files of a program.
__attribute__((weak)) int checks_failed;

static inline void check_failed(const char *file, int line, const char *what, long got) {
    checks_failed++;
    ktap_comment("%s:%d: failed: %s (got %ld)", file, line, what, got);
}

// CHECK that two integers are equal, or that a condition holds.
#define CHECK_EQ(value, want)                                                                      \
    do {                                                                                           \
        long got_ = (long)(value);                                                                 \
        if (got_ != (long)(want)) {                                                                \
            check_failed(__FILE_NAME__, __LINE__, #value " == " #want, got_);                      \
        }                                                                                          \
    } while (0)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_failed(__FILE_NAME__, __LINE__, #condition, 0);                                  \
        }                                                                                          \
    } while (0)

// ---- processes

// End a child: status 0 iff all its checks passed.
static inline __attribute__((noreturn)) void leave(void) {
    ksys_exit_group(checks_failed ? 1 : 0);
    __builtin_unreachable();
}

// Fork, with the child's checks starting from zero. -errno on failure.
static inline int spawn_with(unsigned long flags) {
    int pid = (int)ksys_clone(SIGCHLD | flags, NULL, NULL, 0, NULL);
    if (pid == 0) { checks_failed = 0; }
    return pid;
}

static inline int spawn(void) { return spawn_with(0); }

// Of this thread's allocations from now on fail the k-th; 0: none. How many there were since the last time.
static inline long fail_nth(long k) { return ksys_kine_ctl(KINE_FAIL_NTH, (usize)k, 0); }

// Wait for one child. Returns its wait status, or -errno.
static inline int reap(int pid) {
    int status = -1;
    long got = ksys_wait4(pid, &status, 0, NULL);
    return got < 0 ? (int)got : status;
}

// Run `act` in a child. Returns the wait status, or -errno.
static inline int status_of(void (*act)(void *), const volatile void *arg) {
    int pid = spawn();
    if (pid == 0) {
        act((void *)arg);
        leave();
    }
    return pid < 0 ? pid : reap(pid);
}

// Linux's wait statuses.
#define EXITED(code) ((code) << 8)
#define KILLED(sig) (sig)

static inline void nap(long ns) {
    struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    ksys_nanosleep(&ts, NULL);
}

static inline int64_t now_ns(void) {
    struct timespec ts;
    ksys_clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

// Bind this process to one hart.
static inline long pin(int hart) {
    unsigned long mask = 1ul << hart;
    return ksys_sched_setaffinity(0, sizeof mask, &mask);
}

// A gate: a pipe that hands turns from one process to another.
struct gate {
    int ends[2];
};

static inline struct gate gate_new(void) {
    struct gate g;
    CHECK_EQ(ksys_pipe2(g.ends, 0), 0);
    return g;
}

static inline void gate_post(const struct gate *g) { ksys_write(g->ends[1], "!", 1); }

static inline void gate_free(const struct gate *g) {
    ksys_close(g->ends[0]);
    ksys_close(g->ends[1]);
}

static inline void gate_wait(const struct gate *g) {
    char turn;
    CHECK_EQ(ksys_read(g->ends[0], &turn, 1), 1);
}

// ---- memory

enum { PROT_RW = PROT_READ | PROT_WRITE };

static inline void poke(void *at) { *(volatile char *)at = 1; }
static inline void peek(void *at) { (void)*(volatile char *)at; }

// Does it, in a child, end by SIGSEGV?
static inline bool dies(void (*act)(void *), void *at) {
    return status_of(act, at) == KILLED(SIGSEGV);
}

static inline char *map(size_t pages, int prot) {
    long at = ksys_mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at > 0);
    return (char *)at;
}

static inline void unmap_pages(void *at, size_t pages) {
    CHECK_EQ(ksys_munmap(at, pages * PAGE), 0);
}

// Tags: every page carries who wrote it and when, at both ends.
static inline void tag(char *page, uint64_t value) {
    ((volatile uint64_t *)page)[0] = value;
    ((volatile uint64_t *)page)[PAGE / 8 - 1] = ~value;
}

static inline bool tagged(const char *page, uint64_t value) {
    const volatile uint64_t *words = (const volatile uint64_t *)page;
    return words[0] == value && words[PAGE / 8 - 1] == ~value;
}

static inline bool all_bytes(const volatile char *at, int value, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (at[i] != (char)value) { return false; }
    }
    return true;
}

// ---- Kine's own calls

static inline uint64_t pagemap(const volatile void *page) {
    static uint64_t word;
    CHECK_EQ(ksys_kine_pagemap((void *)((uintptr_t)page & -PAGE), 1, &word), 0);
    return word;
}

static inline bool have_kine(void) {
    static struct kine_audit books;
    return ksys_kine_audit(&books, sizeof books) != -ENOSYS;
}

// Counters of all harts, once nobody else moves the copy-on-write ones any more.
static inline struct kine_counters counters(void) {
    static struct kine_counters a, b;
    for (int tries = 0; tries < 200; tries++) {
        CHECK_EQ(ksys_kine_counters(-1, &a, sizeof a), 0);
        nap(2 * MS);
        CHECK_EQ(ksys_kine_counters(-1, &b, sizeof b), 0);
        if (a.cow_copies == b.cow_copies && a.cow_flips == b.cow_flips && a.forks == b.forks) {
            break;
        }
    }
    return b;
}

// ---- the runner

struct test {
    const char *name;
    void (*run)(void);
    bool needs_kine;
};

#define TEST(function) {#function, function, false}
#define KINE_TEST(function) {#function, function, true}

// Audit; errors are failures, and the first is printed. Returns whether there were none.
static inline bool audit(struct kine_audit *books) {
    long errors = ksys_kine_audit(books, sizeof *books);
    if (errors != 0) {
        checks_failed++;
        ktap_comment("audit: %ld errors: %s", errors, books->first);
    }
    return errors == 0;
}

static struct kine_audit books_before, books_after;

// Give the pages that the auditing itself writes to this process before anything is counted.
static inline void touch_books(void) {
    memset(&books_before, 1, sizeof books_before);
    memset(&books_after, 1, sizeof books_after);
}

static inline void open_books(void) {
    touch_books();
    audit(&books_before);
}

// The audit must be exact and the frames as many as when the books were opened. Orphans may still
// be on their way out: give them two seconds.
static inline void close_books(void) {
    for (int tries = 0; tries < 200; tries++) {
        bool exact = audit(&books_after);
        bool back = books_after.user + books_after.swapped == books_before.user + books_before.swapped &&
            books_after.table == books_before.table;
        if (back || !exact) { return; }
        nap(10 * MS);
    }
    checks_failed++;
    ktap_comment("frames before: user %lu, table %lu; after: user %lu, table %lu",
                 (unsigned long)books_before.user, (unsigned long)books_before.table,
                 (unsigned long)books_after.user, (unsigned long)books_after.table);
}

static inline void run_in_child(void *t) { ((const struct test *)t)->run(); }

static inline bool run_one(const struct test *t, bool kine) {
    checks_failed = 0;
    if (kine) { open_books(); }
    int status = status_of(run_in_child, t);
    if (status != 0) {
        checks_failed++;
        ktap_comment("%s ended with wait status 0x%x", t->name, (unsigned)status);
    }
    if (kine) { close_books(); }
    return checks_failed == 0;
}

static inline void nothing(void *unused) { (void)unused; }

// Run all tests, or the one that is named. Returns main's exit status.
static inline int run_tests(const struct test *tests, int count, const char *only) {
    bool kine = have_kine();
    ktap_plan(only ? 1 : count);
    status_of(nothing, NULL);  // touches what the runner itself needs
    for (int i = 0; i < count; i++) {
        if (only && strcmp(only, tests[i].name) != 0) { continue; }
        if (tests[i].needs_kine && !kine) {
            ktap_skip("needs Kine's own calls", "%s", tests[i].name);
            continue;
        }
        ktap_ok(run_one(&tests[i], kine), "%s", tests[i].name);
    }
    return ktap_end();
}

#define TEST_MAIN(...)                                                                             \
    int main(int argc, char **argv) {                                                              \
        static const struct test tests[] = {__VA_ARGS__};                                          \
        return run_tests(tests, COUNT(tests), argc > 1 ? argv[1] : NULL);                          \
    }
