// SPDX-License-Identifier: MIT
// taskset MASK command... - run a command on the harts of a hexadecimal mask.
// taskset -p [MASK] pid   - set the mask of a process that runs, or show it.
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <tool.h>

static bool mask_of(const char *text, cpu_set_t *set) {
    char *end;
    CPU_ZERO(set);
    set->bits[0] = strtoul(text, &end, 16);
    return *text && !*end;
}

static int show(pid_t pid, const char *name) {
    cpu_set_t set;
    if (sched_getaffinity(pid, sizeof(set), &set) < 0) {
        return tool_error("taskset", name);
    }
    printf("%lx\n", set.bits[0]);
    return 0;
}

static int change(pid_t pid, const char *name, const cpu_set_t *set) {
    return sched_setaffinity(pid, sizeof(*set), set) < 0 ? tool_error("taskset", name) : 0;
}

int main(int argc, char **argv) {
    cpu_set_t set;
    long pid;
    bool running = argc > 2 && argc < 5 && strcmp(argv[1], "-p") == 0;
    if (running && tool_number(argv[argc - 1], 0, &pid)) {
        if (argc == 3) { return show((pid_t)pid, argv[2]); }
        if (mask_of(argv[2], &set)) { return change((pid_t)pid, argv[3], &set); }
    } else if (argc > 2 && mask_of(argv[1], &set)) {
        return change(0, argv[1], &set) ? 1 : tool_run("taskset", argv + 2);
    }
    return tool_usage("taskset MASK COMMAND... | taskset -p [MASK] PID");
}
