// SPDX-License-Identifier: MIT
// mapstorm.c - a workload about maps that change under everybody: threads map, share, protect, discard, move and
// unmap their areas (areas.h) side by side; they fork, and the children do so, too; threads, children and whole
// processes end in the midst of it. Whoever is left knows what each page must hold.
//
// Model      A worker begins a team in each round, which it kills, or not. A child looks at all that its thread had,
//            changes its own map, and writes one shared area, which it was lent: then that holds what was
//            agreed on, or, if the child did not come to its end, nothing to rely on.
// Verdict    A pipe that all descendants have. The worker reads it to its end: nobody is left then, no orphan either.
#include "areas.h"
#include "sharing.h"
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <thread.h>
#include <time.h>
#include <unistd.h>

enum { TEAM = 4, STEPS = 80, FORKS = 2 };

static struct storm team[TEAM];

static void walk(struct storm *s, int steps);

static void own_pipe(struct storm *s) {
    if (pipe(s->pipe) < 0) { s->pipe[0] = s->pipe[1] = -1; }
}

static void close_pipe(struct storm *s) {
    if (s->pipe[0] >= 0) {
        close(s->pipe[0]);
        close(s->pipe[1]);
    }
}

static void nap(uint64_t ns) {
    struct timespec wait = {0, (long)ns};
    nanosleep(&wait, NULL);
}

static void become_true(void) {
    char *argv[] = {"true", NULL}, *envp[] = {NULL};
    execve("/bin/true", argv, envp);
    _exit(0);  // no memory for the new image
}

// ---- forks

// What a child has agreed to write: another writer's tag for each page.
static uint64_t agreed(uint64_t tag, int page) { return tag + ((uint64_t)page << 40); }

static void write_agreed(struct area *lent, uint64_t tag) {
    for (int i = 0; i < lent->pages; i++) {
        if (lent->page[i].prot & PROT_WRITE) { area_write(lent, i, agreed(tag, i)); }
    }
}

static void know_agreed(struct area *lent, uint64_t tag) {
    for (int i = 0; i < lent->pages; i++) {
        if (lent->page[i].prot & PROT_WRITE) { lent->page[i].tag = lent->page[i].under = agreed(tag, i); }
    }
}

// An orphan may outlive the child between: a grandchild does not look at what its grandparent may write again.
static void forget_shared(struct storm *s) {
    for (int i = 0; i < AREAS; i++) {
        if (s->areas[i].shared) { s->areas[i].at = NULL; }
    }
}

static _Noreturn void live_as_child(struct storm *s, struct area *lent, uint64_t tag) {
    if (s->child) { forget_shared(s); }
    s->child = s->company = true;
    s->random = s->random * 0x9e3779b97f4a7c15ull | 1;
    s->writer = s->random >> 33;
    close_pipe(s);
    own_pipe(s);
    areas_check(s);
    if (lent) { write_agreed(lent, tag); }
    walk(s, STEPS / 4);
    areas_check(s);
    if (dice(s, 4) == 0) { become_true(); }
    _exit(0);
}

// Well, or killed, by us or for want of memory; or it has told already (1).
static bool ended_as_meant(int code) { return code == 0 || code == 1 || code == KILLED(SIGKILL) || code == NOT_KNOWN; }

// The parent goes on while it has the child; then all is as it must be, whether the child was killed or not.
static void fork_and_go_on(struct storm *s, struct area *a) {
    bool before = s->company;
    const struct area *lent_before = s->lent;
    struct area *lent = a->at && a->shared && !before ? a : NULL;
    uint64_t tag = new_tag(s);
    s->forks++;
    pid_t pid = spawn_child();
    if (pid == 0) { live_as_child(s, lent, tag); }
    if (pid > 0) {
        s->company = true;
        if (lent) { s->lent = lent; }
        walk(s, dice(s, 10));
        if (dice(s, 3) == 0) { kill(pid, SIGKILL); }
        int code = reap_child(pid);
        s->company = before;
        s->lent = lent_before;
        if (lent && code == 0) { know_agreed(lent, tag); }
        if (lent && code != 0) { lent->at = NULL; }
        if (!ended_as_meant(code)) { wrong(s, "a child ended badly"); }
        areas_check(s);
    }
    s->forks--;
}

static void walk(struct storm *s, int steps) {
    for (int i = 0; i < steps; i++) {
        struct area *a = &s->areas[dice(s, AREAS)];
        if (s->forks < FORKS && dice(s, 12) == 0) {
            fork_and_go_on(s, a);
        } else {
            area_step(s, a);
        }
    }
}

// ---- threads

static void *walk_and_check(void *storm) {
    struct storm *s = storm;
    own_pipe(s);
    walk(s, STEPS);
    areas_check(s);
    close_pipe(s);
    return NULL;
}

// Ends by itself, or by one of its threads, or by the worker.
static _Noreturn void live_as_team(const struct params *p, int verdict, int how) {
    struct thread *t[TEAM];
    int n = 0;
    memset(team, 0, sizeof(team));
    for (int i = 0; i < TEAM; i++) {
        team[i].random = next_random() | 1;
        team[i].writer = (uint32_t)next_random();
        team[i].most = p->pages < AREA_MOST ? p->pages : AREA_MOST;
        team[i].verdict = verdict;
    }
    while (n < TEAM - 1 && thread_create(&t[n], walk_and_check, &team[n]) == 0) { n++; }
    walk_and_check(&team[TEAM - 1]);
    if (how == 0) { become_true(); }
    if (how == 1) { _exit(0); }
    for (int i = 0; i < n; i++) { (void)!thread_join(t[i], NULL); }
    _exit(0);
}

// What all who descend from this round have had to say.
static int read_verdict(int fd) {
    char said[16];
    long n, bad = 0;
    while ((n = read(fd, said, sizeof(said))) > 0) { bad += n; }
    return bad;
}

static int one_team(const struct params *p) {
    int verdict[2], how = below(8);
    if (pipe(verdict) < 0) { return 0; }
    pid_t pid = spawn_child();
    if (pid == 0) {
        close(verdict[0]);
        live_as_team(p, verdict[1], how);
    }
    close(verdict[1]);
    if (pid > 0 && how >= 4) {
        nap(below(50000000));
        kill(pid, SIGKILL);
    }
    int code = pid > 0 ? reap_child(pid) : 0;
    int bad = read_verdict(verdict[0]);
    close(verdict[0]);
    return bad + !ended_as_meant(code);
}

int run_mapstorm(const struct params *p, int worker) {
    int bad = 0;
    (void)worker;
    for (int r = 0; r < p->rounds; r++) { bad += one_team(p); }
    return bad;
}
