// SPDX-License-Identifier: MIT
// main.c - the schedule explorer's guest half; stress/explore/explore.py has the other.
//
//     explore script NAME/SCENARIO/1:frame.copy,2:end?,1:end ...     steps for script: they are printed
//     explore seeded SCENARIO seed=1 runs=10 depth=3 length=40 times=1
//     explore exhaustive SCENARIO bound=2 limit=100000
//     explore list SCENARIO 1221    the choices of one play
// Kernels without SCHED=1 have nothing to play.
#include "explore.h"
#include <stdio.h>
#include <stdlib.h>

static long option(int argc, char **argv, const char *name, long otherwise) {
    size_t n = strlen(name);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=') {
            return atol(argv[i] + n + 1);
        }
    }
    return otherwise;
}

// What touches pages for the first time is no part of a play.
static void rehearse(const struct scenario *s) {
    memset(&plan, 0, sizeof plan);
    plan.mode = KINE_SCHEDULE_LIST;
    plan.lines = 0;
    perform(s);
}

static int run(int argc, char **argv, const struct scenario *s) {
    if (strcmp(argv[1], "seeded") == 0) {
        return run_seeds(s, option(argc, argv, "seed", 1), option(argc, argv, "runs", 10),
                         option(argc, argv, "depth", 3), option(argc, argv, "length", 40),
                         option(argc, argv, "times", 1));
    }
    if (strcmp(argv[1], "exhaustive") == 0) {
        return run_search(s, option(argc, argv, "bound", 2), option(argc, argv, "limit", 100000));
    }
    return run_list(s, argc > 3 ? argv[3] : "");
}

int main(int argc, char **argv) {
    if (schedule(KINE_SCHEDULE_OVER) < 0) {
        printf("KTAP version 1\n1..0 # SKIP a kernel without the schedule explorer\n");
        return 0;
    }
    pin(0);  // a player in a play lets nobody else onto its hart
    rehearse(scenario_named("cow2", 4));
    rehearse(scenario_named("both", 4));
    bool steps = argc > 1 && strcmp(argv[1], "steps") == 0;
    if (steps || (argc > 1 && strcmp(argv[1], "script") == 0)) { return run_scripts(argc - 2, argv + 2, steps); }
    const struct scenario *s = argc > 2 ? scenario_named(argv[2], strlen(argv[2])) : NULL;
    if (!s) {
        fprintf(stderr, "usage: explore script|seeded|exhaustive|list SCENARIO ...; scenarios:");
        for (int i = 0; i < nscenarios; i++) { fprintf(stderr, " %s", scenarios[i].name); }
        for (int i = 0; i < nhouse_scenarios; i++) { fprintf(stderr, " %s", house_scenarios[i].name); }
        for (int i = 0; i < nend_scenarios; i++) { fprintf(stderr, " %s", end_scenarios[i].name); }
        fprintf(stderr, "\n");
        return 2;
    }
    rehearse(s);
    return run(argc, argv, s);
}
