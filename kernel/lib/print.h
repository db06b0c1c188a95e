// SPDX-License-Identifier: MIT
// print.h - formatted output of the kernel, and what to do when an invariant is broken.
#pragma once
#include <stdarg.h>
#include <stdio.h>
#include "lib/types.h"

#define PRINT_BYTES 256

// One line of the kernel's log, cut to PRINT_BYTES - 1, written in one piece.
__attribute__((format(printf, 1, 2))) void kprintf(const char *format, ...);
// Format into line[n] and return the length, cut to n - 1.
__attribute__((format(printf, 3, 0))) usize print_line(char *line, usize n, const char *format, va_list ap);

// Where kprintf's bytes go; the console replaces SBI's early output. => may take locks.
typedef void (*print_sink)(const char *s, usize n);
void print_set_sink(print_sink sink);

// How a tool tells what it knows: kprintf, or a panic's own printing.
typedef void (*print_say)(const char *format, ...);

// Stop the machine: values first, then every hart's backtrace. Takes no lock. (panic.c)
__attribute__((format(printf, 1, 2))) noreturn void panic(const char *format, ...);

// ASSERT: an O(1) check, always on. Its message names the values.
#define ASSERT(cond, ...)                                                                          \
    do {                                                                                           \
        if (unlikely(!(cond))) { panic("not true: " #cond ": " __VA_ARGS__); }                     \
    } while (0)
