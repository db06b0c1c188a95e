// SPDX-License-Identifier: MIT
// kernelwrite.c - every system call that writes user memory obeys the rules of user stores.
//
// Each such call is one row of `writers`; the tests run all of them against pages that are shared,
// untouched, forbidden, or good in their first half only.
#include "common.h"

static const char constants[2 * PAGE] = "constants";

// ---- the calls; each returns what the kernel said

static long from_pipe(char *to) {
    static char message[32] = "thirty-two bytes of message....";
    struct gate pipe = gate_new();
    CHECK_EQ(ksys_write(pipe.ends[1], message, sizeof message), sizeof message);
    long got = ksys_read(pipe.ends[0], to, sizeof message);
    gate_free(&pipe);
    return got;
}

static long from_file(char *to) {
    int fd = (int)ksys_openat(AT_FDCWD, "/bin/sh", O_RDONLY, 0);
    long got = ksys_read(fd, to, 64);
    ksys_close(fd);
    return got;
}

static long from_device(char *to) {
    int fd = (int)ksys_openat(AT_FDCWD, "/dev/zero", O_RDONLY, 0);
    long got = ksys_read(fd, to, 64);
    ksys_close(fd);
    return got;
}

static long scattered(char *to) {
    struct iovec parts[] = {{to, 20}, {to + 20, 0}, {to + 20, 44}};
    int fd = (int)ksys_openat(AT_FDCWD, "/bin/sh", O_RDONLY, 0);
    long got = ksys_readv(fd, parts, COUNT(parts));
    ksys_close(fd);
    return got;
}

static long status_word(char *to) {
    int pid = spawn();
    if (pid == 0) { ksys_exit_group(0x12); }
    long got = ksys_wait4(pid, to, 0, NULL);
    return got == pid ? 0 : got;
}

static long pipe_ends(char *to) {
    long got = ksys_pipe2(to, 0);
    if (got == 0) {
        int ends[2];
        memcpy(ends, to, sizeof ends);
        CHECK_EQ(ksys_close(ends[0]), 0);
        CHECK_EQ(ksys_close(ends[1]), 0);
    }
    return got;
}

static long stat_of_fd(char *to) {
    int fd = (int)ksys_openat(AT_FDCWD, "/bin/sh", O_RDONLY, 0);
    long got = ksys_fstat(fd, to);
    ksys_close(fd);
    return got;
}

static long stat_of_path(char *to) { return ksys_newfstatat(AT_FDCWD, "/bin/sh", to, 0); }

static long entries(char *to) {
    int fd = (int)ksys_openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
    long got = ksys_getdents64(fd, to, 64);
    ksys_close(fd);
    return got;
}

static long folder(char *to) {
    ksys_chdir("/dev");
    return ksys_getcwd(to, 6);
}

static long clock_time(char *to) { return ksys_clock_gettime(CLOCK_MONOTONIC, to); }

static long affinity(char *to) { return ksys_sched_getaffinity(0, 128, to); }

static long cpu_number(char *to) { return ksys_getcpu(to, to + 4, NULL); }

static long names(char *to) { return ksys_uname(to); }

static long system_info(char *to) { return ksys_sysinfo(to); }

static long audit_report(char *to) {
    return ksys_kine_audit(to, sizeof(struct kine_audit));
}

static long counter_values(char *to) {
    return ksys_kine_counters(-1, to, sizeof(struct kine_counters));
}

static long page_words(char *to) { return ksys_kine_pagemap(constants, 2, to); }

static const struct writer {
    const char *name;
    long (*call)(char *to);
    size_t len;    // bytes written at least, so that a straddle really straddles
    bool partial;  // may deliver the good half and say so
    bool needs_kine;
} writers[] = {
    {"read from a pipe", from_pipe, 32, true, false},
    {"read from a file", from_file, 64, true, false},
    {"read from /dev/zero", from_device, 64, true, false},
    {"readv", scattered, 64, true, false},
    {"wait4", status_word, 4, false, false},
    {"pipe2", pipe_ends, 8, false, false},
    {"fstat", stat_of_fd, 128, false, false},
    {"newfstatat", stat_of_path, 128, false, false},
    {"getdents64", entries, 24, true, false},
    {"getcwd", folder, 5, false, false},
    {"clock_gettime", clock_time, 16, false, false},
    {"sched_getaffinity", affinity, 8, false, false},
    {"getcpu", cpu_number, 8, false, false},
    {"uname", names, 6 * 65, false, false},
    {"sysinfo", system_info, 112, false, false},
    {"kine_audit", audit_report, sizeof(struct kine_audit), false, true},
    {"kine_counters", counter_values, sizeof(struct kine_counters), false, true},
    {"kine_pagemap", page_words, 16, false, true},
};

static void for_each_writer(void (*act)(const struct writer *w)) {
    bool kine = have_kine();
    for (int i = 0; i < COUNT(writers); i++) {
        int before = checks_failed;
        if (kine || !writers[i].needs_kine) { act(&writers[i]); }
        if (checks_failed != before) { ktap_comment("... by %s", writers[i].name); }
    }
}

// ---- good pages

enum { FILL = 0xa5 };

static char *filled_pages(void) {
    char *pages = map(2, PROT_RW);
    memset(pages, FILL, 2 * PAGE);
    return pages;
}

static void write_within(const struct writer *w, char *pages) {
    CHECK(w->call(pages + 64) >= 0);
    CHECK(!all_bytes(pages + 64, FILL, w->len));
}

static void write_across(const struct writer *w, char *pages) {
    char *to = pages + PAGE - w->len / 2;
    CHECK(w->call(to) >= 0);
    CHECK(!all_bytes(to, FILL, PAGE - (size_t)(to - pages)));
    CHECK(!all_bytes(pages + PAGE, FILL, w->len - w->len / 2));
}

static void child_then_parent(const struct writer *w) {
    char *pages = filled_pages();
    struct gate go = gate_new();
    int pid = spawn();
    if (pid == 0) {
        write_within(w, pages);
        write_across(w, pages);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    CHECK(all_bytes(pages, FILL, 2 * PAGE));
    pid = spawn();
    if (pid == 0) {
        gate_wait(&go);
        CHECK(all_bytes(pages, FILL, 2 * PAGE));
        leave();
    }
    write_within(w, pages);
    write_across(w, pages);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    gate_free(&go);
}

static void shared_pages_stay_apart(void) { for_each_writer(child_then_parent); }

static void write_untouched(const struct writer *w) {
    char *pages = map(2, PROT_RW);
    char *to = pages + PAGE - w->len / 2;
    CHECK(w->call(to) >= 0);
    CHECK(all_bytes(pages, 0, (size_t)(to - pages)));
}

static void untouched_pages_work(void) { for_each_writer(write_untouched); }

// ---- bad pages

static void refused(const struct writer *w, char *to) {
    long got = w->call(to);
    if (got != -EFAULT) {
        checks_failed++;
        ktap_comment("%s to %p returned %ld", w->name, to, got);
    }
}

static void write_to_no_memory(const struct writer *w) {
    char *hole = map(1, PROT_RW);
    unmap_pages(hole, 1);
    const uint64_t places[] = {
        0x10, (uint64_t)hole, (uint64_t)map(1, PROT_NONE), 1ul << 38, 1ul << 47, 1ul << 63,
        0xffffffc000000000, 0xffffffc080200000, 0xffffffe000002000, 0xffffffff80000000,
        0xffffffff80200000, -PAGE, 0xfffffffffffffff0, (1ul << 38) - 8,
    };
    for (int i = 0; i < COUNT(places); i++) { refused(w, (char *)places[i]); }
}

static void no_memory_is_efault(void) { for_each_writer(write_to_no_memory); }

static void write_to_read_only(const struct writer *w) {
    char *zero = map(1, PROT_READ), *untouched = map(1, PROT_READ);
    char *text = (char *)(uintptr_t)write_to_read_only, *rodata = (char *)constants;
    static char text_was[1024];
    CHECK_EQ(*(volatile char *)zero, 0);
    memcpy(text_was, text, sizeof text_was);
    int pid = spawn();  // once with the pages shared, once alone
    refused(w, text);
    refused(w, rodata);
    refused(w, rodata + PAGE);
    refused(w, zero);
    refused(w, untouched);
    if (pid == 0) { leave(); }
    CHECK_EQ(reap(pid), 0);
    refused(w, text);
    CHECK(memcmp(text, text_was, sizeof text_was) == 0);
    CHECK(memcmp(rodata, "constants", 10) == 0 && all_bytes(rodata + 10, 0, 2 * PAGE - 10));
    CHECK(all_bytes(zero, 0, PAGE) && all_bytes(untouched, 0, PAGE));
}

static void read_only_is_efault(void) { for_each_writer(write_to_read_only); }

static void write_half_bad(const struct writer *w) {
    char *pages = filled_pages();
    unmap_pages(pages + PAGE, 1);
    char *to = pages + PAGE - w->len / 2;
    long got = w->call(to);
    CHECK(got == -EFAULT || (w->partial && got > 0 && got <= (long)w->len / 2));
    CHECK(all_bytes(pages, FILL, (size_t)(to - pages)));
}

static void second_page_bad_is_efault(void) { for_each_writer(write_half_bad); }

static void failed_pipe2_keeps_no_descriptor(void) {
    int lowest = (int)ksys_dup(1);
    CHECK_EQ(ksys_close(lowest), 0);
    for (int i = 0; i < 300; i++) { CHECK_EQ(ksys_pipe2((void *)constants, 0), -EFAULT); }
    CHECK_EQ(ksys_dup(1), lowest);
}

// The child is either reaped or can still be waited for, but never stuck.
static void failed_wait4_loses_no_child(void) {
    for (int i = 0; i < 20; i++) {
        int pid = spawn();
        if (pid == 0) { ksys_exit_group(3); }
        CHECK_EQ(ksys_wait4(pid, (void *)constants, 0, NULL), -EFAULT);
        long again = ksys_wait4(pid, NULL, 0, NULL);
        CHECK(again == pid || again == -ECHILD);
    }
    CHECK_EQ(ksys_wait4(-1, NULL, 0, NULL), -ECHILD);
}

TEST_MAIN(TEST(shared_pages_stay_apart), TEST(untouched_pages_work), TEST(no_memory_is_efault),
          TEST(read_only_is_efault), TEST(second_page_bad_is_efault),
          KINE_TEST(failed_pipe2_keeps_no_descriptor), TEST(failed_wait4_loses_no_child))
