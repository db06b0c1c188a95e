// SPDX-License-Identifier: MIT
// entry.S - the first instructions of every hart: from physical addresses to the kernel's own.
//
// SBI enters with a0 = hartid, a1 = device tree (boot hart) or the hart's struct hart (others, by
// HSM), the MMU off. boot_early_map() builds a first root in C at physical addresses; the same root
// later brings the other harts up.
//
// One hart boots, even if two come here: OpenSBI marks a hart as started before it stores where
// (sbi_hsm_hart_start, up to 1.2), and a hart that looks in between goes to where the firmware would have
// booted. It was asked for by start_others(), so its struct hart is there to be found.
#include "config.h"
#include "riscv/trapframe.h"

.section .data
.balign 4
booting:
    .word 0

.section .text.entry
.globl _entry
_entry:
    la t0, booting
    li t1, 1
    amoswap.w t1, t1, (t0)
    bnez t1, too_late
    mv s1, a0
    mv s2, a1
    la sp, boot_stack_top
    la t0, __bss_start              // the loader clears .bss of an ELF; be sure all the same
    la t1, __bss_end
1:  bgeu t0, t1, 2f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 1b
2:  la tp, boot_hart                // C code finds a hart there, always
    call boot_early_map             // returns satp
    call turn_on_mmu
    la sp, boot_stack_top
    la tp, boot_hart
    mv s0, zero
    mv a0, s1
    mv a1, s2
    tail boot_main

too_late:
    li t3, DIRECT_BASE
    la t0, harts
1:  ld a1, 0(t0)
    addi t0, t0, 8
    sub t2, a1, t3                  // its physical address
    lwu t2, HART_HARTID(t2)
    bne t2, a0, 1b

.globl _secondary_entry
_secondary_entry:
    mv s2, a1
    la t0, boot_early_satp
    ld a0, 0(t0)
    call turn_on_mmu
    mv tp, s2
    ld sp, 0(tp)                    // hart->kernel_sp: its idle stack
    mv s0, zero
    mv a0, s2
    tail boot_secondary

// a0 = satp. Comes back at the same place in the image's own addresses.
turn_on_mmu:
    li t1, IMAGE_BASE - IMAGE_PHYS
    add ra, ra, t1
    la t0, 1f
    add t0, t0, t1
    csrw stvec, t0                  // where the identity map is missing, the fetch traps to here
    sfence.vma
    csrw satp, a0
    sfence.vma
.balign 4
1:  la t0, trap_entry
    csrw stvec, t0
    csrw sscratch, zero
    ret


// The boot stack obeys the rule of all stacks: the bit KSTACK_SHIFT of an address in it is set.
.section .bss
.balign KSTACK_STRIDE
    .space KSTACK_STRIDE
boot_stack_top:
