// SPDX-License-Identifier: MIT
// panic.h - the end, and looking at all harts. See also panic() in lib/print.h.
#pragma once
#include "riscv/trapframe.h"

// A trap that the kernel should not have taken.
noreturn void panic_trap(const struct trapframe *tf, u64 cause, u64 value);
// Called from the software interrupt and from wait loops: stop, or show state, if someone asks.
void panic_poll(u64 pc, u64 fp);
// ^T: what every hart is doing.
void panic_show_harts(void);
