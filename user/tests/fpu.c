// SPDX-License-Identifier: MIT
// fpu.c - the floating-point registers belong to the process, across everything the kernel does.
#include "common.h"

// All 32 registers: `op f<n>, <8 n>(p)` for each n.
#define FOUR(op, p, a, b, c, d)                                                                    \
    op " f" #a ", 8*" #a "(" p ")\n" op " f" #b ", 8*" #b "(" p ")\n"                              \
    op " f" #c ", 8*" #c "(" p ")\n" op " f" #d ", 8*" #d "(" p ")\n"
#define EACH_REGISTER(op, p)                                                                       \
    FOUR(op, p, 0, 1, 2, 3) FOUR(op, p, 4, 5, 6, 7) FOUR(op, p, 8, 9, 10, 11)                      \
    FOUR(op, p, 12, 13, 14, 15) FOUR(op, p, 16, 17, 18, 19) FOUR(op, p, 20, 21, 22, 23)            \
    FOUR(op, p, 24, 25, 26, 27) FOUR(op, p, 28, 29, 30, 31)

#define FLOAT_CLOBBERS                                                                             \
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "ft8", "ft9", "ft10", "ft11", "fs0",   \
    "fs1", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "fa0", "fa1",   \
    "fa2", "fa3", "fa4", "fa5", "fa6", "fa7", "memory"

struct registers {
    uint64_t f[32];
};

static struct registers pattern(uint64_t who) {
    struct registers r;
    for (int i = 0; i < 32; i++) {
        r.f[i] = who * 0x0101010101010101 + (uint64_t)i * 0x1000001;
    }
    return r;
}

// Load all registers, make a call (no arguments), store them. Returns what the call returned.
static long around_call(long nr, long arg0, const struct registers *in, struct registers *out) {
    register long a0 __asm__("a0") = arg0;
    register long a1 __asm__("a1") = 0;
    register long a2 __asm__("a2") = 0;
    register long a7 __asm__("a7") = nr;
    __asm__ volatile(EACH_REGISTER("fld", "%3") "ecall\n" EACH_REGISTER("fsd", "%4")
                     : "+r"(a0), "+r"(a1), "+r"(a2)
                     : "r"(in), "r"(out), "r"(a7)
                     : FLOAT_CLOBBERS);
    return a0;
}

// ... spin instead of calling, so that only interrupts come in between.
static void around_spin(long turns, const struct registers *in, struct registers *out) {
    __asm__ volatile(EACH_REGISTER("fld", "%1") "1: addi %0, %0, -1\nbnez %0, 1b\n"
                     EACH_REGISTER("fsd", "%2")
                     : "+r"(turns)
                     : "r"(in), "r"(out)
                     : FLOAT_CLOBBERS);
}

static void calls_keep_them(void) {
    struct registers in, out;
    for (int i = 0; i < 200; i++) {
        in = pattern(i + 1);
        around_call(i & 1 ? KSYS_sched_yield : KSYS_getppid, 0, &in, &out);
        CHECK(memcmp(&in, &out, sizeof in) == 0);
    }
}

static void a_forked_child_inherits_them(void) {
    struct registers in = pattern(77), out;
    long pid = around_call(KSYS_clone, SIGCHLD, &in, &out);
    if (pid == 0) { checks_failed = 0; }
    CHECK(memcmp(&in, &out, sizeof in) == 0);
    if (pid == 0) { leave(); }
    CHECK_EQ(reap((int)pid), 0);
}

// Several processes on one hart, each with registers of its own, and one that uses none.
static void switches_keep_them_apart(void) {
    enum { PROCESSES = 6 };
    int pid[PROCESSES];
    struct registers in, out;
    unsigned cpu = 0;
    ksys_getcpu(&cpu, NULL, NULL);
    CHECK_EQ(pin((int)cpu), 0);
    for (int p = 0; p < PROCESSES; p++) {
        if ((pid[p] = spawn()) == 0) {
            for (int i = 0; i < 60 && p > 0; i++) {
                in = pattern((uint64_t)(p * 1000 + i));
                if (p & 1) {
                    around_spin(200000, &in, &out);
                } else {
                    around_call(KSYS_sched_yield, 0, &in, &out);
                }
                CHECK(memcmp(&in, &out, sizeof in) == 0);
            }
            leave();
        }
    }
    for (int p = 0; p < PROCESSES; p++) { CHECK_EQ(reap(pid[p]), 0); }
}

// A sum that only comes out right if no bit of any register is lost on the way.
static double series(int terms, double sign) {
    volatile double sum = 0;
    for (int k = 0; k < terms; k++) {
        sum += (k & 1 ? -sign : sign) / (2.0 * k + 1.0);
        if (k % 5000 == 0) { ksys_sched_yield(); }
    }
    return sum;
}

static void computing_side_by_side(void) {
    enum { PROCESSES = 8, TERMS = 60000 };
    int pid[PROCESSES];
    double expected = series(TERMS, 1.0);
    CHECK(expected > 0.78539 && expected < 0.78541);  // pi / 4
    for (int p = 0; p < PROCESSES; p++) {
        if ((pid[p] = spawn()) == 0) {
            CHECK(series(TERMS, p & 1 ? -1.0 : 1.0) == (p & 1 ? -expected : expected));
            leave();
        }
    }
    for (int p = 0; p < PROCESSES; p++) { CHECK_EQ(reap(pid[p]), 0); }
}

static unsigned read_fcsr(void) {
    unsigned value;
    __asm__ volatile("frcsr %0" : "=r"(value));
    return value;
}

static void rounding_mode_and_flags_stay(void) {
    for (unsigned mode = 0; mode < 4; mode++) {
        __asm__ volatile("fscsr %0" : : "r"(mode << 5 | mode));
        nap(MS);
        CHECK_EQ(read_fcsr(), mode << 5 | mode);
        int pid = spawn();
        if (pid == 0) {
            CHECK_EQ(read_fcsr(), mode << 5 | mode);
            __asm__ volatile("fscsr %0" : : "r"(0x9f));
            leave();
        }
        CHECK_EQ(reap(pid), 0);
        CHECK_EQ(read_fcsr(), mode << 5 | mode);
    }
}

TEST_MAIN(TEST(calls_keep_them), TEST(a_forked_child_inherits_them),
          TEST(switches_keep_them_apart), TEST(computing_side_by_side),
          TEST(rounding_mode_and_flags_stay))
