// SPDX-License-Identifier: MIT
// race.c - the race detector, put to the test: every play of kernel/test/race.c on 2, 3, 4 and 8 harts, a
// process pinned to each. Kernels without the detector have nothing to test.
#include "common.h"
#include <stdio.h>

enum { PREPARE, JUDGE, PLAY };

static long race(int what, int play, int role, int players) {
    return ksys_kine_ctl(KINE_RACE, what, play | role << 8 | players << 16);
}

static void perform(int play, int players) {
    int pids[8];
    race(PREPARE, play, 0, players);
    for (int role = 0; role < players; role++) {
        pids[role] = spawn();
        if (pids[role] == 0) {
            CHECK_EQ(pin(role), 0);
            CHECK_EQ(race(PLAY, play, role, players), 0);
            leave();
        }
    }
    for (int role = 0; role < players; role++) { CHECK_EQ(reap(pids[role]), 0); }
    race(JUDGE, play, 0, players);
}

int main(void) {
    static const int players[] = {2, 3, 4, 8};
    long plays = race(PREPARE, 0, 0, 0), harts = ksys_kine_ctl(KINE_NHARTS, 0, 0);
    int sizes = 0;
    if (plays < 0) {
        printf("KTAP version 1\n1..0 # SKIP a kernel without the race detector\n");
        return 0;
    }
    while (sizes < COUNT(players) && players[sizes] <= harts) { sizes++; }
    printf("KTAP version 1\n1..%ld\n", plays * sizes);
    fflush(stdout);
    for (int i = 0; i < sizes; i++) {
        for (int play = 0; play < plays; play++) { perform(play, players[i]); }
    }
    return checks_failed != 0;
}
