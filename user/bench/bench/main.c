// SPDX-License-Identifier: MIT
// main.c - bench: what the operations of the kernel cost, and how they scale.
//
//   bench [KEY=VALUE ...] NAME [KEY=VALUE ...] [NAME ...]
//
//   workers=1,2,4   worker processes, pinned to hart (number mod online harts)
//   ops=N           operations per worker (each benchmark has a default)
//   total=N         operations of all workers together: ops = N / workers
//   size=1,4        MiB of touched heap
//   clock=ns        or instret: instructions, exact under -icount shift=0 -smp 1
//   exec=PATH       the program that fork_exec and spawn_exec start (/bin/true)
//   times=N         everything that follows, N times over (a key for all only)
//
// A key before the first name holds for all, a key after a name for that benchmark only. Lists make
// one point for each value. Each point is one line of key=value pairs, ending in `end=1`.
#include "bench.h"
#include "clock.h"
#include "line.h"
#include <stdlib.h>
#include <string.h>

struct options {
    const char *workers, *sizes, *program;
    uint64_t ops, total, times;
};

static void usage(void)
{
    struct line line = {0};
    line_text(&line, "usage: bench [KEY=VALUE ...] NAME [KEY=VALUE ...] ...\n"
                     "keys: workers=1,2 ops=N total=N size=MiB,... clock=ns|instret exec=PATH times=N\n"
                     "names:");
    for (const struct bench *bench = bench_table; bench->name != NULL; bench++) {
        line_text(&line, " ");
        line_text(&line, bench->name);
    }
    line_send(&line);
    sys_leave(2);
}

// Does `word` start with `key`? Then *value is what follows.
static bool has_key(const char *word, const char *key, const char **value)
{
    size_t length = strlen(key);
    if (strncmp(word, key, length) != 0) { return false; }
    *value = word + length;
    return true;
}

static bool parse_clock(const char *name)
{
    clock_kind = strcmp(name, "instret") == 0 ? CLOCK_INSTRET : CLOCK_NS;
    return clock_kind == CLOCK_INSTRET || strcmp(name, "ns") == 0;
}

static bool parse_option(const char *word, struct options *options)
{
    const char *value;
    if (has_key(word, "ops=", &value)) {
        options->ops = strtoull(value, NULL, 10);
        options->total = 0;
        return options->ops > 0;
    }
    if (has_key(word, "total=", &value)) {
        options->total = strtoull(value, NULL, 10);
        return options->total > 0;
    }
    if (has_key(word, "times=", &value)) {
        options->times = strtoull(value, NULL, 10);
        return options->times > 0;
    }
    if (has_key(word, "clock=", &value)) { return parse_clock(value); }
    return has_key(word, "workers=", &options->workers) || has_key(word, "size=", &options->sizes)
           || has_key(word, "exec=", &options->program);
}

// The next number of a list "1,2,4"; false at its end. Moves *list on.
static bool next_number(const char **list, uint64_t *number)
{
    char *end;
    if (**list == '\0') { return false; }
    *number = strtoull(*list, &end, 10);
    if (end == *list || (*end != ',' && *end != '\0')) { usage(); }
    *list = *end == ',' ? end + 1 : end;
    return true;
}

// Operations per worker: whole rounds, at least one.
static uint64_t ops_per_worker(const struct point *point, const struct options *options)
{
    uint64_t batch = point->bench->batch;
    uint64_t ops = options->ops > 0 ? options->ops : point->bench->ops;
    if (options->total > 0) { ops = options->total / point->workers; }
    return ops > batch ? (ops + batch - 1) / batch * batch : batch;
}

static void measure_workers(struct point *point, const struct options *options)
{
    const char *workers = options->workers;
    uint64_t count;
    while (next_number(&workers, &count)) {
        if (count < 1 || count > MAX_WORKERS) { usage(); }
        point->workers = (uint32_t)count;
        point->ops = ops_per_worker(point, options);
        workers_measure(point);
    }
}

static void measure(const struct bench *bench, const struct options *options)
{
    struct point point = {
        .bench = bench,
        .size_mib = bench->size_mib,
        .program = options->program,
    };
    const char *sizes = options->sizes;
    uint64_t size;
    if (sizes == NULL) {
        measure_workers(&point, options);
        return;
    }
    while (next_number(&sizes, &size)) {
        if (bench->size_mib > 0 && bench->batch > 1 && size * MIB / PAGE < bench->batch) {
            usage();
        }
        point.size_mib = (uint32_t)size;
        measure_workers(&point, options);
    }
}

// On Linux: no huge pages, so that one fault is one page there too. Elsewhere the call fails, and
// nothing is lost.
static void disable_huge_pages(void)
{
    enum { PRCTL = 167, SET_THP_DISABLE = 41 };
    sys_raw5(PRCTL, SET_THP_DISABLE, 1, 0, 0, 0);
}

// The benchmarks that words[at] and those after it name, each with the keys behind it.
static void measure_all(char **words, int at, int count, const struct options *common)
{
    while (at < count) {
        const struct bench *bench = table_find(words[at++]);
        struct options options = *common;
        for (; at < count && table_find(words[at]) == NULL; at++) {
            if (!parse_option(words[at], &options)) { usage(); }
        }
        measure(bench, &options);
    }
}

int main(int argc, char **argv)
{
    struct options common = {.workers = "1", .program = "/bin/true", .times = 1};
    int at = 1;
    disable_huge_pages();
    for (; at < argc && table_find(argv[at]) == NULL; at++) {
        if (!parse_option(argv[at], &common)) { usage(); }
    }
    if (at == argc) { usage(); }
    for (uint64_t i = 0; i < common.times; i++) { measure_all(argv, at, argc, &common); }
    return 0;
}
