// SPDX-License-Identifier: MIT
// forks.c - loops around fork: what copy-on-write is for.
//
// In each loop the child goes from fork to its last call without touching its stack, and the parent
// keeps its state in registers: the only pages that are copied or flipped are the ones a benchmark
// is about. That is what makes its counters exact. Only fork_exec and spawn_exec, which look at the exit
// status, write the parent's stack.
#include "bench.h"
#include "line.h"
#include <spawn.h>

SYS_INLINE long fork_or_die(void)
{
    long pid = sys_fork();
    if (pid < 0) { line_die("fork", pid); }
    return pid;
}

// fork, the child exits, wait. Also shared_parent and fork_size: they differ in the heap only.
uint64_t forks_exit(const struct job *job, uint64_t rounds)
{
    (void)job;
    for (; rounds > 0; rounds--) {
        long pid = fork_or_die();
        if (pid == 0) { sys_leave(0); }
        sys_reap(pid);
    }
    return 0;
}

// As above, but first the child writes one byte in a quarter of the heap's pages.
uint64_t forks_write(const struct job *job, uint64_t rounds)
{
    char *heap = job->heap;
    uint64_t count = job->pages / 4;
    for (; rounds > 0; rounds--) {
        long pid = fork_or_die();
        if (pid == 0) {
            heap_touch(heap, count, 4 * PAGE, (char)rounds);
            sys_leave(0);
        }
        sys_reap(pid);
    }
    return 0;
}

// After the child has gone the parent is the sole owner again, and writes every page.
uint64_t forks_sole_owner(const struct job *job, uint64_t rounds)
{
    char *heap = job->heap;
    uint64_t count = job->pages;
    for (; rounds > 0; rounds--) {
        long pid = fork_or_die();
        if (pid == 0) { sys_leave(0); }
        sys_reap(pid);
        heap_touch(heap, count, PAGE, (char)rounds);
    }
    return 0;
}

// The child starts a small program that exits at once. A status other than 0 (the program is not
// there) ends the measurement.
uint64_t forks_exec(const struct job *job, uint64_t rounds)
{
    const char *const argv[] = {job->program, NULL};
    const char *const envp[] = {NULL};
    for (; rounds > 0; rounds--) {
        long pid = fork_or_die();
        if (pid == 0) {
            sys_execve((uaddr)job->program, (uaddr)argv, (uaddr)envp);
            sys_leave(127);
        }
        int status = 0;
        sys_wait4((int)pid, (uaddr)&status, 0, 0);
        if (status != 0) { line_die("exec", 0); }
    }
    return 0;
}

// The same by posix_spawn: its share in user mode is counted, too.
uint64_t forks_spawn(const struct job *job, uint64_t rounds)
{
    char *const argv[] = {(char *)job->program, NULL};
    for (; rounds > 0; rounds--) {
        pid_t pid;
        int error = posix_spawn(&pid, job->program, NULL, NULL, argv, argv + 1), status = 0;
        if (error != 0) { line_die("posix_spawn", -error); }
        sys_wait4(pid, (uaddr)&status, 0, 0);
        if (status != 0) { line_die("exec", 0); }
    }
    return 0;
}
