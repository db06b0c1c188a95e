// SPDX-License-Identifier: MIT
// trapframe.h - the registers of whoever was interrupted: x1 .. x31, then four CSRs. Shared with trap.S.
#pragma once
#define TF_SP 8
#define TF_TP 24
#define TF_SEPC 248
#define TF_SSTATUS 256
#define TF_CAUSE 264
#define TF_VALUE 272
#define TF_SIZE 288

#define HART_KERNEL_SP 0
#define HART_SCRATCH_SP 8
#define HART_SCRATCH_T0 16
#define HART_EMERGENCY_SP 24
#define HART_HARTID 52

#ifndef __ASSEMBLER__
#include "lib/types.h"
struct trapframe {
    u64 ra, sp, gp, tp, t0, t1, t2, s0, s1;
    u64 a[8];
    u64 s2_11[10];
    u64 t3_6[4];
    u64 sepc, sstatus;
    u64 cause, value;  // of a trap from user mode that is not a system call
    u64 pad;
};
_Static_assert(sizeof(struct trapframe) == TF_SIZE, "TF_SIZE");
_Static_assert(offsetof(struct trapframe, t3_6) == 8 * (28 - 1), "x28");
_Static_assert(offsetof(struct trapframe, sepc) == TF_SEPC, "TF_SEPC");
#endif
