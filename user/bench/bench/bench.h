// SPDX-License-Identifier: MIT
// bench.h - what the pieces of the benchmark program share.
//
// Words      A *round* is one pass of a benchmark's loop; it performs `batch` operations (256 or 512 for
//            the page faults, 1 elsewhere). A *worker* is a process pinned to one hart, or a thread, where
//            threads are measured. A *point* is one measurement: benchmark, number of workers, operations
//            per worker, heap size.
// Rule       A measured loop calls nothing but sys.h, and in the loops that count copies it writes
//            no stack either: a page written in passing would show up in the counters. Only spawn_exec
//            calls the library, since that is what it measures.
#pragma once

#include "sys.h"
#include <stdbool.h>

#define PAGE 4096ul
#define MIB (1ul << 20)
#define MAX_WORKERS 64

// What a worker's loop gets.
struct job {
    char *heap;          // touched by this worker, or by the parent of all (shared); of threads: by nobody
    uint64_t pages;      // of the heap
    uint64_t stride;     // of threads: from one page of this worker's to its next
    const char *program; // what fork_exec and spawn_exec start
};

// A benchmark's loop: does `rounds` rounds; returns the time of its timed sections if the benchmark
// is `partial`, and otherwise 0.
typedef uint64_t bench_loop(const struct job *job, uint64_t rounds);

struct bench {
    const char *name;
    bench_loop *loop;
    uint32_t ops;      // default operations per worker
    uint32_t batch;    // operations per round
    uint32_t size_mib; // default heap
    bool shared;       // the heap belongs to the parent of all workers; of threads: they take turns in it
    bool partial;      // its instructions are counted in timed sections only
    bool threads;      // the workers are threads of one process
};

struct point {
    const struct bench *bench;
    uint32_t workers;
    uint64_t ops; // per worker, a multiple of bench->batch
    uint32_t size_mib;
    const char *program;
};

// The loops, by file.
bench_loop forks_exit, forks_write, forks_sole_owner, forks_exec, forks_spawn;
bench_loop faults_alloc, faults_cow_copy, faults_cow_reuse, faults_zero, faults_read;
bench_loop faults_mmap, faults_munmap, faults_first;
bench_loop calls_spin, calls_null, calls_yield, calls_pingpong, calls_pipe_self;

// table.c
extern const struct bench bench_table[];
const struct bench *table_find(const char *name);

// workers.c: measure one point and print its line; ends the program if anything fails.
void workers_measure(const struct point *point);

struct pipes {
    int ready[2], go[2], results[2];
};

// What a worker does from its pin to its result; a thread, and a process that then ends.
void workers_work(const struct point *point, struct job job, const struct pipes *pipes, uint32_t hart);

// threads.c: be the process whose threads are the workers, number i on harts[i mod count].
void __attribute__((noreturn)) threads_run(const struct point *point, const struct job *job,
                                           const struct pipes *pipes, const uint16_t *harts, uint32_t count);
void threads_warm(const struct point *point);

// setup.c
char *setup_heap(uint64_t bytes);
void setup_pipe(int ends[2]);
char *setup_map(uint64_t bytes);

// Write one byte in each of `count` places `stride` bytes apart.
SYS_INLINE void heap_touch(volatile char *at, uint64_t count, uint64_t stride, char value)
{
    for (; count > 0; count--) {
        *at = value;
        at += stride;
    }
}
