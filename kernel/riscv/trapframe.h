// SPDX-License-Identifier: MIT
// trapframe.h - the registers of whoever was interrupted. Shared with trap.S.
#pragma once
#define TF_RA 0
#define TF_SP 8
#define TF_GP 16
#define TF_TP 24
#define TF_T0 32
#define TF_T1 40
#define TF_T2 48
#define TF_S0 56
#define TF_S1 64
#define TF_A0 72
#define TF_A7 128
#define TF_S2 136
#define TF_T3 216
#define TF_T6 240
#define TF_SEPC 248
#define TF_SSTATUS 256
#define TF_CAUSE 264
#define TF_VALUE 272
#define TF_SIZE 288

#define HART_KERNEL_SP 0
#define HART_SCRATCH_SP 8
#define HART_SCRATCH_T0 16
#define HART_EMERGENCY_SP 24

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
_Static_assert(offsetof(struct trapframe, a) == TF_A0, "TF_A0");
_Static_assert(offsetof(struct trapframe, s2_11) == TF_S2, "TF_S2");
_Static_assert(offsetof(struct trapframe, t3_6) == TF_T3, "TF_T3");
_Static_assert(offsetof(struct trapframe, sepc) == TF_SEPC, "TF_SEPC");
#endif
