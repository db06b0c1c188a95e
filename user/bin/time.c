// SPDX-License-Identifier: MIT
// time command... - run a command and say on stderr how long it took; exits as the command did.
#include <sys/wait.h>
#include <time.h>
#include <tool.h>
#include <unistd.h>

static long milliseconds(void) {
    struct timespec ts = {0};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int main(int argc, char **argv) {
    int status;
    long start = milliseconds();
    if (argc < 2) { return tool_usage("time COMMAND..."); }
    pid_t pid = fork();
    if (pid == 0) { _exit(tool_run("time", argv + 1)); }
    if (pid < 0 || waitpid(pid, &status, 0) < 0) { return tool_error("time", "fork"); }
    long ms = milliseconds() - start;
    fprintf(stderr, "real %ld.%03ld s\n", ms / 1000, ms % 1000);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
