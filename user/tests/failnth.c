// SPDX-License-Identifier: MIT
// failnth.c - every allocation inside an operation is failed in turn.
//
// For k = 1, 2, ... a child asks the kernel to fail the k-th allocation made for it and does the
// operation, until k is larger than what the operation needs. Each time it must fail with ENOMEM,
// or the child be killed by SIGKILL if there was no call to fail; the memory that the child shares
// with its parent must be unharmed on both sides; and the audit exact, with every frame back.
#include "common.h"
#include <clone.h>
#include <spawn.h>
#include <thread.h>

enum { SHARED = 64, K_MAX = 1000, QUIET_RUNS = 24 };
enum { DONE = 10, SURVIVED, REFUSED, WRONG };  // exit codes of a child

static char *shared;   // tagged pages, shared with the parent; some acts write them
static char *witness;  // tagged pages that no act writes
static char *fresh;    // never touched by the parent; over several tables

static long fail_nth(long k) { return ksys_kine_ctl(KINE_FAIL_NTH, (usize)k, 0); }

// ---- operations: 0, or the error of the call that failed

static long do_fork(void) {
    int pid = spawn();
    if (pid == 0) {
        for (int i = 0; i < SHARED; i++) {
            CHECK(tagged(shared + i * PAGE, i));
            tag(shared + i * PAGE, ~i);
        }
        leave();
    }
    if (pid > 0) { CHECK_EQ(reap(pid), 0); }
    return pid < 0 ? pid : 0;
}

static long do_exec(void) {
    static const char *argv[] = {"/bin/true", "with", "arguments", NULL};
    return ksys_execve(argv[0], argv, argv + 1);
}

static long do_cow_faults(void) {
    for (int i = 0; i < SHARED; i++) { tag(shared + i * PAGE, ~i); }
    return 0;
}

static long do_zero_faults(void) {
    for (size_t at = 0; at < 8 * MIB; at += MIB) {
        CHECK_EQ(*(volatile char *)(fresh + at), 0);
        tag(fresh + at, at);
    }
    return 0;
}

static long do_brk(void) {
    long end = ksys_brk(NULL), wanted = end + 3 * (long)MIB;
    if (ksys_brk((void *)wanted) != wanted) { return -ENOMEM; }
    for (long at = end; at < wanted; at += (long)MIB / 2) { *(volatile char *)at = 1; }
    return 0;
}

static long do_stack(void) {
    volatile char *sp = __builtin_frame_address(0);
    for (size_t down = PAGE; down < 5 * MIB; down += MIB / 2) { sp[-(long)down] = 1; }
    return 0;
}

static long do_mmap(void) {
    for (int i = 0; i < 8; i++) {
        int prot = i & 1 ? PROT_READ : PROT_RW;  // unlike neighbours cannot be merged
        long at = ksys_mmap(NULL, 4 * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at < 0) { return at; }
    }
    return 0;
}

static long do_munmap(void) {
    for (int i = 0; i < 4; i++) {
        long got = ksys_munmap(fresh + (4 * i + 1) * PAGE, PAGE);
        if (got < 0) { return got; }
    }
    return 0;
}

static long do_map_fixed(void) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    long got = ksys_mmap(shared + 8 * PAGE, 8 * PAGE, PROT_READ, flags, -1, 0);
    if (got < 0) {
        CHECK(tagged(shared + 7 * PAGE, 7) && tagged(shared + 16 * PAGE, 16));
    }
    return got < 0 ? got : 0;
}

static long do_mprotect(void) {
    long got = ksys_mprotect(shared + 3 * PAGE, 5 * PAGE, PROT_READ);
    CHECK(tagged(shared + 2 * PAGE, 2) && tagged(shared + 8 * PAGE, 8));
    return got;
}

static long do_discard(void) {
    long got = ksys_madvise(shared + 3 * PAGE, 5 * PAGE, 4);  // MADV_DONTNEED
    if (got < 0) { CHECK(tagged(shared + 3 * PAGE, 3) && tagged(shared + 7 * PAGE, 7)); }
    return got;
}

static long do_pipe(void) {
    int ends[2];
    char byte[600] = {0};
    long got = ksys_pipe2(ends, 0);
    if (got == 0 && (got = ksys_write(ends[1], byte, sizeof byte)) > 0) {
        got = ksys_read(ends[0], byte, sizeof byte);
    }
    return got < 0 ? got : 0;
}

static long do_open(void) {
    static char buf[2000];
    long fd = ksys_openat(AT_FDCWD, "/bin", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) { return fd; }
    long got = ksys_getdents64((int)fd, buf, sizeof buf);
    ksys_close((int)fd);
    if (got > 0) {
        fd = ksys_openat(AT_FDCWD, "/bin/sh", O_RDONLY, 0);
        got = fd < 0 ? fd : ksys_read((int)fd, buf, sizeof buf);
    }
    return got < 0 ? got : 0;
}

static long do_read_into_shared(void) {
    struct gate pipe;
    long got = ksys_pipe2(pipe.ends, 0);
    if (got == 0 && (got = ksys_write(pipe.ends[1], witness, 100)) > 0) {
        got = ksys_read(pipe.ends[0], shared + PAGE - 50, 100);
    }
    return got < 0 ? got : 0;
}

static long do_wait(void) {
    int pid = spawn();
    if (pid == 0) { leave(); }
    if (pid < 0) { return pid; }
    long got = ksys_wait4(pid, shared + 2 * PAGE, 0, NULL);
    return got < 0 ? got : 0;
}

static void *count_me(void *arg) {
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
    return NULL;
}

// The thread's stack and block are the process's pages: touched, fetched, and given back.
static long do_thread(void) {
    static int counted;
    struct thread *t;
    counted = 0;
    int error = thread_create(&t, count_me, &counted);
    if (error) { return -error; }
    error = thread_join(t, NULL);  // to unmap it may take a region more
    CHECK_EQ(counted, 1);
    return -error;
}

static void exit_at_once(void *unused) {
    (void)unused;
    ksys_exit(0);
}

static long do_vfork(void) {
    char *stack = shared + 4 * PAGE;
    const long flags = CLONE_VFORK | CLONE_VM | CLONE_FS | SIGCHLD;
    long pid = clone_run(flags, stack - 1024, NULL, NULL, NULL, exit_at_once, NULL);
    if (pid > 0) { CHECK_EQ(reap((int)pid), 0); }
    return pid < 0 ? pid : 0;
}

// What fails here is ours, before the child runs: what the child itself does is in inject.c.
static long do_spawn(void) {
    static char *const argv[] = {"true", NULL};
    pid_t *pid = (pid_t *)(shared + 6 * PAGE + 64);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, 0, 9);
    int error = posix_spawn(pid, "/bin/true", &actions, NULL, argv, argv + 1);
    if (!error) { CHECK_EQ(reap(*pid), 0); }
    CHECK_EQ(ksys_wait4(-1, NULL, 0, NULL), -ECHILD);
    return -error;
}

// A word on a page that has to be fetched, and copied for the wake-up at a thread's end.
static long do_futex(void) {
    uint32_t *word = (uint32_t *)(shared + 9 * PAGE + 64), value = *word;
    long got = futex_wait((uint32_t *)fresh, 0, 1000);
    if (got != -ETIMEDOUT) { return got; }
    got = futex_wait(word, value, 1000);
    if (got != -ETIMEDOUT) { return got; }
    return futex_wake(word, 1);
}

static const struct op {
    const char *name;
    long (*act)(void);
    bool allocates;  // for certain, so that some k must be refused
} ops[] = {
    {"fork", do_fork, true},
    {"execve", do_exec, true},
    {"a copy-on-write fault", do_cow_faults, true},
    {"a demand-zero fault", do_zero_faults, true},
    {"brk and its faults", do_brk, true},
    {"stack growth", do_stack, true},
    {"mmap", do_mmap, false},
    {"munmap", do_munmap, false},
    {"mmap over mappings", do_map_fixed, false},
    {"mprotect", do_mprotect, true},
    {"madvise", do_discard, true},
    {"pipe2, write and read", do_pipe, false},
    {"openat, getdents64 and read", do_open, false},
    {"read into a shared page", do_read_into_shared, true},
    {"clone and wait4 into a shared page", do_wait, true},
    {"a thread from its start to its end", do_thread, true},
    {"clone with CLONE_VFORK, CLONE_VM and CLONE_FS", do_vfork, true},
    {"posix_spawn", do_spawn, true},
    {"futex on pages to be fetched", do_futex, true},
};

// ---- the sweep

static bool intact(const char *pages) {
    for (int i = 0; i < SHARED; i++) {
        if (!tagged(pages + i * PAGE, i)) { return false; }
    }
    return true;
}

// The last words of all pages but the first, which no call writes.
static bool ends_intact(const char *pages) {
    for (uint64_t i = 1; i < SHARED; i++) {
        if (((const volatile uint64_t *)(pages + (i + 1) * PAGE))[-1] != ~i) {
            return false;
        }
    }
    return true;
}

static __attribute__((noreturn)) void attempt(const struct op *op, long k) {
    fail_nth(k);
    long got = op->act();
    long made = fail_nth(0);
    if (checks_failed || !intact(witness)) { ksys_exit_group(WRONG); }
    if (got < 0) {
        if (op->act != do_map_fixed && !ends_intact(shared)) {
            ktap_comment("%s, k = %ld: pages are lost", op->name, k);
            ksys_exit_group(WRONG);
        }
        if (got != -ENOMEM && got != -EFAULT && got != -EAGAIN) {
            ktap_comment("%s, k = %ld: error %ld", op->name, k, got);
        }
        ksys_exit_group(got == -ENOMEM || (got == -EFAULT && op->act == do_read_into_shared)
                            || (got == -EFAULT && op->act == do_wait) ? REFUSED : WRONG);
    }
    ksys_exit_group(made < k ? DONE : SURVIVED);
    __builtin_unreachable();
}

static void sweep(const struct op *op) {
    int refused = 0, quiet = 0;
    long k;
    touch_books();
    for (k = 0; k < K_MAX && quiet < QUIET_RUNS; k++) {
        int pid = spawn();
        if (pid == 0) { attempt(op, k); }
        int status = reap(pid);
        bool stopped = status == EXITED(REFUSED) || status == KILLED(SIGKILL);
        bool passed = status == EXITED(DONE) || status == EXITED(SURVIVED) || status == EXITED(0);
        CHECK(stopped || passed);
        CHECK(intact(shared) && intact(witness));
        refused += stopped;
        quiet = stopped ? 0 : quiet + 1;
        if (k == 0) {
            CHECK(passed);
            open_books();
        } else {
            close_books();
        }
        if (k > 0 && status == EXITED(DONE)) { break; }
    }
    CHECK(k < K_MAX);
    CHECK(refused > 0 || !op->allocates);
    ktap_comment("%s: %d of %ld failed as they should", op->name, refused, k);
}

static const struct op *current;

static void sweep_current(void) {
    shared = map(SHARED, PROT_RW);
    witness = map(SHARED, PROT_RW);
    fresh = map(8 * MIB / PAGE, PROT_RW);
    for (int i = 0; i < SHARED; i++) {
        tag(shared + i * PAGE, i);
        tag(witness + i * PAGE, i);
    }
    sweep(current);
}

int main(void) {
    bool kine = have_kine();
    ktap_plan(COUNT(ops));
    status_of(nothing, NULL);
    for (int i = 0; i < COUNT(ops); i++) {
        const struct test t = {ops[i].name, sweep_current, true};
        current = &ops[i];
        if (kine) {
            ktap_ok(run_one(&t, true), "%s", t.name);
        } else {
            ktap_skip("needs Kine's own calls", "%s", t.name);
        }
    }
    return ktap_end();
}
