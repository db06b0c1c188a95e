// SPDX-License-Identifier: MIT
// uaccess.h - the only door to user memory.
//
// The kernel touches the calling process's addresses directly, with SUM set, so that the hardware
// applies the very rules that hold for the process: a write to a COW page faults and is broken, a
// write to text is refused. A fault that cannot be resolved ends the copy with an error.
// => of all: no spinlock and no AS lock held (a fault may wait for it); the process's space is active.
#pragma once
#include "lib/types.h"

// 0, -EFAULT or -ENOMEM.
int copy_in(void *d, uaddr s, usize n) must_check;
int copy_out(uaddr d, const void *s, usize n) must_check;
int zero_out(uaddr d, usize n) must_check;
// Copy a string with its NUL, at most n bytes. Its length without it, or -EFAULT, -ENAMETOOLONG.
long copy_in_string(char *d, uaddr s, usize n) must_check;
// The aligned word at s, if it is there: 0 or -EFAULT, and no fault is resolved. => may hold spinlocks
int peek_in(u32 *d, uaddr s) must_check;

// For trap.c: where to go on after a failed access, or 0 if pc is not an access to user memory.
u64 uaccess_fixup(u64 pc);
bool uaccess_is_peek(u64 pc);  // whose faults nobody resolves
