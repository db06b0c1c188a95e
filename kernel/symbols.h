// SPDX-License-Identifier: MIT
// symbols.h - names of the kernel's functions, linked in at the end (Makefile, mksymbols.py).
#pragma once
#include "lib/types.h"
const char *symbol_of(u64 pc, u64 *offset);
