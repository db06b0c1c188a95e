// SPDX-License-Identifier: MIT
// sched.h - yielding, and which harts a process may run on.
#pragma once
#include <string.h>
#include <sys/types.h>

#define CPU_SETSIZE 1024

typedef struct {
    unsigned long bits[CPU_SETSIZE / 64];
} cpu_set_t;

#define CPU_ZERO(set) memset((set), 0, sizeof(cpu_set_t))
#define CPU_SET(cpu, set) ((void)((set)->bits[(cpu) / 64] |= 1ul << ((cpu) % 64)))
#define CPU_CLR(cpu, set) ((void)((set)->bits[(cpu) / 64] &= ~(1ul << ((cpu) % 64))))
#define CPU_ISSET(cpu, set) ((int)((set)->bits[(cpu) / 64] >> ((cpu) % 64) & 1))
#define CPU_COUNT(set) sched_cpu_count(set)

int sched_yield(void);
int sched_getcpu(void);
int sched_setaffinity(pid_t pid, size_t len, const cpu_set_t *set);
int sched_getaffinity(pid_t pid, size_t len, cpu_set_t *set);

// How many CPUs are in the set.
int sched_cpu_count(const cpu_set_t *set);

// Bind the calling process to one CPU. Returns 0, or -1 with errno.
int sched_pin(int cpu);
