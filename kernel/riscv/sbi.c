// SPDX-License-Identifier: MIT
// sbi.c - one ecall with its register convention (SBI spec ch. 3), and the calls we use.
#include "riscv/sbi.h"
#include "riscv/csr.h"

enum {
    EXT_PUTCHAR = 0x01, EXT_TIME = 0x54494d45, EXT_IPI = 0x735049, EXT_HSM = 0x48534d, EXT_SRST = 0x53525354,
};

static long sbi_call(u64 ext, u64 fid, u64 x, u64 y, u64 z) {
    register u64 a0 __asm__("a0") = x;
    register u64 a1 __asm__("a1") = y;
    register u64 a2 __asm__("a2") = z;
    register u64 a6 __asm__("a6") = fid;
    register u64 a7 __asm__("a7") = ext;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return a0;
}

void sbi_putchar(int c) { sbi_call(EXT_PUTCHAR, 0, c, 0, 0); }

void sbi_set_timer(u64 deadline) { sbi_call(EXT_TIME, 0, deadline, 0, 0); }

void sbi_send_ipi(u64 hartid) { sbi_call(EXT_IPI, 0, 1, hartid, 0); }

long sbi_hart_start(u64 hartid, u64 pa, u64 opaque) {
    return sbi_call(EXT_HSM, 0, hartid, pa, opaque);
}

noreturn void sbi_shutdown(bool failed) {
    sbi_call(EXT_SRST, 0, 0, failed, 0);
    for (;;) { wait_for_interrupt(); }
}
