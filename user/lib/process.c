// SPDX-License-Identifier: MIT
// process.c - processes, signals and scheduling, with errno.
#include <ksys.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t fork(void) { return (pid_t)ksys_result(ksys_clone(SIGCHLD, NULL, NULL, 0, NULL)); }

void _exit(int status) {
    for (;;) { ksys_exit_group(status); }
}

pid_t waitpid(pid_t pid, int *status, int options) {
    return (pid_t)ksys_result(ksys_wait4(pid, status, options, NULL));
}

pid_t wait(int *status) { return waitpid(-1, status, 0); }

pid_t getpid(void) { return (pid_t)ksys_getpid(); }

pid_t getppid(void) { return (pid_t)ksys_getppid(); }

pid_t gettid(void) { return (pid_t)ksys_gettid(); }

int kill(pid_t pid, int sig) { return (int)ksys_result(ksys_kill(pid, sig)); }

int raise(int sig) { return kill(getpid(), sig); }

void abort(void) {
    raise(SIGABRT);
    _exit(128 + SIGABRT);
}

int sched_yield(void) { return (int)ksys_result(ksys_sched_yield()); }

int sched_getcpu(void) {
    unsigned int cpu;
    return ksys_result(ksys_getcpu(&cpu, NULL, NULL)) < 0 ? -1 : (int)cpu;
}

int sched_setaffinity(pid_t pid, size_t len, const cpu_set_t *set) {
    return (int)ksys_result(ksys_sched_setaffinity(pid, len, set));
}

// The call returns how many bytes the kernel wrote; the rest of the set is cleared here.
int sched_getaffinity(pid_t pid, size_t len, cpu_set_t *set) {
    long written = ksys_result(ksys_sched_getaffinity(pid, len, set));
    if (written < 0) { return -1; }
    memset((char *)set + written, 0, len - (size_t)written);
    return 0;
}

int sched_cpu_count(const cpu_set_t *set) {
    int count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) { count += CPU_ISSET(cpu, set); }
    return count;
}

int sched_pin(int cpu) {
    cpu_set_t set;
    if (cpu < 0 || cpu >= CPU_SETSIZE) {
        errno = EINVAL;
        return -1;
    }
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
}
