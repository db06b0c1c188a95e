// SPDX-License-Identifier: MIT
// sys/reboot.h - stopping the machine; the magic numbers are Linux's.
#pragma once

#define RB_AUTOBOOT 0x01234567
#define RB_HALT_SYSTEM 0xcdef0123
#define RB_POWER_OFF 0x4321fedc

int reboot(unsigned int command);
