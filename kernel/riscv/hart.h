// SPDX-License-Identifier: MIT
// hart.h - what every hart has for itself. In the kernel, tp points at it.
//
// The kernel is interruptible but not pre-emptible: a thread leaves its hart only where it
// parks, yields or returns to user mode. So a hart's own fields need no lock and no disabled interrupts, unless an
// interrupt handler uses them too (marked i) or other harts do (marked r: atomics, own line).
#pragma once
#include "config.h"
#include "lib/random.h"
#include "lib/types.h"
#include "syscall/abi.h"

#define HELD_MAX 16

struct spin;
struct thread;
struct freelist;
struct runq;
struct timer_queue;
struct kstack_pool;
struct race_context;

// A thread's allocations: counted, to make the k-th of them fail (KINE_FAIL_NTH).
struct inject {
    u64 seen;
    u64 fail_at;      // 0 = never
    bool found_none;  // there was no frame for one (proc/oom.h)
};

// An ASID of this hart: the space that it belongs to, and the last of its changes that is known here (mm/tlb.h).
struct asid {
    u64 space, generation;
};

// What a hart wants others to forget: pages of a space, or (NULL) of the kernel's half.
struct shoot {
    struct as *as;
    u64 generation, va, pages;
};

enum hart_stop { HART_RUNNING, HART_STOPPED };

struct hart {
    // Offsets known to trap.S (HART_*).
    u64 kernel_sp;     // where a trap from user mode puts its frame
    u64 scratch_sp;    // trap entry's own
    u64 scratch_t0;
    u64 emergency_sp;  // for a stack that has run over

    struct thread *current;  // (m: sched_ring looks, from any hart)
    struct thread *idle;
    u32 index;   // 0 .. nharts-1; the boot hart is 0
    u32 hartid;  // the machine's number
    struct inject *inject;
    u32 nheld;  // (i) (m: a handler in between counts up and down) spinlocks held, innermost last
    struct spin *held[HELD_MAX];  // (i) (m: a handler in between uses the slot above)
    u64 rng;  // (m: harts_seed, from any hart) for stealing order and race-point delays
    struct as *active_as;
    u64 streak_next;  // where the next copy would be if a run of writes goes on, and
    u32 streak;       // for how many pages that has held (mm/around.c)
    u32 asid;  // in satp
    u32 nasids, last_asid;  // 1 .. nasids are in use, 0: none but ASID 0; and the one that was given last
    u64 spaces;  // made here, ever
    u64 refreshed;  // the last page whose entry was good when it faulted (mm/fault.c)
    u32 next_pid;
    i32 tables_in_hand;  // detached here less freed or adopted here (mm/pagetable.h); their sum is what is detached
    i32 slots_in_hand, frames_in_hand;  // the same of swap slots, and of frames that are read into (mm/swap.h)
    u32 delay;  // (m: KINE_DELAY sets all harts') strength of race-point delays, 0 = off
    struct freelist *freelist;
    struct kstack_pool *kstacks;
    struct runq *runq;
    struct timer_queue *timers;
    struct kine_counters count;
    struct race_context *race;  // RACE: who runs; NULL: nothing is recorded

    // (r) written by other harts
    cacheline_aligned u64 tlb_requests;  // bit i: hart i waits for a shootdown here
    cacheline_aligned u32 idle_now;      // (r: read) 1 while it sleeps or is about to
    u32 stopped;                         // enum hart_stop, in a panic
    u64 stop_fp, stop_pc;
    // A shootdown that this hart has asked for; targets read it.
    cacheline_aligned struct shoot shoot;
    u32 shoot_pending;

    // (i) [0] belongs to no space
    cacheline_aligned struct asid asids[ASID_MAX + 1];
};

extern struct hart *harts[HART_MAX];
extern u32 nharts;

#ifdef __riscv
register struct hart *hart_tp __asm__("tp");
static always_inline struct hart *this_hart(void) { return hart_tp; }
#else
extern __thread struct hart *host_hart;
static inline struct hart *this_hart(void) { return host_hart; }
#endif

// Count an event (names: syscall/abi.h). Not exact for events counted in interrupt handlers and
// outside them at once; those have counters of their own. All accesses of counters are marked.
#define COUNT(event) hart_count(&this_hart()->count.event)
static unwatched void hart_count(u64 *events) {
    write_once(*events, read_once(*events) + 1);  // sys_kine_counters reads all harts'
}

// All harts, as a mask.
static inline u64 harts_all(void) { return ~0ul >> (64 - nharts); }

// Start every hart's own random numbers anew. Others may be drawing meanwhile.
static inline void harts_seed(u64 seed) {
    for (u32 i = 0; i < nharts; i++) {
        write_once(harts[i]->rng, random_start(seed, i + 1));
    }
}

static inline u64 hart_random(void) {
    u64 r = random_next(read_once(this_hart()->rng));
    write_once(this_hart()->rng, r);
    return r;
}
