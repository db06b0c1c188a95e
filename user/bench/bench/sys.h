// SPDX-License-Identifier: MIT
// sys.h - raw system calls for the measured paths.
//
// Every stub is inlined and sets exactly the registers that its call takes, so that a measured loop
// around a call is the call number, the arguments, `ecall` and the loop itself: no libc, no errno.
// The stubs come from the kernel's own table of calls. Below 1000 its numbers are Linux/riscv64's,
// which is why this program, linked statically, measures Linux too.
#pragma once

#include "../../../kernel/syscall/abi.h"
#include <stddef.h>
#include <stdint.h>

typedef unsigned long uaddr;
typedef unsigned long usize;
typedef unsigned int uint;

#define SYS_INLINE static inline __attribute__((always_inline, unused))

#define SYS_ARG(reg, value) register long reg __asm__(#reg) = (long)(value)
#define SYS_ECALL(...)                                                                             \
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), ##__VA_ARGS__ : "memory");                      \
    return a0

SYS_INLINE long sys_raw0(long n)
{
    SYS_ARG(a7, n);
    register long a0 __asm__("a0");
    __asm__ volatile("ecall" : "=r"(a0) : "r"(a7) : "memory");
    return a0;
}

SYS_INLINE long sys_raw1(long n, long p0)
{
    SYS_ARG(a7, n);
    SYS_ARG(a0, p0);
    SYS_ECALL();
}

SYS_INLINE long sys_raw2(long n, long p0, long p1)
{
    SYS_ARG(a7, n);
    SYS_ARG(a0, p0);
    SYS_ARG(a1, p1);
    SYS_ECALL("r"(a1));
}

SYS_INLINE long sys_raw3(long n, long p0, long p1, long p2)
{
    SYS_ARG(a7, n);
    SYS_ARG(a0, p0);
    SYS_ARG(a1, p1);
    SYS_ARG(a2, p2);
    SYS_ECALL("r"(a1), "r"(a2));
}

SYS_INLINE long sys_raw4(long n, long p0, long p1, long p2, long p3)
{
    SYS_ARG(a7, n);
    SYS_ARG(a0, p0);
    SYS_ARG(a1, p1);
    SYS_ARG(a2, p2);
    SYS_ARG(a3, p3);
    SYS_ECALL("r"(a1), "r"(a2), "r"(a3));
}

SYS_INLINE long sys_raw5(long n, long p0, long p1, long p2, long p3, long p4)
{
    SYS_ARG(a7, n);
    SYS_ARG(a0, p0);
    SYS_ARG(a1, p1);
    SYS_ARG(a2, p2);
    SYS_ARG(a3, p3);
    SYS_ARG(a4, p4);
    SYS_ECALL("r"(a1), "r"(a2), "r"(a3), "r"(a4));
}

SYS_INLINE long sys_raw6(long n, long p0, long p1, long p2, long p3, long p4, long p5)
{
    SYS_ARG(a7, n);
    SYS_ARG(a0, p0);
    SYS_ARG(a1, p1);
    SYS_ARG(a2, p2);
    SYS_ARG(a3, p3);
    SYS_ARG(a4, p4);
    SYS_ARG(a5, p5);
    SYS_ECALL("r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5));
}

#define S0(n, name)                                                                                \
    SYS_INLINE long sys_##name(void)                                                               \
    {                                                                                              \
        return sys_raw0(n);                                                                        \
    }
#define S1(n, name, t0, a0)                                                                        \
    SYS_INLINE long sys_##name(t0 a0)                                                              \
    {                                                                                              \
        return sys_raw1(n, (long)a0);                                                              \
    }
#define S2(n, name, t0, a0, t1, a1)                                                                \
    SYS_INLINE long sys_##name(t0 a0, t1 a1)                                                       \
    {                                                                                              \
        return sys_raw2(n, (long)a0, (long)a1);                                                    \
    }
#define S3(n, name, t0, a0, t1, a1, t2, a2)                                                        \
    SYS_INLINE long sys_##name(t0 a0, t1 a1, t2 a2)                                                \
    {                                                                                              \
        return sys_raw3(n, (long)a0, (long)a1, (long)a2);                                          \
    }
#define S4(n, name, t0, a0, t1, a1, t2, a2, t3, a3)                                                \
    SYS_INLINE long sys_##name(t0 a0, t1 a1, t2 a2, t3 a3)                                         \
    {                                                                                              \
        return sys_raw4(n, (long)a0, (long)a1, (long)a2, (long)a3);                                \
    }
#define S5(n, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4)                                        \
    SYS_INLINE long sys_##name(t0 a0, t1 a1, t2 a2, t3 a3, t4 a4)                                  \
    {                                                                                              \
        return sys_raw5(n, (long)a0, (long)a1, (long)a2, (long)a3, (long)a4);                      \
    }
#define S6(n, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5)                                \
    SYS_INLINE long sys_##name(t0 a0, t1 a1, t2 a2, t3 a3, t4 a4, t5 a5)                           \
    {                                                                                              \
        return sys_raw6(n, (long)a0, (long)a1, (long)a2, (long)a3, (long)a4, (long)a5);            \
    }
#include "../../../kernel/syscall/table.h"

#undef SYS_ARG
#undef SYS_ECALL

SYS_INLINE long sys_fork(void)
{
    enum { SIGCHLD_ONLY = 17 };
    return sys_clone(SIGCHLD_ONLY, 0, 0, 0, 0);
}

static inline __attribute__((always_inline, noreturn, unused)) void sys_leave(int status)
{
    sys_exit_group(status);
    __builtin_unreachable();
}

// Wait for one child and take no status: the call then writes no user memory.
SYS_INLINE long sys_reap(long pid)
{
    return sys_wait4((int)pid, 0, 0, 0);
}
