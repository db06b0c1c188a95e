// SPDX-License-Identifier: MIT
// trap.c - what the assembly of riscv/trap.S calls: system calls, faults, interrupts.
#include "dev/console.h"
#include "dev/disk.h"
#include "dev/fdt.h"
#include "dev/ipi.h"
#include "dev/plic.h"
#include "dev/timer.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/tlb.h"
#include "mm/uaccess.h"
#include "panic.h"
#include "proc/proc.h"
#include "proc/fpu.h"
#include "proc/oom.h"
#include "proc/sched.h"
#include "riscv/csr.h"
#include "sync/inject.h"
#include "sync/park.h"
#include "syscall/syscall.h"

_Static_assert(offsetof(struct hart, emergency_sp) == HART_EMERGENCY_SP, "known to trap.S");
_Static_assert(offsetof(struct hart, hartid) == HART_HARTID, "known to entry.S");

enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGKILL = 9, SIGSEGV = 11 };

// => interrupts off
static void interrupt(u64 cause, const struct trapframe *tf) {
    race_irq_enter(tf);
    lockdep_irq_enter();
    switch (cause & ~CAUSE_INTERRUPT) {
    case IRQ_SOFT:
        inject_late();
        ipi_clear();
        tlb_serve();
        panic_poll(tf->sepc, tf->s0);
        atomic_or_relaxed(&thread_self()->work, WORK_QUIESCE);
        break;
    case IRQ_TIMER:
        timer_interrupt();
        break;
    case IRQ_EXTERNAL:
        for (u32 irq; (irq = plic_claim());) {
            if (irq == machine.uart_irq) {
                console_interrupt();
            } else {
                disk_interrupt(irq);
            }
            plic_complete(irq);
        }
        break;
    default:
        panic("interrupt %lu", cause & ~CAUSE_INTERRUPT);
    }
    lockdep_irq_leave();
    race_irq_leave(tf);
}

static bool is_page_fault(u64 cause, enum access *access) {
    *access = cause == CAUSE_STORE_PAGE  ? ACCESS_WRITE
              : cause == CAUSE_LOAD_PAGE ? ACCESS_READ
                                         : ACCESS_EXEC;
    return cause == CAUSE_STORE_PAGE || cause == CAUSE_LOAD_PAGE || cause == CAUSE_FETCH_PAGE;
}

// A call that faults may hold what others, and a victim, wait for: it is not kept for long.
static noinline int without_memory(struct as *as, u64 value, enum access access, bool call) {
    int error = -ENOMEM;
    for (u32 tries = 0; error == -ENOMEM && (!call || tries < 32) && oom_relieve(); tries++) {
        error = as_fault(as, value, access);
    }
    return error;
}

// => interrupts as they were at the fault
static always_inline int page_fault(struct as *as, u64 value, enum access access, bool call) {
    int error = as_fault(as, value, access);
    if (unlikely(error == -ENOMEM)) { return without_memory(as, value, access, call); }
    return inject_spurious() && !error ? as_fault(as, value, access) : error;
}

static noinline void die(const struct trapframe *tf, int error) {
    u64 cause = tf->cause, value = tf->value;
    if (park_killed()) { return; }  // there was no need to wait for memory
#ifdef MUTANT_M44  // a user's fault is the kernel's
    panic("a page fault in user mode that cannot be handled");
#endif
    static const char *const causes[] = {
        "misaligned fetch", "fetch access fault", "illegal instruction", "breakpoint",
        "misaligned load", "load access fault", "misaligned store", "store access fault",
        "?", "?", "?", "?", "fetch page fault", "load page fault", "?", "store page fault"};
    int signal = cause == CAUSE_ILLEGAL      ? SIGILL
                 : cause == CAUSE_BREAKPOINT ? SIGTRAP
                 : cause == CAUSE_LOAD_MISALIGNED || cause == CAUSE_STORE_MISALIGNED ? SIGBUS
                 : error == -ENXIO || error == -EIO                                  ? SIGBUS
                                                                                     : SIGSEGV;
    if (error == -ENOMEM) {
        COUNT(ooms);
        signal = SIGKILL;
    }
    kprintf("kine: pid %d (%s): %s%s, address 0x%lx, pc 0x%lx\n", proc_self()->id.number, proc_self()->name,
            cause < ARRAY_LEN(causes) ? causes[cause] : "unknown trap",
            error == -ENOMEM ? " and out of memory" : "", value, tf->sepc);
    proc_kill(proc_self(), signal);
}

static noinline void other_trap(struct trapframe *tf, u64 cause) {
    if (cause & CAUSE_INTERRUPT) {
        interrupt(cause, tf);
    } else if (cause == CAUSE_ILLEGAL && !(tf->sstatus & SSTATUS_FS) && !thread_self()->fp_used) {
        fpu_start(thread_self());  // floating point is off until its first use
    } else {
        irq_enable();
        die(tf, -EFAULT);
        irq_disable();
    }
}

// Page faults first: the sole owner's write fault is the shortest thing that copy-on-write does.
SHORT void trap_from_user(struct trapframe *tf, u64 cause, u64 value) {
    enum access access;
    inject_slow();
    if (likely(is_page_fault(cause, &access))) {
        irq_enable();
        int error = page_fault(as_self(), value, access, false);
        if (unlikely(error)) { die((struct trapframe *)this_hart()->kernel_sp, error); }
        irq_disable();
    } else {
        other_trap(tf, cause);
    }
    if (unlikely(atomic_load_relaxed(&thread_self()->work))) { sched_user_work(); }
    lockdep_leave();
    ghost_user();
}

void trap_from_kernel(struct trapframe *tf, u64 cause, u64 value) {
    csr_clear(sstatus, SSTATUS_SUM);  // uaccess's alone: it has it again when it goes on
    inject_slow();
    if (cause & CAUSE_INTERRUPT) {
        interrupt(cause, tf);
        return;
    }
    enum access access;
    u64 fixup = uaccess_fixup(tf->sepc);
    bool faulted = is_page_fault(cause, &access);
    if (!fixup || (!faulted && value >= USER_TOP)) { panic_trap(tf, cause, value); }
    int error = -EFAULT;
    if (faulted && as_self() && !uaccess_is_peek(tf->sepc)) {
        if (tf->sstatus & SSTATUS_SPIE) { irq_enable(); }
        error = page_fault(as_self(), value, access, true);
        irq_disable();
    }
    if (error) {
        tf->a[0] = error == -ENOMEM ? error : -EFAULT;
        tf->sepc = fixup;
    }
}
