// SPDX-License-Identifier: MIT
// atomic.h - the only door to atomic operations. The ordering is part of every name.
//
// Model      C11/RVWMO (RISC-V unprivileged spec, ch. "RVWMO"; mapping table A.6). Use 32- and
//            64-bit words only: smaller ones become library calls on this target.
// CAS        is inline assembly: GCC 12 for RISC-V emits compare-exchange without its release half
//            ("release" gives a bare lr/sc, "acq_rel" an sc without .rl). Fetch-and-op and exchange
//            come out right and are left to the compiler. `make lint` checks the object code.
// Tools      Host builds (unit tests; WEAK: kernel/test/weak), and files under the race detector, use the
//            compiler's own for everything, so that each operation is seen with its stated order.
//
// Each use of an order stronger than relaxed names what it pairs with; docs/memory-model.md lists
// them all.
#pragma once
#include "lib/types.h"

#define atomic_load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define atomic_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
// Of a pointer that is followed: what is read through it comes after (address dependency, RVWMO rule 9). The
// tools know no such order: for them it acquires.
#if defined(__riscv) && !defined(__SANITIZE_THREAD__)
#define atomic_load_dependent(p) atomic_load_relaxed(p)
#else
#define atomic_load_dependent(p) atomic_load_acquire(p)
#endif
#define atomic_store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define atomic_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

// These return the old value.
#define atomic_add_relaxed(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELAXED)
#define atomic_add_release(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELEASE)
#define atomic_sub_relaxed(p, v) __atomic_fetch_sub(p, v, __ATOMIC_RELAXED)
#define atomic_sub_release(p, v) __atomic_fetch_sub(p, v, __ATOMIC_RELEASE)
#define atomic_or_relaxed(p, v) __atomic_fetch_or(p, v, __ATOMIC_RELAXED)
#define atomic_or_release(p, v) __atomic_fetch_or(p, v, __ATOMIC_RELEASE)
#define atomic_and_relaxed(p, v) __atomic_fetch_and(p, v, __ATOMIC_RELAXED)
#define atomic_and_release(p, v) __atomic_fetch_and(p, v, __ATOMIC_RELEASE)
#define atomic_xor_relaxed(p, v) __atomic_fetch_xor(p, v, __ATOMIC_RELAXED)
#define atomic_swap_relaxed(p, v) __atomic_exchange_n(p, v, __ATOMIC_RELAXED)
#define atomic_swap_acquire(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQUIRE)
#define atomic_swap_release(p, v) __atomic_exchange_n(p, v, __ATOMIC_RELEASE)
#define atomic_swap_acq_rel(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL)

#define atomic_fence_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define atomic_fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)
#define atomic_fence_full() __atomic_thread_fence(__ATOMIC_SEQ_CST)

// An acquire fence behind an operation on *p, which the host's ThreadSanitizer knows only as a load of *p.
#if defined(__riscv) || defined(WEAK)
#define atomic_fence_acquire_of(p) ((void)(p), atomic_fence_acquire())
#else
#define atomic_fence_acquire_of(p) ((void)atomic_load_acquire(p))
#endif

#if defined(__riscv) && !defined(__SANITIZE_THREAD__)
// Compare and swap, strong: true and *p = desired if *p was expected, false otherwise.
// Unprivileged spec 8.3: a constrained LR/SC loop, so it makes progress.
#define ATOMIC_CAS(name, type, w, aq, rl, success, failure)                                        \
    static always_inline bool name(type *p, type expected, type desired) {                         \
        i64 old, want = sizeof(type) == 4 ? (i64)(i32)expected : (i64)expected;                    \
        u64 failed;                                                                                \
        __asm__ volatile("1: lr." w aq " %0, %2\n"                                                 \
                         "   bne %0, %z3, 2f\n"                                                    \
                         "   sc." w rl " %1, %z4, %2\n"                                            \
                         "   bnez %1, 1b\n"                                                        \
                         "2:"                                                                      \
                         : "=&r"(old), "=&r"(failed), "+A"(*p)                                     \
                         : "rJ"(want), "rJ"(desired)                                               \
                         : "memory");                                                              \
        return old == want; /* lr.w sign-extends */                                                \
    }
#else
#define ATOMIC_CAS(name, type, w, aq, rl, success, failure)                                        \
    static always_inline bool name(type *p, type expected, type desired) {                         \
        return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_##success,       \
                                           __ATOMIC_##failure);                                    \
    }
#endif
ATOMIC_CAS(atomic_cas32_relaxed, u32, "w", "", "", RELAXED, RELAXED)
ATOMIC_CAS(atomic_cas32_acquire, u32, "w", ".aq", "", ACQUIRE, ACQUIRE)
ATOMIC_CAS(atomic_cas32_release, u32, "w", "", ".rl", RELEASE, RELAXED)
ATOMIC_CAS(atomic_cas32_acq_rel, u32, "w", ".aq", ".rl", ACQ_REL, ACQUIRE)
ATOMIC_CAS(atomic_cas64_acq_rel, u64, "d", ".aq", ".rl", ACQ_REL, ACQUIRE)
#undef ATOMIC_CAS

// A polite step of a spin loop (Zihintpause; on a host, another thread's turn).
#ifdef __riscv
static always_inline void cpu_pause(void) {
    __asm__ volatile(".4byte 0x0100000f" ::: "memory");
}
#else
void cpu_pause(void);
#endif
