// SPDX-License-Identifier: MIT
// syscall.h - prototypes of all system calls, from table.h.
#pragma once
#include "lib/types.h"
#include "riscv/trapframe.h"

#define S0(n, name) long sys_##name(void);
#define S1(n, name, A, a) long sys_##name(A a);
#define S2(n, name, A, a, B, b) long sys_##name(A a, B b);
#define S3(n, name, A, a, B, b, C, c) long sys_##name(A a, B b, C c);
#define S4(n, name, A, a, B, b, C, c, D, d) long sys_##name(A a, B b, C c, D d);
#define S5(n, name, A, a, B, b, C, c, D, d, E, e) long sys_##name(A a, B b, C c, D d, E e);
#define S6(n, name, A, a, B, b, C, c, D, d, E, e, F, f) long sys_##name(A a, B b, C c, D d, E e, F f);
#include "syscall/table.h"

// The highest number: each call is an array as long as its own, and the union as long as the longest.
#define S0(n, name, ...) char name[n];
union syscall_numbers {
#include "syscall/table.h"
};
#define CALL_MAX sizeof(union syscall_numbers)

// For functions on the shortest path: no frame pointer, so they do not show up in backtraces.
#define SHORT __attribute__((optimize("omit-frame-pointer")))
