// SPDX-License-Identifier: MIT
// init.c - the first process: runs the boot command and ends the machine with its status, or keeps a
// shell on the console. Orphans become its children, and it reaps them.
#include <stdio.h>
#include <kine.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int code_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static pid_t start(char *const argv[]) {
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[0], argv);
        fprintf(stderr, "init: %s cannot be run\n", argv[0]);
        _exit(127);
    }
    if (pid < 0) {
        fprintf(stderr, "init: no memory for %s\n", argv[0]);
        kine_ctl(KINE_POWEROFF, 127, 0);
    }
    return pid;
}

// Wait for `pid`, reaping whoever else ends.
static int await(pid_t pid) {
    int status;
    pid_t got;
    while ((got = wait(&status)) != pid) {
        if (got < 0) { sleep(1); }
    }
    return code_of(status);
}

int main(int argc, char **argv) {
    static char *const shell[] = {"/bin/sh", NULL};
    setenv("PATH", "/bin:/tests", 0);
    int code = argc > 1 ? await(start(argv + 1)) : await(start(shell));
    kine_ctl(KINE_POWEROFF, code, 0);
    return code;
}
