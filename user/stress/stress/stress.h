// SPDX-License-Identifier: MIT
// stress.h - what the workloads share: parameters, a seeded generator, tagged pages, children.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct params {
    uint64_t seed;
    int workers, rounds, pages;
};

// A workload runs in a process of its own, one per worker, and returns how many faults it found in
// what it checked.
struct workload {
    const char *name;
    int (*run)(const struct params *p, int worker);
    const char *what;
};
extern const struct workload workloads[];
extern const int nworkloads;

uint64_t next_random(void);
void seed_random(uint64_t seed, int worker);
static inline uint64_t below(uint64_t n) { return next_random() % n; }

#define PAGE 4096ul
// Pages carry (writer, sequence) at both ends and in the middle.
char *pages_new(int n);  // NULL: no memory
void pages_drop(char *base, int n);
void tag_write(char *base, int page, uint32_t writer, uint32_t sequence);
// 0 if the page carries that tag everywhere, else 1 and a line that says what was found.
int tag_check(const char *base, int page, uint32_t writer, uint32_t sequence);

// fork; -1 when there is no memory (a workload goes on), 0 in the child.
pid_t spawn_child(void);
// Wait for one child: its exit code, or 1000 + signal, or that it is not known: no memory for the status.
int reap_child(pid_t pid);
enum { NOT_KNOWN = 2000 };
#define KILLED(signal) (1000 + (signal))
