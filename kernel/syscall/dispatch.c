// SPDX-License-Identifier: MIT
// dispatch.c - from a number in a7 to a call. Each entry is a wrapper that casts the registers to the
// types of table.h: what a hostile caller leaves in the upper bits of an int never gets further.
//
// This is the shortest way through the kernel, so nothing is kept in registers across the call (the
// frame is where hart->kernel_sp says), and these functions do without a frame pointer.
#include "lib/errno.h"
#include "mm/swap.h"
#include "proc/oom.h"
#include "proc/sched.h"
#include "riscv/csr.h"
#include "sync/atomic.h"
#include "sync/inject.h"
#include "syscall/syscall.h"

typedef long (*wrapper)(const u64 *r);

#define WRAPPER(name, call) SHORT static long do_##name(const u64 *r) { (void)r; return call; }
#define S0(n, name) WRAPPER(name, sys_##name())
#define S1(n, name, A, a) WRAPPER(name, sys_##name((A)r[0]))
#define S2(n, name, A, a, B, b) WRAPPER(name, sys_##name((A)r[0], (B)r[1]))
#define S3(n, name, A, a, B, b, C, c) WRAPPER(name, sys_##name((A)r[0], (B)r[1], (C)r[2]))
#define S4(n, name, A, a, B, b, C, c, D, d)                                                        \
    WRAPPER(name, sys_##name((A)r[0], (B)r[1], (C)r[2], (D)r[3]))
#define S5(n, name, A, a, B, b, C, c, D, d, E, e)                                                  \
    WRAPPER(name, sys_##name((A)r[0], (B)r[1], (C)r[2], (D)r[3], (E)r[4]))
#define S6(n, name, A, a, B, b, C, c, D, d, E, e, F, f)                                            \
    WRAPPER(name, sys_##name((A)r[0], (B)r[1], (C)r[2], (D)r[3], (E)r[4], (F)r[5]))
WRAPPER(unknown, -ENOSYS)
#include "syscall/table.h"

#define S0(n, name, ...) [n] = do_##name,
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const wrapper calls[CALL_MAX + 1] = {
    [0 ... CALL_MAX] = do_unknown,
#include "syscall/table.h"
};
#pragma GCC diagnostic pop

// A call that fails for want of memory can be made again when there is some. Calls say -ENOMEM for other reasons, too,
// and some do without what there is not: others pay only if it was short once more.
static noinline long without_memory(u64 n) {
    long result = -ENOMEM;
    bool again = oom_was_short() && swap_is_on();
    for (int tries = 0; again && result == -ENOMEM && tries < 32; tries++) {
        result = calls[n](((struct trapframe *)this_hart()->kernel_sp)->a);
        if (result == -ENOMEM && !(oom_was_short() && oom_relieve())) { break; }
    }
    return result;
}

// Returns whether registers other than a0 may have changed, so that all have to be restored.
SHORT bool trap_syscall(struct trapframe *tf) {
    u64 n = tf->a[7];
    inject_slow();
    irq_enable();
    COUNT(syscalls);
    long result = likely(n <= CALL_MAX) ? calls[n](tf->a) : -ENOSYS;
    if (unlikely(result == -ENOMEM)) { result = without_memory(n); }
    tf = (struct trapframe *)this_hart()->kernel_sp;
    tf->a[0] = result;
    tf->sepc += 4;
    irq_disable();
    lockdep_leave();
    bool work = unlikely(atomic_load_relaxed(&thread_self()->work));
    if (work) { sched_user_work(); }
    ghost_user();
    return work;
}
