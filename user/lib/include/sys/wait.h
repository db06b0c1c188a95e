// SPDX-License-Identifier: MIT
// sys/wait.h - waiting for children.
#pragma once
#include <sys/types.h>

#define WNOHANG 1

#define WTERMSIG(status) ((status) & 0x7f)
#define WEXITSTATUS(status) ((status) >> 8 & 0xff)
#define WIFEXITED(status) (WTERMSIG(status) == 0)
#define WIFSIGNALED(status) (WTERMSIG(status) != 0)

pid_t wait(int *status);
pid_t waitpid(pid_t pid, int *status, int options);

// A wait status as a shell reports it: the exit status, or 128 + the signal.
static inline int wait_exit_code(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
