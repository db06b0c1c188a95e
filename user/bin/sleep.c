// SPDX-License-Identifier: MIT
// sleep.c - do nothing for so many seconds.
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    return argc > 1 ? (int)sleep(atoi(argv[1])) : 2;
}
