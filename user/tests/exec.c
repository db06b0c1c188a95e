// SPDX-License-Identifier: MIT
// exec.c - execve: what it passes on, what it keeps, what it throws away.
//
// The program executes itself: `exec --what ...` is the second image, its exit status the answer.
#include "common.h"
#include <stdlib.h>

static const char *const SELF = "/tests/exec";
enum { GOOD = 42 };

static int changed_before_exec = 1;
static char large_bss[64 * PAGE];

static int exec_with(const char *const *argv, const char *const *envp) {
    int pid = spawn();
    if (pid == 0) {
        changed_before_exec = 2;
        memset(large_bss, 1, sizeof large_bss);
        long got = ksys_execve(SELF, argv, envp);
        ktap_comment("execve returned %ld", got);
        ksys_exit_group(1);
    }
    return reap(pid);
}

static int exec_mode(const char *mode, const char *more) {
    const char *argv[] = {"exec", mode, more, NULL};
    return exec_with(argv, argv + 3);
}

// ---- second images

static int answer_arguments(int argc, char **argv) {
    bool good = argc == 6 && strcmp(argv[0], "any name") == 0 && strcmp(argv[2], "") == 0
        && strcmp(argv[3], "two words") == 0 && strlen(argv[4]) == 10000
        && all_bytes(argv[4], 'x', 10000) && strcmp(argv[5], "last") == 0 && argv[6] == NULL;
    return good && strcmp(environ[0], "KEY=value") == 0 && strcmp(environ[1], "EMPTY=") == 0
        && environ[2] == NULL;
}

// Beyond the environment's end lies the auxiliary vector.
static int answer_stack(char **argv) {
    enum { AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_PAGESZ = 6, AT_ENTRY = 9, AT_RANDOM = 25 };
    uint64_t seen[64] = {0};
    char **end = environ;
    while (*end) { end++; }
    for (uint64_t *aux = (uint64_t *)(end + 1); aux[0] != 0; aux += 2) {
        if (aux[0] < 64) { seen[aux[0]] = aux[1]; }
    }
    return (uintptr_t)(argv - 1) % 16 == 0 && seen[AT_PAGESZ] == PAGE && seen[AT_RANDOM] != 0
        && seen[AT_PHENT] == 56 && seen[AT_PHNUM] >= 3 && seen[AT_PHDR] == 0x10040
        && seen[AT_ENTRY] >= 0x10000;
}

static int answer_fresh_memory(void) {
    return changed_before_exec == 1 && all_bytes(large_bss, 0, sizeof large_bss)
        && ksys_kine_ctl(KINE_RSS, 0, 0) < 200;
}

static int answer_descriptors(const char *kept) {
    char byte;
    int fd = atoi(kept);
    return ksys_lseek(fd, 0, SEEK_CUR) == 3 && ksys_read(fd + 1, &byte, 1) == -EBADF;
}

static int answer_identity(const char *pid) {
    char at[16];
    return ksys_getpid() == atoi(pid) && ksys_getcwd(at, sizeof at) == 5 && !strcmp(at, "/dev");
}

// Execute this program again and again, with a heap each time that must vanish.
static int answer_countdown(const char *left) {
    char next[12], *heap = map(100, PROT_RW);
    for (int i = 0; i < 100; i++) { tag(heap + i * PAGE, i); }
    int n = atoi(left);
    const char *argv[] = {"exec", "--countdown", next, NULL};
    if (n > 0) {
        itoa(n - 1, next, 10);
        ksys_execve(SELF, argv, argv + 3);
    }
    return n == 0;
}

static int second_image(int argc, char **argv) {
    const char *mode = argv[1], *more = argc > 2 ? argv[2] : "";
    int good = strcmp(mode, "--arguments") == 0 ? answer_arguments(argc, argv)
        : strcmp(mode, "--stack") == 0          ? answer_stack(argv)
        : strcmp(mode, "--memory") == 0         ? answer_fresh_memory()
        : strcmp(mode, "--descriptors") == 0    ? answer_descriptors(more)
        : strcmp(mode, "--identity") == 0       ? answer_identity(more)
        : strcmp(mode, "--countdown") == 0      ? answer_countdown(more)
                                                : strcmp(mode, "--nothing") == 0;
    return good ? GOOD : 1;
}

// ---- tests

static void arguments_and_environment_arrive(void) {
    static char many[10001];
    memset(many, 'x', 10000);
    const char *argv[] = {"any name", "--arguments", "", "two words", many, "last", NULL};
    const char *envp[] = {"KEY=value", "EMPTY=", NULL};
    CHECK_EQ(exec_with(argv, envp), EXITED(GOOD));
}

static void the_stack_is_laid_out_as_in_linux(void) {
    CHECK_EQ(exec_mode("--stack", NULL), EXITED(GOOD));
    CHECK_EQ(exec_mode("--stack", "one argument more"), EXITED(GOOD));
}

static void the_new_image_starts_from_the_file(void) {
    CHECK_EQ(exec_mode("--memory", NULL), EXITED(GOOD));
}

static void descriptors_stay_unless_close_on_exec(void) {
    char number[12];
    int keep = (int)ksys_openat(AT_FDCWD, SELF, O_RDONLY, 0);
    int lose = (int)ksys_openat(AT_FDCWD, SELF, O_RDONLY | O_CLOEXEC, 0);
    CHECK_EQ(lose, keep + 1);
    CHECK_EQ(ksys_lseek(keep, 3, SEEK_SET), 3);
    CHECK_EQ(exec_mode("--descriptors", itoa(keep, number, 10)), EXITED(GOOD));
    CHECK_EQ(ksys_dup3(lose, 40, O_CLOEXEC), 40);  // and a plain duplicate loses the flag
    CHECK_EQ(ksys_dup3(40, keep, 0), keep);
    CHECK_EQ(ksys_lseek(keep, 3, SEEK_SET), 3);
    CHECK_EQ(exec_mode("--descriptors", number), EXITED(GOOD));
}

static void pid_and_folder_stay(void) {
    CHECK_EQ(ksys_chdir("/dev"), 0);
    int pid = spawn();
    if (pid == 0) {
        char number[12];
        const char *argv[] = {"exec", "--identity", itoa((int)ksys_getpid(), number, 10), NULL};
        ksys_execve(SELF, argv, argv + 3);
        leave();
    }
    CHECK_EQ(reap(pid), EXITED(GOOD));
}

static void too_many_arguments_are_e2big(void) {
    static const char *argv[40000];
    static char text[300000];
    const char *one[] = {"exec", "--nothing", text, NULL};
    memset(text, 'a', sizeof text - 1);
    CHECK_EQ(ksys_execve(SELF, one, one + 3), -E2BIG);
    text[100000] = 0;  // below 128 KiB
    CHECK_EQ(exec_with(one, one + 3), EXITED(GOOD));
    for (int i = 0; i < COUNT(argv) - 1; i++) { argv[i] = "four"; }
    CHECK_EQ(ksys_execve(SELF, argv, NULL), -E2BIG);
    CHECK_EQ(ksys_execve(SELF, NULL, argv), -E2BIG);
}

static void what_is_no_program_is_refused(void) {
    const char *argv[] = {"x", NULL};
    const char *const *none = argv + 1;
    CHECK_EQ(ksys_execve("/no/such/program", argv, none), -ENOENT);
    CHECK_EQ(ksys_execve("", argv, none), -ENOENT);
    CHECK_EQ(ksys_execve("/tests/exec/x", argv, none), -ENOTDIR);
    CHECK_EQ(ksys_execve("/bin", argv, none), -EACCES);
    CHECK_EQ(ksys_execve("/dev/null", argv, none), -EACCES);
    CHECK_EQ(ksys_execve("/etc/motd", argv, none), -EACCES);  // may not be executed at all
    CHECK_EQ(ksys_execve("/tests/elf/d-wrong-magic", argv, none), -ENOEXEC);
    CHECK_EQ(ksys_execve("/tests/elf/d-cut-to-0", argv, none), -ENOEXEC);
    CHECK_EQ(ksys_execve("/tests/elf/d-filesz-without-memsz", argv, none), -ENOEXEC);
}

static void a_chain_of_execs_leaves_nothing(void) {
    CHECK_EQ(exec_mode("--countdown", "60"), EXITED(GOOD));
}

static void fork_and_exec_of_a_large_process_copies_little(void) {
    struct sysinfo info;
    CHECK_EQ(ksys_sysinfo(&info), 0);
    size_t bytes = info.freeram * info.mem_unit / 2;
    size_t pages = (bytes < 64 * MIB ? bytes : 64 * MIB) / PAGE;
    char *heap = map(pages, PROT_RW);
    for (size_t i = 0; i < pages; i++) { tag(heap + i * PAGE, i); }
    const char *argv[] = {"exec", "--nothing", NULL};
    struct kine_counters before = counters();
    int pid = spawn();
    if (pid == 0) { ksys_execve(SELF, argv, argv + 2); }
    CHECK_EQ(reap(pid), EXITED(GOOD));
    struct kine_counters after = counters();
    CHECK(after.cow_copies - before.cow_copies < 32);
    CHECK(after.frame_allocs - before.frame_allocs < pages / 32 + 200);
    CHECK_EQ(after.execs - before.execs, 1);
    for (size_t i = 0; i < pages; i++) { CHECK(tagged(heap + i * PAGE, i)); }
}

static void an_exec_storm(void) {
    enum { WORKERS = 8, EACH = 12 };
    int pid[WORKERS];
    for (int w = 0; w < WORKERS; w++) {
        if ((pid[w] = spawn()) == 0) {
            for (int i = 0; i < EACH; i++) {
                CHECK_EQ(exec_mode("--memory", NULL), EXITED(GOOD));
            }
            leave();
        }
    }
    for (int w = 0; w < WORKERS; w++) { CHECK_EQ(reap(pid[w]), 0); }
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        KINE_TEST(arguments_and_environment_arrive),
        KINE_TEST(the_stack_is_laid_out_as_in_linux),
        KINE_TEST(the_new_image_starts_from_the_file),
        KINE_TEST(descriptors_stay_unless_close_on_exec),
        KINE_TEST(pid_and_folder_stay),
        KINE_TEST(too_many_arguments_are_e2big),
        KINE_TEST(what_is_no_program_is_refused),
        KINE_TEST(a_chain_of_execs_leaves_nothing),
        KINE_TEST(fork_and_exec_of_a_large_process_copies_little),
        KINE_TEST(an_exec_storm),
    };
    if (argc > 1 && argv[1][0] == '-') { return second_image(argc, argv); }
    return run_tests(tests, COUNT(tests), argc > 1 ? argv[1] : NULL);
}
