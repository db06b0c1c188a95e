// SPDX-License-Identifier: MIT
// uaccess.S - loads and stores of user memory. Any of them may fault; trap.c then resumes at
// uaccess_failed with the error in a0.

// int uaccess_copy(void *d, const void *s, usize n): 0, or what uaccess_failed returns.
.globl uaccess_copy, uaccess_begin, uaccess_end, uaccess_failed
uaccess_copy:
    li t6, 1 << 18                  // sstatus.SUM
    csrs sstatus, t6
uaccess_begin:
    or t0, a0, a1
    andi t0, t0, 7
    bnez t0, 2f
    addi t1, a2, -8
    bltz t1, 2f
    add t1, a1, t1                  // the last address from which a whole word can be read
1:  ld t2, 0(a1)
    sd t2, 0(a0)
    addi a1, a1, 8
    addi a0, a0, 8
    bleu a1, t1, 1b
    andi a2, a2, 7
2:  beqz a2, 4f
    add t1, a1, a2
3:  lbu t2, 0(a1)
    sb t2, 0(a0)
    addi a1, a1, 1
    addi a0, a0, 1
    bltu a1, t1, 3b
uaccess_end:
4:  csrc sstatus, t6
    li a0, 0
    ret
uaccess_failed:
    li t6, 1 << 18
    csrc sstatus, t6
    ret

// int uaccess_peek(u32 *d, uaddr s): one word, of which a fault is not resolved (trap.c).
.globl uaccess_peek, uaccess_peek_begin, uaccess_peek_end
uaccess_peek:
    li t6, 1 << 18
    csrs sstatus, t6
uaccess_peek_begin:
    lw t2, 0(a1)
uaccess_peek_end:
    csrc sstatus, t6
    sw t2, 0(a0)
    li a0, 0
    ret
