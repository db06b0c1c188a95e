// SPDX-License-Identifier: MIT
// system.c - memory, time, names of the machine and Kine's own calls, with errno.
#include <kine.h>
#include <ksys.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_SIZE = 4096, REBOOT_MAGIC1 = 0xfee1dead, REBOOT_MAGIC2 = 0x28121969 };

// The kernel answers with the break it now has; anything but the wish is a refusal.
int brk(void *end) {
    if (ksys_brk(end) != (long)end) {
        errno = ENOMEM;
        return -1;
    }
    return 0;
}

// The break is asked for each time rather than remembered: a program may also use ksys_brk.
void *sbrk(ptrdiff_t increment) {
    char *old = (char *)ksys_brk(NULL);
    if (increment != 0 && brk(old + increment) < 0) { return (void *)-1; }
    return old;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
    return (void *)ksys_result(ksys_mmap(addr, len, prot, flags, fd, offset));
}

int munmap(void *addr, size_t len) { return (int)ksys_result(ksys_munmap(addr, len)); }

int getpagesize(void) { return PAGE_SIZE; }

long sysconf(int name) {
    cpu_set_t set;
    switch (name) {
    case _SC_PAGESIZE:
        return PAGE_SIZE;
    case _SC_NPROCESSORS_CONF:
    case _SC_NPROCESSORS_ONLN:
        return sched_getaffinity(0, sizeof set, &set) < 0 ? -1 : CPU_COUNT(&set);
    default:
        errno = EINVAL;
        return -1;
    }
}

int clock_gettime(clockid_t clock, struct timespec *ts) {
    return (int)ksys_result(ksys_clock_gettime((int)clock, ts));
}

time_t time(time_t *result) {
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) { *result = now.tv_sec; }
    return now.tv_sec;
}

int nanosleep(const struct timespec *request, struct timespec *remaining) {
    return (int)ksys_result(ksys_nanosleep(request, remaining));
}

unsigned sleep(unsigned seconds) {
    struct timespec left = {.tv_sec = seconds};
    return nanosleep(&left, &left) < 0 ? (unsigned)left.tv_sec : 0;
}

int usleep(useconds_t microseconds) {
    struct timespec ts = {
        .tv_sec = (time_t)(microseconds / 1000000),
        .tv_nsec = (long)(microseconds % 1000000) * 1000,
    };
    return nanosleep(&ts, NULL);
}

int uname(struct utsname *name) { return (int)ksys_result(ksys_uname(name)); }

int sysinfo(struct sysinfo *info) { return (int)ksys_result(ksys_sysinfo(info)); }

int reboot(unsigned int command) {
    return (int)ksys_result(ksys_reboot((int)REBOOT_MAGIC1, REBOOT_MAGIC2, command, NULL));
}

long kine_audit(struct kine_audit *report) {
    return ksys_result(ksys_kine_audit(report, sizeof *report));
}

int kine_counters(int hart, struct kine_counters *out) {
    return (int)ksys_result(ksys_kine_counters(hart, out, sizeof *out));
}

long kine_ctl(int op, unsigned long a, unsigned long b) {
    return ksys_result(ksys_kine_ctl(op, a, b));
}

int kine_pagemap(const volatile void *va, size_t n, uint64_t *out) {
    return (int)ksys_result(ksys_kine_pagemap(va, n, out));
}
