// SPDX-License-Identifier: MIT
// poweroff.c - end the machine with an exit status.
#include <kine.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    return (int)kine_ctl(KINE_POWEROFF, argc > 1 ? atoi(argv[1]) : 0, 0);
}
