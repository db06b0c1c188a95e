// SPDX-License-Identifier: MIT
// race_report.c - a race in words: both accesses, by whom, from where. Each pair of places once.
//
// While it speaks, its hart records nothing. A hart that holds the console's lock speaks without it, unless
// another one is speaking, and may be waiting for that lock: then its race is only counted.
#include "dev/console.h"
#include "lib/print.h"
#include "mm/frame.h"
#include "mm/kvm.h"
#include "riscv/csr.h"
#include "symbols.h"
#include "sync/atomic.h"
#include "sync/race_internal.h"
#include "sync/spin.h"

#define SEEN_MAX 256

static u32 speaking;
static u64 seen[SEEN_MAX];
static u32 nseen;         // (a)
static u32 unsaid, mentioned;  // (a) races that were only counted; how many of these have been spoken of
static u32 expecting;     // (a) 1: the self-test counts, nothing is printed
static u32 expected;      // (a)

u32 race_reports(void) { return atomic_load_relaxed(&nseen) + atomic_load_relaxed(&unsaid); }

u32 race_expect(bool on) {
    atomic_store_relaxed(&expecting, on);
    return atomic_swap_relaxed(&expected, 0u);
}

static bool is_new(u64 old, u64 mine) {
    u32 caller;
    u64 a = race_stack_pc(old & CELL_STACK, &caller), b = race_stack_pc(mine & CELL_STACK, &caller);
    u64 pair = (u64)MIN((u32)a, (u32)b) << 32 | MAX((u32)a, (u32)b);
    for (u32 i = 0; i < nseen; i++) {
        if (seen[i] == pair) { return false; }
    }
    if (nseen == SEEN_MAX) { return false; }
    seen[nseen] = pair;
    atomic_add_relaxed(&nseen, 1u);
    return true;
}

static bool holds_console(void) {
    struct hart *h = this_hart();
    for (u32 i = 0; i < MIN(h->nheld, HELD_MAX); i++) {
        if (h->held[i]->rank == RANK_CONSOLE) { return true; }
    }
    return false;
}

static __attribute__((format(printf, 1, 2))) void say(const char *format, ...) {
    char text[PRINT_BYTES];
    va_list ap;
    va_start(ap, format);
    usize n = print_line(text, sizeof(text), format, ap);
    va_end(ap);
    if (holds_console()) {
        console_write_unlocked(text, n);
    } else {
        console_write(text, n);
    }
}

static void say_stack(u32 stack) {
    for (u64 pc, offset; (pc = race_stack_pc(stack, &stack));) {
        const char *name = symbol_of(pc, &offset);
        say("    %p %s+0x%lx\n", (void *)pc, name, offset);
    }
}

static void say_access(const char *how, u64 cell) {
    char name[32];
    say("  %s%s%s of bytes 0x%02x by %s, epoch %u\n", how, cell & CELL_PLAIN ? "" : "atomic ",
        cell & CELL_WRITE ? "write" : "read", cell_bytes(cell),
        race_context_name(cell_id(cell), name, sizeof(name)), cell_epoch(cell));
    say_stack(cell & CELL_STACK);
}

static void say_place(u64 va) {
    static const char *const classes[] = {"free", "kernel", "table", "user", "reserved"};
    u64 offset;
    if (va >= IMAGE_BASE) {
        const char *name = symbol_of(va, &offset);
        say("\nRACE: hart %u, at %p: %s+0x%lx\n", this_hart()->index, (void *)va, name, offset);
    } else if (va >= (u64)frame_table && va < (u64)(frame_table + frame_count)) {
        say("\nRACE: hart %u, at %p: record of frame %lu, byte %lu\n", this_hart()->index, (void *)va,
            (va - (u64)frame_table) / sizeof(struct frame), va % sizeof(struct frame));
    } else if (va < KSTACK_BASE) {
        frame_t f = frame_from_kva((void *)va);
        say("\nRACE: hart %u, at %p: frame %u (%s), byte %lu\n", this_hart()->index, (void *)va, f,
            classes[frame_record(f)->class], va % PAGE_SIZE);
    } else {
        say("\nRACE: hart %u, at %p: kernel stack\n", this_hart()->index, (void *)va);
    }
}

static void say_unsaid(void) {
    u32 all = atomic_load_relaxed(&unsaid), before = atomic_swap_relaxed(&mentioned, all);
    if (all != before) { say("\nRACE: %u more on harts that held the console\n", all - before); }
}

// `mine` has just been made by `c`; `old` was found in the shadow and is not ordered before it.
void race_report(struct race_context *c, u64 va, u64 old, u64 mine) {
    struct hart *h = this_hart();
    u64 flags = irq_save();
    h->race = NULL;
    while (atomic_swap_acquire(&speaking, 1u)) {
        if (holds_console()) {
            atomic_add_relaxed(atomic_load_relaxed(&expecting) ? &expected : &unsaid, 1u);
            h->race = c;
            irq_restore(flags);
            return;
        }
        cpu_pause();
    }
    if (atomic_load_relaxed(&expecting)) {
        atomic_add_relaxed(&expected, 1u);
    } else if (is_new(old, mine)) {
        say_place(va & ~7ul);
        say_access("", mine);
        say_access("after ", old);
    }
    say_unsaid();
    atomic_store_release(&speaking, 0u);
    h->race = c;
    irq_restore(flags);
}
