// SPDX-License-Identifier: MIT
// storms.c - workloads about processes that come and go in masses, and about memory running out.
#include "sharing.h"
#include <kine.h>
#include <ktap.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int run_execstorm(const struct params *p, int worker) {
    int bad = 0;
    (void)worker;
    for (int r = 0; r < p->rounds; r++) {
        pid_t pid = spawn_child();
        if (pid == 0) {
            char *argv[] = {below(2) ? "true" : "/bin/true", NULL}, *envp[] = {NULL};
            execve("/bin/true", argv, envp);
            _exit(9);  // no memory for the new image
        }
        int code = pid > 0 ? reap_child(pid) : 0;
        bad += code != 0 && code != 9 && code != KILLED(SIGKILL);
    }
    return bad;
}

static void live_until_killed(char *base, int pages) {
    for (uint32_t i = 0;; i++) {
        tag_write(base, below(pages), 5, i);
        pid_t pid = i % 8 ? -1 : spawn_child();
        if (pid == 0) {
            char *argv[] = {"true", NULL}, *envp[] = {NULL};
            execve("/bin/true", argv, envp);
            _exit(0);
        }
        if (pid > 0) { reap_child(pid); }
    }
}

// Children that fork, fault and exec for ever are killed at a random moment.
int run_killstorm(const struct params *p, int worker) {
    int bad = 0;
    char *base = pages_new(p->pages);
    for (int i = 0; i < p->pages; i++) { tag_write(base, i, worker, i); }
    for (int r = 0; r < p->rounds; r++) {
        pid_t pid = spawn_child();
        if (pid == 0) { live_until_killed(base, p->pages); }
        if (pid < 0) { continue; }
        struct timespec wait = {0, below(3000000)};
        nanosleep(&wait, NULL);
        bad += kill(pid, SIGKILL) != 0;
        bad += reap_child(pid) != KILLED(SIGKILL);
    }
    for (int i = 0; i < p->pages; i++) { bad += tag_check(base, i, worker, i); }
    pages_drop(base, p->pages);
    return bad;
}

// Takes memory, a chunk at a time, until it is killed or refused. Pages given twice would carry another
// chunk's or worker's tag: the oldest and the newest chunk are looked at, now and then and at the end all.
enum { CHUNK = 256, CHUNKS = 16384 };
static char *chunks[CHUNKS];

static _Noreturn void take_all(int worker, int round) {
    int wrong = 0;
    for (uint32_t n = 0; !wrong; n++) {
        char *base = n < CHUNKS ? pages_new(CHUNK) : NULL;
        if (base) { chunks[n] = base; }
        for (int i = 0; base && i < CHUNK; i++) { tag_write(base, i, worker, n); }
        pid_t child = n % 16 || !base ? -1 : spawn_child();
        if (child == 0) {
            tag_write(base, 0, 99, n);
            _exit(0);
        }
        if (child > 0) { reap_child(child); }
        bool all = n % 64 == 0 || !base;
        for (uint32_t k = 0; k < n + (base != NULL); k += all ? 1 : n) {
            for (int i = 0; i < CHUNK; i++) { wrong += tag_check(chunks[k], i, worker, k); }
        }
        if (!base) { _exit(wrong ? 1 : 3); }
        // The larger it is, the longer fork takes.
        if (child > 0) { ktap_comment("beat oom %d.%d %u", worker, round, n); }
    }
    _exit(1);
}

int run_oom(const struct params *p, int worker) {
    int bad = 0;
    for (int r = 0; r < p->rounds / 16 + 1; r++) {
        pid_t pid = spawn_child();
        if (pid == 0) { take_all(worker, r); }
        int code = pid > 0 ? reap_child(pid) : 3;
        bad += code != KILLED(SIGKILL) && code != 3;
    }
    return bad;
}

// A bit of everything, moving from hart to hart.
int run_mix(const struct params *p, int worker) {
    static int (*const parts[])(const struct params *, int) = {
        run_forkstorm, run_writers, run_chain, run_exitorder, run_kernelwrite, run_brk, run_execstorm,
        run_killstorm, run_threads};
    struct params one = *p;
    int bad = 0;
    one.workers = 2;
    one.rounds = 3;
    for (int r = 0; r < p->rounds; r += 4) {
        cpu_set_t set;
        CPU_ZERO(&set);
        for (int i = 0; i < 3; i++) { CPU_SET(below(kine_ctl(KINE_NHARTS, 0, 0)), &set); }
        sched_setaffinity(0, sizeof(set), &set);
        one.pages = 1 + below(p->pages);
        bad += parts[below(sizeof(parts) / sizeof(parts[0]))](&one, worker);
        sched_yield();
    }
    return bad;
}
