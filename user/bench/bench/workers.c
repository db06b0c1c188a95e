// SPDX-License-Identifier: MIT
// workers.c - measure one point: pinned workers, a common start, one line.
//
//   coordinator                       worker i, on hart i mod n
//   -----------                       -------------------------
//   forks the workers                 pins itself, touches its heap, warms up
//   reads W bytes from `ready`   <--  writes a byte to `ready`
//   writes W bytes to `go`       -->  reads a byte from `go`
//                                     start = now; the loop; end = now
//   reads W results              <--  writes its result
//
// The time of a point is from the first start to the last end. A partial benchmark has a second
// time, the workers' mean of their timed sections: that is the one for counting instructions. It is
// no throughput when workers share a core, since they may wait for it outside the sections.
//
// Each worker takes the event counters of its own hart around its loop. Its children are pinned as
// it is, so with at most one worker a hart the sum of the differences is exactly what the loops did.
// Every process closes the pipe ends that it does not use: when a worker dies the coordinator reads
// an end of file instead of waiting for ever.
//
// Workers that are threads live in one child of the coordinator (threads.c), and do the same otherwise.
#include "bench.h"
#include "clock.h"
#include "line.h"

enum clock_kind clock_kind = CLOCK_NS;

#define X(name) COUNTER_##name,
enum { KINE_COUNTERS(X) COUNTERS };
#undef X
#define X(name) #name,
static const char *const counter_names[] = {KINE_COUNTERS(X)};
#undef X

struct result {
    uint64_t start, end, timed;
    uint64_t counted; // 1 if the kernel has counters
    uint64_t counters[COUNTERS];
};

// How a kernel's counters land in an array: the structure is nothing but words in that order.
_Static_assert(sizeof(struct kine_counters) == COUNTERS * sizeof(uint64_t), "counters are words");

struct harts {
    uint32_t count;
    uint16_t id[1024];
};

static void find_harts(struct harts *harts)
{
    static uint64_t mask[16];
    long bytes = sys_sched_getaffinity(0, sizeof(mask), (uaddr)mask);
    harts->count = 0;
    for (long bit = 0; bit < bytes * 8; bit++) {
        if ((mask[bit / 64] >> (bit % 64) & 1) != 0) {
            harts->id[harts->count++] = (uint16_t)bit;
        }
    }
    if (harts->count == 0) { line_die("sched_getaffinity", bytes); }
}

static void pin(uint32_t hart)
{
    uint64_t mask[16] = {0};
    mask[hart / 64] = 1ull << (hart % 64);
    long result = sys_sched_setaffinity(0, sizeof(mask), (uaddr)mask);
    if (result < 0) { line_die("sched_setaffinity", result); }
}

static bool read_counters(uint32_t hart, uint64_t *into)
{
    return sys_kine_counters((int)hart, (uaddr)into, COUNTERS * sizeof(uint64_t)) >= 0;
}

static void make_pipes(struct pipes *pipes)
{
    int *const each[] = {pipes->ready, pipes->go, pipes->results};
    for (int i = 0; i < 3; i++) { setup_pipe(each[i]); }
}

static void read_all(int fd, void *into, uint64_t length, const char *what)
{
    char *at = into;
    while (length > 0) {
        long got = sys_read(fd, (uaddr)at, length);
        if (got <= 0) { line_die(what, got); }
        at += got;
        length -= (uint64_t)got;
    }
}

static void run_loop(const struct point *point, const struct job *job, uint32_t hart,
                     struct result *result)
{
    static _Thread_local uint64_t before[COUNTERS];
    uint64_t rounds = point->ops / point->bench->batch;
    result->start = 0;
    read_counters(hart, before);  // both pages are ours from here on
    result->counted = read_counters(hart, before);
    result->start = clock_now();
    uint64_t timed = point->bench->loop(job, rounds);
    uint64_t end = clock_now();
    // Nothing is stored between the loop and this call: after a fork that would be a fault more. The
    // kernel adds up before it writes to us.
    result->counted &= read_counters(hart, result->counters);
    result->timed = timed;
    result->end = end;
    for (int i = 0; i < COUNTERS; i++) { result->counters[i] -= before[i]; }
}

// A thread closes nothing: the ends are its siblings', too, and who kills one of them kills all.
void workers_work(const struct point *point, struct job job, const struct pipes *pipes, uint32_t hart)
{
    enum { WARM_ROUNDS = 2 };
    static _Thread_local struct result result;
    char byte = 0;
    pin(hart);
    if (job.heap == NULL && job.pages > 0) {
        job.heap = setup_heap(job.pages * PAGE);
        heap_touch(job.heap, job.pages, PAGE, 1);
    }
    if (point->bench->threads) {
        threads_warm(point);
    } else {
        point->bench->loop(&job, WARM_ROUNDS);
    }
    sys_write(pipes->ready[1], (uaddr)&byte, 1);
    if (!point->bench->threads) { sys_close(pipes->ready[1]); }
    read_all(pipes->go[0], &byte, 1, "go");
    run_loop(point, &job, hart, &result);
    sys_write(pipes->results[1], (uaddr)&result, sizeof(result));
}

static void __attribute__((noreturn)) child(const struct point *point, const struct job *job,
                                            struct pipes *pipes, const struct harts *harts, uint32_t i)
{
    sys_close(pipes->ready[0]);
    sys_close(pipes->go[1]);
    sys_close(pipes->results[0]);
    if (point->bench->threads) { threads_run(point, job, pipes, harts->id, harts->count); }
    workers_work(point, *job, pipes, harts->id[i % harts->count]);
    sys_leave(0);
}

static void start_workers(const struct point *point, const struct job *job, struct pipes *pipes,
                          const struct harts *harts)
{
    char bytes[MAX_WORKERS] = {0};
    for (uint32_t i = 0; i < (point->bench->threads ? 1 : point->workers); i++) {
        long pid = sys_fork();
        if (pid < 0) { line_die("fork", pid); }
        if (pid == 0) { child(point, job, pipes, harts, i); }
    }
    sys_close(pipes->ready[1]);
    sys_close(pipes->go[0]);
    sys_close(pipes->results[1]);
    read_all(pipes->ready[0], bytes, point->workers, "worker_died_early");
    sys_write(pipes->go[1], (uaddr)bytes, point->workers);
}

static void gather(const struct point *point, struct pipes *pipes, struct result *sum)
{
    struct result one;
    sum->start = UINT64_MAX;
    sum->counted = 1;
    for (uint32_t i = 0; i < point->workers; i++) {
        read_all(pipes->results[0], &one, sizeof(one), "worker_died");
        sum->start = one.start < sum->start ? one.start : sum->start;
        sum->end = one.end > sum->end ? one.end : sum->end;
        sum->timed += one.timed;
        sum->counted &= one.counted;
        for (int k = 0; k < COUNTERS; k++) { sum->counters[k] += one.counters[k]; }
    }
    while (sys_reap(-1) > 0) { continue; }
}

static void print_point(const struct point *point, uint32_t harts, const struct result *sum)
{
    static struct line line;
    line.length = 0;
    line_text(&line, "bench");
    line_key_text(&line, "name", point->bench->name);
    line_key_number(&line, "workers", point->workers);
    line_key_number(&line, "ops", point->ops);
    line_key_number(&line, "size", point->size_mib);
    line_key_number(&line, "harts", harts);
    line_key_number(&line, clock_kind == CLOCK_NS ? "ns" : "instret", sum->end - sum->start);
    if (point->bench->partial) {
        line_key_number(&line, "timed", sum->timed / point->workers);
    }
    for (int i = 0; i < COUNTERS && sum->counted != 0 && point->workers <= harts; i++) {
        line_key_number(&line, counter_names[i], sum->counters[i]);
    }
    line_key_text(&line, "end", "1"); // a line cut short has none
    line_send(&line);
}

void workers_measure(const struct point *point)
{
    static struct harts harts;
    struct pipes pipes;
    struct job job = {.pages = point->size_mib * MIB / PAGE, .program = point->program};
    struct result sum = {0};
    uint64_t old_break = (uint64_t)sys_brk(0);
    find_harts(&harts);
    make_pipes(&pipes);
    if (point->bench->shared && !point->bench->threads) {
        job.heap = setup_heap(job.pages * PAGE);
        heap_touch(job.heap, job.pages, PAGE, 1);
    }
    start_workers(point, &job, &pipes, &harts);
    gather(point, &pipes, &sum);
    print_point(point, harts.count, &sum);
    sys_close(pipes.ready[0]);
    sys_close(pipes.go[1]);
    sys_close(pipes.results[0]);
    sys_brk(old_break);
}
