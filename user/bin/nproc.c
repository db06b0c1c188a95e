// SPDX-License-Identifier: MIT
// nproc [--all] - how many harts this process may run on; --all: how many are online.
#include <kine.h>
#include <sched.h>
#include <string.h>
#include <tool.h>

int main(int argc, char **argv) {
    cpu_set_t set;
    long online = kine_ctl(KINE_NHARTS, 0, 0), count = 0;
    bool all = argc == 2 && strcmp(argv[1], "--all") == 0;
    if (argc > 1 && !all) { return tool_usage("nproc [--all]"); }
    if (sched_getaffinity(0, sizeof(set), &set) < 0) {
        return tool_error("nproc", "affinity");
    }
    for (int hart = 0; hart < online; hart++) { count += all || CPU_ISSET(hart, &set); }
    printf("%ld\n", count);
    return 0;
}
