// SPDX-License-Identifier: MIT
// race.h - the race detector (RACE=1): happens-before, in the manner of ThreadSanitizer.
//
// Model      The compiler reports every access of memory and every atomic operation (race_tsan.c).
//            Two accesses of one byte race if at least one writes, at least one is plain, and neither
//            happens before the other (C11 5.1.2.4; Flanagan and Freund, "FastTrack", PLDI 2009).
// Contexts   what is ordered in itself: each thread, each hart's idle loop, each hart's interrupts.
//            A context has a vector clock: for each context, up to where it has happened before now.
// Order      comes from release and acquire on the same atomic word (locks are made of these), fences,
//            a hart's switch from one thread to the next, a thread's start, and interrupts: a handler
//            comes after all that its hart did before it last enabled interrupts, and before what it
//            does after it next disables them. Relaxed operations and marked accesses (read_once,
//            write_once) order nothing; they never race with each other. A release fence holds for the
//            next RACE_FENCED atomic stores.
//            There is no edge for DMA, and what a device reads and writes is not seen: the kernel's own accesses
//            before and after are put in order by the locks around dev/virtio.c's rings.
// Parts      race_clock.c contexts and their order · race_word.h, race_word.c what atomic words pass on ·
//            race_access.h, race_shadow.c who accessed what · race_stack.c call paths ·
//            race_report.c what is printed · race_tsan.c the compiler's calls
// Costs      four fifths of memory; docs/testing.md has the slowdown.
// Limits     RACE_IDS contexts are told apart, further ones share numbers, and who gets a dead one's
//            number is taken for it; a word remembers its last four accesses, and an access that races
//            with several is reported with one; a page moved at once is recorded at eight of its words;
//            a context that has used up its epochs is believed. All of these can lose a race, none can
//            invent one. Two could: an acquire fence that stands behind more than four relaxed reads,
//            and a release fence before more than RACE_FENCED stores. The kernel has none such.
#pragma once
#include "lib/types.h"

#ifdef RACE
#define RACE_IDS 128
#define RACE_DEPTH 32
#define RACE_VIEWS 64
#define RACE_FENCED 8
#define RACE_STATUS 102  // of a machine that is switched off after a report

struct race_sync;
struct race_clock {
    union {
        u32 at[RACE_IDS];
        u64 pairs[RACE_IDS / 2];  // the same, two at once
    };
};

// Memory with its shadow: cells[] are those of `base` on.
struct race_window {
    u64 base, bytes, *cells;
};

// A page whose shadow has been looked up.
struct race_view {
    u64 page, *cells;
};

// What is known of a thread, or of a hart's interrupts. Only the hart that runs it touches it.
struct race_context {
    u64 stamp;    // its number and epoch, where a cell has them
    u64 version;  // goes up when it learns something: two releases of one version differ in nothing else
    u64 id, depth;
    struct race_window window;  // threads: most memory, in the direct map
    u64 path;     // race_stack.c: the call path now, as pairs have it
    struct race_context *handlers;  // its hart's interrupts
    u64 *stacks, factor;    // the table of paths; what makes a pair a place there, a word a bucket
    struct race_sync *words;        // the table of these
    u32 irq_epoch;          // its own epoch when it last enabled interrupts
    u32 nread;
    u64 read[4];            // atomic words read without acquire, for the acquire fence that may follow
    u64 handler_base, handler_bytes;  // interrupts: the part of a stack that is theirs now
    u64 idle_stack;         // interrupts: that of their hart's idle loop
    u32 fenced;             // atomic stores that are still to publish `released`, its clock at a release fence
    u64 released_version;
    struct race_clock now;
    u64 paths[RACE_DEPTH];  // at each depth, as `path` is
    struct race_view views[RACE_VIEWS];  // pages outside of it, but others' stacks, by the page's number
    struct race_view other;              // the last page of another's stack, until one is unmapped
    u64 unmapped;
    struct race_clock released;          // last: what is behind 2 KiB costs an instruction more
};

struct mem_range;
struct trapframe;
struct thread;
struct hart;

void race_reserve(struct mem_range *usable, u32 n);  // take memory away before anybody has it
void race_boot(void);                                // => harts and their idle threads are there
void race_begin_hart(struct hart *h);                // this hart starts to record: it is in its idle loop
void race_thread_begin(struct thread *t);            // the caller starts t
void race_thread_end(struct thread *t);              // it will not run again
void race_switch(struct thread *prev, struct thread *next);  // the last act before the stack changes
void race_irq_enter(const struct trapframe *tf);
void race_irq_leave(const struct trapframe *tf);
void race_stop(void);                                // this hart panics: it takes no lock any more
void race_stack_unmapped(void);                      // a kernel stack has gone
void race_forget(const void *p);                     // nobody will acquire from this word's past
// An access that the compiler does not see: assembly, memory that user mode may write, a device.
#define race_range(p, bytes, write) race_range_at(p, bytes, write, (u64)__builtin_return_address(0))
void race_range_at(const void *p, usize bytes, bool write, u64 pc);
u32 race_reports(void);                              // data races found so far, each that was said counted once
u32 race_expect(bool on);                            // self-test: find without a report; how many were found
#else
#define RACE_STATUS 0
#define race_reserve(usable, n) ((void)0)
#define race_boot() ((void)0)
#define race_begin_hart(h) ((void)0)
#define race_thread_begin(t) ((void)0)
#define race_thread_end(t) ((void)0)
#define race_switch(prev, next) ((void)0)
#define race_irq_enter(tf) ((void)0)
#define race_irq_leave(tf) ((void)0)
#define race_stop() ((void)0)
#define race_stack_unmapped() ((void)0)
#define race_forget(p) ((void)0)
#define race_range(p, bytes, write) ((void)0)
#define race_reports() 0u
#endif
