// SPDX-License-Identifier: MIT
// print.c - the kernel's log. Each kprintf builds its line first (picolibc's vsnprintf, which takes no
// lock and allocates nothing) and hands it over in one piece, so that lines of different harts never mix.
#include "lib/print.h"

static print_sink sink;

void print_set_sink(print_sink s) { sink = s; }

usize print_line(char *line, usize n, const char *format, va_list ap) {
    return MIN((usize)vsnprintf(line, n, format, ap), n - 1);
}

void kprintf(const char *format, ...) {
    char line[PRINT_BYTES];
    va_list ap;
    va_start(ap, format);
    usize n = print_line(line, sizeof(line), format, ap);
    va_end(ap);
    if (sink) { sink(line, n); }
}
