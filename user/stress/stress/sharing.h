// SPDX-License-Identifier: MIT
// sharing.h - the workloads of sharing.c, storms.c, threads.c and mapstorm.c (main.c lists them).
#pragma once
#include "stress.h"
int run_forkstorm(const struct params *p, int worker);
int run_writers(const struct params *p, int worker);
int run_chain(const struct params *p, int worker);
int run_tree(const struct params *p, int worker);
int run_exitorder(const struct params *p, int worker);
int run_soleowner(const struct params *p, int worker);
int run_kernelwrite(const struct params *p, int worker);
int run_brk(const struct params *p, int worker);
int run_execstorm(const struct params *p, int worker);
int run_killstorm(const struct params *p, int worker);
int run_threads(const struct params *p, int worker);
int run_mapstorm(const struct params *p, int worker);
int run_oom(const struct params *p, int worker);
int run_mix(const struct params *p, int worker);
