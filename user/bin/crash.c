// SPDX-License-Identifier: MIT
// crash.c - make the kernel panic, to see what it says ("crash" must stand in the bootargs):
// 0 a panic, 1 a stack overflow, 2 a wild load.
#include <kine.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    kine_ctl(KINE_CRASH, argc > 1 ? atoi(argv[1]) : 0, 0);
    perror("crash");
    return 1;
}
