// SPDX-License-Identifier: MIT
// threads.c - workers that are threads of one process, and the memory that they touch first.
//
// Model      The process is worker 0 itself: one worker is one thread, and no sibling that only waits is
//            known to a hart that has to be told of changes.
// Memory     One mapping, untouched, that begins at a multiple of 2 MiB, which is what a leaf table maps. It has
//            a page for each operation:
//                own      | worker 0's 2 MiB, 2 MiB, ... | worker 1's | ...    no table is two workers'
//                shared   | 0 1 .. 0 1 .. 0 1 .. |                             page i is worker i mod n's
// Frames     A page that the guest has never used costs its host more than the fault costs the guest. So each
//            worker first takes as many frames as it will need, elsewhere, and gives them back on its hart.
#include "bench.h"
#include "line.h"
#include <thread.h>

#define REGION (2 * MIB)

struct seat {
    const struct point *point;
    const struct pipes *pipes;
    struct job job;
    uint32_t hart;
};

static void *sit(void *arg)
{
    struct seat *seat = arg;
    workers_work(seat->point, seat->job, seat->pipes, seat->hart);
    return NULL;
}

void threads_warm(const struct point *point)
{
    char *pages = setup_map(point->ops * PAGE);
    heap_touch(pages, point->ops, PAGE, 1);
    sys_munmap((uaddr)pages, point->ops * PAGE);
}

void threads_run(const struct point *point, const struct job *job, const struct pipes *pipes,
                 const uint16_t *harts, uint32_t count)
{
    static struct seat seats[MAX_WORKERS];
    static struct thread *threads[MAX_WORKERS];
    uint64_t n = point->workers, each = point->ops * PAGE;
    uint64_t memory = ((uint64_t)setup_map(n * each + REGION) + REGION - 1) & ~(REGION - 1);
    for (uint32_t i = point->workers; i-- > 0;) {
        seats[i] = (struct seat){point, pipes, *job, harts[i % count]};
        seats[i].job.heap = (char *)memory + i * (point->bench->shared ? PAGE : each);
        seats[i].job.stride = point->bench->shared ? n * PAGE : PAGE;
        int error = i > 0 ? thread_create(&threads[i], sit, &seats[i]) : 0;
        if (error != 0) { line_die("thread", -error); }
    }
    sit(&seats[0]);
    for (uint32_t i = 1; i < point->workers; i++) { thread_join(threads[i], NULL); }
    sys_leave(0);
}
