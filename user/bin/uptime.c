// SPDX-License-Identifier: MIT
// uptime - how long the machine runs, and how many processes there are.
#include <sys/sysinfo.h>
#include <tool.h>

int main(int argc, char **argv) {
    struct sysinfo info;
    (void)argv;
    if (argc > 1) { return tool_usage("uptime"); }
    if (sysinfo(&info) < 0) { return tool_error("uptime", "sysinfo"); }
    long s = info.uptime;
    printf("up %ld:%02ld:%02ld, %d processes\n", s / 3600, s / 60 % 60, s % 60, info.procs);
    return 0;
}
