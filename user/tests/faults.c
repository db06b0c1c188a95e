// SPDX-License-Identifier: MIT
// faults.c - what a process does wrong kills that process, with the right signal, and nobody else.
#include "common.h"

static const uint64_t far_addresses[] = {
    0, 8, 0xfff, 0xffffffff80000000, 0xffffffff80200000, 0xffffffc000000000, 0xffffffc080200000,
    0xffffffe000002000, 1ul << 38, (1ul << 38) - 8, 1ul << 47, 1ul << 63, -8ul, 0x3f00000000,
    0x80200000, 0x10000000,
};

static void load(void *at) {
    __asm__ volatile("lb t0, 0(%0)" : : "r"(at) : "t0", "memory");
}

static void store(void *at) { __asm__ volatile("sb zero, 0(%0)" : : "r"(at) : "memory"); }

static void jump(void *at) {
    __asm__ volatile("jr %0" : : "r"((uintptr_t)at & ~1ul) : "memory");
}

static void atomic(void *at) {
    __asm__ volatile("amoadd.d t0, t0, (%0)" : : "r"((uintptr_t)at & -8) : "t0", "memory");
}

static void load_reserved(void *at) {
    __asm__ volatile("lr.d t0, (%0)" : : "r"((uintptr_t)at & -8) : "t0", "memory");
}

static void float_store(void *at) {
    __asm__ volatile("fsd ft0, 0(%0)" : : "r"((uintptr_t)at & -8) : "memory");
}

static void no_access_to_where_nothing_is(void) {
    void (*const ways[])(void *) = {load, store, jump, atomic, load_reserved, float_store};
    for (int i = 0; i < COUNT(far_addresses); i++) {
        for (int way = 0; way < COUNT(ways); way++) {
            int status = status_of(ways[way], (void *)far_addresses[i]);
            if (status != KILLED(SIGSEGV)) {
                checks_failed++;
                ktap_comment("way %d to 0x%lx: status 0x%x", way, (unsigned long)far_addresses[i],
                             (unsigned)status);
            }
        }
    }
}

#define INSTRUCTION(name, text)                                                                    \
    static void name(void *unused) {                                                               \
        (void)unused;                                                                              \
        __asm__ volatile(text : : : "t0", "memory");                                               \
    }

INSTRUCTION(all_zeros, ".half 0, 0")
INSTRUCTION(all_ones, ".word 0xffffffff")
INSTRUCTION(reserved, ".word 0x0000707f")
INSTRUCTION(read_sstatus, "csrr t0, sstatus")
INSTRUCTION(write_satp, "csrw satp, zero")
INSTRUCTION(write_stvec, "csrw stvec, zero")
INSTRUCTION(read_mhartid, "csrr t0, mhartid")
INSTRUCTION(write_cycle, "csrw cycle, zero")
INSTRUCTION(return_from_trap, "sret")
INSTRUCTION(return_from_machine_trap, "mret")
INSTRUCTION(flush_tlb, "sfence.vma")
INSTRUCTION(breakpoint, "ebreak")
INSTRUCTION(short_breakpoint, "c.ebreak")

static void instructions_not_for_users(void) {
    void (*const illegal[])(void *) = {
        all_zeros, all_ones, reserved, read_sstatus, write_satp, write_stvec, read_mhartid,
        write_cycle, return_from_trap, return_from_machine_trap, flush_tlb,
    };
    for (int i = 0; i < COUNT(illegal); i++) {
        int status = status_of(illegal[i], NULL);
        if (status != KILLED(SIGILL)) {
            checks_failed++;
            ktap_comment("instruction %d: status 0x%x", i, (unsigned)status);
        }
    }
}

static void breakpoints_are_traps(void) {
    CHECK_EQ(status_of(breakpoint, NULL), KILLED(SIGTRAP));
    CHECK_EQ(status_of(short_breakpoint, NULL), KILLED(SIGTRAP));
}

static void division_by_zero_goes_on(void) {
    volatile long one = 1, zero = 0, least = (long)(1ul << 63), minus_one = -1;
    long quotient, rest;
    __asm__ volatile("div %0, %1, %2" : "=r"(quotient) : "r"(one), "r"(zero));
    __asm__ volatile("rem %0, %1, %2" : "=r"(rest) : "r"(one), "r"(zero));
    CHECK(quotient == -1 && rest == 1);
    __asm__ volatile("div %0, %1, %2" : "=r"(quotient) : "r"(least), "r"(minus_one));
    CHECK_EQ(quotient, least);
}

static void load_misaligned(void *at) {
    uint64_t value;
    __asm__ volatile("ld %0, 0(%1)" : "=r"(value) : "r"(at) : "memory");
    CHECK_EQ(value, 0x0807060504030201);
}

static void misaligned_access_works_or_is_a_bus_error(void) {
    char *pages = map(2, PROT_RW);
    for (int shift = 1; shift < 8; shift++) {
        char *at = pages + PAGE - shift;
        for (int i = 0; i < 8; i++) { at[i] = (char)(i + 1); }
        int status = status_of(load_misaligned, at);
        CHECK(status == 0 || status == KILLED(SIGBUS));
    }
}

static void misaligned_atomics(void) {
    char *page = map(1, PROT_RW);
    int pid = spawn();
    if (pid == 0) {
        __asm__ volatile("amoadd.d t0, t0, (%0)" : : "r"(page + 3) : "t0", "memory");
        leave();
    }
    int status = reap(pid);
    CHECK(status == 0 || status == KILLED(SIGBUS) || status == KILLED(SIGSEGV));
}

// A misaligned access of which the second half is not there.
static void half_an_access_is_no_access(void) {
    char *pages = map(2, PROT_RW);
    memset(pages, 7, PAGE);
    unmap_pages(pages + PAGE, 1);
    int pid = spawn();
    if (pid == 0) {
        __asm__ volatile("sd zero, 0(%0)" : : "r"(pages + PAGE - 4) : "memory");
        leave();
    }
    CHECK_EQ(reap(pid), KILLED(SIGSEGV));
    CHECK(all_bytes(pages, 7, PAGE));
}

static void a_wrecked_stack_pointer_is_survived(void) {
    const uint64_t stacks[] = {0, 1, 0xffffffff80200000, 1ul << 38, -1ul, 0x3f00000000};
    for (int i = 0; i < COUNT(stacks); i++) {
        int pid = spawn();
        if (pid == 0) {  // calls still work; the first push does not
            __asm__ volatile("mv sp, %0\nli a7, 173\necall\nli a7, 124\necall\nsd zero, -8(sp)"
                             :
                             : "r"(stacks[i])
                             : "a0", "a7", "memory");
            __builtin_unreachable();
        }
        CHECK_EQ(reap(pid), KILLED(SIGSEGV));
    }
}

static void many_die_at_the_same_time(void) {
    enum { VICTIMS = 60 };
    int pid[VICTIMS];
    for (int i = 0; i < VICTIMS; i++) {
        if ((pid[i] = spawn()) == 0) {
            i % 3 == 0 ? load(NULL) : i % 3 == 1 ? all_zeros(NULL) : breakpoint(NULL);
            leave();
        }
    }
    const int want[] = {KILLED(SIGSEGV), KILLED(SIGILL), KILLED(SIGTRAP)};
    for (int i = 0; i < VICTIMS; i++) { CHECK_EQ(reap(pid[i]), want[i % 3]); }
}

TEST_MAIN(TEST(no_access_to_where_nothing_is), TEST(instructions_not_for_users),
          TEST(breakpoints_are_traps), TEST(division_by_zero_goes_on),
          TEST(misaligned_access_works_or_is_a_bus_error), TEST(misaligned_atomics),
          TEST(half_an_access_is_no_access), TEST(a_wrecked_stack_pointer_is_survived),
          TEST(many_die_at_the_same_time))
