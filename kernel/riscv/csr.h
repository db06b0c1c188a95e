// SPDX-License-Identifier: MIT
// csr.h - supervisor control registers and fences (Privileged spec ch. 10, "Supervisor-Level ISA").
#pragma once
#include "lib/types.h"
#include "sync/ghost.h"

#define SSTATUS_SIE (1ul << 1)
#define SSTATUS_SPIE (1ul << 5)
#define SSTATUS_SPP (1ul << 8)
#define SSTATUS_FS (3ul << 13)
#define SSTATUS_FS_CLEAN (2ul << 13)
#define SSTATUS_FS_DIRTY (3ul << 13)
#define SSTATUS_SUM (1ul << 18)

#define SIE_SSIE (1ul << 1)
#define SIE_STIE (1ul << 5)
#define SIE_SEIE (1ul << 9)

#define CAUSE_INTERRUPT (1ul << 63)
#define IRQ_SOFT 1
#define IRQ_TIMER 5
#define IRQ_EXTERNAL 9

#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_LOAD_MISALIGNED 4
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_ECALL_U 8
#define CAUSE_FETCH_PAGE 12
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15

#define SATP_SV39 (8ul << 60)
#define SATP_ASID_SHIFT 44
#define SATP_ASIDS 0xfffful

// The race detector is told when interrupts go on and off (sync/race.h).
#if defined(RACE) && defined(__SANITIZE_THREAD__)
void race_irq_enabled(void);
void race_irq_disabled(void);
#else
#define race_irq_enabled() ((void)0)
#define race_irq_disabled() ((void)0)
#endif

#ifdef __riscv
#define csr_read(csr)                                                                              \
    ({                                                                                             \
        u64 v_;                                                                                    \
        __asm__ volatile("csrr %0, " #csr : "=r"(v_)::"memory");                                   \
        v_;                                                                                        \
    })
#define csr_write(csr, v) __asm__ volatile("csrw " #csr ", %0" ::"rK"(v) : "memory")
#define csr_set(csr, v) __asm__ volatile("csrs " #csr ", %0" ::"rK"(v) : "memory")
#define csr_clear(csr, v) __asm__ volatile("csrc " #csr ", %0" ::"rK"(v) : "memory")

static always_inline void irq_enable(void) {
    race_irq_enabled();
    csr_set(sstatus, SSTATUS_SIE);
}

static always_inline void irq_disable(void) {
    csr_clear(sstatus, SSTATUS_SIE);
    race_irq_disabled();
}

// Returns what irq_restore() wants back.
static always_inline u64 irq_save(void) {
    u64 old;
    __asm__ volatile("csrrci %0, sstatus, 2" : "=r"(old)::"memory");
    if (old & SSTATUS_SIE) { race_irq_disabled(); }
    return old & SSTATUS_SIE;
}

static always_inline void irq_restore(u64 flags) {
    if (flags & SSTATUS_SIE) { race_irq_enabled(); }
    csr_set(sstatus, flags);
}

static always_inline bool irq_enabled(void) { return csr_read(sstatus) & SSTATUS_SIE; }

static always_inline void wait_for_interrupt(void) {
    __asm__ volatile("wfi" ::: "memory");
}

// Order memory against devices as well (a doorbell, an IPI register).
static always_inline void fence_io(void) {
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

static always_inline u64 time_now(void) { return csr_read(time); }

// Drop this hart's translations: of one page (leaf entries only), of whatever ASID and global ones, or of one
// ASID; of an ASID (global entries stay); of everything.
static always_inline void sfence_page(u64 va) {
    ghost_fence(FENCE_PAGE, va, 0, __asm__ volatile("sfence.vma %0, zero" ::"r"(va) : "memory"));
}

static always_inline void sfence_page_of(u64 va, u64 asid) {
    ghost_fence(FENCE_PAGE_OF, va, asid, __asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"(asid) : "memory"));
}

static always_inline void sfence_space(u64 asid) {
    ghost_fence(FENCE_SPACE, 0, asid, __asm__ volatile("sfence.vma zero, %0" ::"r"(asid) : "memory"));
}

static always_inline void sfence_all(void) {
    ghost_fence(FENCE_ALL, 0, 0, __asm__ volatile("sfence.vma" ::: "memory"));
}

static always_inline void fence_i(void) {
    ghost_fence(FENCE_TEXT, 0, 0, __asm__ volatile("fence.i" ::: "memory"));
}
#else
// Host builds for unit tests: what the fake harts of test/host do instead.
#define csr_write(csr, v) host_write_##csr(v)
#define csr_read(csr) host_read_##csr()
void host_write_satp(u64 satp);
u64 host_read_satp(void);
u64 irq_save(void);
void irq_restore(u64 flags);
void sfence_page(u64 va);
void sfence_page_of(u64 va, u64 asid);
void sfence_space(u64 asid);
void sfence_all(void);
static inline void fence_i(void) {}
#endif
