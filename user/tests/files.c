// SPDX-License-Identifier: MIT
// files.c - the calls on files, over the initramfs and /dev.
#include "common.h"

static const char *const FILE_PATH = "/bin/sh";

static int open_read(const char *path) {
    return (int)ksys_openat(AT_FDCWD, path, O_RDONLY, 0);
}

static void reading_moves_on_to_the_end(void) {
    struct stat st;
    char whole[512], parts[512];
    int fd = open_read(FILE_PATH);
    CHECK_EQ(ksys_fstat(fd, &st), 0);
    CHECK(st.st_size > 1000);
    CHECK_EQ(ksys_read(fd, whole, sizeof whole), sizeof whole);
    CHECK(memcmp(whole, "\177ELF", 4) == 0);
    CHECK_EQ(ksys_lseek(fd, 0, SEEK_SET), 0);
    for (size_t at = 0, n = 1; at < sizeof parts; at += n, n = n * 2 % 97 + 1) {
        n = n < sizeof parts - at ? n : sizeof parts - at;
        CHECK_EQ(ksys_read(fd, parts + at, n), n);
    }
    CHECK(memcmp(whole, parts, sizeof whole) == 0);
    CHECK_EQ(ksys_lseek(fd, -10, SEEK_END), st.st_size - 10);
    CHECK_EQ(ksys_read(fd, parts, 100), 10);
    CHECK_EQ(ksys_read(fd, parts, 100), 0);
    CHECK_EQ(ksys_read(fd, parts, 0), 0);
}

static void seeking(void) {
    char a, b;
    int fd = open_read(FILE_PATH);
    CHECK_EQ(ksys_lseek(fd, 300, SEEK_SET), 300);
    CHECK_EQ(ksys_read(fd, &a, 1), 1);
    CHECK_EQ(ksys_lseek(fd, -1, SEEK_CUR), 300);
    CHECK_EQ(ksys_read(fd, &b, 1), 1);
    CHECK_EQ(a, b);
    CHECK_EQ(ksys_lseek(fd, -1, SEEK_SET), -EINVAL);
    CHECK_EQ(ksys_lseek(fd, -302, SEEK_CUR), -EINVAL);
    CHECK_EQ(ksys_lseek(fd, 0x7fffffffffffffff, SEEK_CUR), -EINVAL);
    CHECK_EQ(ksys_lseek(fd, 0, 77), -EINVAL);
    CHECK_EQ(ksys_lseek(fd, 1l << 40, SEEK_SET), 1l << 40);
    CHECK_EQ(ksys_read(fd, &b, 1), 0);
    struct gate pipe = gate_new();
    CHECK_EQ(ksys_lseek(pipe.ends[0], 0, SEEK_SET), -ESPIPE);
}

static void opening_what_is_not_there(void) {
    CHECK_EQ(open_read("/no-such-file"), -ENOENT);
    CHECK_EQ(open_read("/no-such-folder/file"), -ENOENT);
    CHECK_EQ(open_read("/bin/sh/file"), -ENOTDIR);
    CHECK_EQ(open_read(""), -ENOENT);
    CHECK_EQ(ksys_openat(AT_FDCWD, "/bin/sh", O_RDONLY | O_DIRECTORY, 0), -ENOTDIR);
    CHECK_EQ(ksys_openat(99, "relative", O_RDONLY, 0), -EBADF);
    int fd = open_read(FILE_PATH);
    CHECK_EQ(ksys_openat(fd, "relative", O_RDONLY, 0), -ENOTDIR);
    CHECK_EQ(ksys_openat(fd, "/bin/sh", O_RDONLY, 0), fd + 1);  // absolute: fd does not matter
}

static void the_initramfs_is_read_only(void) {
    CHECK_EQ(ksys_openat(AT_FDCWD, "/bin/sh", O_WRONLY, 0), -EROFS);
    CHECK_EQ(ksys_openat(AT_FDCWD, "/bin/sh", O_RDWR, 0), -EROFS);
    CHECK_EQ(ksys_openat(AT_FDCWD, "/new", O_WRONLY | O_CREAT, 0644), -EROFS);
    CHECK_EQ(ksys_openat(AT_FDCWD, "/etc/new", O_WRONLY | O_CREAT | O_EXCL, 0644), -EROFS);
    CHECK_EQ(ksys_openat(AT_FDCWD, "new", O_RDONLY | O_CREAT, 0644), -EROFS);
    CHECK_EQ(ksys_openat(AT_FDCWD, "/bin", O_WRONLY, 0), -EISDIR);
    int fd = open_read(FILE_PATH);
    CHECK_EQ(ksys_write(fd, "x", 1), -EBADF);
}

static void creating_what_cannot_be(void) {
    const int create = O_RDONLY | O_CREAT;
    CHECK_EQ(ksys_openat(AT_FDCWD, FILE_PATH, create | O_EXCL, 0644), -EEXIST);
    CHECK_EQ(ksys_openat(AT_FDCWD, "/bin", create | O_EXCL, 0644), -EEXIST);
    CHECK_EQ(ksys_openat(AT_FDCWD, "/bin", create, 0644), -EISDIR);
    CHECK_EQ(ksys_openat(AT_FDCWD, "/no-such-folder/file", create, 0644), -ENOENT);
    CHECK_EQ(ksys_openat(AT_FDCWD, "/bin/sh/file", create, 0644), -ENOTDIR);
    CHECK_EQ(ksys_openat(AT_FDCWD, "", create, 0644), -ENOENT);
    CHECK(ksys_openat(AT_FDCWD, "/dev/null", create, 0644) >= 0);
}

static void bad_descriptors(void) {
    const int bad[] = {-1, 50, 127, 128, 129, 1000, 0x7fffffff, -0x7fffffff - 1};
    char buf[128];
    for (int i = 0; i < COUNT(bad); i++) {
        CHECK_EQ(ksys_read(bad[i], buf, 1), -EBADF);
        CHECK_EQ(ksys_write(bad[i], buf, 1), -EBADF);
        CHECK_EQ(ksys_lseek(bad[i], 0, SEEK_SET), -EBADF);
        CHECK_EQ(ksys_fstat(bad[i], buf), -EBADF);
        CHECK_EQ(ksys_getdents64(bad[i], buf, sizeof buf), -EBADF);
        CHECK_EQ(ksys_dup(bad[i]), -EBADF);
        CHECK_EQ(ksys_close(bad[i]), -EBADF);
    }
    int fd = open_read(FILE_PATH);
    CHECK_EQ(ksys_close(fd), 0);
    CHECK_EQ(ksys_close(fd), -EBADF);
    CHECK_EQ(ksys_read(fd, buf, 1), -EBADF);
}

static void descriptors_run_out_and_come_back(void) {
    int first = open_read("/dev/null"), last = first, fd;
    while ((fd = open_read("/dev/null")) >= 0) {
        CHECK(fd > last);
        last = fd;
    }
    int ends[2];
    CHECK_EQ(fd, -EMFILE);
    CHECK_EQ(ksys_dup(0), -EMFILE);
    CHECK_EQ(ksys_pipe2(ends, 0), -EMFILE);
    CHECK_EQ(ksys_close(last), 0);
    CHECK_EQ(ksys_pipe2(ends, 0), -EMFILE);  // needs two
    CHECK_EQ(ksys_dup(0), last);
    CHECK_EQ(ksys_close(first + 3), 0);
    CHECK_EQ(open_read("/dev/null"), first + 3);
}

static void devices(void) {
    static char block[3 * PAGE];
    int null = (int)ksys_openat(AT_FDCWD, "/dev/null", O_RDWR, 0);
    int zero = (int)ksys_openat(AT_FDCWD, "/dev/zero", O_RDWR, 0);
    CHECK_EQ(ksys_read(null, block, 100), 0);
    CHECK_EQ(ksys_write(null, block, sizeof block), sizeof block);
    memset(block, 1, sizeof block);
    CHECK_EQ(ksys_read(zero, block + 1, sizeof block - 2), sizeof block - 2);
    CHECK(all_bytes(block + 1, 0, sizeof block - 2));
    CHECK(block[0] == 1 && block[sizeof block - 1] == 1);
    CHECK_EQ(ksys_write(zero, block, 7), 7);
    const int devices[] = {null, zero};
    for (int i = 0; i < COUNT(devices); i++) {
        CHECK_EQ(ksys_lseek(devices[i], 100, SEEK_SET), 0);
        CHECK_EQ(ksys_lseek(devices[i], -1, SEEK_END), 0);
        CHECK_EQ(ksys_lseek(devices[i], 0, 77), -EINVAL);
    }
    struct stat st;
    CHECK_EQ(ksys_fstat(null, &st), 0);
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(ksys_newfstatat(AT_FDCWD, "/dev/console", &st, 0), 0);
    CHECK(S_ISCHR(st.st_mode));
}

static void stat_tells_kinds_apart(void) {
    struct stat file, same, folder, pipe;
    int fd = open_read(FILE_PATH);
    struct gate g = gate_new();
    CHECK_EQ(ksys_fstat(fd, &file), 0);
    CHECK_EQ(ksys_newfstatat(AT_FDCWD, FILE_PATH, &same, 0), 0);
    CHECK_EQ(ksys_newfstatat(AT_FDCWD, "/bin/.", &folder, 0), 0);
    CHECK_EQ(ksys_fstat(g.ends[0], &pipe), 0);
    CHECK(S_ISREG(file.st_mode) && S_ISDIR(folder.st_mode) && S_ISFIFO(pipe.st_mode));
    CHECK(file.st_mode & 0111);
    CHECK(file.st_ino == same.st_ino && file.st_size == same.st_size);
    CHECK(file.st_ino != folder.st_ino);
    CHECK_EQ(ksys_newfstatat(fd, "", &same, AT_EMPTY_PATH), 0);
    CHECK_EQ(same.st_ino, file.st_ino);
    CHECK_EQ(ksys_chdir("/bin"), 0);
    CHECK_EQ(ksys_newfstatat(AT_FDCWD, "", &same, AT_EMPTY_PATH), 0);
    CHECK_EQ(same.st_ino, folder.st_ino);
    CHECK_EQ(ksys_newfstatat(AT_FDCWD, "", &same, 0), -ENOENT);
    CHECK_EQ(ksys_newfstatat(AT_FDCWD, FILE_PATH, &same, 0x8000), -EINVAL);
    CHECK_EQ(ksys_newfstatat(AT_FDCWD, FILE_PATH, &same, 1), -EINVAL);
    CHECK_EQ(ksys_newfstatat(AT_FDCWD, "/nothing", &same, 0), -ENOENT);
}

struct entry {
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
};

// List a folder with a buffer of `len` bytes. Returns how many entries; `found` tells "sh" was one.
static int list(const char *path, size_t len, bool *found) {
    static char buf[4096] __attribute__((aligned(8)));
    int fd = (int)ksys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0), count = 0;
    long got;
    while ((got = ksys_getdents64(fd, buf, len)) > 0) {
        for (long at = 0; at < got; count++) {
            struct entry *e = (struct entry *)(buf + at);
            CHECK(e->reclen % 8 == 0 && e->reclen > 19 && at + e->reclen <= got);
            *found |= strcmp(e->name, "sh") == 0 && e->type != 4;
            at += e->reclen;
        }
    }
    CHECK_EQ(got, 0);
    ksys_close(fd);
    return count;
}

static void listing_a_folder(void) {
    bool found = false, again = false;
    char small[20];
    int all = list("/bin", 4096, &found), slowly = list("/bin/.", 300, &again);
    CHECK(all > 3 && found && again);
    CHECK_EQ(slowly, all);
    int fd = open_read("/bin");
    CHECK_EQ(ksys_getdents64(fd, small, sizeof small), -EINVAL);  // no room for one entry
    CHECK_EQ(ksys_read(fd, small, 1), -EISDIR);
    CHECK_EQ(ksys_getdents64(open_read(FILE_PATH), small, sizeof small), -ENOTDIR);
}

static void folders_and_relative_paths(void) {
    char at[64];
    CHECK_EQ(ksys_chdir("/bin"), 0);
    CHECK(open_read("sh") >= 0);
    CHECK(open_read("./sh") >= 0);
    CHECK(open_read("../bin/./../bin//sh") >= 0);
    CHECK(open_read("../../../../dev/null") >= 0);
    CHECK_EQ(ksys_chdir("sh"), -ENOTDIR);
    CHECK_EQ(ksys_chdir("nowhere"), -ENOENT);
    CHECK_EQ(ksys_chdir("/bin/../dev"), 0);
    CHECK_EQ(ksys_getcwd(at, sizeof at), 5);
    CHECK(strcmp(at, "/dev") == 0);
    CHECK_EQ(ksys_getcwd(at, 4), -ERANGE);
    CHECK(ksys_getcwd(at, 0) < 0);
    int pid = spawn();  // the child has its parent's folder, and changes only its own
    if (pid == 0) {
        CHECK(open_read("null") >= 0);
        CHECK_EQ(ksys_chdir("/"), 0);
        CHECK_EQ(ksys_getcwd(at, sizeof at), 2);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    CHECK(open_read("null") >= 0);
    int root = (int)ksys_openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
    CHECK(ksys_openat(root, "bin/sh", O_RDONLY, 0) >= 0);
}

static void duplicates_share_the_offset(void) {
    int fd = open_read(FILE_PATH), copy = (int)ksys_dup(fd), other = open_read(FILE_PATH);
    char byte;
    CHECK_EQ(ksys_lseek(fd, 100, SEEK_SET), 100);
    CHECK_EQ(ksys_lseek(copy, 0, SEEK_CUR), 100);
    CHECK_EQ(ksys_read(copy, &byte, 1), 1);
    CHECK_EQ(ksys_lseek(fd, 0, SEEK_CUR), 101);
    CHECK_EQ(ksys_lseek(other, 0, SEEK_CUR), 0);
    CHECK_EQ(ksys_dup3(fd, other, 0), other);
    CHECK_EQ(ksys_lseek(other, 0, SEEK_CUR), 101);
    CHECK_EQ(ksys_dup3(fd, fd, 0), -EINVAL);
    CHECK_EQ(ksys_dup3(99, 99, 0), -EINVAL);
    CHECK_EQ(ksys_dup3(fd, -1, 0), -EBADF);
    CHECK_EQ(ksys_dup3(99, fd, 0), -EBADF);
    CHECK_EQ(ksys_dup3(fd, other, 1), -EINVAL);
    CHECK_EQ(ksys_close(fd), 0);
    CHECK_EQ(ksys_lseek(copy, 0, SEEK_CUR), 101);
}

static void parent_and_child_share_the_offset(void) {
    enum { READS = 500 };
    int fd = open_read(FILE_PATH), pid[4];
    char byte;
    for (int i = 0; i < 4; i++) {
        if ((pid[i] = spawn()) == 0) {
            for (int k = 0; k < READS; k++) { CHECK_EQ(ksys_read(fd, &byte, 1), 1); }
            leave();
        }
    }
    for (int i = 0; i < 4; i++) { CHECK_EQ(reap(pid[i]), 0); }
    CHECK_EQ(ksys_lseek(fd, 0, SEEK_CUR), 4 * READS);  // not one read was lost
}

static void scattered_reads_and_writes(void) {
    char whole[100], a[10], b[50], c[40];
    int fd = open_read(FILE_PATH);
    CHECK_EQ(ksys_read(fd, whole, 100), 100);
    ksys_lseek(fd, 0, SEEK_SET);
    struct iovec parts[] = {{a, 10}, {NULL, 0}, {b, 50}, {c, 40}};
    CHECK_EQ(ksys_readv(fd, parts, 4), 100);
    CHECK(memcmp(a, whole, 10) == 0 && memcmp(b, whole + 10, 50) == 0);
    CHECK(memcmp(c, whole + 60, 40) == 0);
    CHECK_EQ(ksys_readv(fd, parts, -1), -EINVAL);
    struct gate pipe = gate_new();
    CHECK_EQ(ksys_writev(pipe.ends[1], parts, 4), 100);
    memset(a, 0, 10);
    CHECK_EQ(ksys_read(pipe.ends[0], a, 10), 10);
    CHECK(memcmp(a, whole, 10) == 0);
}

// All lengths are looked at before the first byte moves.
static void bad_vectors_move_nothing(void) {
    enum { SSIZE_MIN = 1ul << 63 };
    char bytes[20];
    struct iovec negative[] = {{bytes, 20}, {bytes, SSIZE_MIN}};
    struct iovec much[] = {{bytes, 20}, {bytes, SSIZE_MIN - 1}};
    struct gate pipe = gate_new();
    int fd = open_read(FILE_PATH);
    CHECK_EQ(ksys_writev(pipe.ends[1], negative, 2), -EINVAL);
    CHECK_EQ(ksys_readv(fd, negative, 2), -EINVAL);
    if (have_kine()) { CHECK_EQ(ksys_readv(fd, much, 2), -EINVAL); }  // as the manual says; Linux reads less
    CHECK_EQ(ksys_lseek(fd, 0, SEEK_CUR), 0);
    ksys_close(pipe.ends[1]);
    CHECK_EQ(ksys_read(pipe.ends[0], bytes, 1), 0);
}

TEST_MAIN(TEST(reading_moves_on_to_the_end), TEST(seeking), TEST(opening_what_is_not_there),
          KINE_TEST(the_initramfs_is_read_only), TEST(creating_what_cannot_be), TEST(bad_descriptors),
          TEST(descriptors_run_out_and_come_back), TEST(devices), TEST(stat_tells_kinds_apart),
          TEST(listing_a_folder), TEST(folders_and_relative_paths),
          TEST(duplicates_share_the_offset), TEST(parent_and_child_share_the_offset),
          TEST(scattered_reads_and_writes), TEST(bad_vectors_move_nothing))
