// SPDX-License-Identifier: MIT
// string.h - the few string functions that the kernel needs.
#pragma once
#include "lib/types.h"

void *memset(void *d, int c, usize n);
void *memcpy(void *d, const void *s, usize n);
void *memmove(void *d, const void *s, usize n);
int memcmp(const void *a, const void *b, usize n);
usize strlen(const char *s);
usize strnlen(const char *s, usize max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, usize n);

// Copy at most n-1 bytes and always terminate. Returns d.
char *strcopy(char *d, const char *s, usize n);

// Parse a decimal or 0x number at *s and move *s behind it; false if there is none.
bool parse_u64(const char **s, u64 *out);

// Whole pages, both page-aligned: the two loops that a fault's cost consists of.
void page_zero(void *page);
void page_copy(void *restrict d, const void *restrict s);
