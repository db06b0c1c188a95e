// SPDX-License-Identifier: MIT
// signal.h - signal numbers (Linux/riscv64's) and kill. There are no handlers yet.
#pragma once
#include <sys/types.h>

#define SIGNAL_LIST(X)                                                                             \
    X(HUP, 1, "hang-up")                                                                           \
    X(INT, 2, "interrupt")                                                                         \
    X(QUIT, 3, "quit")                                                                             \
    X(ILL, 4, "illegal instruction")                                                               \
    X(TRAP, 5, "breakpoint")                                                                       \
    X(ABRT, 6, "aborted")                                                                          \
    X(BUS, 7, "bus error")                                                                         \
    X(FPE, 8, "arithmetic error")                                                                  \
    X(KILL, 9, "killed")                                                                           \
    X(USR1, 10, "user signal 1")                                                                   \
    X(SEGV, 11, "segmentation fault")                                                              \
    X(USR2, 12, "user signal 2")                                                                   \
    X(PIPE, 13, "broken pipe")                                                                     \
    X(ALRM, 14, "alarm")                                                                           \
    X(TERM, 15, "terminated")                                                                      \
    X(CHLD, 17, "child ended")                                                                     \
    X(CONT, 18, "continued")                                                                       \
    X(STOP, 19, "stopped")

enum signal_number {
#define X(name, number, words) SIG##name = number,
    SIGNAL_LIST(X)
#undef X
};

#define NSIG 65
typedef int sig_atomic_t;

int kill(pid_t pid, int sig);
int raise(int sig);
