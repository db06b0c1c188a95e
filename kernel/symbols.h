// SPDX-License-Identifier: MIT
// symbols.h - names of the kernel's functions, linked in at the end (Makefile, mksymbols.py).
#pragma once
#include "lib/types.h"
const char *symbol_of(u64 pc, u64 *offset);
// Return addresses taken by riscv/stack.h, innermost first, as one line: " f+0x10 < g+0x24".
void symbol_stack(char *text, usize n, const u32 *pc, u32 depth);
