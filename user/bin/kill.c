// SPDX-License-Identifier: MIT
// kill [-SIGNAL] pid... - send a signal, TERM unless told; by name or number. kill -l lists them.
#include <signal.h>
#include <string.h>
#include <tool.h>

static const struct {
    const char *name;
    int number;
} signals[] = {
#define X(name, number, words) {#name, number},
    SIGNAL_LIST(X)
#undef X
};

enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static int list_signals(void) {
    for (int i = 0; i < SIGNALS; i++) {
        printf("%2d %s\n", signals[i].number, signals[i].name);
    }
    return 0;
}

static bool signal_named(const char *name, long *number) {
    if (tool_number(name, 0, number)) { return true; }
    name += strncmp(name, "SIG", 3) == 0 ? 3 : 0;
    for (int i = 0; i < SIGNALS; i++) {
        if (strcmp(name, signals[i].name) == 0) {
            *number = signals[i].number;
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv) {
    long sig = SIGTERM, pid;
    int at = 1, failed = 0;
    if (argc == 2 && strcmp(argv[1], "-l") == 0) { return list_signals(); }
    if (argc > 1 && argv[1][0] == '-') {
        at = signal_named(argv[1] + 1, &sig) ? 2 : argc;
    }
    if (at >= argc) { return tool_usage("kill [-SIGNAL] PID... | kill -l"); }
    for (; at < argc; at++) {
        if (!tool_number(argv[at], 1, &pid)) {
            return tool_usage("kill [-SIGNAL] PID... | kill -l");
        }
        if (kill((pid_t)pid, (int)sig) < 0) { failed = tool_error("kill", argv[at]); }
    }
    return failed;
}
