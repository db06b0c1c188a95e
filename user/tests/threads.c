// SPDX-License-Identifier: MIT
// threads.c - threads of one process: births, deaths, what they share, fork and exec in their midst.
#include "team.h"
#include <clone.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { MANY = 64, THREAD_FLAGS = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD };

static void post(uint32_t *word) {
    __atomic_store_n(word, 1, __ATOMIC_RELEASE);
    futex_wake(word, 0x7fffffff);
}

static void await(uint32_t *word) {
    while (!__atomic_load_n(word, __ATOMIC_ACQUIRE)) { futex_wait(word, 0, -1); }
}

// ---- birth, ids, join

static _Thread_local long own = 5;
static int tids[MANY];

static void *number_myself(void *arg) {
    long n = (long)arg;
    pin((int)n % 8 % (int)ksys_kine_ctl(KINE_NHARTS, 0, 0));
    CHECK_EQ(own, 5);
    own = n;
    tids[n] = (int)ksys_gettid();
    sched_yield();
    CHECK_EQ(own, n);
    return (void *)(n * n);
}

static void many_threads_join_in_any_order(void) {
    static struct thread *t[MANY];
    int pid = (int)ksys_getpid();
    CHECK_EQ(ksys_gettid(), pid);
    for (long i = 0; i < MANY; i++) { t[i] = begin(number_myself, (void *)i); }
    for (long i = 0; i < MANY; i++) {
        long n = i * 37 % MANY;
        CHECK_EQ(end(t[n]), n * n);
    }
    for (int i = 0; i < MANY; i++) {
        CHECK(tids[i] > 0 && tids[i] != pid);
        for (int j = 0; j < i; j++) { CHECK(tids[i] != tids[j]); }
    }
    CHECK_EQ(own, 5);
}

static uint32_t told, ready;

static void *say_and_wait(void *tid) {
    *(int *)tid = (int)ksys_gettid();
    CHECK_EQ(ksys_set_tid_address(NULL), *(int *)tid);
    post(&ready);
    await(&told);
    return NULL;
}

static void numbers_find_threads_and_processes(void) {
    int pid = (int)ksys_getpid(), tid = 0, parent = (int)ksys_getppid();
    static int told_tid;
    unsigned long mask;
    CHECK(ksys_set_tid_address(NULL) == pid);
    begin(say_and_wait, &told_tid);
    await(&ready);
    tid = told_tid;
    CHECK_EQ(ksys_kill(tid, 0), -ESRCH);
    CHECK_EQ(ksys_kill(pid, 0), 0);
    CHECK_EQ(ksys_tkill(tid, 0), 0);
    CHECK_EQ(ksys_tkill(pid, 0), 0);
    CHECK_EQ(ksys_tgkill(pid, tid, 0), 0);
    CHECK_EQ(ksys_tgkill(pid, pid, SIGCHLD), 0);
    CHECK_EQ(ksys_tgkill(parent, tid, 0), -ESRCH);
    CHECK_EQ(ksys_tgkill(tid, tid, 0), -ESRCH);
    CHECK_EQ(ksys_tgkill(0, tid, 0), -EINVAL);
    CHECK_EQ(ksys_tgkill(pid, 0, 0), -EINVAL);
    CHECK_EQ(ksys_tkill(-1, 0), -EINVAL);
    CHECK_EQ(ksys_tkill(tid, 65), -EINVAL);
    CHECK_EQ(ksys_sched_setaffinity(tid, 8, &(unsigned long){1}), 0);
    CHECK_EQ(ksys_sched_getaffinity(tid, 8, &mask), 8);
    CHECK_EQ(mask, 1);
    CHECK_EQ(ksys_sched_getaffinity(pid, 8, &mask), 8);
    CHECK(mask != 1 || ksys_kine_ctl(KINE_NHARTS, 0, 0) == 1);
    post(&told);
    while (ksys_tkill(tid, 0) == 0) { sched_yield(); }
    CHECK_EQ(ksys_tkill(tid, 0), -ESRCH);
    CHECK_EQ(ksys_sched_getaffinity(tid, 8, &mask), -ESRCH);
}

static void clone_checks_its_flags(void) {
    static char stack[4096];
    const long bad[] = {CLONE_THREAD, CLONE_VM | CLONE_THREAD, CLONE_SIGHAND, CLONE_SIGHAND | CLONE_FILES,
                        CLONE_THREAD | CLONE_SIGHAND, 0x8000, 0x2000, 0x1000, 0x20000, 0x02000000, 0x80000000, 1l << 41,
                        CLONE_VM | 9, 65, 0x80};
    for (int i = 0; i < COUNT(bad); i++) {
        CHECK_EQ(ksys_clone((usize)bad[i], stack + sizeof stack, NULL, 0, NULL), -EINVAL);
    }
}

static void *nothing_at_all(void *arg) { return arg; }

static void the_joined_keep_no_kernel_memory(void) {
    struct kine_audit before, after;
    for (int i = 0; i < 40; i++) { end(begin(nothing_at_all, NULL)); }
    CHECK_EQ(ksys_kine_audit(&before, sizeof before), 0);
    for (int i = 0; i < 1000; i++) { end(begin(nothing_at_all, NULL)); }
    CHECK_EQ(ksys_kine_audit(&after, sizeof after), 0);
    CHECK(after.kernel < before.kernel + 200);
    CHECK(after.user < before.user + 40);
}

// ---- a child that shares memory, and is a process

static char child_stack[16384] __attribute__((aligned(16)));
static volatile int seen_by_child, seen_by_parent;
static int ptid, ctid;

static void write_and_exit(void *arg) {
    seen_by_parent = (int)ksys_getpid();
    CHECK_EQ(ksys_gettid(), ksys_getpid());
    CHECK_EQ(seen_by_child, 77);
    ksys_exit((int)(long)arg);
}

static void a_process_may_share_memory(void) {
    seen_by_child = 77;
    long pid = clone_run(CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD,
                         child_stack + sizeof child_stack, &ptid, NULL, &ctid, write_and_exit, (void *)9);
    ctid = -1;
    CHECK_EQ(reap((int)pid), EXITED(9));
    CHECK_EQ(seen_by_parent, pid);
    CHECK_EQ(ptid, pid);
    CHECK(ctid == 0 || ctid == -1);  // -1: the store above came later
}

static void fork_writes_numbers_where_they_belong(void) {
    ctid = ptid = -1;
    int pid = (int)ksys_clone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, &ptid,
                              0, &ctid);
    if (pid == 0) {
        CHECK_EQ(ctid, ksys_getpid());
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    CHECK_EQ(ptid, pid);
    CHECK_EQ(ctid, -1);  // the child's own memory
    pid = (int)ksys_clone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, NULL, (void *)16, 0, (void *)16);
    if (pid == 0) { leave(); }
    CHECK_EQ(reap(pid), 0);  // a bad address is not an error
}

// ---- files and directories

static int shared_fd;
static struct gate in, out;

static void *open_one(void *arg) {
    (void)arg;
    shared_fd = (int)ksys_openat(AT_FDCWD, "/etc/motd", O_RDONLY, 0);
    CHECK_EQ(ksys_chdir("/bin"), 0);
    return NULL;
}

static void descriptors_and_directory_are_shared(void) {
    char byte, path[64];
    end(begin(open_one, NULL));
    CHECK_EQ(ksys_read(shared_fd, &byte, 1), 1);
    CHECK_EQ(ksys_getcwd(path, sizeof path), 5);
    CHECK(strcmp(path, "/bin") == 0);
    int pid = spawn();
    if (pid == 0) {
        CHECK_EQ(ksys_close(shared_fd), 0);
        CHECK_EQ(ksys_chdir("/"), 0);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    CHECK_EQ(ksys_read(shared_fd, &byte, 1), 1);
    CHECK_EQ(ksys_getcwd(path, sizeof path), 5);
    CHECK_EQ(ksys_close(shared_fd), 0);
}

static void close_and_move(void *arg) {
    (void)arg;
    CHECK_EQ(ksys_close(shared_fd), 0);
    CHECK_EQ(ksys_chdir("/bin"), 0);
    ksys_exit(checks_failed);
}

static void sharing_goes_by_flag(void) {
    static const struct { long flags; bool files, cwd; } rows[] = {
        {CLONE_VM, false, false}, {CLONE_VM | CLONE_FILES, true, false}, {CLONE_VM | CLONE_FS, false, true},
        {CLONE_VM | CLONE_FILES | CLONE_FS, true, true}};
    char path[64];
    for (int i = 0; i < COUNT(rows); i++) {
        CHECK_EQ(ksys_chdir("/"), 0);
        shared_fd = (int)ksys_openat(AT_FDCWD, "/etc/motd", O_RDONLY, 0);
        long pid = clone_run(rows[i].flags | SIGCHLD, child_stack + sizeof child_stack, NULL, NULL, NULL,
                             close_and_move, NULL);
        CHECK_EQ(reap((int)pid), 0);
        CHECK_EQ(ksys_getcwd(path, sizeof path), rows[i].cwd ? 5 : 2);
        CHECK_EQ(ksys_close(shared_fd), rows[i].files ? -EBADF : 0);
    }
    CHECK_EQ(ksys_chdir("/"), 0);
}

static void *read_a_byte(void *arg) {
    char byte = 0;
    (void)arg;
    post(&ready);
    CHECK_EQ(ksys_read(in.ends[0], &byte, 1), 1);
    return (void *)(long)byte;
}

// The reader's file is the only one for reading: it must be there until the read is over.
static void a_file_in_use_outlives_its_descriptor(void) {
    for (int i = 0; i < 30; i++) {
        in = gate_new();
        ready = 0;
        struct thread *t = begin(read_a_byte, NULL);
        await(&ready);
        if (i) { nap(i % 5 * MS); }
        bool waits = i % 5 != 0 && i;
        if (!waits) { gate_post(&in); }  // may be read before or after the close
        if (waits) { CHECK_EQ(ksys_close(in.ends[0]), 0); }
        if (waits) { CHECK_EQ(ksys_write(in.ends[1], "!", 1), 1); }
        CHECK_EQ(end(t), '!');
        ksys_close(in.ends[1]);
        if (!waits) { ksys_close(in.ends[0]); }
    }
}

static void *open_and_close(void *arg) {
    char byte;
    for (int i = 0; i < 2000; i++) {
        int fd = (int)ksys_openat(AT_FDCWD, "/etc/motd", O_RDONLY, 0);
        CHECK(fd >= 0);
        long copy = i % 3 ? ksys_dup(fd) : ksys_dup3(fd, 100 + (int)(long)arg, 0);
        CHECK(copy >= 0);
        CHECK_EQ(ksys_read((int)copy, &byte, 1), 1);
        CHECK_EQ(ksys_close(fd), 0);
        CHECK_EQ(ksys_close((int)copy), 0);
    }
    return NULL;
}

static void a_table_stands_many_hands(void) {
    static struct thread *t[8];
    for (long i = 0; i < COUNT(t); i++) { t[i] = begin(open_and_close, (void *)i); }
    for (int i = 0; i < 50; i++) { CHECK_EQ(status_of(nothing, NULL), 0); }
    for (int i = 0; i < COUNT(t); i++) { end(t[i]); }
    for (int fd = 3; fd < 128; fd++) { CHECK_EQ(ksys_close(fd), -EBADF); }
}

// ---- the end

static void *spin(void *arg) {
    for (;;) { __asm__ volatile("" : : : "memory"); }
    return arg;
}

static void *sleep_long(void *arg) {
    for (;;) { nap(1000000 * MS); }
    return arg;
}

static void *wait_for_word(void *arg) {
    static uint32_t never;
    for (;;) { futex_wait(&never, 0, -1); }
    return arg;
}

static void *wait_long_for_word(void *arg) {
    static uint32_t never;
    for (;;) { futex_wait(&never, 0, 1000000 * MS); }
    return arg;
}

static void *wait_for_byte(void *arg) {
    struct gate never = gate_new();
    gate_wait(&never);
    return arg;
}

static void *fault(void *arg) {
    for (;;) {
        char *at = map(16, PROT_RW);
        for (int i = 0; i < 16; i++) { at[i * PAGE] = 1; }
        unmap_pages(at, 16);
    }
    return arg;
}

static void *fork_on(void *arg) {
    for (;;) { status_of(nothing, NULL); }
    return arg;
}

static void *start_on(void *arg) {
    for (;;) { end(begin(nothing_at_all, NULL)); }
    return arg;
}

static void *wait_for_child(void *arg) {
    int pid = spawn();
    if (pid == 0) {
        nap(20 * MS);
        leave();
    }
    for (;;) { reap(pid); }
    return arg;
}

static void *(*const lives[])(void *) = {spin,          sleep_long, wait_for_word, wait_long_for_word,
                                         wait_for_byte, fault,      fork_on,       start_on,
                                         wait_for_child};

static void live_all_lives(int from, int n) {
    for (int i = 0; i < n; i++) { begin(lives[(from + i) % COUNT(lives)], NULL); }
    if (from % 3) { nap(from % 3 * 2 * MS); }
}

static void *leave_with(void *code) { ksys_exit_group((int)(long)code); __builtin_unreachable(); }

static void exit_group_ends_all(void) {
    for (int i = 0; i < 4 * COUNT(lives); i++) {
        int pid = spawn();
        if (pid == 0) {
            live_all_lives(i, 1 + i % COUNT(lives));
            if (i & 1) { leave_with((void *)33l); }
            begin(leave_with, (void *)33l);
            sleep_long(NULL);
        }
        CHECK_EQ(reap(pid), EXITED(33));
    }
}

static void kill_ends_all(void) {
    for (int i = 0; i < 3 * COUNT(lives); i++) {
        struct gate up = gate_new();
        int pid = spawn();
        if (pid == 0) {
            live_all_lives(i, 1 + i % COUNT(lives));
            gate_post(&up);
            lives[i % COUNT(lives)](NULL);
        }
        gate_wait(&up);
        CHECK_EQ(ksys_kill(pid, i & 1 ? SIGKILL : SIGTERM), 0);
        CHECK_EQ(reap(pid), KILLED(i & 1 ? SIGKILL : SIGTERM));
        gate_free(&up);
    }
}

static void *bad_store(void *arg) {
    static char *volatile nowhere = (char *)16;
    *nowhere = 1;
    return arg;
}

static void *kill_thread(void *tid) {
    ksys_tkill(*(int *)tid, SIGUSR1);
    return sleep_long(NULL);
}

// Into the page below the stack, which nobody may touch.
static void *run_over(void *arg) {
    volatile char *sp = __builtin_frame_address(0);
    for (size_t down = 0; down < MIB; down += 256) { *(sp - down) = 1; }
    return arg;
}

static void a_fault_or_a_signal_ends_all(void) {
    void *(*const acts[])(void *) = {bad_store, kill_thread, run_over};
    const int signals[] = {SIGSEGV, SIGUSR1, SIGSEGV};
    for (int i = 0; i < COUNT(acts); i++) {
        int pid = spawn();
        if (pid == 0) {
            int self = (int)ksys_gettid();
            live_all_lives(i, 5);
            begin(acts[i], &self);
            sleep_long(NULL);
        }
        CHECK_EQ(reap(pid), KILLED(signals[i]));
    }
}

static void *outlive(void *gates) {
    gate_wait(&in);
    CHECK_EQ(ksys_read(((struct gate *)gates)->ends[0], &(char){0}, 1), 1);
    return NULL;
}

static void the_leader_may_go_first(void) {
    for (int i = 0; i < 10; i++) {
        in = gate_new();
        out = gate_new();
        int pid = spawn(), status;
        if (pid == 0) {
            for (int n = 0; n < 5; n++) { begin(outlive, &out); }
            ksys_exit(7);
        }
        for (int n = 0; n < 5; n++) {
            CHECK_EQ(ksys_wait4(pid, &status, WNOHANG, NULL), 0);
            CHECK_EQ(ksys_kill(pid, 0), 0);
            gate_post(&in);
            gate_post(&out);
        }
        CHECK_EQ(reap(pid), EXITED(7));  // the leader's
        CHECK_EQ(ksys_wait4(pid, &status, WNOHANG, NULL), -ECHILD);
        gate_free(&in);
        gate_free(&out);
    }
}

static void children_of_all_threads_get_a_parent(void) {
    int pid = spawn();
    if (pid == 0) {
        for (int i = 0; i < 6; i++) { begin(fork_on, NULL); }
        nap(10 * MS);
        ksys_exit_group(4);
    }
    CHECK_EQ(reap(pid), EXITED(4));
}

// Threads that end all at once, over and over: one of them is the last, whoever it is.
static void *end_together(void *barrier) {
    barrier_wait(barrier);
    return NULL;
}

static void all_may_end_at_once(void) {
    for (int i = 0; i < 40; i++) {
        int pid = spawn();
        if (pid == 0) {
            static struct barrier b = {.threads = 8};
            for (int n = 1; n < 8; n++) { begin(end_together, &b); }
            barrier_wait(&b);
            ksys_exit(i);
        }
        CHECK_EQ(reap(pid), EXITED(i));
    }
}

static void nap_shortly(void *arg) {
    (void)arg;
    nap(2 * MS);
    ksys_exit(0);
}

// What joining rests on: at a thread's end its word is 0, and who waits for that is told.
static void the_end_of_a_thread_wakes(void) {
    static uint32_t alive;
    for (int i = 0; i < 10; i++) {
        const long flags = THREAD_FLAGS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
        long tid = clone_run(flags, child_stack + sizeof child_stack, &alive, NULL, &alive, nap_shortly, NULL);
        CHECK(tid > 0);
        long got = futex_wait(&alive, (uint32_t)tid, 5000 * MS);
        CHECK(got == 0 || got == -EAGAIN);
        if (checks_failed) { leave(); }
        CHECK_EQ(__atomic_load_n(&alive, __ATOMIC_ACQUIRE), 0);
    }
}

// ---- exec

static char pid_text[16];

static void exec_self(void) {
    snprintf(pid_text, sizeof pid_text, "%d", (int)ksys_getpid());
    const char *const argv[] = {"/tests/threads", "--who", pid_text, NULL};
    ksys_execve(argv[0], argv, argv + 3);
    ksys_exit_group(1);
}

static void *exec_from_thread(void *arg) {
    exec_self();
    return arg;
}

// After exec: are we alone, with the process's number?
static int who(const char *pid) {
    CHECK_EQ(ksys_getpid(), atoi(pid));
    CHECK_EQ(ksys_gettid(), atoi(pid));
    CHECK_EQ(ksys_tkill(atoi(pid), 0), 0);
    CHECK_EQ(end(begin(nothing_at_all, (void *)3l)), 3);
    return checks_failed ? 1 : 42;
}

static void exec_from_any_thread_leaves_one(void) {
    for (int i = 0; i < 4 * COUNT(lives); i++) {
        int pid = spawn();
        if (pid == 0) {
            live_all_lives(i / 2, i / 2 % COUNT(lives));
            if (i & 1) { exec_self(); }
            begin(exec_from_thread, NULL);
            lives[i / 2 % COUNT(lives)](NULL);
        }
        CHECK_EQ(reap(pid), EXITED(42));
    }
}

static void exec_when_the_leader_has_gone(void) {
    for (int i = 0; i < 8; i++) {
        int pid = spawn();
        if (pid == 0) {
            begin(exec_from_thread, NULL);
            ksys_exit(5);
        }
        CHECK_EQ(reap(pid), EXITED(42));
    }
}

// Within five seconds, or it is killed.
static int reap_soon(int pid) {
    int status = -1;
    for (int64_t until = now_ns() + 5000 * MS; now_ns() < until; nap(MS)) {
        if (ksys_wait4(pid, &status, WNOHANG, NULL) == pid) { return status; }
    }
    ksys_kill(pid, SIGKILL);
    return reap(pid);
}

static void one_of_many_execs_wins(void) {
    for (int i = 0; i < 30 && !checks_failed; i++) {
        int pid = spawn();
        if (pid == 0) {
            for (int n = 0; n < 6; n++) { begin(exec_from_thread, NULL); }
            exec_self();
        }
        CHECK_EQ(reap_soon(pid), EXITED(42));
    }
}

static void a_failed_exec_ends_nobody(void) {
    told = ready = 0;
    int tid;
    struct thread *t = begin(say_and_wait, &tid);
    await(&ready);
    const char *const argv[] = {"/nowhere", NULL};
    CHECK_EQ(ksys_execve(argv[0], argv, argv + 1), -ENOENT);
    CHECK_EQ(ksys_execve("/etc/motd", argv, argv + 1), -EACCES);
    CHECK_EQ(ksys_tkill(tid, 0), 0);
    post(&told);
    while (ksys_tkill(tid, 0) == 0) { sched_yield(); }  // its clear_tid it has given up
    (void)t;
}

// ---- fork among threads

enum { SNAP = 24, WRITERS = 4 };
static char *snap[WRITERS];
static uint32_t stop;

// The n-th round writes n to each page, in order.
static void *write_rounds(void *pages) {
    for (uint64_t n = 1; !__atomic_load_n(&stop, __ATOMIC_RELAXED); n++) {
        for (int i = 0; i < SNAP; i++) { *(volatile uint64_t *)((char *)pages + i * PAGE) = n; }
    }
    return NULL;
}

// Of one moment: a page is of the same round as the one before it, or of the last.
static bool one_moment(const char *pages) {
    uint64_t first = *(const volatile uint64_t *)pages, before = first;
    for (int i = 0; i < SNAP; i++) {
        uint64_t n = *(const volatile uint64_t *)(pages + i * PAGE);
        if (n > before || n + 1 < first) { return false; }
        before = n;
    }
    return true;
}

static __attribute__((noinline)) void look_at_snapshots(void) {
    uint64_t first[WRITERS];
    for (int i = 0; i < WRITERS; i++) { first[i] = *(volatile uint64_t *)snap[i]; }
    CHECK_EQ(ksys_getpid(), ksys_gettid());
    for (int look = 0; look < 5; look++) {
        for (int i = 0; i < WRITERS; i++) {
            CHECK(one_moment(snap[i]));
            CHECK_EQ(*(volatile uint64_t *)snap[i], first[i]);  // nobody writes here any more
        }
        sched_yield();
    }
    leave();
}

// We store nothing between fork and the child's end: the shootdown for a copy might mend what fork has left out.
static __attribute__((noinline)) int status_of_a_look(void) {
    static int status;
    status = -1;
    int pid = spawn();
    if (pid == 0) { look_at_snapshots(); }
    ksys_wait4(pid, &status, 0, NULL);
    return status;
}

static void fork_is_a_snapshot_of_one_moment(void) {
    struct thread *t[WRITERS];
    stop = 0;
    for (int i = 0; i < WRITERS; i++) {
        snap[i] = map(SNAP, PROT_RW);
        t[i] = begin(write_rounds, snap[i]);
    }
    for (int round = 0; round < 200 && !checks_failed; round++) {
        CHECK_EQ(status_of_a_look(), 0);
    }
    stop = 1;
    for (int i = 0; i < WRITERS; i++) {
        end(t[i]);
        unmap_pages(snap[i], SNAP);
    }
}

enum { COPIERS = 8, PAGES = 48 };
static char *shared;
static struct barrier line = {.threads = COPIERS};

// Each has a word in each page, and all come to a page at once.
static void *copy_together(void *arg) {
    long me = (long)arg;
    for (int i = 0; i < PAGES; i++) {
        barrier_wait(&line);
        ((volatile uint64_t *)(shared + i * PAGE))[me * 8] = (uint64_t)(me * 1000 + i);
    }
    return NULL;
}

static void several_threads_break_one_page_once(void) {
    shared = map(PAGES, PROT_RW);
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < PAGES; i++) { memset(shared + i * PAGE, 0x11, PAGE); }
        struct gate hold = gate_new();
        int pid = spawn();
        if (pid == 0) {
            gate_wait(&hold);
            for (int i = 0; i < PAGES; i++) { CHECK(all_bytes(shared + i * PAGE, 0x11, PAGE)); }
            leave();
        }
        struct thread *t[COPIERS];
        for (long i = 0; i < COPIERS; i++) { t[i] = begin(copy_together, (void *)i); }
        for (int i = 0; i < COPIERS; i++) { end(t[i]); }
        for (int i = 0; i < PAGES; i++) {
            for (long me = 0; me < COPIERS; me++) {
                CHECK_EQ(((volatile uint64_t *)(shared + i * PAGE))[me * 8], (uint64_t)(me * 1000 + i));
            }
        }
        gate_post(&hold);
        CHECK_EQ(reap(pid), 0);
        gate_free(&hold);
    }
    unmap_pages(shared, PAGES);
}

static void *fork_some(void *arg) {
    for (int i = 0; i < 20; i++) {
        int pid = spawn();
        if (pid == 0) { leave(); }
        CHECK_EQ(reap(pid), 0);
    }
    return arg;
}

static void all_threads_fork_at_once(void) {
    struct thread *t[8];
    for (int i = 0; i < COUNT(t); i++) { t[i] = begin(fork_some, NULL); }
    for (int i = 0; i < COUNT(t); i++) { end(t[i]); }
    CHECK_EQ(reap(-1), -ECHILD);
}

// ---- vfork

static volatile int vfork_done;

static void nap_and_set(void *arg) {
    nap(3 * MS);
    vfork_done = 1;
    ksys_exit((int)(long)arg);
}

static void vfork_waits_for_exit(void) {
    const long flags[] = {CLONE_VFORK | CLONE_VM, CLONE_VFORK | CLONE_VM | CLONE_FILES | CLONE_FS};
    for (int i = 0; i < COUNT(flags); i++) {
        vfork_done = 0;
        long pid = clone_run(flags[i] | SIGCHLD, child_stack + sizeof child_stack, NULL, NULL, NULL, nap_and_set,
                             (void *)6);
        CHECK_EQ(vfork_done, 1);
        CHECK_EQ(reap((int)pid), EXITED(6));
    }
    struct gate hold = gate_new();
    int pid = (int)ksys_clone(CLONE_VFORK | SIGCHLD, NULL, NULL, 0, NULL);  // a copy, and we wait for it
    if (pid == 0) {
        nap(2 * MS);
        gate_post(&hold);
        leave();
    }
    ksys_close(hold.ends[1]);
    gate_wait(&hold);
    ksys_close(hold.ends[0]);
    CHECK_EQ(reap(pid), 0);
}

static const char *cat_argv[] = {"/bin/cat", NULL};

static void exec_cat(void *arg) {
    (void)arg;
    ksys_dup3(in.ends[0], 0, 0);
    ksys_close(in.ends[1]);
    ksys_execve(cat_argv[0], cat_argv, cat_argv + 1);
    ksys_exit(1);
}

// The program that the child becomes ends only when we, awake, close the pipe.
static void vfork_waits_for_exec_and_no_longer(void) {
    for (int i = 0; i < 10; i++) {
        in = gate_new();
        long pid = clone_run(CLONE_VFORK | CLONE_VM | SIGCHLD, child_stack + sizeof child_stack, NULL, NULL, NULL,
                             exec_cat, NULL);
        CHECK_EQ(ksys_wait4((int)pid, NULL, WNOHANG, NULL), 0);
        gate_free(&in);
        CHECK_EQ(reap((int)pid), 0);
    }
}

static void wait_for_gate(void *arg) {
    gate_wait(arg);
    ksys_exit(0);
}

static void who_waits_in_vfork_can_be_killed(void) {
    struct gate hold = gate_new(), up = gate_new();
    int pid = spawn();
    if (pid == 0) {
        gate_post(&up);
        clone_run(CLONE_VFORK | CLONE_VM | SIGCHLD, child_stack + sizeof child_stack, NULL, NULL, NULL, wait_for_gate,
                  &hold);
        ksys_exit_group(1);  // not reached: the gate opens later
    }
    gate_wait(&up);
    nap(2 * MS);
    CHECK_EQ(ksys_kill(pid, SIGKILL), 0);
    CHECK_EQ(reap(pid), KILLED(SIGKILL));
    gate_post(&hold);
}

static void vfork_wakes_its_parent(void) {
    for (int i = 0; i < 4; i++) {
        in = gate_new();
        int pid = spawn();
        if (pid == 0) {
            clone_run(CLONE_VFORK | CLONE_VM | SIGCHLD, child_stack + sizeof child_stack, NULL, NULL, NULL,
                      i & 1 ? exec_cat : nap_and_set, NULL);
            leave();
        }
        CHECK_EQ(reap_soon(pid), 0);
        gate_free(&in);
        if (checks_failed) { leave(); }
    }
}

static void *vfork_thread(void *arg) {
    static char stacks[8][4096] __attribute__((aligned(16)));
    for (int i = 0; i < 10; i++) {
        long pid = clone_run(CLONE_VFORK | CLONE_VM | SIGCHLD, stacks[(long)arg] + sizeof stacks[0], NULL, NULL, NULL,
                             write_and_exit, (void *)2);
        CHECK_EQ(reap((int)pid), EXITED(2));
    }
    return NULL;
}

static void vfork_from_threads(void) {
    seen_by_child = 77;
    struct thread *t[8];
    for (long i = 0; i < COUNT(t); i++) { t[i] = begin(vfork_thread, (void *)i); }
    for (int i = 0; i < COUNT(t); i++) { end(t[i]); }
}

static const struct test tests[] = {
    TEST(many_threads_join_in_any_order), TEST(numbers_find_threads_and_processes), TEST(clone_checks_its_flags),
    KINE_TEST(the_joined_keep_no_kernel_memory), TEST(a_process_may_share_memory),
    TEST(fork_writes_numbers_where_they_belong), TEST(descriptors_and_directory_are_shared),
    TEST(sharing_goes_by_flag), TEST(a_file_in_use_outlives_its_descriptor), TEST(a_table_stands_many_hands),
    TEST(exit_group_ends_all), TEST(kill_ends_all), TEST(a_fault_or_a_signal_ends_all), TEST(the_leader_may_go_first),
    TEST(children_of_all_threads_get_a_parent), TEST(all_may_end_at_once), TEST(the_end_of_a_thread_wakes),
    TEST(exec_from_any_thread_leaves_one),
    TEST(exec_when_the_leader_has_gone), TEST(one_of_many_execs_wins), TEST(a_failed_exec_ends_nobody),
    TEST(fork_is_a_snapshot_of_one_moment), TEST(several_threads_break_one_page_once), TEST(all_threads_fork_at_once),
    TEST(vfork_waits_for_exit), TEST(vfork_wakes_its_parent), TEST(vfork_waits_for_exec_and_no_longer),
    TEST(who_waits_in_vfork_can_be_killed),
    TEST(vfork_from_threads)};

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--who") == 0) { return who(argv[2]); }
    return run_tests(tests, COUNT(tests), argc > 1 ? argv[1] : NULL);
}
