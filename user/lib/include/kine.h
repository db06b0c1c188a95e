// SPDX-License-Identifier: MIT
// kine.h - Kine's own system calls, with errno. What they exchange is in kernel/syscall/abi.h.
#pragma once
#include "kernel/syscall/abi.h"
#include <stddef.h>

// Account for every frame. Returns the number of errors found, 0 when the books balance.
long kine_audit(struct kine_audit *report);

// Read the event counters of one hart, or of all harts together (hart = -1).
int kine_counters(int hart, struct kine_counters *out);

// One of enum kine_ctl_op.
long kine_ctl(int op, unsigned long a, unsigned long b);

// Describe n pages from va on, one word each (KINE_PM_*).
int kine_pagemap(const volatile void *va, size_t n, uint64_t *out);
