// SPDX-License-Identifier: MIT
// seq [first [step]] last - print numbers, one a line.
#include <tool.h>

int main(int argc, char **argv) {
    long n[3] = {1, 1, 0};  // first, step, last
    bool good = argc >= 2 && argc <= 4 && tool_number(argv[argc - 1], -__LONG_MAX__, &n[2]);
    for (int i = 1; i < argc - 1 && good; i++) {
        good = tool_number(argv[i], -__LONG_MAX__, &n[i - 1]);
    }
    if (!good || n[1] == 0) { return tool_usage("seq [FIRST [STEP]] LAST"); }
    for (long i = n[0]; n[1] > 0 ? i <= n[2] : i >= n[2];) {
        if (printf("%ld\n", i) < 0 || ferror(stdout)) {
            return 1;  // whoever reads has enough
        }
        if (__builtin_add_overflow(i, n[1], &i)) { break; }
    }
    return 0;
}
