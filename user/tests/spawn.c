// SPDX-License-Identifier: MIT
// spawn.c - posix_spawn: what the program gets, what its file actions do, what is told when they or execve fail,
// and that the caller keeps everything it had, and shares nothing that would have to be copied later.
//
// The program spawns itself: `spawn --what ...` is the other image, its exit status the answer. Memory that
// fails on the way is in failnth.c and inject.c.
#include "common.h"
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <thread.h>

static const char *const SELF = "/tests/spawn";
enum { GOOD = 42 };
static char *const no_env[] = {NULL};

// ---- other images

static int answer_arguments(int argc, char **argv) {
    return argc == 5 && strcmp(argv[0], "any name") == 0 && strcmp(argv[2], "") == 0
        && strcmp(argv[3], "two words") == 0 && atoi(argv[4]) == ksys_getppid()
        && strcmp(environ[0], "KEY=value") == 0 && environ[1] == NULL;
}

// Each further argument is a number: it is open, or, if negative, closed.
static int answer_descriptors(int argc, char **argv) {
    struct stat st;
    for (int i = 2; i < argc; i++) {
        int fd = atoi(argv[i]);
        if (ksys_fstat(fd < 0 ? -fd : fd, &st) != (fd < 0 ? -EBADF : 0)) { return false; }
    }
    return true;
}

// One descriptor is at place 3 of what another is at, or is another file, at its beginning.
static int answer_places(char **argv) {
    return ksys_lseek(atoi(argv[2]), 0, SEEK_CUR) == 3 && ksys_lseek(atoi(argv[3]), 0, SEEK_CUR) == 3
        && ksys_lseek(atoi(argv[4]), 0, SEEK_CUR) == 0;
}

static int other_image(int argc, char **argv) {
    const char *mode = argv[1];
    int good = strcmp(mode, "--arguments") == 0 ? answer_arguments(argc, argv)
        : strcmp(mode, "--descriptors") == 0    ? answer_descriptors(argc, argv)
        : strcmp(mode, "--places") == 0         ? answer_places(argv)
                                                : strcmp(mode, "--nothing") == 0;
    return good ? GOOD : 1;
}

// ---- spawning

// The wait status of the program, or the error as a negative number; then there must be no child.
static int status_with(const char *path, const posix_spawn_file_actions_t *actions, const char *const *argv) {
    pid_t pid = -7;
    errno = 77;
    int error = posix_spawn(&pid, path, actions, NULL, (char *const *)argv, no_env);
    CHECK_EQ(errno, 77);
    if (!error) { return reap(pid); }
    CHECK_EQ(pid, -7);
    CHECK_EQ(ksys_wait4(-1, NULL, 0, NULL), -ECHILD);
    return -error;
}

static int status_of_self(const posix_spawn_file_actions_t *actions, const char *mode, const char *a, const char *b,
                          const char *c) {
    const char *const argv[] = {"spawn", mode, a, b, c, NULL};
    return status_with(SELF, actions, argv);
}

static int status_of_path(const char *path, const posix_spawn_file_actions_t *actions) {
    const char *const argv[] = {"spawn", "--nothing", NULL};
    return status_with(path, actions, argv);
}

// ---- what the program gets

static void arguments_and_environment_arrive(void) {
    char number[12];
    char *const argv[] = {"any name", "--arguments", "", "two words", itoa((int)ksys_getpid(), number, 10), NULL};
    char *const envp[] = {"KEY=value", NULL};
    pid_t pid = -1;
    CHECK_EQ(posix_spawn(&pid, SELF, NULL, NULL, argv, envp), 0);
    CHECK(pid > 0 && pid != ksys_getpid());
    CHECK_EQ(reap(pid), EXITED(GOOD));
    CHECK_EQ(posix_spawn(NULL, SELF, NULL, NULL, argv, envp), 0);
    CHECK_EQ(reap(-1), EXITED(GOOD));
}

static void the_caller_does_not_wait_for_the_end(void) {
    struct gate in = gate_new();
    posix_spawn_file_actions_t a;
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_adddup2(&a, in.ends[0], 0);
    posix_spawn_file_actions_addclose(&a, in.ends[1]);
    char *const argv[] = {"cat", NULL};
    pid_t pid;
    CHECK_EQ(posix_spawn(&pid, "/bin/cat", &a, NULL, argv, no_env), 0);
    CHECK_EQ(ksys_wait4(pid, NULL, WNOHANG, NULL), 0);
    gate_free(&in);  // its input ends with this
    CHECK_EQ(reap(pid), 0);
}

static void the_path_is_searched(void) {
    char *const argv[] = {"x", NULL}, *const elsewhere[] = {"PATH=/bin", NULL};
    static const struct { const char *path, *file; int error; } rows[] = {
        {"/bin", "true", 0}, {"/nowhere:/bin", "true", 0}, {"/etc/motd:/bin", "true", 0}, {"/tests", "true", ENOENT},
        {"/nowhere", "/bin/true", 0}, {"/bin", "./bin/true", 0}, {"/bin", "", ENOENT}, {"/etc:/bin", "motd", EACCES},
        {"/tests/elf:/nowhere", "d-wrong-magic", ENOEXEC}};
    for (int i = 0; i < COUNT(rows); i++) {
        pid_t pid = 0;
        CHECK_EQ(setenv("PATH", rows[i].path, 1), 0);
        CHECK_EQ(posix_spawnp(&pid, rows[i].file, NULL, NULL, argv, elsewhere), rows[i].error);
        if (!rows[i].error) { CHECK_EQ(reap(pid), 0); }
    }
    CHECK_EQ(unsetenv("PATH"), 0);
    CHECK_EQ(posix_spawnp(NULL, "true", NULL, NULL, argv, no_env), 0);
    CHECK_EQ(reap(-1), 0);
    CHECK_EQ(posix_spawn(NULL, "true", NULL, NULL, argv, no_env), ENOENT);  // not by this one
}

// ---- file actions

static void actions_come_in_their_order(void) {
    posix_spawn_file_actions_t a;
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_addopen(&a, 20, "/etc/motd", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&a, 20, 21);
    posix_spawn_file_actions_addclose(&a, 20);
    CHECK_EQ(status_of_self(&a, "--descriptors", "-20", "21", "-3"), EXITED(GOOD));
    posix_spawn_file_actions_destroy(&a);
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_addopen(&a, 20, "/etc/motd", O_RDONLY, 0);
    posix_spawn_file_actions_addclose(&a, 20);
    posix_spawn_file_actions_adddup2(&a, 20, 21);
    CHECK_EQ(status_of_self(&a, "--descriptors", "-20", "21", "-3"), -EBADF);
    posix_spawn_file_actions_destroy(&a);
}

static void an_action_may_aim_at_what_is_open(void) {
    int motd = (int)ksys_openat(AT_FDCWD, "/etc/motd", O_RDONLY, 0), self = (int)ksys_dup(motd);
    posix_spawn_file_actions_t a;
    CHECK_EQ(ksys_lseek(motd, 3, SEEK_SET), 3);
    CHECK(motd == 3 && self == 4);
    CHECK_EQ(ksys_dup3(motd, 5, 0), 5);
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_addopen(&a, 5, SELF, O_RDONLY, 0);  // not the lowest that is free
    posix_spawn_file_actions_addopen(&a, 6, SELF, O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&a, 6, 6);
    CHECK_EQ(status_of_self(&a, "--places", "3", "4", "5"), EXITED(GOOD));
    CHECK_EQ(status_of_self(&a, "--descriptors", "5", "6", "-7"), EXITED(GOOD));
    for (int fd = 3; fd < 6; fd++) {
        CHECK_EQ(ksys_lseek(fd, 0, SEEK_CUR), 3);
        CHECK_EQ(ksys_close(fd), 0);
    }
    CHECK_EQ(ksys_close(6), -EBADF);
}

static void close_on_exec_goes_by_action(void) {
    posix_spawn_file_actions_t a;
    CHECK_EQ(ksys_openat(AT_FDCWD, "/etc/motd", O_RDONLY | O_CLOEXEC, 0), 3);
    CHECK_EQ(ksys_dup3(3, 4, O_CLOEXEC), 4);
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_adddup2(&a, 4, 4);  // is not closed any more
    posix_spawn_file_actions_addopen(&a, 9, "/etc/motd", O_RDONLY | O_CLOEXEC, 0);
    CHECK_EQ(status_of_self(&a, "--descriptors", "-3", "4", "-9"), EXITED(GOOD));
    CHECK_EQ(status_of_self(NULL, "--descriptors", "-3", "-4", "-9"), EXITED(GOOD));  // here nothing has changed
    CHECK(ksys_close(3) == 0 && ksys_close(4) == 0);
}

static void output_goes_where_it_should(void) {
    struct gate out = gate_new();
    char *const argv[] = {"echo", "hello", NULL};
    char text[16];
    posix_spawn_file_actions_t a;
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_adddup2(&a, out.ends[1], 1);
    posix_spawn_file_actions_addclose(&a, out.ends[1]);
    CHECK_EQ(posix_spawnp(NULL, "echo", &a, NULL, argv, no_env), 0);
    CHECK_EQ(ksys_close(out.ends[1]), 0);
    CHECK_EQ(ksys_read(out.ends[0], text, sizeof text), 6);
    CHECK(memcmp(text, "hello\n", 6) == 0);
    CHECK_EQ(ksys_read(out.ends[0], text, sizeof text), 0);
    CHECK_EQ(ksys_close(out.ends[0]), 0);
    CHECK_EQ(reap(-1), 0);
}

static void actions_have_their_limits(void) {
    posix_spawn_file_actions_t a;
    char path[256];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = 0;
    posix_spawn_file_actions_init(&a);
    CHECK_EQ(posix_spawn_file_actions_adddup2(&a, -1, 3), EBADF);
    CHECK_EQ(posix_spawn_file_actions_adddup2(&a, 3, -1), EBADF);
    CHECK_EQ(posix_spawn_file_actions_addclose(&a, 1 << 20), EBADF);
    CHECK_EQ(posix_spawn_file_actions_addopen(&a, -1, path, O_RDONLY, 0), EBADF);
    CHECK_EQ(status_of_path("/bin/true", &a), 0);  // none of these is there
    for (int i = 0; i < SPAWN_PATH_BYTES / 256; i++) {
        CHECK_EQ(posix_spawn_file_actions_addopen(&a, 3, path, O_RDONLY, 0), 0);
    }
    CHECK_EQ(posix_spawn_file_actions_addopen(&a, 3, "", O_RDONLY, 0), ENOMEM);
    for (int i = SPAWN_PATH_BYTES / 256; i < SPAWN_ACTIONS_MAX; i++) {
        CHECK_EQ(posix_spawn_file_actions_adddup2(&a, 0, 3), 0);
    }
    CHECK_EQ(posix_spawn_file_actions_adddup2(&a, 0, 3), ENOMEM);
    CHECK_EQ(status_of_path("/bin/true", &a), -ENAMETOOLONG);
    CHECK_EQ(posix_spawn_file_actions_destroy(&a), 0);
}

// What is opened is what was closed for it; nothing else would do.
static void a_full_table_is_no_hindrance(void) {
    posix_spawn_file_actions_t a;
    int fds = 3;
    while (ksys_dup(0) == fds) { fds++; }
    CHECK_EQ(fds, 128);
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_addopen(&a, 5, "/etc/motd", O_RDONLY, 0);
    CHECK_EQ(status_of_path(SELF, &a), EXITED(GOOD));
    posix_spawn_file_actions_adddup2(&a, 6, 6);
    CHECK_EQ(status_of_path(SELF, &a), -EMFILE);
    while (--fds >= 3) { CHECK_EQ(ksys_close(fds), 0); }
}

static void flags_that_cannot_be_met_are_refused(void) {
    static const short met = POSIX_SPAWN_RESETIDS | POSIX_SPAWN_USEVFORK;
    char *const argv[] = {"true", NULL};
    posix_spawnattr_t attr;
    short flags = 5;
    CHECK_EQ(posix_spawnattr_init(&attr), 0);
    CHECK_EQ(posix_spawnattr_getflags(&attr, &flags), 0);
    CHECK_EQ(flags, 0);
    for (int bit = 0; bit < 15; bit++) {
        short flag = (short)(1 << bit);
        attr.flags = flag;
        CHECK_EQ(posix_spawn(NULL, "/bin/true", NULL, &attr, argv, no_env), met & flag ? 0 : EINVAL);
        CHECK_EQ(reap(-1), met & flag ? 0 : -ECHILD);
        attr.flags = 0;
        CHECK_EQ(posix_spawnattr_setflags(&attr, flag), met & flag ? 0 : EINVAL);
        CHECK_EQ(attr.flags, met & flag);
    }
    CHECK_EQ(posix_spawnattr_destroy(&attr), 0);
}

// ---- what fails

static void what_is_no_program_is_told(void) {
    static const struct { const char *path; int error; } rows[] = {
        {"/no/such/program", ENOENT}, {"", ENOENT}, {"/tests/spawn/x", ENOTDIR}, {"/bin", EACCES},
        {"/etc/motd", EACCES}, {"/tests/elf/d-wrong-magic", ENOEXEC}, {"/tests/elf/d-cut-to-0", ENOEXEC}};
    for (int i = 0; i < COUNT(rows); i++) { CHECK_EQ(status_of_path(rows[i].path, NULL), -rows[i].error); }
    CHECK_EQ(status_of_path((const char *)16, NULL), -EFAULT);
    static char text[200000];
    memset(text, 'a', sizeof text - 1);
    CHECK_EQ(status_of_self(NULL, "--nothing", text, NULL, NULL), -E2BIG);
}

static void the_first_action_that_fails_is_told(void) {
    static const struct { const char *path; int flags, error; } rows[] = {
        {"/no/such/file", O_RDONLY, ENOENT}, {"/etc/motd/x", O_RDONLY, ENOTDIR}, {"/etc/motd", O_WRONLY, EROFS},
        {"/bin", O_WRONLY, EISDIR}};
    posix_spawn_file_actions_t a;
    for (int i = 0; i < COUNT(rows); i++) {
        posix_spawn_file_actions_init(&a);
        posix_spawn_file_actions_addopen(&a, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&a, 1, rows[i].path, rows[i].flags, 0);
        posix_spawn_file_actions_addclose(&a, 99);
        CHECK_EQ(status_of_path("/no/such/program", &a), -rows[i].error);
    }
    for (int what = 1; what < 4; what++) {
        posix_spawn_file_actions_init(&a);
        if (what == 1) { posix_spawn_file_actions_adddup2(&a, 99, 3); }
        if (what == 2) { posix_spawn_file_actions_adddup2(&a, 99, 99); }
        if (what == 3) { posix_spawn_file_actions_adddup2(&a, 0, 128); }
        CHECK_EQ(status_of_path(SELF, &a), -EBADF);
    }
}

static void what_is_closed_may_be_closed(void) {
    posix_spawn_file_actions_t a;
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_addclose(&a, 99);
    posix_spawn_file_actions_addopen(&a, 0, "/dev/null", O_RDONLY, 0);
    CHECK_EQ(status_of_path("/bin/true", &a), 0);
}

// ---- what the caller keeps

enum { KEPT = 64 };

static void the_caller_keeps_memory_and_descriptors(void) {
    char *heap = map(KEPT, PROT_RW), path[16];
    volatile uint64_t local[64];
    posix_spawn_file_actions_t a;
    CHECK_EQ(ksys_openat(AT_FDCWD, "/etc/motd", O_RDONLY, 0), 3);
    CHECK_EQ(ksys_lseek(3, 3, SEEK_SET), 3);
    for (int i = 0; i < KEPT; i++) { tag(heap + i * PAGE, i); }
    for (int i = 0; i < 64; i++) { local[i] = (uint64_t)i; }
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_addclose(&a, 0);
    posix_spawn_file_actions_addclose(&a, 2);
    posix_spawn_file_actions_addopen(&a, 3, "/dev/zero", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&a, 30, "/dev/zero", O_RDONLY, 0);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(status_of_path(i & 1 ? SELF : "/nowhere", &a), i & 1 ? EXITED(GOOD) : -ENOENT);
    }
    for (int i = 0; i < KEPT; i++) { CHECK(tagged(heap + i * PAGE, i)); }
    for (int i = 0; i < 64; i++) { CHECK_EQ(local[i], i); }
    CHECK_EQ(ksys_lseek(3, 0, SEEK_CUR), 3);
    CHECK_EQ(ksys_close(30), -EBADF);
    for (int fd = 0; fd < 4; fd++) { CHECK_EQ(ksys_close(fd), 0); }
    CHECK_EQ(ksys_getcwd(path, sizeof path), 2);
}

enum { LEAF = 512 };

// One program, and then a store to each 2 MiB of the heap.
static struct kine_counters cost_of(bool by_fork, char *heap, size_t pages) {
    static struct kine_counters before, after;
    const char *const argv[] = {"spawn", "--nothing", NULL};
    before = counters();
    int pid = by_fork ? spawn() : 0;
    if (by_fork && pid == 0) { ksys_execve(SELF, argv, argv + 2); }
    CHECK_EQ(by_fork ? reap(pid) : status_with(SELF, NULL, argv), EXITED(GOOD));
    for (size_t i = 0; i < pages; i += LEAF) { tag(heap + i * PAGE, i); }
    after = counters();
    CHECK_EQ(after.execs - before.execs, 1);
    after.table_copies -= before.table_copies;
    after.table_owns -= before.table_owns;
    after.cow_copies -= before.cow_copies;
    after.cow_flips -= before.cow_flips;
    after.frame_allocs -= before.frame_allocs;
    return after;
}

static void a_large_heap_is_neither_copied_nor_shared(void) {
    struct sysinfo info;
    CHECK_EQ(ksys_sysinfo(&info), 0);
    size_t bytes = info.freeram * info.mem_unit / 2, pages = (bytes < 64 * MIB ? bytes : 64 * MIB) / PAGE;
    char *heap = map(pages, PROT_RW);
    for (size_t i = 0; i < pages; i++) { tag(heap + i * PAGE, i); }
    cost_of(false, heap, pages);  // the data and stack that it writes are ours from here on
    struct kine_counters of_spawn = cost_of(false, heap, pages), of_fork = cost_of(true, heap, pages);
    ktap_comment("fork: tables copied %ld, taken back %ld, pages copied %ld, frames %ld; spawn: frames %ld",
                 (long)of_fork.table_copies, (long)of_fork.table_owns, (long)of_fork.cow_copies,
                 (long)of_fork.frame_allocs, (long)of_spawn.frame_allocs);
    CHECK_EQ(of_spawn.table_copies, 0);
    CHECK_EQ(of_spawn.table_owns, 0);
    CHECK_EQ(of_spawn.cow_copies, 0);
    CHECK_EQ(of_spawn.cow_flips, 0);
    CHECK(of_fork.table_copies > 0 && of_fork.table_owns > 0 && of_fork.cow_copies > 0);  // as we would see them
    CHECK(of_spawn.frame_allocs < of_fork.frame_allocs);
    for (size_t i = 0; i < pages; i++) { CHECK(tagged(heap + i * PAGE, i)); }
}

// ---- from several threads

enum { THREADS = 8, EACH = 10 };

// Each time one program that writes our number into a pipe of our own, and one that is not there.
static void *spawn_some(void *arg) {
    posix_spawn_file_actions_t a;
    char number[12], text[16];
    char *const argv[] = {"echo", itoa((int)(long)arg, number, 10), NULL};
    for (int i = 0; i < EACH; i++) {
        struct gate out;
        pid_t pid = 0;
        CHECK_EQ(ksys_pipe2(out.ends, O_CLOEXEC), 0);
        posix_spawn_file_actions_init(&a);
        posix_spawn_file_actions_adddup2(&a, out.ends[1], 1);
        errno = (int)(long)arg;
        CHECK_EQ(posix_spawn(NULL, "/nowhere", &a, NULL, argv, no_env), ENOENT);
        CHECK_EQ(posix_spawnp(&pid, "echo", &a, NULL, argv, no_env), 0);
        CHECK_EQ(errno, (long)arg);
        CHECK_EQ(ksys_close(out.ends[1]), 0);
        CHECK_EQ(ksys_read(out.ends[0], text, sizeof text), (long)strlen(number) + 1);
        CHECK(memcmp(text, number, strlen(number)) == 0);
        CHECK_EQ(ksys_read(out.ends[0], text, sizeof text), 0);  // nobody else has its other end
        CHECK_EQ(ksys_close(out.ends[0]), 0);
        CHECK_EQ(reap(pid), 0);
    }
    return NULL;
}

static void several_threads_spawn_at_once(void) {
    struct thread *t[THREADS];
    for (long i = 0; i < THREADS; i++) { CHECK_EQ(thread_create(&t[i], spawn_some, (void *)(i + 100)), 0); }
    for (int i = 0; i < THREADS; i++) { CHECK_EQ(thread_join(t[i], NULL), 0); }
    CHECK_EQ(ksys_wait4(-1, NULL, 0, NULL), -ECHILD);
    for (int fd = 3; fd < 128; fd++) { CHECK_EQ(ksys_close(fd), -EBADF); }
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        KINE_TEST(arguments_and_environment_arrive), KINE_TEST(the_caller_does_not_wait_for_the_end),
        KINE_TEST(the_path_is_searched), KINE_TEST(actions_come_in_their_order),
        KINE_TEST(an_action_may_aim_at_what_is_open), KINE_TEST(close_on_exec_goes_by_action),
        KINE_TEST(output_goes_where_it_should), KINE_TEST(actions_have_their_limits),
        KINE_TEST(a_full_table_is_no_hindrance), KINE_TEST(flags_that_cannot_be_met_are_refused),
        KINE_TEST(what_is_no_program_is_told), KINE_TEST(the_first_action_that_fails_is_told),
        KINE_TEST(what_is_closed_may_be_closed),
        KINE_TEST(the_caller_keeps_memory_and_descriptors), KINE_TEST(a_large_heap_is_neither_copied_nor_shared),
        KINE_TEST(several_threads_spawn_at_once)};
    if (argc > 1 && argv[1][0] == '-') { return other_image(argc, argv); }
    return run_tests(tests, COUNT(tests), argc > 1 ? argv[1] : NULL);
}
