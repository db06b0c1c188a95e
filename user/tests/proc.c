// SPDX-License-Identifier: MIT
// proc.c - processes: births, deaths, parents, pids, signals without handlers.
#include "common.h"
#include <stdio.h>
#include <stdlib.h>

static void statuses_are_packed_as_in_linux(void) {
    const int codes[] = {0, 1, 42, 255, 256, -1, 0x12345};
    for (int i = 0; i < COUNT(codes); i++) {
        int pid = spawn();
        if (pid == 0) { i & 1 ? ksys_exit(codes[i]) : ksys_exit_group(codes[i]); }
        CHECK_EQ(reap(pid), EXITED(codes[i] & 255));
    }
}

static void spin_for_ever(void *unused) {
    (void)unused;
    for (;;) { __asm__ volatile("" : : : "memory"); }
}

static void sleep_for_ever(void *unused) {
    (void)unused;
    for (;;) { nap(1000000 * MS); }
}

static void block_on_pipe(void *unused) {
    (void)unused;
    struct gate never = gate_new();
    gate_wait(&never);
}

static void block_in_write(void *unused) {
    (void)unused;
    static char block[PAGE];
    struct gate never = gate_new();
    for (;;) { ksys_write(never.ends[1], block, sizeof block); }
}

static void block_on_console(void *unused) {
    (void)unused;
    char byte;
    while (ksys_read(0, &byte, 1) > 0) {
    }
}

static void block_in_wait(void *unused) {
    (void)unused;
    struct gate hold = gate_new();
    if (spawn() == 0) {
        ksys_close(hold.ends[1]);
        char byte;
        ksys_read(hold.ends[0], &byte, 1);  // ends when the parent is dead
        leave();
    }
    reap(-1);
}

static void call_for_ever(void *unused) {
    (void)unused;
    for (;;) {
        ksys_getppid();
        ksys_sched_yield();
    }
}

static void fault_for_ever(void *unused) {
    (void)unused;
    for (;;) {
        char *at = map(16, PROT_RW);
        for (int i = 0; i < 16; i++) { at[i * PAGE] = 1; }
        unmap_pages(at, 16);
    }
}

static void fork_for_ever(void *unused) {
    (void)unused;
    for (;;) { status_of(nothing, NULL); }
}

static void whatever_a_child_does_kill_ends_it(void) {
    void (*const acts[])(void *) = {spin_for_ever, sleep_for_ever, block_on_pipe, block_in_write,
                                    block_in_wait, block_on_console, call_for_ever, fault_for_ever, fork_for_ever};
    const int signals[] = {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGSEGV, SIGUSR1};
    for (int i = 0; i < COUNT(acts) * 4; i++) {
        int sig = i % 4 ? signals[i % COUNT(signals)] : SIGKILL;
        int pid = spawn();
        if (pid == 0) {
            acts[i % COUNT(acts)](NULL);
            leave();
        }
        nap((i % 5) * MS);
        CHECK_EQ(ksys_kill(pid, sig), 0);
        CHECK_EQ(reap(pid), KILLED(sig));
    }
}

// Nobody presses a key. The second one waits for no less than the first, and can be killed before him.
static void who_reads_the_console_can_be_killed(void) {
    int pid[2];
    for (int i = 0; i < 2; i++) {
        if ((pid[i] = spawn()) == 0) {
            char byte;
            ksys_read((int)ksys_openat(AT_FDCWD, "/dev/console", O_RDONLY, 0), &byte, 1);
            leave();
        }
        nap(20 * MS);
    }
    for (int i = 1; i >= 0; i--) {
        CHECK_EQ(ksys_kill(pid[i], SIGKILL), 0);
        CHECK_EQ(reap(pid[i]), KILLED(SIGKILL));
    }
}

static void kill_checks_its_arguments(void) {
    int pid = spawn();
    if (pid == 0) { sleep_for_ever(NULL); }
    CHECK_EQ(ksys_kill(pid, 0), 0);
    CHECK_EQ(ksys_kill(pid, -1), -EINVAL);
    CHECK_EQ(ksys_kill(pid, 65), -EINVAL);
    CHECK_EQ(ksys_kill(0x3fffffff, SIGKILL), -ESRCH);
    CHECK_EQ(ksys_kill(pid, SIGKILL), 0);
    nap(20 * MS);
    CHECK_EQ(ksys_kill(pid, 0), 0);  // a zombie still has its pid
    CHECK_EQ(ksys_kill(pid, SIGTERM), 0);
    CHECK_EQ(reap(pid), KILLED(SIGKILL));
    CHECK_EQ(ksys_kill(pid, 0), -ESRCH);
}

// All processes are one group, which has no number but that of its first one, init.
static void kill_of_a_group(void) {
    CHECK_EQ(ksys_kill(0, 0), 0);
    CHECK_EQ(ksys_kill(-1, 0), 0);
    CHECK_EQ(ksys_kill(0, SIGCHLD), 0);
    CHECK_EQ(ksys_kill(0, 65), -EINVAL);
    CHECK_EQ(ksys_kill(-0x3fffffff, 0), -ESRCH);
    CHECK_EQ(ksys_kill(-0x3fffffff, SIGKILL), -ESRCH);
}

static void what_is_ignored_by_default_kills_nobody(void) {
    enum { SIGURG_ = 23, SIGWINCH_ = 28 };
    const int signals[] = {SIGCHLD, SIGCONT, SIGURG_, SIGWINCH_};
    struct gate hold = gate_new();
    int pid = spawn();
    if (pid == 0) {
        gate_wait(&hold);
        ksys_exit_group(7);
    }
    for (int i = 0; i < COUNT(signals); i++) { CHECK_EQ(ksys_kill(pid, signals[i]), 0); }
    nap(5 * MS);
    gate_post(&hold);
    CHECK_EQ(reap(pid), EXITED(7));
}

static void a_process_can_kill_itself(void) {
    int pid = spawn();
    if (pid == 0) {
        ksys_kill((int)ksys_getpid(), SIGKILL);
        ksys_exit_group(3);  // not reached
    }
    CHECK_EQ(reap(pid), KILLED(SIGKILL));
}

static void wait4_chooses_its_child(void) {
    int first = spawn();
    if (first == 0) { sleep_for_ever(NULL); }
    int second = spawn();
    if (second == 0) { ksys_exit_group(5); }
    int status = -1;
    CHECK_EQ(ksys_wait4(first, &status, WNOHANG, NULL), 0);
    CHECK_EQ(ksys_wait4(-1, &status, 0, NULL), second);
    CHECK_EQ(status, EXITED(5));
    CHECK_EQ(ksys_wait4(-1, &status, WNOHANG, NULL), 0);
    CHECK_EQ(ksys_wait4(second, &status, 0, NULL), -ECHILD);
    CHECK_EQ(ksys_wait4((int)ksys_getppid(), &status, 0, NULL), -ECHILD);
    CHECK_EQ(ksys_wait4(1, &status, 0, NULL), -ECHILD);
    CHECK_EQ(ksys_kill(first, SIGTERM), 0);
    CHECK_EQ(ksys_wait4(first, NULL, 0, NULL), first);
    CHECK_EQ(ksys_wait4(-1, &status, 0, NULL), -ECHILD);
    CHECK_EQ(ksys_wait4(-1, &status, WNOHANG, NULL), -ECHILD);
    CHECK_EQ(ksys_wait4(-1, &status, 0x10000000, NULL), -EINVAL);
}

static void wait4_for_the_group_with_all_options(void) {
    enum { STOPPED_ = 2, CONTINUED_ = 8, NOTHREAD_ = 0x20000000, ALL_ = 0x40000000 };
    static struct {
        uint64_t word[18];
    } usage, untouched;
    memset(&untouched, 0x5a, sizeof untouched);
    usage = untouched;
    int status = -1;
    struct gate hold = gate_new();
    CHECK_EQ(ksys_wait4(0, &status, 0, &usage), -ECHILD);
    int pid = spawn();
    if (pid == 0) {
        gate_wait(&hold);
        ksys_exit_group(5);
    }
    CHECK_EQ(ksys_wait4(0, &status, WNOHANG, &usage), 0);
    CHECK(status == -1);
    CHECK(memcmp(&usage, &untouched, sizeof usage) == 0 || !have_kine());  // qemu-riscv64 writes zeros
    CHECK_EQ(ksys_wait4(-0x3fffffff, &status, WNOHANG, NULL), -ECHILD);
    CHECK_EQ(ksys_wait4(pid, &status, WNOHANG | STOPPED_ | CONTINUED_, NULL), 0);
    CHECK_EQ(ksys_wait4(pid, &status, 4, NULL), -EINVAL);
    gate_post(&hold);
    CHECK_EQ(ksys_wait4(0, &status, STOPPED_ | CONTINUED_ | NOTHREAD_ | ALL_, &usage), pid);
    CHECK_EQ(status, EXITED(5));
    CHECK(memcmp(&usage, &untouched, sizeof usage) != 0);
}

static void a_grandchild_is_nobodys_child(void) {
    struct gate hold = gate_new();
    int pid = spawn();
    if (pid == 0) {
        int grandchild = spawn();
        if (grandchild == 0) {
            gate_wait(&hold);
            leave();
        }
        ksys_exit_group(0);
    }
    CHECK_EQ(reap(pid), 0);
    CHECK_EQ(reap(-1), -ECHILD);
    gate_post(&hold);
}

static void orphans_get_a_living_parent(void) {
    struct gate hold = gate_new(), answer = gate_new(), seen = gate_new();
    int me = (int)ksys_getpid(), parents[2] = {0, 0};
    int pid = spawn();
    if (pid == 0) {
        CHECK_EQ(ksys_getppid(), me);
        if (spawn() == 0) {
            parents[0] = (int)ksys_getppid();
            gate_post(&seen);
            gate_wait(&hold);
            parents[1] = (int)ksys_getppid();
            ksys_write(answer.ends[1], parents, sizeof parents);
            leave();
        }
        gate_wait(&seen);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    gate_post(&hold);
    CHECK_EQ(ksys_read(answer.ends[0], parents, sizeof parents), sizeof parents);
    CHECK_EQ(parents[0], pid);
    CHECK(parents[1] != pid && parents[1] != me);
    CHECK(parents[1] == 1 || !have_kine());
}

// Each dies at once after its parent did, or before; init must reap them all.
static void many_orphans_are_reaped(void) {
    enum { FAMILIES = 40, ORPHANS = 8 };
    struct gate alive = gate_new();
    for (int i = 0; i < FAMILIES; i++) {
        int pid = spawn();
        if (pid == 0) {
            for (int k = 0; k < ORPHANS; k++) {
                if (spawn() == 0) {
                    nap(k % 3 * MS);
                    leave();
                }
            }
            leave();
        }
        CHECK_EQ(reap(pid), 0);
    }
    char byte;
    ksys_close(alive.ends[1]);  // the orphans hold the other copies: EOF when the last is gone
    CHECK_EQ(ksys_read(alive.ends[0], &byte, 1), 0);
}

// All alive at one time.
static void have_children(int n) {
    static int pid[1000];
    struct gate hold = gate_new();
    for (int i = 0; i < n; i++) {
        if ((pid[i] = spawn()) == 0) {
            gate_wait(&hold);
            ksys_exit_group(i & 127);
        }
        if (pid[i] < 0) {  // a small machine: be content with fewer
            CHECK(i > 100 && pid[i] == -ENOMEM);
            pid[i] = 0;
            break;
        }
    }
    for (int i = 0; i < n; i++) {
        gate_post(&hold);
        if (i % 100 == 0) {  // slow under the race detector: show that it goes on
            printf("# %d were told\n", i);
        }
    }
    for (int i = n - 1; i >= 0; i--) {  // the youngest first
        if (pid[i] > 0) { CHECK_EQ(reap(pid[i]), EXITED(i & 127)); }
        if (i % 100 == 0) { printf("# %d are left\n", i); }
    }
    CHECK_EQ(reap(-1), -ECHILD);
}

static void a_thousand_children(void) { have_children(1000); }

// More stacks at once than a hart keeps: some are unmapped, on all harts.
static void a_hundred_children(void) {
    pin(0);
    have_children(100);
}

// Stacks of the dead stay with the harts for the next ones, but no more than some.
static void the_dead_keep_no_kernel_memory(void) {
    enum { CHILDREN = 1000 };
    static struct kine_audit before, after;
    audit(&before);
    for (int i = 0; i < CHILDREN; i++) { CHECK_EQ(status_of(nothing, NULL), 0); }
    audit(&after);
    CHECK(after.kernel < before.kernel + CHILDREN);
}

static int by_number(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

// Eight workers fork at the same time; zombies keep their pids, so that all live at one moment.
static void pids_are_unique_in_a_fork_storm(void) {
    enum { WORKERS = 8, EACH = 40, ALL = WORKERS * EACH };
    static int pids[ALL];
    struct gate report = gate_new(), hold = gate_new();
    int worker[WORKERS];
    for (int w = 0; w < WORKERS; w++) {
        if ((worker[w] = spawn()) == 0) {
            for (int i = 0; i < EACH; i++) {
                int pid = spawn();
                if (pid == 0) { leave(); }
                ksys_write(report.ends[1], &pid, sizeof pid);
            }
            gate_wait(&hold);
            for (int i = 0; i < EACH; i++) { CHECK_EQ(reap(-1), 0); }
            leave();
        }
    }
    for (int i = 0; i < ALL; i++) {
        CHECK_EQ(ksys_read(report.ends[0], &pids[i], sizeof pids[i]), sizeof pids[i]);
    }
    qsort(pids, ALL, sizeof pids[0], by_number);
    for (int i = 1; i < ALL; i++) { CHECK(pids[i] > 0 && pids[i] != pids[i - 1]); }
    for (int w = 0; w < WORKERS; w++) { gate_post(&hold); }
    for (int w = 0; w < WORKERS; w++) { CHECK_EQ(reap(worker[w]), 0); }
}

// Five levels; node n forks nodes 2n and 2n + 1. Every node must be there once, its parent alive.
static void a_tree_of_forks(void) {
    enum { NODES = 32 };
    static struct {
        int node, pid, parent;
    } got, pids[NODES];
    struct gate report = gate_new();
    int node = 1, root = (int)ksys_getpid();
    for (int i = 0; i < 2 && node < NODES / 2; i++) {
        int pid = spawn();
        if (pid == 0) {
            node = 2 * node + i;
            i = -1;  // this one's own two children come next
        }
    }
    got.node = node;
    got.pid = (int)ksys_getpid();
    got.parent = (int)ksys_getppid();
    CHECK_EQ(ksys_write(report.ends[1], &got, sizeof got), sizeof got);
    while (reap(-1) >= 0) {
    }
    if (node != 1) { leave(); }
    for (int i = 1; i < NODES; i++) {
        CHECK_EQ(ksys_read(report.ends[0], &got, sizeof got), sizeof got);
        CHECK(got.node > 0 && got.node < NODES && pids[got.node & (NODES - 1)].pid == 0);
        pids[got.node & (NODES - 1)] = got;
    }
    CHECK_EQ(pids[1].pid, root);
    for (int i = 2; i < NODES; i++) { CHECK_EQ(pids[i].parent, pids[i / 2].pid); }
}

TEST_MAIN(TEST(statuses_are_packed_as_in_linux), TEST(whatever_a_child_does_kill_ends_it),
          KINE_TEST(who_reads_the_console_can_be_killed), TEST(kill_checks_its_arguments), TEST(kill_of_a_group),
          TEST(what_is_ignored_by_default_kills_nobody), TEST(a_process_can_kill_itself),
          TEST(wait4_chooses_its_child), TEST(wait4_for_the_group_with_all_options),
          TEST(a_grandchild_is_nobodys_child),
          TEST(orphans_get_a_living_parent), TEST(many_orphans_are_reaped),
          TEST(a_thousand_children), TEST(a_hundred_children), TEST(pids_are_unique_in_a_fork_storm),
          TEST(a_tree_of_forks), KINE_TEST(the_dead_keep_no_kernel_memory))
