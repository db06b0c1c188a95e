// SPDX-License-Identifier: MIT
// console.h - the UART and the terminal on it.
#pragma once
#include "lib/types.h"

void console_init(void);       // boot: output by the UART from now on
void console_listen(void);     // boot: input, and the output of programs, by interrupts
void console_interrupt(void);
void console_write(const char *s, usize n);
void console_await_idle(void); // all bytes have left the machine
void console_write_unlocked(const char *s, usize n);  // panic's, as the next
void console_flush_unlocked(void);
