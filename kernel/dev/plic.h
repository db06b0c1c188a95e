// SPDX-License-Identifier: MIT
// plic.h - the platform-level interrupt controller (PLIC spec 1.0). All interrupts go to the boot hart.
#pragma once
#include "lib/types.h"
void plic_init(void);
bool plic_enable(u32 irq);  // false: it will not come
u32 plic_claim(void);
void plic_complete(u32 irq);
