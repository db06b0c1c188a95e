// SPDX-License-Identifier: MIT
// ksys.h - raw system calls: ksys_<name>(...) for each line of the kernel's table.
//
// A stub returns what the kernel returned: a result, or -errno. It touches neither errno nor any
// lock, and compiles to the argument moves and one ecall. The POSIX names with errno are in
// unistd.h and its relatives; ksys_result() turns the one convention into the other.
#pragma once
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

typedef const volatile void *uaddr;
typedef size_t usize;
typedef unsigned int uint;

// Make the call `nr`, whatever it is.
static inline long ksys_raw(long nr, long a, long b, long c, long d, long e, long f) {
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;
    register long a7 __asm__("a7") = nr;
    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
                     : "memory");
    return a0;
}

static inline long ksys_raw3(long nr, long a, long b, long c) {
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a7 __asm__("a7") = nr;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}

static inline long ksys_raw0(long nr) {
    register long a0 __asm__("a0");
    register long a7 __asm__("a7") = nr;
    __asm__ volatile("ecall" : "=r"(a0) : "r"(a7) : "memory");
    return a0;
}

#define S0(nr, name)                                                                               \
    static inline long ksys_##name(void) {                                                         \
        return ksys_raw0(nr);                                                                      \
    }
#define S1(nr, name, ta, a)                                                                        \
    static inline long ksys_##name(ta a) {                                                         \
        return ksys_raw3(nr, (long)a, 0, 0);                                                       \
    }
#define S2(nr, name, ta, a, tb, b)                                                                 \
    static inline long ksys_##name(ta a, tb b) {                                                   \
        return ksys_raw3(nr, (long)a, (long)b, 0);                                                 \
    }
#define S3(nr, name, ta, a, tb, b, tc, c)                                                          \
    static inline long ksys_##name(ta a, tb b, tc c) {                                             \
        return ksys_raw3(nr, (long)a, (long)b, (long)c);                                           \
    }
#define S4(nr, name, ta, a, tb, b, tc, c, td, d)                                                   \
    static inline long ksys_##name(ta a, tb b, tc c, td d) {                                       \
        return ksys_raw(nr, (long)a, (long)b, (long)c, (long)d, 0, 0);                             \
    }
#define S5(nr, name, ta, a, tb, b, tc, c, td, d, te, e)                                            \
    static inline long ksys_##name(ta a, tb b, tc c, td d, te e) {                                 \
        return ksys_raw(nr, (long)a, (long)b, (long)c, (long)d, (long)e, 0);                       \
    }
#define S6(nr, name, ta, a, tb, b, tc, c, td, d, te, e, tf, f)                                     \
    static inline long ksys_##name(ta a, tb b, tc c, td d, te e, tf f) {                           \
        return ksys_raw(nr, (long)a, (long)b, (long)c, (long)d, (long)e, (long)f);                 \
    }
#include "kernel/syscall/table.h"

// KSYS_<name>: the numbers.
enum ksys_number {
#define S0(nr, name, ...) KSYS_##name = nr,
#include "kernel/syscall/table.h"
};

// Pass a result on; for -errno set errno and return -1.
static inline long ksys_result(long result) {
    if ((unsigned long)result > -4096ul) {
        errno = (int)-result;
        return -1;
    }
    return result;
}
