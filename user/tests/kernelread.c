// SPDX-License-Identifier: MIT
// kernelread.c - every system call that reads user memory: bad pointers give EFAULT, good ones that
// straddle pages or were never touched work.
#include "common.h"

static int null_fd, pipe_in;

static long write_null(const char *from) { return ksys_write(pipe_in, from, 8); }

static long gathered(const char *from) {
    struct iovec parts[] = {{(void *)from, 8}, {(void *)"good", 0}};
    return ksys_writev(pipe_in, parts, 2);
}

static long vectors(const char *from) { return ksys_writev(null_fd, from, 1); }

static long read_vectors(const char *from) { return ksys_readv(null_fd, from, 1); }

static long open_path(const char *from) {
    return ksys_openat(AT_FDCWD, from, O_RDONLY, 0);
}

static long stat_path(const char *from) {
    struct stat st;
    return ksys_newfstatat(AT_FDCWD, from, &st, 0);
}

static long change_folder(const char *from) { return ksys_chdir(from); }

static long exec_path(const char *from) { return ksys_execve(from, NULL, NULL); }

static long exec_argv(const char *from) { return ksys_execve("/bin/true", from, NULL); }

static long exec_argument(const char *from) {
    const char *argv[] = {"true", from, NULL};
    return ksys_execve("/bin/true", argv, NULL);
}

static long exec_environment(const char *from) {
    const char *argv[] = {"true", NULL};
    return ksys_execve("/bin/true", argv, from);
}

static long sleep_time(const char *from) { return ksys_nanosleep(from, NULL); }

static long affinity_mask(const char *from) { return ksys_sched_setaffinity(0, 8, from); }

static const struct reader {
    const char *name;
    long (*call)(const char *from);
    long zeros;  // what a pointer to zero bytes gives; 1: not tried
} readers[] = {
    {"write", write_null, 8},
    {"writev", gathered, 8},
    {"writev's vectors", vectors, 0},
    {"readv's vectors", read_vectors, 0},
    {"openat", open_path, -ENOENT},
    {"newfstatat", stat_path, -ENOENT},
    {"chdir", change_folder, -ENOENT},
    {"execve's path", exec_path, -ENOENT},
    {"execve's argv", exec_argv, 1},
    {"execve's argument", exec_argument, 1},
    {"execve's environment", exec_environment, 1},
    {"nanosleep", sleep_time, 0},
    {"sched_setaffinity", affinity_mask, -EINVAL},
};

static void open_files(void) {
    static struct gate pipe;
    pipe = gate_new();
    pipe_in = pipe.ends[1];
    null_fd = (int)ksys_openat(AT_FDCWD, "/dev/null", O_RDWR, 0);
    CHECK(null_fd >= 0);
}

static void expect(const struct reader *r, const char *from, long want) {
    long got = r->call(from);
    if (got != want) {
        checks_failed++;
        ktap_comment("%s from %p: %ld instead of %ld", r->name, from, got, want);
    }
}

static void no_memory_is_efault(void) {
    open_files();
    char *hole = map(1, PROT_RW);
    CHECK_EQ(ksys_munmap(hole, PAGE), 0);
    const uint64_t places[] = {
        0x10, (uint64_t)hole, (uint64_t)map(1, PROT_NONE), (1ul << 38) - 8, 1ul << 38, 1ul << 47,
        1ul << 63, 0xffffffc000000000, 0xffffffc080200000, 0xffffffe000002000, 0xffffffff80000000,
        0xffffffff80200000, -PAGE, 0xfffffffffffffff0,
    };
    for (int r = 0; r < COUNT(readers); r++) {
        for (int i = 0; i < COUNT(places); i++) {
            expect(&readers[r], (char *)places[i], -EFAULT);
        }
    }
}

static void second_page_bad_is_efault(void) {
    open_files();
    char *pages = map(2, PROT_RW);
    memset(pages, 'x', PAGE);
    CHECK_EQ(ksys_munmap(pages + PAGE, PAGE), 0);
    for (int r = 0; r < COUNT(readers); r++) {
        long got = readers[r].call(pages + PAGE - 4);
        CHECK(got == -EFAULT || (got == 4 && readers[r].zeros == 8));
    }
}

static void untouched_pages_read_as_zero(void) {
    open_files();
    for (int r = 0; r < COUNT(readers); r++) {
        if (readers[r].zeros != 1) {
            char *pages = map(2, PROT_RW);
            expect(&readers[r], pages, readers[r].zeros);
            expect(&readers[r], map(2, PROT_RW) + PAGE - 4, readers[r].zeros);
            expect(&readers[r], map(1, PROT_READ), readers[r].zeros);
        }
    }
}

static void a_path_may_straddle_and_has_a_limit(void) {
    char *pages = map(4, PROT_RW);
    char *path = pages + PAGE - 5;
    memcpy(path, "/dev/null", 10);
    int fd = (int)ksys_openat(AT_FDCWD, path, O_RDONLY, 0);
    CHECK(fd >= 0);
    ksys_close(fd);
    memset(pages, '/', 4 * PAGE - 1);
    CHECK_EQ(ksys_openat(AT_FDCWD, pages, O_RDONLY, 0), -ENAMETOOLONG);
    CHECK_EQ(ksys_chdir(pages), -ENAMETOOLONG);
    CHECK_EQ(ksys_execve(pages, NULL, NULL), -ENAMETOOLONG);
    memset(pages, 'n', 300);
    pages[300] = 0;
    long got = ksys_openat(AT_FDCWD, pages, O_RDONLY, 0);
    CHECK(got == -ENAMETOOLONG || got == -ENOENT);
}

static void counts_out_of_range(void) {
    open_files();
    static struct iovec many[1025];
    CHECK_EQ(ksys_writev(null_fd, many, -1), -EINVAL);
    CHECK_EQ(ksys_writev(null_fd, many, 1025), -EINVAL);
    CHECK_EQ(ksys_writev(null_fd, many, 1024), 0);
    CHECK_EQ(ksys_writev(null_fd, NULL, 0), 0);
    struct iovec huge[] = {{many, 1ul << 62}, {many, 1ul << 62}, {many, 1ul << 62}};
    long got = ksys_writev(null_fd, huge, 3);
    CHECK(got == -EINVAL || got == -EFAULT || (got > 0 && got <= 0x7fffffff));
    CHECK_EQ(ksys_writev(null_fd, &(struct iovec){many, -1ul}, 1), -EINVAL);
}

TEST_MAIN(TEST(no_memory_is_efault), TEST(second_page_bad_is_efault),
          TEST(untouched_pages_read_as_zero), TEST(a_path_may_straddle_and_has_a_limit),
          TEST(counts_out_of_range))
