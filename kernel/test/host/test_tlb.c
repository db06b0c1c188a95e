// SPDX-License-Identifier: MIT
// test_tlb.c - shootdowns: no hart uses a translation that was taken away, only harts that may hold one
// are asked, and harts that ask each other do not wait for ever.
//
// The fake TLB forgets nothing by itself, and free frames hold junk: a fence that is missing shows.
#include <unistd.h>
#include "lib/errno.h"
#include "mm/cursor.h"
#include "mm/tlb.h"
#include "riscv/csr.h"
#include "sync/atomic.h"
#include "test/host/host.h"

enum { PAGES = 24 };

static u64 va_of(u64 page) { return BASE + page * PAGE_SIZE; }

static u64 ipis(void) { return this_hart()->count.ipis; }

TEST(alone_it_rings_nobody) {
    struct as *as = space_with(PAGES);
    as_switch(as);
    for (u32 i = 0; i < PAGES; i++) { user_put(va_of(i), i); }
    u64 before = ipis();
    EXPECT(translations_kept() == PAGES && as->harts == 1);
    tlb_shootdown(as, va_of(0), 2);
    EXPECT(translations_kept() == PAGES - 2);
    tlb_shootdown(as, va_of(0), TLB_PAGES_MAX + 1);
    EXPECT(translations_kept() == 0);
    EXPECT(user_get(va_of(5)) == 5 && ipis() == before);
    as_switch(NULL);
    EXPECT(translations_kept() == 0 && as->harts == 0);  // under the kernel's ASID
    as_destroy(as);
}

// Harts 0 and 1 are in the space, 2 has left it, 3 never was there.
static void ask_who_is_there(void *arg) {
    struct as *as = arg;
    u32 self = this_hart()->index;
    if (self < 3) {
        as_switch(as);
        user_put(va_of(self), self);
    }
    if (self == 2) { as_switch(NULL); }
    rendezvous(4);
    if (self == 0) {
        u64 before = ipis();
        EXPECT(atomic_load_relaxed(&as->harts) == 3);
        tlb_shootdown(as, va_of(0), 1);
        EXPECT(ipis() == before + 1);
    }
    rendezvous(4);
    as_switch(NULL);
}

TEST(only_harts_in_the_space_are_asked) {
    struct as *as = space_with(PAGES);
    u64 before[4];
    for (u32 i = 0; i < 4; i++) { before[i] = interrupts_taken(i); }
    on_harts(4, ask_who_is_there, as);
    EXPECT(interrupts_taken(1) == before[1] + 1);
    EXPECT(interrupts_taken(2) == before[2] && interrupts_taken(3) == before[3]);
    as_destroy(as);
}

// All know all pages; hart 0 takes some away.
static void lose_pages(void *arg) {
    struct as *as = arg;
    u64 value;
    as_switch(as);
    for (u32 i = 0; i < PAGES; i++) { (void)user_get(va_of(i)); }
    rendezvous(HARTS);
    if (this_hart()->index == 0) {
        EXPECT(as_unmap(as, va_of(2), 3 * PAGE_SIZE) == 0);
        EXPECT(as_unmap(as, va_of(7), PAGE_SIZE) == 0);
    }
    rendezvous(HARTS);
    for (u32 i = 0; i < PAGES; i++) {
        bool gone = (i >= 2 && i < 5) || i == 7;
        EXPECT(user_load(va_of(i), &value) == (gone ? -EFAULT : 0));
    }
    as_switch(NULL);
}

TEST(unmapped_pages_are_gone_on_every_hart) {
    struct as *as = space_with(PAGES);
    on_harts(HARTS, lose_pages, as);
    EXPECT(as_pages(as) == PAGES - 4 && books_balance(&as, 1, 0));
    as_destroy(as);
}

// A table goes and another one takes its place: a walk that was kept would lead into a free frame.
static void lose_tables(void *arg) {
    struct as *as = arg;
    u64 far = 1ul << 30;
    as_switch(as);
    for (u32 round = 0; round < 50; round++) {
        if (this_hart()->index == 0) {
            EXPECT(as_map_fixed(as, far, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE) == (long)far);
        }
        rendezvous(3);
        user_put(far + 8 * this_hart()->index, round);
        EXPECT(user_get(far + 8 * this_hart()->index) == round);
        rendezvous(3);
        if (this_hart()->index == 0) {
            EXPECT(as_unmap(as, far, 4 * PAGE_SIZE) == 0 && !pt_find(as->table, far));
        }
        rendezvous(3);
        u64 value;
        EXPECT(user_load(far, &value) == -EFAULT);
        rendezvous(3);
    }
    as_switch(NULL);
}

TEST(unhooked_tables_are_gone_on_every_hart) {
    struct as *as = space_with(PAGES);
    on_harts(3, lose_tables, as);
    as_destroy(as);
}

// Hart 0 publishes a generation, having written it to every page; then it replaces the pages. Readers see
// that generation or a later one, or the zeros of a page that they have just made.
static u64 generation;
static u32 stop;

static void replace_pages(struct as *as) {
    for (u64 g = 1; g <= 150; g++) {
        EXPECT(as_map_fixed(as, BASE, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE) == (long)BASE);
        for (u32 i = 0; i < PAGES; i++) { user_put(va_of(i), g); }
        atomic_store_release(&generation, g);
    }
    atomic_store_relaxed(&stop, 1u);
}

static void read_or_replace(void *arg) {
    struct as *as = arg;
    as_switch(as);
    if (this_hart()->index == 0) { replace_pages(as); }
    while (!atomic_load_relaxed(&stop)) {
        u64 g = atomic_load_acquire(&generation), value;
        int error = user_load(va_of(pick(PAGES)), &value);
        EXPECT(error == -EFAULT || (error == 0 && (value == 0 || (value >= g && value <= g + 200))));
    }
    as_switch(NULL);
}

TEST(replaced_pages_are_never_seen_again) {
    struct as *as = space_with(PAGES);
    generation = stop = 0;
    on_harts(4, read_or_replace, as);
    EXPECT(books_balance(&as, 1, 0));
    as_destroy(as);
}

// Every hart is in the same space and changes its own pages there: all shoot at all.
static void shoot_each_other(void *arg) {
    struct as *as = arg;
    u64 self = this_hart()->index, at = va_of(4 * self);
    as_switch(as);
    for (u64 i = 0; i < 60; i++) {
        user_put(at, i);
        user_put(at + PAGE_SIZE, i);
        EXPECT(user_get(at) == i && as_unmap(as, at, 2 * PAGE_SIZE) == 0);
        EXPECT(as_map_fixed(as, at, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE) == (long)at);
        EXPECT(user_get(at) == 0);
    }
    as_switch(NULL);
}

TEST(harts_of_one_space_shoot_at_each_other) {
    struct as *as = space_with(4 * HARTS);
    on_harts(HARTS, shoot_each_other, as);
    EXPECT(books_balance(&as, 1, 0));
    as_destroy(as);
}

// Two locks, so that two shootdowns are under way at once between the same harts.
static struct as *pair[2];

static void shoot_across(void *arg) {
    (void)arg;
    u32 self = this_hart()->index;
    for (u32 i = 0; i < 300; i++) {
        as_switch(pair[i & 1]);
        rendezvous(2);
        user_put(va_of(self), i);
        tlb_shootdown(pair[i & 1], va_of(self), 1);
        tlb_shootdown_kernel(KSTACK_BASE, 1);
        EXPECT(user_get(va_of(self)) == i);
    }
    as_switch(NULL);
}

TEST(two_harts_shoot_at_each_other_at_once) {
    pair[0] = space_with(2);
    pair[1] = space_with(2);
    on_harts(2, shoot_across, NULL);
    as_destroy(pair[0]);
    as_destroy(pair[1]);
}

// Hart 1 has interrupts off and is asked by hart 0; then it asks hart 0, which waits with interrupts off.
static void ask_while_asked(void *arg) {
    struct as *as = arg;
    as_switch(as);
    rendezvous(2);
    u64 flags = irq_save();
    bool second = this_hart()->index == 1;
    while (second && !atomic_load_relaxed(&this_hart()->tlb_requests)) { cpu_pause(); }
    tlb_shootdown(as, BASE, 1);
    irq_restore(flags);
    rendezvous(2);
    as_switch(NULL);
}

TEST(who_is_asked_while_it_asks_answers) {
    struct as *as = space_with(1);
    alarm(2);  // nobody would come back from it
    on_harts(2, ask_while_asked, as);
    as_destroy(as);
}

// Harts go from space to space while hart 0 forks both: the same addresses, other values.
static void wander(void *arg) {
    (void)arg;
    for (u32 i = 0; i < 300; i++) {
        u32 which = pick(2);
        as_switch(pair[which]);
        u64 page = 1 + pick(7);
        EXPECT(user_get(va_of(page)) == 1000 * (which + 1) + page);
        if (this_hart()->index == 0) {
            struct as *child = as_fork(pair[which], NULL, 0);
            EXPECT(child);
            as_destroy(child);
        } else {
            user_put(va_of(0) + 8 * this_hart()->index, i);
            EXPECT(user_get(va_of(0) + 8 * this_hart()->index) == i);
        }
    }
    as_switch(NULL);
}

TEST(harts_change_spaces_while_they_are_forked) {
    for (u32 which = 0; which < 2; which++) {
        pair[which] = space_with(8);
        as_switch(pair[which]);
        for (u64 page = 1; page < 8; page++) {
            user_put(va_of(page), 1000 * (which + 1) + page);
        }
    }
    as_switch(NULL);
    on_harts(4, wander, NULL);
    EXPECT(books_balance(pair, 2, 0));
    as_destroy(pair[0]);
    as_destroy(pair[1]);
}

TEST(kernel_shootdown_rings_every_other_hart) {
    u64 before = ipis(), taken[HARTS];
    for (u32 i = 0; i < HARTS; i++) { taken[i] = interrupts_taken(i); }
    tlb_shootdown_kernel(KSTACK_BASE, 4);
    EXPECT(ipis() == before + HARTS - 1);
    for (u32 i = 1; i < HARTS; i++) {
        while (interrupts_taken(i) == taken[i]) {  // it answers first and counts then
            cpu_pause();
        }
    }
}

TEST(a_space_in_use_is_not_destroyed) {
    struct as *as = space_with(1);
    as_switch(as);
    EXPECT_PANIC("(S3)", as_destroy(as));
    as_switch(NULL);
    as_destroy(as);
}

// Hart 1 has been faulting in it, and may again.
static void destroy_beside_another(void *arg) {
    struct as *as = arg;
    if (this_hart()->index == 1) {
        as_switch(as);
        user_put(BASE, 1);
    }
    rendezvous(2);
    if (this_hart()->index == 0) { EXPECT_PANIC("(S3)", as_destroy(as)); }
    rendezvous(2);
    as_switch(NULL);
}

TEST(a_space_that_another_hart_uses_is_not_destroyed) {
    struct as *as = space_with(1);
    on_harts(2, destroy_beside_another, as);
    as_destroy(as);
}

// What is being built or forked belongs to one thread: reclaim must not come across it.
TEST(a_space_is_found_when_it_is_adopted) {
    u32 before = as_population(0);
    struct as *as = space_with(3), *child = as_fork(as, NULL, 0);
    EXPECT(as_population(0) == before);
    as_adopt(as);
    struct as *found = as_pick(0);
    EXPECT(as_population(0) == before + 1 && found == as && as->users == 2);
    as_put(found);
    as_put(child);
    as_put(as);
    EXPECT(as_population(0) == before && !as_pick(0));
}
