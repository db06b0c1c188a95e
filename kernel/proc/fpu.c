// SPDX-License-Identifier: MIT
// fpu.c - floating point registers: a thread that has never used them pays nothing.
//
// States     FS in the thread's frame: Off, it has not used them yet, the first use traps (fpu_start);
//            Clean, the registers are as in thread->fp; Dirty, thread->fp is out of date (fpu_update).
#include "proc/fpu.h"
#include "lib/string.h"
#include "riscv/csr.h"

void fpu_save(u64 *f);  // trap.S
void fpu_load(const u64 *f);

void fpu_update(struct thread *t) {
    struct trapframe *tf = thread_trapframe(t);
    if ((tf->sstatus & SSTATUS_FS) == SSTATUS_FS_DIRTY) {
        csr_set(sstatus, SSTATUS_FS);
        fpu_save(t->fp);
        csr_clear(sstatus, SSTATUS_FS);
        tf->sstatus = (tf->sstatus & ~SSTATUS_FS) | SSTATUS_FS_CLEAN;
    }
}

// FS in the frame says whether the thread uses floating point at all; fpu_start turns it on.
void fpu_restore(struct thread *t) {
    csr_set(sstatus, SSTATUS_FS);
    fpu_load(t->fp);
    csr_clear(sstatus, SSTATUS_FS);
}

// First use of floating point, found out by trap.c.
void fpu_start(struct thread *t) {
    struct trapframe *tf = thread_trapframe(t);
    memset(t->fp, 0, sizeof(t->fp));
    t->fp_used = true;
    fpu_restore(t);
    tf->sstatus = (tf->sstatus & ~SSTATUS_FS) | SSTATUS_FS_CLEAN;
}
