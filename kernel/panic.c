// SPDX-License-Identifier: MIT
// panic.c - what is said when an invariant is broken: the values, what each hart holds and runs, and a
// symbolic backtrace of every hart. No lock is taken: output goes to the UART unlocked.
//
// Others are stopped by IPI; a hart that spins for a lock with interrupts off looks at the flag in its
// wait loop. One that does not answer within a fifth of a second is said not to. With "hold" in the
// bootargs everything then stays as it is, for a debugger.
#include "panic.h"
#include "dev/console.h"
#include "dev/fdt.h"
#include "dev/ipi.h"
#include "dev/power.h"
#include "lib/print.h"
#include "mm/kvm.h"
#include "proc/proc.h"
#include "riscv/csr.h"
#include "symbols.h"
#include "sync/kasan.h"
#include "sync/park.h"
#include "sync/schedule.h"
#include "sync/spin.h"
#include "sync/track.h"
#include "test/test.h"

#define EXIT_STATUS 101

enum { NOTHING, STOP, SHOW };
static u32 request;   // (a) NOTHING, STOP, SHOW
static u32 panicking; // (a) 1 + index of the hart that panics

static __attribute__((format(printf, 1, 2))) void say(const char *format, ...) {
    char text[PRINT_BYTES];
    va_list ap;
    va_start(ap, format);
    usize n = print_line(text, sizeof(text), format, ap);
    va_end(ap);
    console_write_unlocked(text, n);
}

extern char __image_start[], __text_end[];

static bool is_text(u64 pc) { return pc >= (u64)__image_start && pc < (u64)__text_end; }

// Frame-pointer chain: at fp-8 the return address, at fp-16 the caller's fp (psABI). A function that
// calls nobody has saved no return address: its caller's fp stands at fp-8.
static void backtrace(u64 pc, u64 fp) {
    u64 offset;
    const char *name = symbol_of(pc, &offset);
    say("    %p %s+0x%lx\n", (void *)pc, name, offset);
    for (int depth = 0; depth < 24 && fp > 16 && kvm_readable(fp - 8) && kvm_readable(fp - 16); depth++) {
        u64 ra = *(u64 *)(fp - 8), next = *(u64 *)(fp - 16);
        if (depth == 0 && !is_text(ra)) {
            fp = ra;
            continue;
        }
        if (!is_text(ra)) { break; }
        name = symbol_of(ra - 4, &offset);
        say("    %p %s+0x%lx\n", (void *)ra, name, offset + 4);
        if (next <= fp && next >= fp - 4096) { break; }
        fp = next;
    }
}

static void show_hart(struct hart *h, u64 pc, u64 fp) {
    struct proc *p = h->current ? h->current->proc : NULL;
    say("hart %u: %s, pid %d (%s), ", h->index, h->current == h->idle ? "idle" : "running",
        p ? p->id.number : 0, p ? p->name : "kernel");
    if (p && p->id.number != h->current->tid) { say("thread %d, ", h->current->tid); }
    say("%u locks held", h->nheld);
    for (u32 i = 0; i < MIN(h->nheld, HELD_MAX); i++) {
        say("%s %s %p", i ? "," : ":", lock_rank_name[h->held[i]->rank], (void *)h->held[i]);
    }
    say("\n");
    if (pc) {
        backtrace(pc, fp);
    } else {
        say("    does not answer\n");
    }
}

// Ask all other harts and show what they answer.
static void collect(u32 what) {
    atomic_store_release(&request, what);
    ipi_send_others();
    for (u32 i = 0; i < nharts; i++) {
        struct hart *h = harts[i];
        if (h == this_hart()) { continue; }
        u64 until = time_now() + machine.timebase / 5;
        while (atomic_load_acquire(&h->stopped) != HART_STOPPED && time_now() < until) { cpu_pause(); }
        show_hart(h, h->stop_pc, h->stop_fp);
    }
}

void panic_poll(u64 pc, u64 fp) {
    struct hart *h = this_hart();
    u32 what = atomic_load_relaxed(&request);
    if (likely(what == NOTHING) || atomic_load_relaxed(&h->stopped)) { return; }
    h->stop_fp = fp;
    h->stop_pc = pc;
    atomic_store_release(&h->stopped, (u32)HART_STOPPED);  // pairs with collect
    while (atomic_load_relaxed(&request) != NOTHING) {
        cpu_pause();
        if (what == STOP) {
            irq_disable();
            wait_for_interrupt();
        }
    }
    h->stop_pc = 0;  // as long as it runs
    atomic_store_release(&h->stopped, (u32)HART_RUNNING);
}

void park_poll_stop(void) {
    panic_poll((u64)__builtin_return_address(0), (u64)__builtin_frame_address(0));
}

void panic_show_harts(void) {
    say("-- harts --\n");
    show_hart(this_hart(), (u64)__builtin_return_address(0), (u64)__builtin_frame_address(0));
    collect(SHOW);
    atomic_store_release(&request, NOTHING);
    say("-- end of harts --\n");
}

static noreturn void finish(u64 pc, u64 fp) {
    kasan_stop();
    lockdep_explain(say);
    ghost_explain(say);
    kasan_explain(say);
    track_explain(say);
    schedule_explain(say);
    show_hart(this_hart(), pc, fp);
    collect(STOP);
    say("-- end of panic --\n");
    while (fdt_bootarg("hold", NULL)) { cpu_pause(); }
    power_off(EXIT_STATUS);
}

// The first hart to come here speaks; others stop; a panic within a panic ends at once.
static void enter(void) {
    irq_disable();
    u32 self = this_hart() ? this_hart()->index + 1 : 1;
    if (!atomic_cas32_acq_rel(&panicking, 0, self)) {
        if (atomic_load_relaxed(&panicking) == self) {
            say("PANIC: again, while panicking\n-- end of panic --\n");
            power_off(EXIT_STATUS);
        }
        for (;;) {
            panic_poll((u64)__builtin_return_address(0), (u64)__builtin_frame_address(0));
        }
    }
    race_stop();
    console_flush_unlocked();
}

noreturn void panic(const char *format, ...) {
    char text[PRINT_BYTES];
    va_list ap;
    va_start(ap, format);
    print_line(text, sizeof(text), format, ap);
    va_end(ap);
    test_panicked(text);
    enter();
    say("\nPANIC: hart %u: %s\n", this_hart()->index, text);
    finish((u64)__builtin_return_address(0) - 4, (u64)__builtin_frame_address(0));
}

noreturn void panic_trap(const struct trapframe *tf, u64 cause, u64 value) {
    enter();
    say("\nPANIC: hart %u: trap in the kernel: cause %lu, address %p, pc %p, sp %p, status %lx\n",
        this_hart()->index, cause, (void *)value, (void *)tf->sepc, (void *)tf->sp, tf->sstatus);
    say("    a0 %lx a1 %lx a2 %lx a3 %lx a4 %lx a5 %lx ra %lx tp %lx\n", tf->a[0], tf->a[1], tf->a[2],
        tf->a[3], tf->a[4], tf->a[5], tf->ra, tf->tp);
    finish(tf->sepc, tf->s0);
}

noreturn void trap_stack_overflow(u64 sp, u64 pc, u64 value) {
    enter();
    say("\nPANIC: hart %u: kernel stack overflow: sp %p, pc %p, address %p\n", this_hart()->index,
        (void *)sp, (void *)pc, (void *)value);
    finish(pc, 0);
}
