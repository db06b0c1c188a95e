// SPDX-License-Identifier: MIT
// string.h - picolibc's string functions, and pages.
#pragma once
#include <string.h>
#include "lib/types.h"

// Whole pages, both page-aligned: the two loops that a fault's cost consists of.
void page_zero(void *page);
void page_copy(void *restrict d, const void *restrict s);
