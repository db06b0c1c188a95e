// SPDX-License-Identifier: MIT
// trap.S - into the kernel and out again.
//
// In user mode sscratch holds the hart; in the kernel it holds 0 and tp holds the hart. A trap from
// user mode puts its frame at hart->kernel_sp (the top of the thread's stack less a frame); a trap
// from the kernel puts it below what is there, unless the stack has run over (config.h, KSTACK).
// System calls go a shorter way out: the C code has preserved s0-s11 by the calling convention.
#include "config.h"
#include "riscv/trapframe.h"

// Register x<i> stands at 8 * (i - 1): struct trapframe. x2 (sp) and x4 (tp) go by other ways.
.macro regs op, list:vararg
    .irp i, \list
    \op x\i, 8*(\i-1)(sp)
    .endr
.endm
#define CALLER_SAVED 1,5,6,7,10,11,12,13,14,15,16,17,28,29,30,31
#define CALLEE_SAVED 8,9,18,19,20,21,22,23,24,25,26,27
#define GP 3

.section .text
.balign 4
.globl trap_entry
trap_entry:
    csrrw tp, sscratch, tp
    beqz tp, from_kernel

    sd sp, HART_SCRATCH_SP(tp)
    ld sp, HART_KERNEL_SP(tp)
    regs sd, GP, CALLER_SAVED, CALLEE_SAVED
    ld t0, HART_SCRATCH_SP(tp)
    csrrw t1, sscratch, zero
    csrr t2, sepc
    csrr t3, sstatus
    csrr a1, scause
    sd t0, TF_SP(sp)
    sd t1, TF_TP(sp)
    sd t2, TF_SEPC(sp)
    sd t3, TF_SSTATUS(sp)
    mv a0, sp
    mv s0, zero                     // the end of a backtrace
    li t0, 8                        // CAUSE_ECALL_U
    bne a1, t0, 1f
    call trap_syscall
    bnez a0, trap_return_user       // the call has rewritten registers
    j return_short
1:  csrr a2, stval
    sd a1, TF_CAUSE(sp)
    sd a2, TF_VALUE(sp)
    call trap_from_user

.globl trap_return_user             // interrupts are off, sp is the frame
trap_return_user:
    regs ld, CALLEE_SAVED
    j return_tail
return_short:
    regs ld, 8
return_tail:
    ld t0, TF_SEPC(sp)
    ld t1, TF_SSTATUS(sp)
    csrw sepc, t0
    csrw sstatus, t1
    csrw sscratch, tp
    ld tp, TF_TP(sp)
    regs ld, GP, CALLER_SAVED
    ld sp, TF_SP(sp)
    sret

from_kernel:
    csrrw tp, sscratch, zero
    sd sp, HART_SCRATCH_SP(tp)
    sd t0, HART_SCRATCH_T0(tp)
    addi sp, sp, -TF_SIZE
    srli t0, sp, KSTACK_SHIFT
    andi t0, t0, 1
    beqz t0, overflow
    ld t0, HART_SCRATCH_T0(tp)
    regs sd, GP, CALLER_SAVED, CALLEE_SAVED
    ld t0, HART_SCRATCH_SP(tp)
    csrr t2, sepc
    csrr t3, sstatus
    sd t0, TF_SP(sp)
    sd tp, TF_TP(sp)
    sd t2, TF_SEPC(sp)
    sd t3, TF_SSTATUS(sp)
    mv a0, sp
    csrr a1, scause
    csrr a2, stval
    call trap_from_kernel
    ld t0, TF_SEPC(sp)
    ld t1, TF_SSTATUS(sp)
    csrw sepc, t0
    csrw sstatus, t1
    regs ld, GP, CALLEE_SAVED, CALLER_SAVED
    ld sp, TF_SP(sp)                // tp stays: it is this hart, whoever was interrupted
    sret

overflow:
    ld a0, HART_SCRATCH_SP(tp)
    csrr a1, sepc
    csrr a2, stval
    ld sp, HART_EMERGENCY_SP(tp)
    call trap_stack_overflow

.macro context op, at
    \op ra, 0(\at)
    \op sp, 8(\at)
    .irp i, 0,1,2,3,4,5,6,7,8,9,10,11
    \op s\i, 16+8*\i(\at)
    .endr
.endm

// struct thread *context_switch(struct context *from, struct context *to, struct thread *prev):
// returns when someone switches back, with that one's `prev`.
.globl context_switch
context_switch:
    context sd, a0
    context ld, a1
    mv a0, a2
    ret

// The first thing that a new thread runs: a0 is the context it was switched from, s1 its function.
.globl thread_start
thread_start:
    mv s0, zero
    call sched_started
    mv a0, s2
    jalr s1
    mv sp, a0                       // a user thread's function returns its trap frame
    j trap_return_user

// void fpu_save(u64 f[33]), fpu_load(const u64 f[33]): f0-f31 and fcsr. sstatus.FS must not be Off.
.option push
.option arch, +d
.macro fp_all op
    .irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \op f\i, 8*\i(a0)
    .endr
.endm
.globl fpu_save
fpu_save:
    fp_all fsd
    frcsr t0
    sd t0, 256(a0)
    ret
.globl fpu_load
fpu_load:
    fp_all fld
    ld t0, 256(a0)
    fscsr t0
    ret
.option pop
