// SPDX-License-Identifier: MIT
// tool.h - what the small tools of user/bin share.
//
// Exit statuses: 0 it worked (or something was found), 1 it did not, 2 wrong usage.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// Print "usage: text" on stderr. Returns 2.
int tool_usage(const char *text);

// Print "tool: what: the words for errno" on stderr. Returns 1.
int tool_error(const char *tool, const char *what);

// Read a whole decimal number of at least `least`. Returns whether that is what `text` is.
bool tool_number(const char *text, long least, long *number);

// The words behind `-n N` or `-N`, which sets `number`, or all of `words`. NULL: not a number.
char **tool_count(char **words, long *number);

// The next line, without its new line, ended by a NUL: malloc()ed. NULL at the end, or with errno if
// it cannot be read or is too long for the memory there is.
char *tool_line(FILE *in);

// Call act(in, name) for each file of a NULL-terminated list, or for the standard input if it is
// empty. Returns 1 if a file could not be opened or act left an errno, otherwise the sum of act's
// results.
int tool_files(const char *tool, char **files, int (*act)(FILE *in, const char *name));

// Replace this process by a program. Returns only on failure, with the status to exit with.
int tool_run(const char *tool, char **argv);
