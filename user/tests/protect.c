// SPDX-License-Identifier: MIT
// protect.c - what was never writable stays so, whatever fork does around it.
//
// Every kind of page that must not be written is written in every situation that copy-on-write
// brings about; each time exactly the writer dies, of SIGSEGV, and the page is as it was.
#include "common.h"

static const char constants[2 * PAGE] = "constants";

static char *text(void) { return (char *)(uintptr_t)text; }

static char *rodata(void) { return (char *)constants + PAGE; }

static char *no_access(void) { return map(1, PROT_NONE); }

static char *read_only(void) {
    char *at = map(1, PROT_READ);
    CHECK_EQ(*(volatile char *)at, 0);
    return at;
}

static char *read_only_untouched(void) { return map(1, PROT_READ); }

static char *unmapped(void) {
    char *at = map(1, PROT_RW);
    CHECK_EQ(ksys_munmap(at, PAGE), 0);
    return at;
}

static char *far_away(void) { return (char *)0x3f00000000; }

// One page below the eight MiB of the stack, found from what the kernel put at its top.
static char *stack_guard(void) {
    extern char **environ;
    uintptr_t top = ((uintptr_t)environ + PAGE - 1) & -PAGE;
    return (char *)top - (8 * MIB + PAGE);
}

static const struct target {
    const char *name;
    char *(*find)(void);
    bool readable;
} targets[] = {
    {"text", text, true},
    {"rodata", rodata, true},
    {"a read-only page", read_only, true},
    {"an untouched read-only page", read_only_untouched, true},
    {"a PROT_NONE page", no_access, false},
    {"a hole", unmapped, false},
    {"an address far away", far_away, false},
    {"the stack's guard", stack_guard, false},
};

static void poke_amo(void *at) {
    __atomic_fetch_add((int *)((uintptr_t)at & -4), 1, __ATOMIC_RELAXED);
}

// Situations: each returns the wait status of the process that did the write.

static int plain(char *at) { return status_of(poke, at); }

static int by_amo(char *at) { return status_of(poke_amo, at); }

static void in_grandchild(void *at) { ksys_exit_group(status_of(poke, at)); }

static int two_forks_down(char *at) {
    int status = status_of(in_grandchild, at);
    return status >> 8;  // the grandchild's status, as the child's exit code
}

static void poke_after_child_has_gone(void *at) {
    CHECK_EQ(status_of(nothing, NULL), 0);
    poke(at);
}

static int after_fork(char *at) { return status_of(poke_after_child_has_gone, at); }

static void poke_beside_a_child(void *at) {
    struct gate hold = gate_new();
    int pid = spawn();
    if (pid == 0) {
        ksys_close(hold.ends[1]);
        char byte;
        ksys_read(hold.ends[0], &byte, 1);  // ends when the writer is dead
        leave();
    }
    poke(at);
}

static int beside_a_child(char *at) { return status_of(poke_beside_a_child, at); }

static const struct situation {
    const char *name;
    int (*write)(char *at);
} situations[] = {
    {"a forked child", plain},
    {"an amoadd in a child", by_amo},
    {"a grandchild", two_forks_down},
    {"a parent whose child has gone", after_fork},
    {"a parent beside its child", beside_a_child},
};

static void check_target(const struct target *t) {
    char *at = t->find();
    char before = t->readable ? *(volatile char *)at : 0;
    for (int i = 0; i < COUNT(situations); i++) {
        int status = situations[i].write(at);
        if (status != KILLED(SIGSEGV)) {
            checks_failed++;
            ktap_comment("%s wrote to %s: status 0x%x", situations[i].name, t->name, status);
        }
        CHECK(!t->readable || *(volatile char *)at == before);
    }
}

static void no_write_gets_through(void) {
    for (int i = 0; i < COUNT(targets); i++) { check_target(&targets[i]); }
}

static void no_read_of_prot_none_or_holes(void) {
    for (int i = 0; i < COUNT(targets); i++) {
        if (!targets[i].readable) {
            char *at = targets[i].find();
            int pid = spawn();
            if (pid == 0) {
                (void)*(volatile char *)at;
                leave();
            }
            CHECK_EQ(reap(pid), KILLED(SIGSEGV));
        }
    }
}

static void data_and_stack_cannot_be_executed(void) {
    static uint32_t data[4] = {0x00008067};  // ret
    uint32_t stack[4] = {0x00008067};
    char *heap = map(1, PROT_RW);
    memcpy(heap, data, sizeof data);
    void *places[] = {data, stack, heap, (void *)constants};
    for (int i = 0; i < COUNT(places); i++) {
        int pid = spawn();
        if (pid == 0) {
            ((void (*)(void))(uintptr_t)places[i])();
            leave();
        }
        CHECK_EQ(reap(pid), KILLED(SIGSEGV));
    }
}

static void stack_overflow_dies_in_a_forked_child_too(void) {
    int pid = spawn();
    if (pid == 0) {
        char *sp = __builtin_frame_address(0);
        for (size_t down = PAGE; down < 9 * MIB; down += PAGE) {
            *(volatile char *)(sp - down) = 1;
        }
        leave();
    }
    CHECK_EQ(reap(pid), KILLED(SIGSEGV));
}

// ---- what each protection allows, of a page that nobody touched and of one that is there

static void load_from(void *at) {
    __asm__ volatile("ld t0, 0(%0)" : : "r"(at) : "t0", "memory");
}

static void store_to(void *at) {
    __asm__ volatile("sd zero, 0(%0)" : : "r"(at) : "memory");
}

static void jump_to(void *at) { __asm__ volatile("jr %0" : : "r"(at) : "memory"); }

static const struct {
    int prot;
    bool allowed[3];
} protections[] = {
    {PROT_NONE, {false, false, false}},
    {PROT_READ, {true, false, false}},
    {PROT_WRITE, {true, true, false}},  // RISC-V has no W without R
    {PROT_READ | PROT_WRITE, {true, true, false}},
    {PROT_EXEC, {false, false, true}},
    {PROT_READ | PROT_EXEC, {true, false, true}},
};

// The page is full of zeros, which is no instruction: a jump that is allowed ends in SIGILL.
static void check_accesses(char *at, const char *state, int row) {
    void (*const access[])(void *) = {load_from, store_to, jump_to};
    const int fine[] = {0, 0, KILLED(SIGILL)};
    for (int i = 0; i < COUNT(access); i++) {
        int status = status_of(access[i], at);
        if (status != (protections[row].allowed[i] ? fine[i] : KILLED(SIGSEGV))) {
            checks_failed++;
            ktap_comment("%s page, prot %d, access %d: status 0x%x", state, protections[row].prot, i,
                         (unsigned)status);
        }
    }
}

static void each_protection_allows_its_accesses_and_no_other(void) {
    for (int row = 0; row < COUNT(protections); row++) {
        char *fresh = map(1, protections[row].prot), *there = map(1, protections[row].prot);
        if (protections[row].allowed[1]) {
            store_to(there);
        } else if (protections[row].allowed[0]) {
            load_from(there);
        }
        check_accesses(fresh, "a fresh", row);
        check_accesses(there, "a touched", row);
    }
}

TEST_MAIN(TEST(no_write_gets_through), TEST(no_read_of_prot_none_or_holes),
          TEST(data_and_stack_cannot_be_executed), TEST(stack_overflow_dies_in_a_forked_child_too),
          TEST(each_protection_allows_its_accesses_and_no_other))
