// SPDX-License-Identifier: MIT
// inject.c - see inject.h.
//
// Locking    a hart's generator and counts are used with interrupts off, by that hart alone; settings
//            are words of their own, and a hart that sees an old one for a moment does no harm.
#include "sync/inject.h"

#ifdef CHECK
#include "lib/errno.h"
#include "proc/proc.h"
#include "riscv/csr.h"
#include "sync/atomic.h"

static struct {
    u32 rate;   // (a) one in so many; 0: never
    u32 bound;  // (a) of a wait, in spins
    u32 hart;   // (a) SLOW_HART: which
    i32 only;   // (a) while this pid runs; 0: always
} settings[KINE_INJECT_KINDS];

static u64 allocations, fails_at;  // (a) NO_MEMORY: counted so far, and which of them fails

static struct {
    u64 rng;  // (m: set seeds it, from any hart)
    u64 count[KINE_INJECT_KINDS];  // (m: inject_set adds up all harts')
} cacheline_aligned state[HART_MAX];

// => interrupts off
static u64 draw(void) {
    u64 *rng = &state[this_hart()->index].rng, r = random_next(read_once(*rng));
    write_once(*rng, r);
    return r >> 11;
}

static bool is_meant(enum kine_inject kind) {
    i32 only = atomic_load_relaxed(&settings[kind].only);
    struct proc *p = thread_self()->proc;
    return !only || (p && p->id.number == only);
}

static bool is_due(enum kine_inject kind, u32 rate) {
    if (kind != KINE_NO_MEMORY) { return draw() % rate == 0; }
    return atomic_add_relaxed(&allocations, 1ul) + 1 == atomic_load_relaxed(&fails_at);
}

static noinline bool chosen(enum kine_inject kind, u32 rate) {
    u64 flags = irq_save();
    bool yes = is_meant(kind) && is_due(kind, rate);
    write_once(state[this_hart()->index].count[kind], state[this_hart()->index].count[kind] + yes);
    irq_restore(flags);
    return yes;
}

static always_inline bool comes(enum kine_inject kind) {
    u32 rate = atomic_load_relaxed(&settings[kind].rate);
    return unlikely(rate) && chosen(kind, rate);
}

// => interrupts off
static void wait_up_to(u32 bound) {
    for (u64 spins = bound ? draw() % bound : 0; spins; spins--) { cpu_pause(); }
}

bool inject_spurious(void) { return comes(KINE_SPURIOUS_FAULT); }

void inject_late(void) {
    if (comes(KINE_LATE_IPI)) {
        wait_up_to(atomic_load_relaxed(&settings[KINE_LATE_IPI].bound));
    }
}

void inject_slow(void) {
    if (this_hart()->index == atomic_load_relaxed(&settings[KINE_SLOW_HART].hart) && comes(KINE_SLOW_HART)) {
        wait_up_to(atomic_load_relaxed(&settings[KINE_SLOW_HART].bound));
    }
}

// It becomes its thread's own KINE_FAIL_NTH, in place of one that may be pending: kasan_heap.c looks there.
void inject_no_memory(struct inject *in) {
    if (comes(KINE_NO_MEMORY)) { in->fail_at = in->seen + 1; }
}

static void set(enum kine_inject kind, u64 seed, i32 only, u32 rate, u32 bound) {
    for (u32 i = 0; i < nharts; i++) {
        write_once(state[i].rng, random_start(seed, i + 1));
    }
    if (kind == KINE_NO_MEMORY && rate) { atomic_store_relaxed(&fails_at, atomic_load_relaxed(&allocations) + rate); }
    atomic_store_relaxed(&settings[kind].bound, bound);
    atomic_store_relaxed(&settings[kind].hart, (u32)(seed % nharts));
    atomic_store_relaxed(&settings[kind].only, only);
    atomic_store_relaxed(&settings[kind].rate, rate);
}

long inject_set(u64 how, u64 when) {
    u64 kind = how & (KINE_INJECT_SELF - 1), count = 0;
    if (kind >= KINE_INJECT_KINDS) { return -EINVAL; }
    for (u32 i = 0; i < nharts; i++) { count += read_once(state[i].count[kind]); }
    set(kind, how >> 8, how & KINE_INJECT_SELF ? proc_self()->id.number : 0, (u32)when, when >> 32);
    return count;
}

void inject_boot(u64 seed, u64 spurious, u64 late, u64 slow, u64 nomem) {
    set(KINE_SPURIOUS_FAULT, seed, 0, spurious, 0);
    set(KINE_LATE_IPI, seed, 0, late ? 8 : 0, late);
    set(KINE_SLOW_HART, seed, 0, slow ? 8 : 0, slow);
    set(KINE_NO_MEMORY, seed, 0, nomem, 0);
}
#endif
