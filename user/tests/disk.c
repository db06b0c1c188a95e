// SPDX-License-Identifier: MIT
// disk.c - disks as files. Wants, as stress/check.py has them (boot.py --disk):
//
//     /dev/vda   some 300 pages and a part of one: size=1M+200K+1536
//     /dev/vdb   read-only, all zeros
//     /dev/vdc   sector 64 can be neither read nor written, and no flush succeeds: bad=64,badflush
//
// After the_whole_disk, word i of /dev/vda is i * SPREAD: stress/tests/test_disk.py looks at the image.
#include "common.h"
#include <sys/errno.h>

#define SPREAD 0x9e3779b97f4a7c15ul
#define SECTOR 512

static int open_disk(const char *path, int flags) {
    int fd = (int)ksys_openat(AT_FDCWD, path, flags, 0);
    CHECK(fd >= 0);
    return fd;
}

static long size_of(int fd) { return ksys_lseek(fd, 0, SEEK_END); }

static long read_at(int fd, long at, void *to, size_t n) {
    CHECK_EQ(ksys_lseek(fd, at, SEEK_SET), at);
    return ksys_read(fd, to, n);
}

static long write_at(int fd, long at, const void *from, size_t n) {
    CHECK_EQ(ksys_lseek(fd, at, SEEK_SET), at);
    return ksys_write(fd, from, n);
}

static uint64_t draw(uint64_t *state) {
    *state = *state * 6364136223846793005ul + 1442695040888963407ul;
    return *state >> 33;
}

// `count` children run act(i, a disk of their own opening); all must end well.
static void many(int count, void (*act)(int i, int fd)) {
    int pids[64];
    for (int i = 0; i < count; i++) {
        if ((pids[i] = spawn()) == 0) {
            act(i, open_disk("/dev/vda", O_RDWR));
            leave();
        }
        CHECK(pids[i] > 0);
    }
    for (int i = 0; i < count; i++) { CHECK_EQ(reap(pids[i]), 0); }
}

static void the_size_is_told(void) {
    struct stat st;
    int fd = open_disk("/dev/vda", O_RDONLY);
    CHECK_EQ(ksys_fstat(fd, &st), 0);
    CHECK(S_ISBLK(st.st_mode) && st.st_size > 300 * (long)PAGE);
    CHECK_EQ(size_of(fd), st.st_size);
    CHECK_EQ(st.st_size % SECTOR, 0);
    CHECK(st.st_size % PAGE != 0);
}

// Pieces of all lengths at all places, and what is around them.
static void pieces_stay_where_they_were_written(void) {
    enum { BYTES = 24 * 4096 };
    int fd = open_disk("/dev/vda", O_RDWR);
    char *model = map(BYTES / PAGE, PROT_RW), *seen = map(BYTES / PAGE, PROT_RW);
    uint64_t seed = 7;
    CHECK_EQ(write_at(fd, 0, model, BYTES), BYTES);
    for (int i = 0; i < 150; i++) {
        long at = draw(&seed) % BYTES, n = 1 + draw(&seed) % (i % 3 ? 600 : 3 * PAGE);
        n = n < BYTES - at ? n : BYTES - at;
        memset(model + at, i + 1, n);
        CHECK_EQ(write_at(fd, at, model + at, n), n);
        CHECK_EQ(ksys_lseek(fd, 0, SEEK_CUR), at + n);
        at = draw(&seed) % (BYTES - 100);
        CHECK_EQ(read_at(fd, at, seen, 100), 100);
        CHECK(memcmp(seen, model + at, 100) == 0);
    }
    CHECK_EQ(read_at(fd, 0, seen, BYTES), BYTES);
    CHECK(memcmp(seen, model, BYTES) == 0);
}

enum { WRITERS = 24, RECORD = 300, RECORDS = 20 };

static void write_records(int i, int fd) {
    char record[RECORD];
    memset(record, i + 1, RECORD);
    for (int k = 0; k < RECORDS; k++) { CHECK_EQ(write_at(fd, (k * WRITERS + i) * RECORD, record, RECORD), RECORD); }
}

// Records are shorter than a page, and their neighbours are others': none undoes another.
static void neighbours_do_not_undo_each_other(void) {
    many(WRITERS, write_records);
    int fd = open_disk("/dev/vda", O_RDONLY);
    char record[RECORD];
    for (int k = 0; k < RECORDS * WRITERS; k++) {
        CHECK_EQ(ksys_read(fd, record, RECORD), RECORD);
        CHECK(all_bytes(record, k % WRITERS + 1, RECORD));
    }
}

enum { ROUNDS = 12, DISPUTED = 5 };

static void write_everywhere(int i, int fd) {
    char *page = map(1, PROT_RW);
    memset(page, i + 1, PAGE);
    for (int k = 0; k < ROUNDS; k++) { CHECK_EQ(write_at(fd, (i + k) % DISPUTED * PAGE, page, PAGE), PAGE); }
}

// Who writes a whole page has it as a whole, or another has.
static void a_page_is_one_writers(void) {
    many(WRITERS, write_everywhere);
    int fd = open_disk("/dev/vda", O_RDONLY);
    char *page = map(1, PROT_RW);
    for (int k = 0; k < DISPUTED; k++) {
        CHECK_EQ(ksys_read(fd, page, PAGE), PAGE);
        CHECK(page[0] >= 1 && page[0] <= WRITERS && all_bytes(page, page[0], PAGE));
    }
}

enum { CROWD = 60 };

static void write_own_pages(int i, int fd) {
    char *page = map(1, PROT_RW);
    for (int k = 0; k < 6; k++) {
        long at = (i + (k % 3) * CROWD) * PAGE;
        tag(page, i * SPREAD + k);
        CHECK_EQ(write_at(fd, at, page, PAGE), PAGE);
        memset(page, 0, PAGE);
        CHECK_EQ(read_at(fd, at, page, PAGE), PAGE);
        CHECK(tagged(page, i * SPREAD + k));
    }
}

// 60 callers at different pages; 32 bounce pages, and 16 requests.
static void more_callers_than_requests(void) { many(CROWD, write_own_pages); }

static void another_process_reads_what_was_written(void) {
    struct gate go = gate_new(), come = gate_new();
    int fd = open_disk("/dev/vda", O_RDWR), pid = spawn();
    char text[16] = "";
    if (pid == 0) {
        for (int i = 0; i < 20; i++) {
            memset(text, i, sizeof text);
            CHECK_EQ(write_at(fd, 5000, text, sizeof text), sizeof text);  // the offset is the parent's, too
            gate_post(&go);
            gate_wait(&come);
        }
        leave();
    }
    int own = open_disk("/dev/vda", O_RDONLY);
    for (int i = 0; i < 20; i++) {
        gate_wait(&go);
        CHECK_EQ(read_at(own, 5000, text, sizeof text), sizeof text);
        CHECK(all_bytes(text, i, sizeof text));
        gate_post(&come);
    }
    CHECK_EQ(reap(pid), 0);
    CHECK_EQ(ksys_lseek(fd, 0, SEEK_CUR), 5016);
}

// What the disk says goes to one of those who share the page, by fork: the other keeps what it had.
static void a_shared_page_is_read_into_for_one(void) {
    int fd = open_disk("/dev/vda", O_RDWR);
    char *page = map(2, PROT_RW);
    memset(page, 4, 2 * PAGE);
    CHECK_EQ(write_at(fd, 0, page, 2 * PAGE), 2 * PAGE);
    memset(page, 5, 2 * PAGE);
    int pid = spawn();
    if (pid == 0) {
        CHECK_EQ(read_at(fd, 0, page, 2 * PAGE - 1), 2 * PAGE - 1);
        CHECK(all_bytes(page, 4, 2 * PAGE - 1) && page[2 * PAGE - 1] == 5);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    CHECK(all_bytes(page, 5, 2 * PAGE));
}

static void at_the_end_there_is_no_room(void) {
    int fd = open_disk("/dev/vda", O_RDWR);
    long size = size_of(fd);
    char *out = map(2, PROT_RW), *in = map(2, PROT_RW);
    memset(out, 0x5a, 2 * PAGE);
    CHECK_EQ(write_at(fd, size - 5000, out, 2 * PAGE), 5000);
    CHECK_EQ(read_at(fd, size - 5000, in, 2 * PAGE), 5000);
    CHECK(all_bytes(in, 0x5a, 5000) && all_bytes(in + 5000, 0, 2 * PAGE - 5000));
    CHECK_EQ(ksys_read(fd, in, 1), 0);
    CHECK_EQ(ksys_write(fd, out, 1), -ENOSPC);
    CHECK_EQ(ksys_write(fd, out, 0), 0);
    CHECK_EQ(write_at(fd, size + 12345678, out, 1), -ENOSPC);
    CHECK_EQ(read_at(fd, size + 12345678, in, 1), 0);
    CHECK_EQ(write_at(fd, size - 1, "x", 1), 1);
    CHECK_EQ(read_at(fd, size - 2, in, 9), 2);
    CHECK(in[0] == 0x5a && in[1] == 'x');
    CHECK_EQ(write_at(fd, 0x7ffffffffffff000, out, 5000), -ENOSPC);
}

static void bad_addresses_change_nothing(void) {
    int fd = open_disk("/dev/vda", O_RDWR);
    char *out = map(2, PROT_RW), in[100];
    memset(out, 1, 2 * PAGE);
    CHECK_EQ(write_at(fd, 0, out, 2 * PAGE), 2 * PAGE);
    memset(out, 2, 2 * PAGE);
    unmap_pages(out + PAGE, 1);
    CHECK_EQ(write_at(fd, 100, NULL, 100), -EFAULT);
    CHECK_EQ(ksys_lseek(fd, 0, SEEK_CUR), 100);
    CHECK_EQ(ksys_read(fd, NULL, 100), -EFAULT);
    CHECK_EQ(write_at(fd, 100, out + PAGE - 50, 100), -EFAULT);  // the first half is there
    CHECK_EQ(read_at(fd, 100, in, 100), 100);
    CHECK(all_bytes(in, 1, 100));
    CHECK_EQ(write_at(fd, PAGE - 10, out + PAGE - 10, 20), 10);  // a page was moved before
    CHECK_EQ(read_at(fd, PAGE - 10, in, 20), 20);
    CHECK(all_bytes(in, 2, 10) && all_bytes(in + 10, 1, 10));
}

static void a_read_only_disk_is_read(void) {
    int fd = open_disk("/dev/vdb", O_RDWR);
    char bytes[100] = "x";
    CHECK_EQ(ksys_write(fd, bytes, 100), -EROFS);
    CHECK_EQ(ksys_read(fd, bytes, 100), 100);
    CHECK(all_bytes(bytes, 0, 100));
    CHECK_EQ(ksys_fsync(fd), 0);
}

// Sector 64 is the first of page 8.
static void what_the_disk_cannot_do_is_eio(void) {
    enum { BAD = 64 * SECTOR };
    int fd = open_disk("/dev/vdc", O_RDWR);
    char *page = map(4, PROT_RW);
    memset(page, 3, 4 * PAGE);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(read_at(fd, BAD, page, 10), -EIO);
        CHECK_EQ(ksys_lseek(fd, 0, SEEK_CUR), BAD);
        CHECK_EQ(write_at(fd, BAD, page, PAGE), -EIO);
        CHECK_EQ(write_at(fd, BAD + 1000, page, 10), -EIO);
        CHECK_EQ(write_at(fd, BAD - 2 * PAGE, page, 4 * PAGE), 2 * PAGE);  // as far as it goes
        CHECK_EQ(ksys_write(fd, page, PAGE), -EIO);
        CHECK_EQ(write_at(fd, BAD + PAGE, page, PAGE), PAGE);
        CHECK_EQ(read_at(fd, BAD + PAGE, page, PAGE), PAGE);
        CHECK(all_bytes(page, 3, PAGE));
    }
}

static void fsync_says_what_the_disk_says(void) {
    int ends[2];
    CHECK_EQ(ksys_fsync(open_disk("/dev/vda", O_RDONLY)), 0);
    CHECK_EQ(ksys_fdatasync(open_disk("/dev/vda", O_RDONLY)), 0);
    CHECK_EQ(ksys_fsync(open_disk("/dev/vdc", O_RDONLY)), -EIO);
    CHECK_EQ(ksys_sync(), 0);
    CHECK_EQ(ksys_fsync(open_disk("/etc/motd", O_RDONLY)), 0);
    CHECK_EQ(ksys_fsync(open_disk("/dev/null", O_RDONLY)), -EINVAL);
    CHECK_EQ(ksys_pipe2(ends, 0), 0);
    CHECK_EQ(ksys_fsync(ends[0]), -EINVAL);
    CHECK_EQ(ksys_fsync(99), -EBADF);
}

static void write_for_ever(int i, int fd) {
    char *page = map(1, PROT_RW);
    for (;;) { write_at(fd, (i % 7) * PAGE + 100 * (i % 2), page, PAGE); }
}

// Their requests are still the disk's: nothing of it is left with the dead.
static void killed_writers_leave_nothing(void) {
    int pids[40];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT(pids); i++) {
            if ((pids[i] = spawn()) == 0) { write_for_ever(i, open_disk("/dev/vda", O_RDWR)); }
        }
        ksys_sched_yield();
        for (int i = 0; i < COUNT(pids); i++) { CHECK_EQ(ksys_kill(pids[i], SIGKILL), 0); }
        for (int i = 0; i < COUNT(pids); i++) { CHECK_EQ(reap(pids[i]), KILLED(SIGKILL)); }
    }
    many(CROWD, write_own_pages);
}

enum { PAINTERS = 8 };

static void paint(int i, int fd) {
    uint64_t words[SECTOR];
    long count = size_of(fd) / 8;
    for (long at = (long)i * SECTOR; at < count; at += PAINTERS * SECTOR) {
        long n = count - at < SECTOR ? count - at : SECTOR;
        for (long k = 0; k < n; k++) { words[k] = (at + k) * SPREAD; }
        CHECK_EQ(write_at(fd, at * 8, words, n * 8), n * 8);
    }
    CHECK_EQ(ksys_fsync(fd), 0);
}

static void the_whole_disk(void) {
    many(PAINTERS, paint);
    int fd = open_disk("/dev/vda", O_RDONLY);
    uint64_t words[999];
    long size = size_of(fd), at = 0, n;
    while ((n = read_at(fd, at * 8, words, sizeof words)) > 0) {
        for (long k = 0; k < n / 8; k++, at++) {
            if (words[k] != at * SPREAD) { CHECK_EQ(words[k], at * SPREAD); }
        }
    }
    CHECK_EQ(at * 8, size);
}

TEST_MAIN(TEST(the_size_is_told), TEST(pieces_stay_where_they_were_written),
          TEST(neighbours_do_not_undo_each_other), TEST(a_page_is_one_writers), TEST(more_callers_than_requests),
          TEST(another_process_reads_what_was_written), TEST(a_shared_page_is_read_into_for_one),
          TEST(at_the_end_there_is_no_room),
          TEST(bad_addresses_change_nothing), TEST(a_read_only_disk_is_read), TEST(what_the_disk_cannot_do_is_eio),
          TEST(fsync_says_what_the_disk_says), TEST(killed_writers_leave_nothing), TEST(the_whole_disk))
