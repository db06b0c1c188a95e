// SPDX-License-Identifier: MIT
// exec.c - the exec family: one system call, several ways to pass arguments.
#include <ksys.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXEC_MAX_ARGS = 64, EXEC_MAX_PATH = 256 };

int execve(const char *path, char *const argv[], char *const envp[]) {
    return (int)ksys_result(ksys_execve(path, argv, envp));
}

int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

// Try each directory of PATH in turn. The error reported is the most telling one: a file that is
// there but cannot be run beats one that is not there.
int execvpe(const char *file, char *const argv[], char *const envp[]) {
    if (strchr(file, '/')) { return execve(file, argv, envp); }
    const char *dir = getenv("PATH");
    int error = ENOENT;
    if (!dir) { dir = "/bin:/tests"; }
    while (*dir && *file) {
        char path[EXEC_MAX_PATH];
        int len = (int)strcspn(dir, ":");
        if (snprintf(path, sizeof path, "%.*s/%s", len, dir, file) < (int)sizeof path) {
            execve(path, argv, envp);
            if (errno != ENOENT && errno != ENOTDIR) { error = errno; }
        }
        dir += len + (dir[len] == ':');
    }
    errno = error;
    return -1;
}

int execvp(const char *file, char *const argv[]) { return execvpe(file, argv, environ); }

// Gather a NULL-terminated argument list. Returns its length, or -1 with errno.
static int exec_gather(char *argv[], const char *first, va_list rest) {
    int n = 0;
    for (const char *arg = first; arg; arg = va_arg(rest, const char *)) {
        if (n == EXEC_MAX_ARGS) {
            errno = E2BIG;
            return -1;
        }
        argv[n++] = (char *)arg;
    }
    argv[n] = NULL;
    return n;
}

int execl(const char *path, const char *arg, ...) {
    char *argv[EXEC_MAX_ARGS + 1];
    va_list rest;
    va_start(rest, arg);
    int n = exec_gather(argv, arg, rest);
    va_end(rest);
    return n < 0 ? -1 : execv(path, argv);
}

int execlp(const char *file, const char *arg, ...) {
    char *argv[EXEC_MAX_ARGS + 1];
    va_list rest;
    va_start(rest, arg);
    int n = exec_gather(argv, arg, rest);
    va_end(rest);
    return n < 0 ? -1 : execvp(file, argv);
}
