// SPDX-License-Identifier: MIT
// calls.c - system calls that touch no memory management: the floor under everything else.
#include "bench.h"
#include "clock.h"
#include "line.h"

// A thousand steps in user mode, without memory or kernel: what the host's cores do for each other.
uint64_t calls_spin(const struct job *job, uint64_t rounds)
{
    (void)job;
    for (; rounds > 0; rounds--) {
        for (int i = 0; i < 1000; i++) { __asm__ volatile("" ::"r"(i)); }
    }
    return 0;
}

// getppid does no work: what is left is the way into the kernel and back.
uint64_t calls_null(const struct job *job, uint64_t rounds)
{
    (void)job;
    for (; rounds > 0; rounds--) { sys_getppid(); }
    return 0;
}

uint64_t calls_yield(const struct job *job, uint64_t rounds)
{
    (void)job;
    for (; rounds > 0; rounds--) { sys_sched_yield(); }
    return 0;
}

// One byte through a pipe and back within one process: no switch.
uint64_t calls_pipe_self(const struct job *job, uint64_t rounds)
{
    (void)job;
    int ends[2];
    char byte = 0;
    setup_pipe(ends);
    uint64_t start = clock_now();
    for (; rounds > 0; rounds--) {
        sys_write(ends[1], (uaddr)&byte, 1);
        sys_read(ends[0], (uaddr)&byte, 1);
    }
    uint64_t timed = clock_now() - start;
    sys_close(ends[0]);
    sys_close(ends[1]);
    return timed;
}

static void __attribute__((noreturn)) echo(int from, int to)
{
    char byte;
    while (sys_read(from, (uaddr)&byte, 1) == 1) { sys_write(to, (uaddr)&byte, 1); }
    sys_leave(0);
}

SYS_INLINE void round_trips(int to, int from, uint64_t count)
{
    char byte = 0;
    for (; count > 0; count--) {
        sys_write(to, (uaddr)&byte, 1);
        sys_read(from, (uaddr)&byte, 1);
    }
}

// One byte to a partner on the same hart and back: two writes, two reads, two switches. The first
// few trips, in which both sides still split their stacks, are not timed.
uint64_t calls_pingpong(const struct job *job, uint64_t rounds)
{
    enum { WARM_TRIPS = 10 };
    (void)job;
    int there[2], back[2];
    setup_pipe(there);
    setup_pipe(back);
    long pid = sys_fork();
    if (pid < 0) { line_die("fork", pid); }
    if (pid == 0) {
        sys_close(there[1]);
        sys_close(back[0]);
        echo(there[0], back[1]);
    }
    sys_close(there[0]);
    sys_close(back[1]);
    round_trips(there[1], back[0], WARM_TRIPS);
    uint64_t start = clock_now();
    round_trips(there[1], back[0], rounds);
    uint64_t timed = clock_now() - start;
    sys_close(there[1]);
    sys_close(back[0]);
    sys_reap(pid);
    return timed;
}
