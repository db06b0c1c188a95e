// SPDX-License-Identifier: MIT
// trap.S - into the kernel and out again.
//
// In user mode sscratch holds the hart; in the kernel it holds 0 and tp holds the hart. A trap from
// user mode puts its frame at hart->kernel_sp (the top of the thread's stack less a frame); a trap
// from the kernel puts it below what is there, unless the stack has run over (config.h, KSTACK).
// System calls go a shorter way out: the C code has preserved s0-s11 by the calling convention.
#include "config.h"
#include "riscv/trapframe.h"

.macro save_caller_saved
    sd ra, TF_RA(sp)
    sd gp, TF_GP(sp)
    sd t0, TF_T0(sp)
    sd t1, TF_T1(sp)
    sd t2, TF_T2(sp)
    sd a0, TF_A0+0(sp)
    sd a1, TF_A0+8(sp)
    sd a2, TF_A0+16(sp)
    sd a3, TF_A0+24(sp)
    sd a4, TF_A0+32(sp)
    sd a5, TF_A0+40(sp)
    sd a6, TF_A0+48(sp)
    sd a7, TF_A0+56(sp)
    sd t3, TF_T3+0(sp)
    sd t4, TF_T3+8(sp)
    sd t5, TF_T3+16(sp)
    sd t6, TF_T3+24(sp)
.endm

.macro callee_saved op
    \op s0, TF_S0(sp)
    \op s1, TF_S1(sp)
    \op s2, TF_S2+0(sp)
    \op s3, TF_S2+8(sp)
    \op s4, TF_S2+16(sp)
    \op s5, TF_S2+24(sp)
    \op s6, TF_S2+32(sp)
    \op s7, TF_S2+40(sp)
    \op s8, TF_S2+48(sp)
    \op s9, TF_S2+56(sp)
    \op s10, TF_S2+64(sp)
    \op s11, TF_S2+72(sp)
.endm

.macro restore_caller_saved_but_sp
    ld ra, TF_RA(sp)
    ld t0, TF_T0(sp)
    ld t1, TF_T1(sp)
    ld t2, TF_T2(sp)
    ld a0, TF_A0+0(sp)
    ld a1, TF_A0+8(sp)
    ld a2, TF_A0+16(sp)
    ld a3, TF_A0+24(sp)
    ld a4, TF_A0+32(sp)
    ld a5, TF_A0+40(sp)
    ld a6, TF_A0+48(sp)
    ld a7, TF_A0+56(sp)
    ld t3, TF_T3+0(sp)
    ld t4, TF_T3+8(sp)
    ld t5, TF_T3+16(sp)
    ld t6, TF_T3+24(sp)
.endm

.section .text
.balign 4
.globl trap_entry
trap_entry:
    csrrw tp, sscratch, tp
    beqz tp, from_kernel

    sd sp, HART_SCRATCH_SP(tp)
    ld sp, HART_KERNEL_SP(tp)
    save_caller_saved
    callee_saved sd
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
    callee_saved ld
    j return_tail
return_short:
    ld s0, TF_S0(sp)
return_tail:
    ld t0, TF_SEPC(sp)
    ld t1, TF_SSTATUS(sp)
    csrw sepc, t0
    csrw sstatus, t1
    csrw sscratch, tp
    ld gp, TF_GP(sp)
    ld tp, TF_TP(sp)
    restore_caller_saved_but_sp
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
    save_caller_saved
    callee_saved sd
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
    callee_saved ld
    ld gp, TF_GP(sp)
    restore_caller_saved_but_sp
    ld sp, TF_SP(sp)                // tp stays: it is this hart, whoever was interrupted
    sret

overflow:
    ld a0, HART_SCRATCH_SP(tp)
    csrr a1, sepc
    csrr a2, stval
    ld sp, HART_EMERGENCY_SP(tp)
    call trap_stack_overflow

// struct thread *context_switch(struct context *from, struct context *to, struct thread *prev):
// returns when someone switches back, with that one's `prev`.
.globl context_switch
context_switch:
    sd ra, 0(a0)
    sd sp, 8(a0)
    sd s0, 16(a0)
    sd s1, 24(a0)
    sd s2, 32(a0)
    sd s3, 40(a0)
    sd s4, 48(a0)
    sd s5, 56(a0)
    sd s6, 64(a0)
    sd s7, 72(a0)
    sd s8, 80(a0)
    sd s9, 88(a0)
    sd s10, 96(a0)
    sd s11, 104(a0)
    ld ra, 0(a1)
    ld sp, 8(a1)
    ld s0, 16(a1)
    ld s1, 24(a1)
    ld s2, 32(a1)
    ld s3, 40(a1)
    ld s4, 48(a1)
    ld s5, 56(a1)
    ld s6, 64(a1)
    ld s7, 72(a1)
    ld s8, 80(a1)
    ld s9, 88(a1)
    ld s10, 96(a1)
    ld s11, 104(a1)
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
