// SPDX-License-Identifier: MIT
// inject.c - what a machine may do and QEMU does not: faults for no reason, interrupts that are answered
// late, a slow hart, no memory for once (kernel/sync/inject.h). Each really happens, as often as it should,
// and the books and all contents are what they are without. Kernels without CHECK=1 have nothing to inject:
// skipped.
#include "common.h"
#include <spawn.h>

enum { PAGES = 64, CHILDREN = 6, CALLS = 200, AUDITS = 16 };

// From now on one in `rate`; returns how many there have been.
static long inject(long kind, long seed, long rate, long bound) {
    return ksys_kine_ctl(KINE_INJECT, kind | seed << 8, rate | bound << 32);
}

static long end(long kind) { return inject(kind, 0, 0, 0); }

static void write_all(char *pages, long value) {
    for (int i = 0; i < PAGES; i++) { tag(pages + i * PAGE, value + i); }
}

static bool read_all(const char *pages, long value) {
    for (int i = 0; i < PAGES; i++) {
        if (!tagged(pages + i * PAGE, value + i)) { return false; }
    }
    return true;
}

// Copies, flips, fills, by the kernel's own stores too, and programs, on all harts.
static void work(void) {
    static const char *argv[] = {"/bin/true", NULL};
    char *pages = map(PAGES, PROT_RW);
    int pid[CHILDREN];
    write_all(pages, 0);
    for (int i = 0; i < CHILDREN; i++) {
        if ((pid[i] = spawn()) == 0) {
            struct gate g = gate_new();
            CHECK(read_all(pages, 0));
            write_all(pages, 1000 * (i + 1));
            ksys_write(g.ends[1], pages, PAGE / 2);
            CHECK_EQ(ksys_read(g.ends[0], map(1, PROT_RW), PAGE), PAGE / 2);
            CHECK(read_all(pages, 1000 * (i + 1)));
            if (checks_failed) { leave(); }
            ksys_execve(argv[0], argv, argv + 1);
        }
    }
    for (int i = 0; i < CHILDREN; i++) { CHECK_EQ(reap(pid[i]), 0); }
    CHECK(read_all(pages, 0));
    write_all(pages, 7);
    CHECK(read_all(pages, 7));
}

static long resolved(struct kine_counters c) {
    return c.cow_copies + c.cow_flips + c.zero_fills + c.file_fills + c.file_maps - c.cow_around;
}

static void every_fault_comes_twice(void) {
    struct kine_counters before = counters();
    long none = inject(KINE_SPURIOUS_FAULT, 1, 1, 0);
    work();
    long some = end(KINE_SPURIOUS_FAULT) - none;
    struct kine_counters after = counters();
    CHECK(some > CHILDREN * PAGES / 4);  // runs of writes are copied in blocks
    CHECK_EQ(after.spurious - before.spurious, some);
    CHECK(resolved(after) - resolved(before) >= some);  // a few before and behind
    CHECK(resolved(after) - resolved(before) < some + 64);
}

static void one_fault_in_ten_comes_twice(void) {
    struct kine_counters before = counters();
    inject(KINE_SPURIOUS_FAULT, 2, 10, 0);
    work();
    end(KINE_SPURIOUS_FAULT);
    struct kine_counters after = counters();
    long some = after.spurious - before.spurious, all = resolved(after) - resolved(before);
    CHECK(some > all / 20 && some < all / 5);
}

static void a_fault_that_fails_does_not_come_twice(void) {
    char *page = map(1, PROT_READ);
    CHECK_EQ(*(volatile char *)page, 0);
    long none = inject(KINE_SPURIOUS_FAULT, 3, 1, 0);
    int pid = spawn();
    if (pid == 0) {
        *(volatile char *)page = 1;
        leave();
    }
    CHECK_EQ(reap(pid), KILLED(SIGSEGV));
    CHECK(end(KINE_SPURIOUS_FAULT) - none < 16);  // the stacks and the data of the two
}

static void only_one_process_sees_them(void) {
    char *pages = map(2 * PAGES, PROT_RW);
    long none = inject(KINE_SPURIOUS_FAULT | KINE_INJECT_SELF, 4, 1, 0);
    write_all(pages, 0);
    int pid = spawn();
    if (pid == 0) {
        write_all(pages + PAGES * PAGE, 0);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    long some = end(KINE_SPURIOUS_FAULT) - none;
    CHECK(some >= PAGES && some < PAGES + 32);
}

static void interrupts_come_late(void) {
    static struct kine_audit books;
    long harts = ksys_kine_ctl(KINE_NHARTS, 0, 0);
    long none = inject(KINE_LATE_IPI, 5, 1, 20000);
    work();
    for (int i = 0; i < 8; i++) {
        CHECK(audit(&books));  // it rings all harts, twice
    }
    long some = end(KINE_LATE_IPI) - none;
    CHECK(harts == 1 ? some == 0 : some >= 8);
}

static void call_often(void) {
    for (int i = 0; i < CALLS; i++) { ksys_getpid(); }
}

static void a_hart_is_slow(void) {
    long harts = ksys_kine_ctl(KINE_NHARTS, 0, 0), slow = harts - 1;
    CHECK_EQ(pin((int)slow), 0);
    long none = inject(KINE_SLOW_HART, slow, 1, 1000);
    call_often();
    long some = inject(KINE_SLOW_HART, slow, 8, 20000) - none;
    CHECK(some > CALLS);
    CHECK_EQ(ksys_sched_setaffinity(0, sizeof(long), &(unsigned long){~0ul}), 0);
    work();
    CHECK(end(KINE_SLOW_HART) - none > some);
}

// Stay on hart 0 while a child on hart 1 audits, so that hart 0 is rung.
static void be_rung(void) {
    static struct kine_audit books;
    int pid = spawn(), status = 0;
    if (pid == 0) {
        CHECK_EQ(pin(1), 0);
        for (int i = 0; i < AUDITS; i++) { CHECK(audit(&books)); }
        leave();
    }
    CHECK_EQ(pin(0), 0);
    while (ksys_wait4(pid, &status, WNOHANG, NULL) == 0) { continue; }
    CHECK_EQ(status, 0);
}

static void only_one_process_is_interrupted_late(void) {
    if (ksys_kine_ctl(KINE_NHARTS, 0, 0) == 1) { return; }
    long none = inject(KINE_LATE_IPI | KINE_INJECT_SELF, 7, 1, 1000);
    be_rung();
    long mine = inject(KINE_LATE_IPI | KINE_INJECT_SELF, 7, 1, 1000) - none;
    int pid = spawn();
    if (pid == 0) {
        be_rung();
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    long others = end(KINE_LATE_IPI) - none - mine;
    ktap_comment("late: %ld of the process's own, %ld while it waits", mine, others);
    CHECK(mine >= AUDITS && others < AUDITS / 4);
}

static void only_one_process_is_slow(void) {
    long harts = ksys_kine_ctl(KINE_NHARTS, 0, 0), slow = harts - 1;
    CHECK_EQ(pin((int)slow), 0);
    long none = inject(KINE_SLOW_HART | KINE_INJECT_SELF, slow, 1, 1000);
    call_often();
    long mine = inject(KINE_SLOW_HART | KINE_INJECT_SELF, slow, 1, 1000) - none;
    int pid = spawn();
    if (pid == 0) {
        call_often();
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    if (slow) { CHECK_EQ(pin(0), 0); }
    long others = inject(KINE_SLOW_HART | KINE_INJECT_SELF, slow, 1, 1000) - none - mine;
    call_often();
    long elsewhere = end(KINE_SLOW_HART) - none - mine - others;
    ktap_comment("slow: %ld of the process's own, %ld of a child's, %ld on hart 0 of %ld", mine, others,
                 elsewhere, harts);
    CHECK(mine > CALLS && others < CALLS / 4);
    CHECK(slow ? elsewhere == 0 : elsewhere > CALLS);
}

// A child that first touches FEW new pages when all are there: each takes a frame, some a table, and
// nobody else allocates meanwhile. init sleeps, and so do this process and its parent.
enum { FEW = 8, TOUCHERS = 4 };

static int toucher(const struct gate *ready, const struct gate *start) {
    int pid = spawn();
    if (pid == 0) {
        char *pages = map(FEW, PROT_RW);
        gate_post(ready);
        gate_wait(start);
        for (int i = 0; i < FEW; i++) { tag(pages + i * PAGE, i); }
        for (int i = 0; i < FEW; i++) { CHECK(tagged(pages + i * PAGE, i)); }
        leave();
    }
    return pid;
}

// The k-th of what TOUCHERS children allocate fails. Returns which of them have been killed, as bits.
static unsigned killed_at(long k) {
    struct gate ready = gate_new(), start = gate_new();
    int pid[TOUCHERS], status;
    unsigned killed = 0;
    for (int i = 0; i < TOUCHERS; i++) { pid[i] = toucher(&ready, &start); }
    for (int i = 0; i < TOUCHERS; i++) { gate_wait(&ready); }
    inject(KINE_NO_MEMORY, 0, k, 0);
    for (int i = 0; i < TOUCHERS; i++) { gate_post(&start); }
    for (int i = 0; i < TOUCHERS; i++) {
        status = reap(pid[i]);
        CHECK(status == 0 || status == KILLED(SIGKILL));
        killed |= (unsigned)(status != 0) << i;
    }
    gate_free(&ready);
    gate_free(&start);
    return killed;
}

static void the_kth_allocation_of_anybody_fails(void) {
    static struct kine_audit books;
    unsigned all = 0;
    long none = end(KINE_NO_MEMORY), some = 0;
    for (long k = 1; k <= FEW * TOUCHERS; k++) {
        unsigned killed = killed_at(k);
        CHECK(killed && !(killed & (killed - 1)));  // one of them
        all |= killed;
        CHECK(audit(&books));
        some++;
    }
    CHECK(all & (all - 1));  // not always the same
    work();                  // nothing more comes
    CHECK_EQ(killed_at(1000000), 0);
    CHECK_EQ(end(KINE_NO_MEMORY) - none, some);
}

// Wherever memory fails, between the call and the program's end: its caller is told, and has no child, or the
// child is killed; both are counted. Returns whether something failed.
static bool spawn_failing_at(long k, int *told, int *killed) {
    static char *const argv[] = {"true", NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 9, "/etc/motd", O_RDONLY, 0);
    long none = inject(KINE_NO_MEMORY, 0, k, 0);
    int error = posix_spawnp(&pid, "true", &actions, NULL, argv, argv + 1);
    int status = error ? 0 : reap(pid);
    bool failed = end(KINE_NO_MEMORY) > none;
    CHECK(error == 0 || error == ENOMEM);
    CHECK(status == 0 || status == KILLED(SIGKILL));
    CHECK(failed || (!error && !status));
    *told += error != 0;
    *killed += status != 0;
    CHECK_EQ(ksys_wait4(-1, NULL, 0, NULL), -ECHILD);
    return failed;
}

static void the_kth_allocation_of_a_spawn_fails(void) {
    static struct kine_audit books;
    char *pages = map(PAGES, PROT_RW);
    write_all(pages, 3);
    int told = 0, killed = 0;
    spawn_failing_at(1000000, &told, &killed);  // our own pages are all there from here on
    for (long k = 1; !checks_failed && spawn_failing_at(k, &told, &killed); k++) { CHECK(audit(&books)); }
    ktap_comment("spawn: %d told, %d killed", told, killed);
    CHECK(told > 8 && killed > 1);
    CHECK(read_all(pages, 3));
}

static void all_at_once(void) {
    inject(KINE_SPURIOUS_FAULT, 6, 3, 0);
    inject(KINE_LATE_IPI, 6, 3, 5000);
    inject(KINE_SLOW_HART, 6, 3, 500);
    for (int i = 0; i < 4; i++) { work(); }
    for (long kind = 0; kind < KINE_INJECT_KINDS; kind++) { end(kind); }
}

static void others_are_refused(void) {
    CHECK_EQ(inject(KINE_INJECT_KINDS, 0, 1, 0), -EINVAL);
    CHECK_EQ(inject(KINE_INJECT_SELF - 1, 0, 1, 0), -EINVAL);
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        KINE_TEST(every_fault_comes_twice), KINE_TEST(one_fault_in_ten_comes_twice),
        KINE_TEST(a_fault_that_fails_does_not_come_twice), KINE_TEST(only_one_process_sees_them),
        KINE_TEST(interrupts_come_late), KINE_TEST(a_hart_is_slow),
        KINE_TEST(only_one_process_is_interrupted_late), KINE_TEST(only_one_process_is_slow),
        KINE_TEST(the_kth_allocation_of_anybody_fails), KINE_TEST(the_kth_allocation_of_a_spawn_fails),
        KINE_TEST(all_at_once), KINE_TEST(others_are_refused)};
    if (have_kine() && end(KINE_SPURIOUS_FAULT) >= 0) {
        return run_tests(tests, COUNT(tests), argc > 1 ? argv[1] : NULL);
    }
    ktap_plan(COUNT(tests));
    for (int i = 0; i < COUNT(tests); i++) {
        ktap_skip("needs a kernel with CHECK=1", "%s", tests[i].name);
    }
    return ktap_end();
}
