// SPDX-License-Identifier: MIT
// setup.c - what workers and loops need before the clock runs.
#include "bench.h"
#include "line.h"

// Grow the break by `bytes` from the next page boundary on.
char *setup_heap(uint64_t bytes)
{
    uint64_t start = ((uint64_t)sys_brk(0) + PAGE - 1) & ~(PAGE - 1);
    uint64_t end = start + bytes;
    if ((uint64_t)sys_brk(end) != end) { line_die("brk", 0); }
    return (char *)start;
}

void setup_pipe(int ends[2])
{
    long result = sys_pipe2((uaddr)ends, 0);
    if (result < 0) { line_die("pipe2", result); }
}

char *setup_map(uint64_t bytes)
{
    enum { READ_WRITE = 3, PRIVATE_ANONYMOUS = 0x22 };
    long at = sys_mmap(0, bytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0);
    if (at < 0) { line_die("mmap", at); }
    return (char *)at;
}
