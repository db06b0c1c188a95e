// SPDX-License-Identifier: MIT
// ipi.h - ringing another hart's bell. What it is for stands in the target's struct hart.
#pragma once
#include "riscv/hart.h"

void ipi_init(void);
void ipi_send(struct hart *h);
void ipi_send_others(void);
void ipi_clear(void);    // acknowledge the bell here. => from the software interrupt
