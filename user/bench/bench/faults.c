// SPDX-License-Identifier: MIT
// faults.c - single page faults and mappings, in batches of BATCH pages.
//
// Only the pass over the pages is timed; one fault costs the time divided by the number of pages.
// The figure therefore includes the store and the loop around it, some four instructions a page.
#include "bench.h"
#include "clock.h"
#include "line.h"

enum { BATCH = 256, ALLOC_PAGES = 64, REGION_PAGES = 512 };

SYS_INLINE char *map_or_die(uint64_t bytes)
{
    enum { READ_WRITE = 3, PRIVATE_ANONYMOUS = 0x22 };
    long at = sys_mmap(0, bytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0);
    if (at < 0) { line_die("mmap", at); }
    return (char *)at;
}

SYS_INLINE uint64_t timed_touch(char *heap, uint64_t pages, char value)
{
    uint64_t start = clock_now();
    heap_touch(heap, pages, PAGE, value);
    return clock_now() - start;
}

// Grow the heap by 64 pages, touch each, shrink it again.
uint64_t faults_alloc(const struct job *job, uint64_t rounds)
{
    uint64_t end = ((uint64_t)sys_brk(0) + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    (void)job;
    for (; rounds > 0; rounds--) {
        if ((uint64_t)sys_brk(end + ALLOC_PAGES * PAGE) != end + ALLOC_PAGES * PAGE) {
            line_die("brk", 0);
        }
        heap_touch((char *)end, ALLOC_PAGES, PAGE, 1);
        sys_brk(end);
    }
    return 0;
}

// The child shares every page and is alive, asleep in read: each first write of the parent copies.
uint64_t faults_cow_copy(const struct job *job, uint64_t rounds)
{
    int gate[2];
    char byte = 0;
    uint64_t timed = 0;
    setup_pipe(gate);
    for (; rounds > 0; rounds--) {
        long pid = sys_fork();
        if (pid < 0) { line_die("fork", pid); }
        if (pid == 0) {
            sys_read(gate[0], (uaddr)&byte, 1);
            sys_leave(0);
        }
        timed += timed_touch(job->heap, BATCH, (char)rounds);
        sys_write(gate[1], (uaddr)&byte, 1);
        sys_reap(pid);
    }
    sys_close(gate[0]);
    sys_close(gate[1]);
    return timed;
}

// The child has looked at a page, so that the table was copied and its pages marked, and has gone: each first
// write of the parent finds it the sole owner.
uint64_t faults_cow_reuse(const struct job *job, uint64_t rounds)
{
    uint64_t timed = 0;
    for (; rounds > 0; rounds--) {
        long pid = sys_fork();
        if (pid < 0) { line_die("fork", pid); }
        if (pid == 0) {
            (void)*(volatile char *)job->heap;
            sys_leave(0);
        }
        sys_reap(pid);
        timed += timed_touch(job->heap, BATCH, (char)rounds);
    }
    return timed;
}

// First write to memory that has no frame yet.
uint64_t faults_zero(const struct job *job, uint64_t rounds)
{
    (void)job;
    uint64_t timed = 0;
    for (; rounds > 0; rounds--) {
        char *pages = map_or_die(BATCH * PAGE);
        timed += timed_touch(pages, BATCH, 1);
        sys_munmap((uaddr)pages, BATCH * PAGE);
    }
    return timed;
}

// First read of such memory.
uint64_t faults_read(const struct job *job, uint64_t rounds)
{
    (void)job;
    uint64_t timed = 0;
    for (; rounds > 0; rounds--) {
        volatile char *pages = map_or_die(BATCH * PAGE);
        uint64_t start = clock_now();
        for (uint64_t i = 0; i < BATCH; i++) { (void)pages[i * PAGE]; }
        timed += clock_now() - start;
        sys_munmap((uaddr)pages, BATCH * PAGE);
    }
    return timed;
}

// First write to pages of a mapping that is there since before the start, where threads of one process do so at
// once: nothing but faults. A page has its turn only once.
uint64_t faults_first(const struct job *job, uint64_t rounds)
{
    heap_touch(job->heap, rounds * REGION_PAGES, job->stride, 1);
    return 0;
}

// The mmap call alone.
uint64_t faults_mmap(const struct job *job, uint64_t rounds)
{
    (void)job;
    uint64_t timed = 0;
    for (; rounds > 0; rounds--) {
        uint64_t start = clock_now();
        char *pages = map_or_die(BATCH * PAGE);
        timed += clock_now() - start;
        heap_touch(pages, BATCH, PAGE, 1);
        sys_munmap((uaddr)pages, BATCH * PAGE);
    }
    return timed;
}

// The munmap call alone, over touched pages; one operation is one page.
uint64_t faults_munmap(const struct job *job, uint64_t rounds)
{
    (void)job;
    uint64_t timed = 0;
    for (; rounds > 0; rounds--) {
        char *pages = map_or_die(BATCH * PAGE);
        heap_touch(pages, BATCH, PAGE, 1);
        uint64_t start = clock_now();
        sys_munmap((uaddr)pages, BATCH * PAGE);
        timed += clock_now() - start;
    }
    return timed;
}
