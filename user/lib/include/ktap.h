// SPDX-License-Identifier: MIT
// ktap.h - test results as KTAP, one write(2) a line.
//
//     ktap_plan(2);
//     ktap_ok(getppid() > 0, "there is a parent");
//     ktap_is(write(9, "", 1), -1, "write to a closed descriptor");
//     return ktap_end();
//
// The counts belong to the process that called ktap_plan; a forked child reports by exit status or
// by comments. Names and comments are printf formats; lines longer than 500 bytes are cut.
#pragma once
#include <stdbool.h>

#define KTAP_PRINTF(text_arg, first) __attribute__((format(printf, text_arg, first)))

// Print the version line and the plan. With n = 0 the plan is printed by ktap_end.
void ktap_plan(int n);

// Print the result of one test. Returns `passed`.
bool ktap_ok(bool passed, const char *name, ...) KTAP_PRINTF(2, 3);

// The test "got == want"; on failure a comment shows both values. Returns whether it passed.
bool ktap_is(long got, long want, const char *name, ...) KTAP_PRINTF(3, 4);

// Count one test as passed that cannot run here; the text is the name, then why.
void ktap_skip(const char *why, const char *name, ...) KTAP_PRINTF(2, 3);

// Print "# text".
void ktap_comment(const char *text, ...) KTAP_PRINTF(1, 2);

// Print the heartbeat "# beat word number". The number never falls.
void ktap_beat(const char *word, unsigned long number);

// Print "Bail out! text" and end the process with status 1: nothing after this makes sense.
void ktap_bail(const char *text, ...) __attribute__((noreturn)) KTAP_PRINTF(1, 2);

// Returns main's exit status: 0 if every planned test ran and passed, otherwise 1.
int ktap_end(void);
