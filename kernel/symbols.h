// SPDX-License-Identifier: MIT
// symbols.h - names of the kernel's functions, linked in at the end (Makefile, mksymbols.py).
#pragma once
#include "lib/print.h"
const char *symbol_of(u64 pc, u64 *offset);
// "    what: f+0x10 < g+0x24": return addresses taken by riscv/stack.h, innermost first.
void symbol_say_stack(print_say say, const char *what, const u32 *pc, u32 depth);
