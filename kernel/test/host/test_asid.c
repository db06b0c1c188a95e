// SPDX-License-Identifier: MIT
// test_asid.c - what a hart keeps of a space that it has left: all of it, as long as nothing has changed; none of it
// that has been taken away meanwhile, and nothing of another space.
//
// The fake TLB has seven ASIDs and forgets nothing by itself.
#include "lib/errno.h"
#include "mm/kvm.h"
#include "mm/tlb.h"
#include "riscv/csr.h"
#include "sync/atomic.h"
#include "test/host/host.h"

enum { PAGES = 4, SPACES = 10 };

static struct as *spaces[SPACES];

static u64 va_of(u64 page) { return BASE + page * PAGE_SIZE; }
static u64 value_of(u64 space, u64 page) { return 1000 * (space + 1) + page; }
static u64 fences(void) { return this_hart()->count.full_fences; }

static void make_spaces(u32 n) {
    for (u32 i = 0; i < n; i++) {
        spaces[i] = space_with(PAGES);
        as_switch(spaces[i]);
        for (u64 page = 0; page < PAGES; page++) { user_put(va_of(page), value_of(i, page)); }
    }
    as_switch(NULL);
}

static void destroy_spaces(u32 n) {
    as_switch(NULL);
    EXPECT(books_balance(spaces, n, 0));
    for (u32 i = 0; i < n; i++) { as_destroy(spaces[i]); }
}

static void visit(u32 i) {
    as_switch(spaces[i]);
    for (u64 page = 0; page < PAGES; page++) { EXPECT(user_get(va_of(page)) == value_of(i, page)); }
}

TEST(spaces_take_turns_without_a_fence) {
    make_spaces(3);
    for (u32 i = 0; i < 3; i++) { visit(i); }
    u64 before = fences();
    for (u32 i = 0; i < 30; i++) {
        visit(i % 3);
        EXPECT(translations_kept() == PAGES);
        if (i % 4 == 0) { as_switch(NULL); }
    }
    EXPECT(fences() == before);
    destroy_spaces(3);
}

// Its own changes are no reason to fence when it comes back: it has fenced them.
TEST(own_changes_are_known) {
    make_spaces(2);
    visit(0);
    EXPECT(as_unmap(spaces[0], va_of(1), PAGE_SIZE) == 0);
    visit(1);
    u64 before = fences(), value;
    as_switch(spaces[0]);
    EXPECT(fences() == before && translations_kept() == PAGES - 1);
    EXPECT(user_load(va_of(1), &value) == -EFAULT && user_get(va_of(2)) == value_of(0, 2));
    destroy_spaces(2);
}

// Of a space that it is not in: when it comes there.
TEST(changes_of_another_space_are_fenced_later) {
    make_spaces(2);
    visit(0);
    visit(1);
    u64 before = fences(), value;
    EXPECT(as_unmap(spaces[0], va_of(1), PAGE_SIZE) == 0);
    EXPECT(fences() == before && translations_kept() == PAGES);
    as_switch(spaces[0]);
    EXPECT(fences() == before + 1 && translations_kept() == 0);
    EXPECT(user_load(va_of(1), &value) == -EFAULT);
    visit(1);
    destroy_spaces(2);
}

TEST(more_spaces_than_asids) {
    make_spaces(SPACES);
    for (u32 round = 0; round < 3; round++) {
        for (u32 i = 0; i < SPACES; i++) { visit(i); }
        for (u32 i = 0; i < 20; i++) { visit(pick(SPACES)); }
    }
    destroy_spaces(SPACES);
}

// Its frames and its root are taken again; what the hart had of it is not.
TEST(a_new_space_has_nothing_of_an_old_one) {
    for (u32 i = 0; i < 30; i++) {
        spaces[0] = space_with(PAGES);
        as_switch(spaces[0]);
        for (u64 page = 0; page < PAGES; page++) { EXPECT(user_get(va_of(page)) == 0); }
        user_put(va_of(i % PAGES), i + 1);
        as_switch(NULL);
        as_destroy(spaces[0]);
    }
}

// Hart 1 changes the space while hart 0 is away.
static void change_while_away(void *arg) {
    (void)arg;
    u64 value;
    bool first = this_hart()->index == 0;
    if (first) { visit(0); }
    as_switch(NULL);
    rendezvous(2);
    if (!first) {
        as_switch(spaces[0]);
        EXPECT(as_unmap(spaces[0], va_of(1), PAGE_SIZE) == 0);
        struct as *child = as_fork(spaces[0], NULL, 0);
        user_put(va_of(2), 7);  // a copy, and its old page is the child's
        EXPECT(child);
        as_destroy(child);
    }
    rendezvous(2);
    if (first) {
        as_switch(spaces[0]);
        EXPECT(user_load(va_of(1), &value) == -EFAULT);
        EXPECT(user_get(va_of(2)) == 7 && user_get(va_of(3)) == value_of(0, 3));
    }
    as_switch(NULL);
}

TEST(who_was_away_sees_what_has_changed) {
    make_spaces(1);
    on_harts(2, change_while_away, NULL);
    destroy_spaces(1);
}

// Hart 0 publishes a number, having written it to every page; then it replaces the pages. The others come, look
// and go.
static u64 published;
static u32 stop;

static void replace_pages(void) {
    as_switch(spaces[0]);
    for (u64 g = 1; g <= 400; g++) {
        EXPECT(as_map_fixed(spaces[0], BASE, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE) == (long)BASE);
        for (u32 i = 0; i < PAGES; i++) { user_put(va_of(i), g); }
        atomic_store_release(&published, g);
    }
    atomic_store_relaxed(&stop, 1u);
}

static void come_and_go(void *arg) {
    (void)arg;
    if (this_hart()->index == 0) { replace_pages(); }
    while (!atomic_load_relaxed(&stop)) {
        u64 g = atomic_load_acquire(&published), value;
        as_switch(spaces[0]);
        int error = user_load(va_of(pick(PAGES)), &value);
        EXPECT(error == -EFAULT || (error == 0 && (value == 0 || (value >= g && value <= g + 400))));
        as_switch(pick(2) ? NULL : spaces[1]);
    }
    as_switch(NULL);
}

static void replace_beside_visitors(void) {
    EXPECT(as_map_fixed(spaces[0], BASE, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE) == (long)BASE);
    published = stop = 0;
    on_harts(4, come_and_go, NULL);
}

TEST(who_comes_back_meanwhile) {
    make_spaces(2);
    replace_beside_visitors();
    destroy_spaces(2);
}

static u32 asids_before;
static void asids(void *to) { this_hart()->nasids = *(u32 *)to; }

TEST(without_asids_each_switch_fences) {
    asids_before = this_hart()->nasids;
    EXPECT(asids_before == 7);
    on_harts(4, asids, &(u32){0});
    make_spaces(3);
    for (u32 i = 0; i < 9; i++) {
        u64 before = fences();
        visit(i % 3);
        EXPECT(fences() == before + 1 && this_hart()->asid == 0);
    }
    as_switch(NULL);
    EXPECT(translations_kept() == 0);
    on_harts(2, change_while_away, NULL);
    replace_beside_visitors();
    destroy_spaces(3);
    on_harts(4, asids, &asids_before);
}
