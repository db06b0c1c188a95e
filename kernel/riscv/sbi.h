// SPDX-License-Identifier: MIT
// sbi.h - calls to the supervisor execution environment (SBI spec 1.0).
#pragma once
#include "lib/types.h"

void sbi_putchar(int c);                             // legacy console: before the UART is known
void sbi_set_timer(u64 deadline);                    // TIME: for harts without Sstc
void sbi_send_ipi(u64 hartid);                       // IPI
long sbi_hart_start(u64 hartid, u64 pa, u64 opaque); // HSM: 0 or a negative SBI error
noreturn void sbi_shutdown(bool failed);             // SRST
