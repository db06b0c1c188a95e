// SPDX-License-Identifier: MIT
// free - how much memory there is, in KiB.
#include <sys/sysinfo.h>
#include <tool.h>

int main(int argc, char **argv) {
    struct sysinfo info;
    (void)argv;
    if (argc > 1) { return tool_usage("free"); }
    if (sysinfo(&info) < 0) { return tool_error("free", "sysinfo"); }
    unsigned long total = info.totalram * info.mem_unit >> 10;
    unsigned long unused = info.freeram * info.mem_unit >> 10;
    printf("%10s %10s %10s\n", "total", "used", "free");
    printf("%10lu %10lu %10lu\n", total, total - unused, unused);
    return 0;
}
