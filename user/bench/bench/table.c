// SPDX-License-Identifier: MIT
// table.c - the benchmarks by name. docs/benchmarks.md defines each; a new one is a line here.
#include "bench.h"
#include <string.h>

const struct bench bench_table[] = {
    // name              loop              ops     batch MiB shared partial threads
    {"fork_exit",        forks_exit,       800,    1,    1,  false, false,  false},
    {"fork_write",       forks_write,      400,    1,    1,  false, false,  false},
    {"sole_owner",       forks_sole_owner, 400,    1,    1,  false, false,  false},
    {"alloc",            faults_alloc,     2000,   1,    0,  false, false,  false},
    {"shared_parent",    forks_exit,       800,    1,    1,  true,  false,  false},
    {"fork_exec",        forks_exec,       200,    1,    1,  false, false,  false},
    {"spawn_exec",       forks_spawn,      200,    1,    1,  false, false,  false},
    {"fork_size",        forks_exit,       10,     1,    1,  false, false,  false},
    {"null_syscall",     calls_null,       100000, 1,    0,  false, false,  false},
    {"pingpong",         calls_pingpong,   10000,  1,    0,  false, true,   false},
    {"cow_copy_fault",   faults_cow_copy,  12800,  256,  1,  false, true,   false},
    {"cow_reuse_fault",  faults_cow_reuse, 12800,  256,  1,  false, true,   false},
    {"zero_fault",       faults_zero,      12800,  256,  0,  false, true,   false},
    {"read_fault",       faults_read,      12800,  256,  0,  false, true,   false},
    {"thread_fault",     faults_first,     8192,   512,  0,  false, false,  true},
    {"thread_mixed",     faults_first,     8192,   512,  0,  true,  false,  true},
    {"mmap_call",        faults_mmap,      50,     1,    0,  false, true,   false},
    {"munmap_page",      faults_munmap,    12800,  256,  0,  false, true,   false},
    {"spin",             calls_spin,       100000, 1,    0,  false, false,  false},
    {"yield_alone",      calls_yield,      20000,  1,    0,  false, false,  false},
    {"pipe_self",        calls_pipe_self,  10000,  1,    0,  false, true,   false},
    {NULL,               NULL,             0,      0,    0,  false, false,  false},
};

const struct bench *table_find(const char *name)
{
    for (const struct bench *bench = bench_table; bench->name != NULL; bench++) {
        if (strcmp(bench->name, name) == 0) { return bench; }
    }
    return NULL;
}
