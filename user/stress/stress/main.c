// SPDX-License-Identifier: MIT
// main.c - run workloads with several workers each, audit every frame after each of them.
//
//     stress list | stress WORKLOAD|all [seed=N] [workers=N] [rounds=N] [pages=N] [time=S] [delay=N]
//         [spurious=N] [late=N] [slow=N] [swap=1]
//
// With time= the list is gone through again with the next seed until the time is over.
// delay=, late= and slow= bound waits, in spins: at race points, behind an IPI, on entry of a slow hart;
// swap=1: there is a disk to swap to, /dev/vda; when that is full the largest process is ended.
// spurious= makes one page fault in N come twice (kernel/sync/inject.h). Kernels with CHECK=1 only.
#include "sharing.h"
#include <errno.h>
#include <kine.h>
#include <ksys.h>
#include <ktap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const struct workload workloads[] = {
    {"forkstorm", run_forkstorm, "many short children"},
    {"writers", run_writers, "parent and children write the same pages at once"},
    {"chain", run_chain, "generations that exit before their children"},
    {"tree", run_tree, "a tree of processes, each with its own tags"},
    {"exitorder", run_exitorder, "three sharers exit in every order"},
    {"soleowner", run_soleowner, "the last sharer rewrites without a copy"},
    {"kernelwrite", run_kernelwrite, "the kernel writes into shared pages"},
    {"brk", run_brk, "the heap grows and shrinks after fork"},
    {"execstorm", run_execstorm, "fork and exec"},
    {"killstorm", run_killstorm, "kill at random moments"},
    {"threads", run_threads, "threads write, fork, exec and end side by side"},
    {"mapstorm", run_mapstorm, "threads map, share, protect, move, discard, fork and are killed"},
    {"oom", run_oom, "memory run down to nothing"},
    {"mix", run_mix, "all of these, moving from hart to hart"},
};
const int nworkloads = sizeof(workloads) / sizeof(workloads[0]);

static int tests, failures;

static uint64_t option(int argc, char **argv, const char *name, uint64_t fallback) {
    size_t n = strlen(name);
    for (int i = 2; i < argc; i++) {
        if (!strncmp(argv[i], name, n) && argv[i][n] == '=') {
            return strtoull(argv[i] + n + 1, NULL, 0);
        }
    }
    return fallback;
}

enum { NOT_FORKED = -1 };

static bool swapping;

// Where memory may be run down, a worker may be the one that has to die, or cannot begin.
static bool greedy(const struct workload *w) {
    return swapping || !strcmp(w->name, "oom") || !strcmp(w->name, "mapstorm");
}

// Workers begin when all are there, and the one who waits for them has copied what it will write: it must not be
// the one that memory is wanting for.
static void await_opening(const int *gate) {
    char none;
    close(gate[1]);
    (void)!read(gate[0], &none, 1);
    close(gate[0]);
}

static int run_workers(const struct workload *w, const struct params *p) {
    pid_t pids[64];
    int bad = 0, gate[2];
    if (pipe(gate) < 0) { return 1; }
    for (int i = 0; i < p->workers; i++) {
        if ((pids[i] = fork()) == 0) {
            await_opening(gate);
            seed_random(p->seed, i);
            _exit(w->run(p, i) != 0);
        }
    }
    seed_random(0, 0);  // writes what is this process's own
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < p->workers; i++) {
        int code = pids[i] > 0 ? reap_child(pids[i]) : NOT_FORKED;
        bool allowed = greedy(w) && (code == KILLED(9) || code == NOT_FORKED);
        if (code && !allowed) {
            ktap_comment("worker %d ended with %d", i, code);
            bad++;
        }
    }
    return bad;
}

// Is every frame accounted for? Only a kernel that has no such call may be silent.
static bool audit(struct kine_audit *books) {
    long errors = kine_audit(books);
    if (errors > 0) {
        ktap_comment("audit: %ld errors: %s", errors, books->first);
    } else if (errors < 0 && errno != ENOSYS) {
        ktap_comment("audit: no answer, errno %d", errno);
    }
    return errors == 0 || (errors < 0 && errno == ENOSYS);
}

// A workload goes on when there is no memory for a child. One without children would have checked nothing: each
// worker has one in four rounds, at the least; where memory is run down, there is one after the workers.
static bool forked_enough(const struct workload *w, const struct params *p, uint64_t forks) {
    uint64_t least = p->workers + (greedy(w) ? 1 : p->workers * (p->rounds / 4 + 1));
    if (forks < least) { ktap_comment("only %lu forks, at least %lu expected", forks, least); }
    return forks >= least;
}

// Pages of processes, in memory or not, and their tables.
static long pages(const struct kine_audit *books) { return books->user + books->swapped + books->table; }

static void run_one(const struct workload *w, const struct params *p) {
    struct kine_audit before = {0}, after = {0};
    struct kine_counters then, now;
    bool counted = kine_counters(-1, &then) == 0;
    int bad = !audit(&before);
    bad += run_workers(w, p);
    bad += counted && kine_counters(-1, &now) == 0 && !forked_enough(w, p, now.forks - then.forks);
    bool exact = audit(&after);
    // Orphans of killed workers may still be on their way out: exact now, and the same a little later.
    for (int i = 0; exact && i < 200 && pages(&after) != pages(&before); i++) {
        usleep(10000);
        exact = audit(&after);
    }
    bad += !exact;
    if (pages(&after) != pages(&before)) {
        ktap_comment("user frames %d -> %d, swapped %d -> %d, tables %d -> %d", (int)before.user, (int)after.user,
                     (int)before.swapped, (int)after.swapped, (int)before.table, (int)after.table);
        bad++;
    }
    tests++;
    failures += bad != 0;
    ktap_comment("beat %s %d", w->name, tests);
    char line[160];
    int n = snprintf(line, sizeof(line), "%sok %d - %s seed=%lu workers=%d rounds=%d pages=%d\n",
                     bad ? "not " : "", tests, w->name, (unsigned long)p->seed, p->workers, p->rounds,
                     p->pages);
    if (write(1, line, n) != n) { _exit(1); }
}

// What is injected: how often, or how long one occasion in eight has to wait.
static uint64_t spurious, late, slow;

static void inject(uint64_t seed) {
    if (spurious) { kine_ctl(KINE_INJECT, KINE_SPURIOUS_FAULT | seed << 8, spurious); }
    if (late) { kine_ctl(KINE_INJECT, KINE_LATE_IPI | seed << 8, 8 | late << 32); }
    if (slow) { kine_ctl(KINE_INJECT, KINE_SLOW_HART | seed << 8, 8 | slow << 32); }
}

static void tell_injected(void) {
    if (spurious || late || slow) {
        ktap_comment("injected: %ld spurious faults, %ld late IPIs, %ld slow entries",
                     kine_ctl(KINE_INJECT, KINE_SPURIOUS_FAULT, 0), kine_ctl(KINE_INJECT, KINE_LATE_IPI, 0),
                     kine_ctl(KINE_INJECT, KINE_SLOW_HART, 0));
    }
}

static time_t seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

int main(int argc, char **argv) {
    const char *which = argc > 1 ? argv[1] : "list";
    if (!strcmp(which, "list")) {
        for (int i = 0; i < nworkloads; i++) {
            printf("%-12s %s\n", workloads[i].name, workloads[i].what);
        }
        return 0;
    }
    struct params p = {option(argc, argv, "seed", 1), option(argc, argv, "workers", 8),
                       option(argc, argv, "rounds", 20), option(argc, argv, "pages", 32)};
    p.workers = p.workers < 1 ? 1 : p.workers > 64 ? 64 : p.workers;
    uint64_t delay = option(argc, argv, "delay", 0);
    time_t end = seconds() + option(argc, argv, "time", 0);
    spurious = option(argc, argv, "spurious", 0);
    late = option(argc, argv, "late", 0);
    slow = option(argc, argv, "slow", 0);
    swapping = option(argc, argv, "swap", 0);
    if (swapping && ksys_swapon("/dev/vda", 0) < 0) {
        perror("stress: /dev/vda");
        return 2;
    }
    write(1, "KTAP version 1\n", 15);
    do {
        if (delay) { kine_ctl(KINE_DELAY, p.seed, delay); }
        inject(p.seed);
        for (int i = 0; i < nworkloads; i++) {
            if (!strcmp(which, "all") || !strcmp(which, workloads[i].name)) {
                run_one(&workloads[i], &p);
            }
        }
        p.seed++;
    } while (seconds() < end);
    tell_injected();
    char line[32];
    write(1, line, snprintf(line, sizeof(line), "1..%d\n", tests));
    return failures || !tests;
}
