// SPDX-License-Identifier: MIT
// power.h - ending the machine with an exit status, by the test device where there is one.
#pragma once
#include "lib/types.h"
void power_init(void);
noreturn void power_off(u32 status);
noreturn void power_reset(void);
