// SPDX-License-Identifier: MIT
// hostile.c - every call number with seeded hostile arguments: nothing may bring the kernel down.
//
// Each call number is tried in children of its own: what exits, kills, unmaps or blocks hurts only
// the child, which the parent ends after a while. A number without a call must give ENOSYS. Not
// tried are arguments that mean what they say: power off, take all memory, signal somebody else.
// `hostile SEED` uses another seed.
#include "common.h"
#include <stdlib.h>

enum { ROUNDS = 4, CALLS_PER_ROUND = 24, PATIENCE_MS = 300 };

static uint64_t seed = 1, state;
static char *good, *edge, *read_only, *no_access, *hole;  // pages; `hole` and after `edge`: nothing

// splitmix64
static uint64_t random64(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static uint64_t pointer(void) {
    const uint64_t places[] = {
        0, 1, (uint64_t)good, (uint64_t)good + 1, (uint64_t)edge + PAGE - 8,
        (uint64_t)edge + PAGE - 1, (uint64_t)edge + PAGE - 12, (uint64_t)read_only,
        (uint64_t)no_access, (uint64_t)hole, (uint64_t)hole + 3, (uint64_t)(uintptr_t)pointer,
        (uint64_t)"constant", 0x10000, 0xfffc, 0x80000000, 0x80200000, 0x10000000, 0x0c000000,
        (1ul << 38) - PAGE, (1ul << 38) - 1, 1ul << 38, 1ul << 39, 1ul << 47, 1ul << 63,
        0x3f00000000, 0xffffffc000000000, 0xffffffc080200000, 0xffffffe000000000,
        0xffffffe000003ff8, 0xffffffff80000000, 0xffffffff80200001, -PAGE, -8ul, -1ul,
    };
    return places[random64() % COUNT(places)];
}

static uint64_t number(void) {
    static const uint64_t numbers[] = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 17, 64, 100, 127, 128, 255, 1023, 4095, 4096, 4097, 8192,
        1ul << 20, (1ul << 31) - 1, 1ul << 31, (1ul << 32) - 1, 1ul << 32, 1ul << 38, 1ul << 62,
        (1ul << 63) - 1, 1ul << 63, -1ul, -2ul, -100ul, -4095ul, -4096ul, -(1ul << 31),
        -(1ul << 38),
    };
    return numbers[random64() % COUNT(numbers)];
}

static uint64_t argument(void) {
    uint64_t kind = random64() % 16;
    if (kind < 14) { return kind < 7 ? pointer() : number(); }
    return kind == 14 ? number() + pointer() : random64();
}

// Replace what would be obeyed rather than refused.
static void make_harmless(long nr, uint64_t a[6]) {
    static const uint64_t nobody[] = {0x3fffffff, -0x3ffffffful, 0x7fffffff, 1ul << 31,
                                      1ul << 40 | 0x3fffffff};
    static const uint64_t controls[] = {0, -1ul, 2, 6, 7, 9, 10, 11, 1000, 1ul << 31,
                                        1ul << 32 | 99, KINE_RACE, KINE_GHOST, KINE_SCHEDULE,
                                        KINE_INJECT};
    if (nr == KSYS_kill || nr == KSYS_tkill || nr == KSYS_tgkill) {
        a[0] = nobody[a[0] % COUNT(nobody)];
    } else if (nr == KSYS_sched_setaffinity) {
        a[0] = a[0] & 1 ? 0 : nobody[a[0] % COUNT(nobody)];
    } else if (nr == KSYS_kine_ctl) {
        a[0] = controls[a[0] % COUNT(controls)];
        if (a[0] == KINE_RACE && (uint32_t)a[1]) { a[2] |= 0xff; }  // no play: it waits for others
        if (a[0] == KINE_SCHEDULE) { a[1] = a[1] & 1 ? KINE_SCHEDULE_RECORD : KINE_SCHEDULE_PREPARE; }
        if (a[0] == KINE_INJECT) {  // for this child, and no wait that others notice
            a[1] |= KINE_INJECT_SELF;
            a[2] &= 0xffffffffff;
        }
    } else if (nr == KSYS_reboot) {
        a[0] |= 1;  // Linux's first magic number is odd: spoil the second instead
        a[1] = 0;
    }
}

static void prepare_pages(void) {
    good = map(4, PROT_RW);
    edge = map(2, PROT_RW);
    unmap_pages(edge + PAGE, 1);
    read_only = map(1, PROT_READ);
    no_access = map(1, PROT_NONE);
    hole = map(3, PROT_RW);
    unmap_pages(hole, 3);
    memset(good, '/', 4 * PAGE);
    memset(edge, 0xff, PAGE);
}

// Descriptors 0 to 5 of a hostile child: nothing that reaches the console.
static void prepare_files(void) {
    int ends[2];
    for (int fd = 0; fd < 3; fd++) { ksys_close(fd); }
    CHECK_EQ(ksys_openat(AT_FDCWD, "/dev/null", O_RDWR, 0), 0);
    CHECK_EQ(ksys_openat(AT_FDCWD, "/dev/zero", O_RDWR, 0), 1);
    CHECK_EQ(ksys_openat(AT_FDCWD, "/", O_RDONLY, 0), 2);
    CHECK_EQ(ksys_openat(AT_FDCWD, "/bin/sh", O_RDONLY, 0), 3);
    CHECK_EQ(ksys_pipe2(ends, 0), 0);
}

static void attack(long nr) {
    prepare_files();
    int self = (int)ksys_getpid();
    for (int i = 0; i < CALLS_PER_ROUND; i++) {
        uint64_t a[6];
        for (int k = 0; k < 6; k++) { a[k] = argument(); }
        if (nr == KSYS_clone && i % 4 == 0) { a[0] = SIGCHLD; }
        make_harmless(nr, a);
        ksys_raw(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
        if (ksys_getpid() != self) { ksys_exit_group(0); }
    }
}

// Wait for a child that may block for ever, but not long.
static int reap_soon(int pid) {
    int status = -1;
    for (int tries = 0; tries < 50; tries++) {
        if (ksys_wait4(pid, &status, WNOHANG, NULL) == pid) { return status; }
        ksys_sched_yield();
    }
    for (int64_t end = now_ns() + PATIENCE_MS * MS; now_ns() < end; nap(2 * MS)) {
        if (ksys_wait4(pid, &status, WNOHANG, NULL) == pid) { return status; }
    }
    CHECK_EQ(ksys_kill(pid, SIGKILL), 0);
    return reap(pid);
}

static void attack_in_children(long nr) {
    for (int round = 0; round < ROUNDS; round++) {
        state = seed * 1000003 + (uint64_t)nr * 101 + (uint64_t)round;
        int pid = spawn();
        if (pid == 0) {
            attack(nr);
            leave();
        }
        reap_soon(pid);
    }
}

static bool is_call(long nr) {
    switch (nr) {
#define S0(number, name, ...) case number:
#include "kernel/syscall/table.h"
        return true;
    default:
        return false;
    }
}

static void every_call_survives(void) {
    prepare_pages();
    for (long nr = 0; nr <= 1040; nr++) {
        if (is_call(nr)) { attack_in_children(nr); }
    }
    CHECK(all_bytes(good, '/', 4 * PAGE) && all_bytes(edge, 0xff, PAGE));
    CHECK(all_bytes(read_only, 0, PAGE));
}

static void unknown_numbers_give_enosys(void) {
    prepare_pages();
    state = seed;
    for (long nr = 0; nr <= 1040; nr = nr == 500 ? 1000 : nr + 1) {
        for (int i = 0; i < 4 && !is_call(nr); i++) {
            CHECK_EQ(ksys_raw(nr, (long)argument(), (long)argument(), (long)argument(),
                              (long)argument(), (long)argument(), (long)argument()), -ENOSYS);
        }
    }
    const long far[] = {501, 999, 1041, 1l << 20, 1l << 31, 1l << 32, (1l << 32) + KSYS_getpid,
                        -1, -KSYS_getpid, (long)(1ul << 63), (long)((1ul << 63) | KSYS_getpid)};
    for (int i = 0; i < COUNT(far); i++) {
        CHECK_EQ(ksys_raw(far[i], 0, 0, 0, 0, 0, 0), -ENOSYS);
    }
}

// The upper halves of int arguments are not looked at.
static void int_arguments_are_cut_to_ints(void) {
    int fd = (int)ksys_openat(AT_FDCWD, "/dev/null", O_RDWR, 0);
    long wide = (long)(0xdeadbeef00000000 | (uint32_t)fd);
    CHECK_EQ(ksys_raw(KSYS_write, wide, (long)"x", 1, 0, 0, 0), 1);
    CHECK_EQ(ksys_raw(KSYS_close, wide, 0, 0, 0, 0, 0), 0);
    CHECK_EQ(ksys_raw(KSYS_close, wide, 0, 0, 0, 0, 0), -EBADF);
}

static void init_cannot_be_killed(void) {
    ksys_kill(1, SIGKILL);
    ksys_kill(1, SIGTERM);
    int pid = spawn();
    if (pid == 0) {  // an orphan's new parent is alive
        if (spawn() == 0) {
            nap(20 * MS);
            leave();
        }
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    nap(50 * MS);
    CHECK_EQ(ksys_kill(1, 0), 0);
}

// The registers that a call must keep: all but a0.
static void registers_survive_calls(void) {
    register long s1 __asm__("s1") = 11, s11 __asm__("s11") = 12, a0 __asm__("a0") = -1;
    register long a1 __asm__("a1") = 13, a5 __asm__("a5") = 14, a7 __asm__("a7") = KSYS_getppid;
    register long t0 __asm__("t0") = 15, t6 __asm__("t6") = 16;
    __asm__ volatile("ecall"
                     : "+r"(s1), "+r"(s11), "+r"(a0), "+r"(a1), "+r"(a5), "+r"(a7), "+r"(t0),
                       "+r"(t6)
                     :
                     : "memory");
    bool kept = s1 == 11 && s11 == 12 && a1 == 13 && a5 == 14 && t0 == 15 && t6 == 16;
    bool number_kept = a7 == KSYS_getppid;
    CHECK(kept && number_kept);
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        TEST(every_call_survives),           KINE_TEST(unknown_numbers_give_enosys),
        TEST(int_arguments_are_cut_to_ints), KINE_TEST(init_cannot_be_killed),
        TEST(registers_survive_calls),
    };
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : seed;
    return run_tests(tests, COUNT(tests), NULL);
}
