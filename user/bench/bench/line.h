// SPDX-License-Identifier: MIT
// line.h - one line of output, sent by one write(2).
//
// Nothing is left in a buffer that a fork would duplicate, and lines of two processes never mix.
#pragma once

#include <stdint.h>

struct line {
    uint32_t length;
    char text[1024];
};

void line_text(struct line *line, const char *text);
void line_key_text(struct line *line, const char *key, const char *value);
void line_key_number(struct line *line, const char *key, uint64_t value);
void line_send(struct line *line);

// Print `bench error=WHAT errno=N` and leave with status 1. `result` is a call's result, or 0.
void __attribute__((noreturn, cold, noinline)) line_die(const char *what, long result);
