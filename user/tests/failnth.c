// SPDX-License-Identifier: MIT
// failnth.c - every allocation inside an operation is failed in turn.
//
// For k = 1, 2, ... a child asks the kernel to fail the k-th allocation made for it and does the
// operation, until k is larger than what the operation needs. Each time it must fail with ENOMEM,
// or the child be killed by SIGKILL if there was no call to fail; the memory that the child shares
// with its parent must be unharmed on both sides; and the audit exact, with every frame back. One call that has
// failed has changed nothing in the map, by /proc/self/maps. What happens after the failure meets no other.
#include "maps.h"
#include <clone.h>
#include <spawn.h>
#include <thread.h>

enum { SHARED = 64, K_MAX = 1000, QUIET_RUNS = 24 };
enum { DONE = 10, SURVIVED, REFUSED, WRONG };  // exit codes of a child

static char *shared;   // tagged pages, shared with the parent; some acts write them
static char *witness;  // tagged pages that no act writes
static char *fresh;    // never touched by the parent; over several tables
static char *view;     // of `file`; both are the child's own
static int file;

// ---- operations: 0, or the error of the call that failed

static long child_writes(int pid) {
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

static long do_fork(void) { return child_writes(spawn()); }

static long do_fork_eagerly(void) { return child_writes(spawn_with(KINE_CLONE_EAGER)); }

static void *sleep_on(void *arg) {
    static uint32_t word;
    for (;;) { futex_wait(&word, 0, -1); }
    return arg;
}

static void with_a_sibling(void) {
    struct thread *t;
    CHECK_EQ(thread_create(&t, sleep_on, NULL), 0);
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
    long got = ksys_madvise(shared + 3 * PAGE, 5 * PAGE, MADV_DONTNEED);
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

// ---- the same on files and shared memory

enum { FILE_PAGES = 24 };

static char *map_file(size_t pages, int prot, int flags) {
    long at = ksys_mmap(NULL, pages * PAGE, prot, flags, file, 0);
    CHECK(at > 0);
    return (char *)at;
}

static void view_empty(void) {
    file = (int)ksys_memfd_create("file", 0);
    CHECK(file >= 0);
    view = map_file(FILE_PAGES, PROT_RW, MAP_SHARED);
}

// Pages that are not in memory.
static void make_pages(void) {
    file = (int)ksys_memfd_create("file", 0);
    CHECK(file >= 0);
    CHECK_EQ(ksys_ftruncate(file, FILE_PAGES * PAGE), 0);
}

static void view_shared(void) {
    make_pages();
    view = map_file(FILE_PAGES, PROT_RW, MAP_SHARED);
}

static void view_private(void) {
    make_pages();
    view = map_file(FILE_PAGES, PROT_RW, MAP_PRIVATE);
}

// Half of them written, and so private.
static void view_written(void) {
    view_private();
    for (int i = 0; i < FILE_PAGES; i += 2) { tag(view + i * PAGE, i); }
}

// In tables that another process shares.
static int sharer;
static struct gate done;

static void share_tables(void) {
    done = gate_new();
    if ((sharer = spawn()) == 0) {
        char byte;
        ksys_close(done.ends[1]);
        ksys_read(done.ends[0], &byte, 1);  // until that is closed, or we alone are left
        leave();
    }
}

static void view_forked(void) {
    view_written();
    share_tables();
}

static void heap_forked(void) {
    char *end = (char *)ksys_brk(NULL), *more = end + 3 * MIB;
    CHECK_EQ(ksys_brk(more), (long)more);
    for (char *at = more - MIB; at < more; at += 16 * PAGE) { tag(at, (uintptr_t)at); }
    share_tables();
}

// It leaves no orphan for the books.
static void end_sharer(void) {
    ksys_close(done.ends[1]);
    CHECK_EQ(reap(sharer), 0);
}

static void view_with_room(void) {
    view_shared();
    unmap_pages(view + 4 * PAGE, FILE_PAGES - 4);
    tag(view + 3 * PAGE, 3);
}

static long do_map_file(void) {
    long at = ksys_mmap(NULL, 4 * PAGE, PROT_RW, MAP_PRIVATE, file, 2 * PAGE);
    return at < 0 ? at : 0;
}

static long do_map_file_over(void) {
    long at = ksys_mmap(view + 3 * PAGE, 5 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, 2 * PAGE);
    if (at < 0) { CHECK(tagged(view + 4 * PAGE, 4) && tagged(view + 6 * PAGE, 6)); }
    CHECK(tagged(view + 2 * PAGE, 2) && tagged(view + 8 * PAGE, 8));
    return at < 0 ? at : 0;
}

static long do_map_shared(void) {
    long at = ksys_mmap(NULL, 300 * PAGE, PROT_RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return at < 0 ? at : 0;
}

static long do_memfd(void) {
    long fd = ksys_memfd_create("another", 0);
    return fd < 0 ? fd : 0;
}

// What is too little memory for all is a short write; the size says what there is.
static long do_grow_file(void) {
    enum { BYTES = 3 * PAGE + 10 };
    struct stat st;
    long got, done = 0;
    while (done < BYTES && (got = ksys_write(file, witness + done, (usize)(BYTES - done))) > 0) { done += got; }
    if (done < BYTES) { CHECK(ksys_fstat(file, &st) == 0 && st.st_size == done); }
    if (done < BYTES) { return got; }
    CHECK(memcmp(view, witness, BYTES) == 0 && all_bytes(view + BYTES, 0, 4 * PAGE - BYTES));
    return 0;
}

static long do_read_faults(void) {
    for (int i = 0; i < FILE_PAGES; i += 5) { CHECK(all_bytes(view + i * PAGE, 0, 64)); }
    return 0;
}

static long do_shared_faults(void) {
    for (int i = 0; i < FILE_PAGES; i += 5) { tag(view + i * PAGE, i); }
    return 0;
}

// Some were read before. The file is not written.
static long do_private_faults(void) {
    for (int i = 0; i < FILE_PAGES; i += 10) { CHECK(all_bytes(view + i * PAGE, 0, 64)); }
    for (int i = 0; i < FILE_PAGES; i += 5) { tag(view + i * PAGE, i); }
    for (int i = 0; i < FILE_PAGES; i += 5) { CHECK(tagged(view + i * PAGE, i)); }
    char byte = 1;
    long got = ksys_read(file, &byte, 1);
    CHECK(got < 0 || byte == 0);
    return got < 0 ? got : 0;
}

static long do_protect_file(void) {
    long got = ksys_mprotect(view + 3 * PAGE, 7 * PAGE, PROT_READ);
    for (int i = 0; i < FILE_PAGES; i += 2) { CHECK(tagged(view + i * PAGE, i)); }
    return got;
}

static long do_discard_file(void) {
    long got = ksys_madvise(view + 3 * PAGE, 5 * PAGE, MADV_DONTNEED);
    if (got < 0) { CHECK(tagged(view + 4 * PAGE, 4) && tagged(view + 6 * PAGE, 6)); }
    CHECK(tagged(view + 2 * PAGE, 2) && tagged(view + 8 * PAGE, 8));
    return got;
}

static long do_unmap_file(void) {
    long got = ksys_munmap(view + 3 * PAGE, 5 * PAGE);
    if (got < 0) { CHECK(tagged(view + 4 * PAGE, 4) && tagged(view + 6 * PAGE, 6)); }
    CHECK(tagged(view + 2 * PAGE, 2) && tagged(view + 8 * PAGE, 8));
    return got;
}

static long do_brk_shrink(void) {
    char *end = (char *)ksys_brk(NULL), *less = end - MIB / 2;
    bool done = ksys_brk(less) == (long)less;
    for (char *at = end - MIB; at < (done ? less : end); at += 16 * PAGE) { CHECK(tagged(at, (uintptr_t)at)); }
    return done ? 0 : -ENOMEM;
}

// ---- mremap

static long do_move(void) {
    long to = ksys_mremap(shared, SHARED * PAGE, 600 * PAGE, MREMAP_MAYMOVE, NULL);
    for (uint64_t i = 0; i < SHARED && to > 0; i++) { CHECK(tagged((char *)to + i * PAGE, i)); }
    return to < 0 ? to : 0;
}

// What is there may have gone when it fails.
static long do_move_over(void) {
    char *over = fresh + 2 * MIB - 5 * PAGE;  // over several tables
    long to = ksys_mremap(shared, SHARED * PAGE, SHARED * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, over);
    for (uint64_t i = 0; i < SHARED && to > 0; i++) { CHECK(tagged(over + i * PAGE, i)); }
    return to < 0 ? to : 0;
}

static long do_grow(void) {
    long at = ksys_mremap(view, 4 * PAGE, 9 * PAGE, 0, NULL);
    CHECK(tagged(view + 3 * PAGE, 3));
    return at < 0 ? at : 0;
}

static long do_shrink(void) {
    long at = ksys_mremap(view + 3 * PAGE, 9 * PAGE, 2 * PAGE, 0, NULL);
    CHECK(tagged(view + 2 * PAGE, 2) && tagged(view + 4 * PAGE, 4) && tagged(view + 12 * PAGE, 12));
    if (at < 0) { CHECK(tagged(view + 6 * PAGE, 6)); }
    return at < 0 ? at : 0;
}

// ---- what the kernel says of it

static long do_read_maps(void) {
    long fd = ksys_openat(AT_FDCWD, MAPS, O_RDONLY, 0);
    if (fd < 0) { return fd; }
    long got = ksys_read((int)fd, shared + 3 * PAGE + 100, 1000);
    ksys_close((int)fd);
    return got < 0 ? got : 0;
}

static const struct op {
    const char *name;
    long (*act)(void);
    bool allocates;  // for certain, so that some k must be refused
    bool one_call;   // which leaves the map as it is if it fails
    void (*prepare)(void);
} ops[] = {
    {"fork", do_fork, true, false, NULL},
    {"fork that copies all pages", do_fork_eagerly, true, false, NULL},
    {"execve", do_exec, true, false, NULL},
    {"execve among siblings", do_exec, true, true, with_a_sibling},
    {"a copy-on-write fault", do_cow_faults, true, false, NULL},
    {"a demand-zero fault", do_zero_faults, true, false, NULL},
    {"brk and its faults", do_brk, true, false, NULL},
    {"brk that shrinks", do_brk_shrink, true, true, heap_forked},
    {"stack growth", do_stack, true, false, NULL},
    {"mmap", do_mmap, false, false, NULL},
    {"munmap", do_munmap, false, false, NULL},
    {"mmap over mappings", do_map_fixed, false, false, NULL},
    {"mprotect", do_mprotect, true, true, NULL},
    {"madvise", do_discard, true, false, NULL},
    {"pipe2, write and read", do_pipe, false, false, NULL},
    {"openat, getdents64 and read", do_open, false, false, NULL},
    {"read into a shared page", do_read_into_shared, true, false, NULL},
    {"clone and wait4 into a shared page", do_wait, true, false, NULL},
    {"a thread from its start to its end", do_thread, true, false, NULL},
    {"clone with CLONE_VFORK, CLONE_VM and CLONE_FS", do_vfork, true, false, NULL},
    {"posix_spawn", do_spawn, true, false, NULL},
    {"futex on pages to be fetched", do_futex, true, false, NULL},
    {"mmap of a file", do_map_file, true, true, make_pages},
    {"mmap of a file over another", do_map_file_over, true, true, view_forked},
    {"mmap of shared memory", do_map_shared, true, true, NULL},
    {"memfd_create", do_memfd, true, true, NULL},
    {"a write that makes a file longer", do_grow_file, true, false, view_empty},
    {"a file's pages, read", do_read_faults, true, false, view_shared},
    {"a file's pages, written", do_shared_faults, true, false, view_shared},
    {"private pages of a file", do_private_faults, true, false, view_private},
    {"mprotect of a file", do_protect_file, true, true, view_forked},
    {"madvise of a file", do_discard_file, true, true, view_forked},
    {"munmap of a file", do_unmap_file, true, true, view_forked},
    {"mremap that moves", do_move, true, true, NULL},
    {"mremap over mappings", do_move_over, true, false, NULL},
    {"mremap that grows", do_grow, true, true, view_with_room},
    {"mremap that shrinks", do_shrink, true, true, view_forked},
    {"/proc/self/maps into a shared page", do_read_maps, true, false, NULL},
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

static void keep_map(char *copy) {
    read_maps(sizeof text);
    memcpy(copy, text, sizeof text);
}

// The kernel was to write where there is no memory for the page.
static bool may_fault(const struct op *op) {
    return op->act == do_read_into_shared || op->act == do_wait || op->act == do_read_maps;
}

static __attribute__((noreturn)) void attempt(const struct op *op, long k) {
    static char before[sizeof text], after[sizeof text];
    if (op->prepare) { op->prepare(); }
    if (op->one_call) { keep_map(before); }
    fail_nth(k);
    long got = op->act();
    long made = fail_nth(0);
    if (sharer) { end_sharer(); }
    if (got < 0 && op->one_call) {
        keep_map(after);
        CHECK(strcmp(before, after) == 0);
    }
    if (checks_failed || !intact(witness)) { ksys_exit_group(WRONG); }
    if (got < 0) {
        if (op->act != do_map_fixed && !ends_intact(shared)) {
            ktap_comment("%s, k = %ld: pages are lost", op->name, k);
            ksys_exit_group(WRONG);
        }
        if (got != -ENOMEM && got != -EFAULT && got != -EAGAIN) {
            ktap_comment("%s, k = %ld: error %ld", op->name, k, got);
        }
        ksys_exit_group(got == -ENOMEM || (got == -EFAULT && may_fault(op)) ? REFUSED : WRONG);
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
