// SPDX-License-Identifier: MIT
// dispatch.c - from a number in a7 to a call. Each entry is a wrapper that casts the registers to the
// types of table.h: what a hostile caller leaves in the upper bits of an int never gets further.
#include "lib/errno.h"
#include "proc/thread.h"
#include "syscall/syscall.h"

typedef long (*wrapper)(const u64 *r);

#define S0(n, name) static long do_##name(const u64 *r) { (void)r; return sys_##name(); }
#define S1(n, name, A, a) static long do_##name(const u64 *r) { return sys_##name((A)r[0]); }
#define S2(n, name, A, a, B, b)                                                                    \
    static long do_##name(const u64 *r) { return sys_##name((A)r[0], (B)r[1]); }
#define S3(n, name, A, a, B, b, C, c)                                                              \
    static long do_##name(const u64 *r) { return sys_##name((A)r[0], (B)r[1], (C)r[2]); }
#define S4(n, name, A, a, B, b, C, c, D, d)                                                        \
    static long do_##name(const u64 *r) { return sys_##name((A)r[0], (B)r[1], (C)r[2], (D)r[3]); }
#define S5(n, name, A, a, B, b, C, c, D, d, E, e)                                                  \
    static long do_##name(const u64 *r) {                                                          \
        return sys_##name((A)r[0], (B)r[1], (C)r[2], (D)r[3], (E)r[4]);                            \
    }
#define S6(n, name, A, a, B, b, C, c, D, d, E, e, F, f)                                            \
    static long do_##name(const u64 *r) {                                                          \
        return sys_##name((A)r[0], (B)r[1], (C)r[2], (D)r[3], (E)r[4], (F)r[5]);                   \
    }
#include "syscall/table.h"

#define S0(n, name) [n] = do_##name,
#define S1(n, name, ...) [n] = do_##name,
#define S2(n, name, ...) [n] = do_##name,
#define S3(n, name, ...) [n] = do_##name,
#define S4(n, name, ...) [n] = do_##name,
#define S5(n, name, ...) [n] = do_##name,
#define S6(n, name, ...) [n] = do_##name,
static const wrapper calls[] = {
#include "syscall/table.h"
};

enum { NR_execve = 221 };

bool syscall_dispatch(struct trapframe *tf) {
    u64 n = tf->a[7];
    COUNT(syscalls);
    if (unlikely(n >= ARRAY_LEN(calls) || !calls[n])) {
        tf->a[0] = -ENOSYS;
        tf->sepc += 4;
        return false;
    }
    long result = calls[n](tf->a);
    if (n == NR_execve && result == 0) {
        return true;  // a new program: its frame is complete
    }
    tf->a[0] = result;
    tf->sepc += 4;
    return false;
}
