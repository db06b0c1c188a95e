// SPDX-License-Identifier: MIT
// kstack.h - kernel stacks, with unmapped addresses below each.
#pragma once
#include "lib/types.h"

void kstack_init(void);                // boot
u64 kstack_alloc(void) must_check;     // the top of a stack, or 0: no memory. => as kstack_free
void kstack_free(u64 top);             // => nobody runs on it. Interrupts on, no spinlock held
void kstack_fence(u64 top);            // this hart forgets what it has kept of the addresses
u64 kstack_frames(void);               // frames in stacks and in the tables that map them
