// SPDX-License-Identifier: MIT
// play_tlb.c - a page is taken out of an address space and used for something else, while a hart comes, walks
// and goes. The hardware's walk is an acquire of the entry; what it then reaches is `contents`.
#include "mm/as.h"
#include "mm/tlb.h"
#include "riscv/hart.h"
#include "test/weak/weak.h"

enum { ENTRY = 1 };
static struct as as;
static pte_t entry = ENTRY;
static u64 contents, done;

static void begin(void) { as.root = 1; }

static void begin_inside(void) {
    begin();
    host_hart = harts[1];
    as_switch(&as);
    host_hart = harts[0];
}

static void walk(void) {
    if (atomic_load_acquire(&entry)) { EXPECT(contents == 0); }
}

// Interrupts come where they are looked for.
static void serve_until_done(void) {
    while (!atomic_load_relaxed(&done)) {
        tlb_serve();
        cpu_pause();
    }
}

static void unmap_and_reuse(void) {
    atomic_store_release(&entry, 0ul);
    tlb_shootdown(&as, 0x100000, 1);
    contents = 1;
    atomic_store_relaxed(&done, 1ul);
}

static void enter_and_walk(void) {
    as_switch(&as);
    walk();
    serve_until_done();
}

static void walk_and_leave(void) {
    walk();
    as_switch(NULL);
    serve_until_done();
}

static void reused(void) { EXPECT(contents == 1 && entry == 0); }

const struct play play_enter = {"enter", begin, {unmap_and_reuse, enter_and_walk}, reused, 6};
const struct play play_leave = {"leave", begin_inside, {unmap_and_reuse, walk_and_leave}, reused, 6};

static void shoot_twice(void) {
    tlb_shootdown(&as, 0x100000, 1);
    tlb_shootdown(&as, 0x200000, 2);
    atomic_store_relaxed(&done, 1ul);
}

static void two_inside(void) {
    begin_inside();
    host_hart = harts[2];
    as_switch(&as);
    host_hart = harts[0];
}

static void nothing_pends(void) { EXPECT(!harts[0]->shoot_pending && !harts[1]->tlb_requests); }

const struct play play_shoot = {"shoot twice", begin_inside, {shoot_twice, serve_until_done}, nothing_pends, 4};

// Two harts shoot at each other at once: each serves while it waits.
static void all_inside(void) {
    two_inside();
    as_switch(&as);
}

static void shoot_once(void) {
    tlb_shootdown(&as, 0x100000, 1);
    if (atomic_add_relaxed(&done, 1ul) == 1) { return; }
    while (atomic_load_relaxed(&done) < 2) {
        tlb_serve();
        cpu_pause();
    }
}

static void serve_until_both(void) {
    while (atomic_load_relaxed(&done) < 2) {
        tlb_serve();
        cpu_pause();
    }
}

const struct play play_cross = {"shoot at each other", all_inside,
                                {shoot_once, shoot_once, serve_until_both}, nothing_pends, 2};
