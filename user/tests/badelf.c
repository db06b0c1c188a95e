// SPDX-License-Identifier: MIT
// badelf.c - execve of hundreds of malformed programs: each is refused, or runs and is killed.
//
// The files are in /tests/elf (or the folder that is named), made by mkelf.py; the first letter of
// a name says what must become of it.
#include "common.h"

static const char *folder = "/tests/elf";

enum { REFUSED = 99, PATIENCE_MS = 2000 };

struct entry {
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
};

// Execute a file in a child. EXITED(REFUSED) if execve returned and the child was still itself.
static int run_file(const char *path) {
    const char *argv[] = {path, NULL};
    static int witness = 4711;
    int pid = spawn();
    if (pid == 0) {
        long got = ksys_execve(path, argv, argv + 1);
        bool fits = got == -ENOEXEC || got == -ENOMEM || got == -EACCES || got == -EINVAL;
        if (!fits || witness != 4711) {
            ktap_comment("%s: execve returned %ld", path, got);
        }
        ksys_exit_group(fits && witness == 4711 ? REFUSED : 98);
    }
    int status = -1;
    for (int64_t end = now_ns() + PATIENCE_MS * MS; now_ns() < end;) {
        if (ksys_wait4(pid, &status, WNOHANG, NULL) == pid) { return status; }
        ksys_sched_yield();
    }
    ksys_kill(pid, SIGKILL);
    return reap(pid);
}

static void judge(const char *name) {
    char path[300];
    size_t len = strlen(folder);
    memcpy(path, folder, len);
    path[len] = '/';
    strcpy(path + len + 1, name);
    int status = run_file(path);
    bool killed = (status & 0x7f) != 0, refused = status == EXITED(REFUSED);
    bool ran = status == EXITED(42);
    bool good = name[0] == 'r'   ? ran
                : name[0] == 'd' ? killed || refused
                : name[0] == 'e' ? ran || killed || refused
                                 : status != EXITED(98);
    if (!good) {
        checks_failed++;
        ktap_comment("%s: wait status 0x%x", path, (unsigned)status);
    }
}

// Judge every file of one letter. Returns how many there were.
static int judge_all(char letter) {
    static char records[4096] __attribute__((aligned(8)));
    int fd = (int)ksys_openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0), count = 0;
    CHECK(fd >= 0);
    for (long len; (len = ksys_getdents64(fd, records, sizeof records)) > 0;) {
        for (long at = 0; at < len; at += ((struct entry *)(records + at))->reclen) {
            struct entry *e = (struct entry *)(records + at);
            if (e->name[0] == letter && e->name[1] == '-') {
                judge(e->name);
                count++;
            }
        }
    }
    ksys_close(fd);
    return count;
}

static void good_programs_run(void) { CHECK(judge_all('r') >= 8); }

static void bad_programs_die(void) { CHECK(judge_all('d') >= 50); }

static void odd_programs_run_right_or_die(void) { CHECK(judge_all('e') >= 6); }

static void mutants_do_no_harm(void) { CHECK(judge_all('m') >= 300); }

static void a_failed_exec_changes_nothing(void) {
    char *page = map(1, PROT_RW);
    const char *argv[] = {"x", NULL};
    tag(page, 5);
    long fd = ksys_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(ksys_execve("/etc/motd", argv, argv + 1) < 0, true);
        CHECK_EQ(ksys_execve("/bin/no-such-program", argv, argv + 1), -ENOENT);
        CHECK_EQ(ksys_execve("/bin", argv, argv + 1), -EACCES);
    }
    CHECK(tagged(page, 5));
    CHECK_EQ(ksys_write((int)fd, "x", 1), 1);  // not closed by the failures
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        TEST(good_programs_run),
        TEST(bad_programs_die),
        TEST(odd_programs_run_right_or_die),
        TEST(mutants_do_no_harm),
        TEST(a_failed_exec_changes_nothing),
    };
    folder = argc > 1 ? argv[1] : folder;
    return run_tests(tests, COUNT(tests), NULL);
}
