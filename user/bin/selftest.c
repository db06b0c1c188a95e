// SPDX-License-Identifier: MIT
// selftest.c - run the kernel's own unit tests (CHECK=1 builds, "selftest" in the bootargs).
#include <kine.h>
#include <stdio.h>

int main(void) {
    long failed = kine_ctl(KINE_SELFTEST, 0, 0);
    if (failed < 0) { perror("selftest"); }
    return failed != 0;
}
