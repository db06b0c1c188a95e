// SPDX-License-Identifier: MIT
// threads.c - a workload about threads: they write and copy the pages of one process side by side, with forks in
// their midst, and end by join, by exit_group, by a signal or by execve.
#include "sharing.h"
#include <signal.h>
#include <stdlib.h>
#include <thread.h>
#include <time.h>
#include <unistd.h>

enum { TEAM = 4 };

static struct team {
    const struct params *p;
    char *base;  // TEAM slices of p->pages each
    struct mutex lock;
    struct cond changed;
    int turn, sum;
} team;

// Each writes its slice, then adds to the sum in its turn.
static void *write_slice(void *number) {
    long me = (long)number;
    for (int i = 0; i < team.p->pages; i++) { tag_write(team.base, me * team.p->pages + i, me, i); }
    mutex_lock(&team.lock);
    while (team.turn != me) { cond_wait(&team.changed, &team.lock); }
    team.turn++;
    team.sum += me;
    cond_broadcast(&team.changed, &team.lock);
    mutex_unlock(&team.lock);
    return NULL;
}

static void *write_for_ever(void *number) {
    long me = (long)number;
    for (uint32_t n = 0;; n++) { tag_write(team.base, me * team.p->pages + n % team.p->pages, me, n); }
    return NULL;
}

static void *become_true(void *unused) {
    char *argv[] = {"true", NULL}, *envp[] = {NULL};
    execve("/bin/true", argv, envp);
    _exit(0);  // no memory for the new image
    return unused;
}

static int work_together(void) {
    struct thread *t[TEAM];
    int n = 0, bad = 0;
    while (n < TEAM && thread_create(&t[n], write_slice, (void *)(long)n) == 0) { n++; }
    pid_t pid = spawn_child();
    if (pid == 0) { _exit(0); }
    for (int i = 0; i < n; i++) { bad += thread_join(t[i], NULL) != 0; }
    bad += pid > 0 && reap_child(pid) != 0;
    int slice = team.p->pages;
    for (int i = 0; i < n * slice; i++) { bad += tag_check(team.base, i, i / slice, i % slice); }
    return bad + (team.sum != n * (n - 1) / 2);
}

// Not one of these returns; all leave with 0, or by the signal.
static _Noreturn void end_in_a_crowd(int how) {
    struct thread *t;
    for (long i = 0; i < TEAM; i++) { (void)!thread_create(&t, write_for_ever, (void *)i); }
    struct timespec wait = {0, how * 100000};
    nanosleep(&wait, NULL);
    if (how % 3 == 0) { kill(getpid(), SIGKILL); }
    if (how % 3 == 1 && thread_create(&t, become_true, NULL) == 0) { write_for_ever((void *)0l); }
    _exit(0);
}

int run_threads(const struct params *p, int worker) {
    int bad = 0;
    char *base = pages_new(TEAM * p->pages);
    for (int i = 0; base && i < TEAM * p->pages; i++) { tag_write(base, i, 50 + worker, i); }
    for (int r = 0; base && r < p->rounds; r++) {
        int how = below(12);
        pid_t pid = spawn_child();
        if (pid == 0) {
            team = (struct team){.p = p, .base = base};
            if (work_together()) { _exit(1); }
            end_in_a_crowd(how);
        }
        int code = pid > 0 ? reap_child(pid) : 0;
        bad += code != 0 && code != KILLED(SIGKILL);
    }
    for (int i = 0; base && i < TEAM * p->pages; i++) { bad += tag_check(base, i, 50 + worker, i); }
    if (base) { pages_drop(base, TEAM * p->pages); }
    return bad;
}
