// SPDX-License-Identifier: MIT
// test_failnth.c - whichever allocation fails, an operation fails as a whole: it says so, every frame is
// accounted for, and memory holds what it held.
//
// Sweep      the first allocation fails, then the second, ... until the operation succeeds untouched.
#include "lib/errno.h"
#include "mm/freelist.h"
#include "mm/refs.h"
#include "mm/uaccess.h"
#include "test/host/host.h"

enum { PAGES = 8 };
static struct as *as, *child;

// A space whose pages lie 1 GiB apart, so that each needs tables of its own; all hold their number.
static u64 va_of(u64 page) { return BASE + page * (1ul << 30); }

static void set_up(void) {
    as = as_create();
    child = NULL;
    for (u64 i = 0; i < PAGES; i++) {
        EXPECT(as_map_fixed(as, va_of(i), 4 * PAGE_SIZE, PROT_READ | PROT_WRITE) > 0);
    }
    as->brk_start = as->brk = va_of(PAGES);
    as_switch(as);
    for (u64 i = 0; i < PAGES; i++) { user_put(va_of(i), i); }
}

static void tear_down(void) {
    as_switch(NULL);
    as_destroy(as);
    if (child) { as_destroy(child); }
}

static void expect_untouched(u64 rss) {
    struct as *all[2] = {as, child};
    EXPECT(as_pages(as) == rss && books_balance(all, child ? 2 : 1, 0));
    for (u64 i = 0; i < PAGES; i++) { EXPECT(user_get(va_of(i)) == i); }
}

// How many allocations were refused before it went through.
static u64 sweep(long (*operation)(void)) {
    for (u64 n = 1; n < 100; n++) {
        u64 rss = as_pages(as);
        fail_allocation(n);
        long result = operation();
        bool failed = this_hart()->inject->seen >= n;
        fail_allocation(0);
        EXPECT(result == (failed ? -ENOMEM : 0));
        if (!failed) { return n - 1; }
        expect_untouched(rss);
    }
    return 100;
}

static long do_fork(void) {
    child = as_fork(as, NULL, 0);
    return child ? 0 : -ENOMEM;
}

TEST(fork_fails_as_a_whole) {
    set_up();
    EXPECT(sweep(do_fork) == 2);  // the space and its root
    tear_down();
}

TEST(parent_writes_again_after_a_failed_fork) {
    set_up();
    u64 copies = counted_cow_copies(), soon = va_of(1);
    for (u64 n = 3; n <= 4; n++) {  // the way to where the child begins
        fail_allocation(n);
        EXPECT(!as_fork(as, &soon, 1));
    }
    fail_allocation(0);
    for (u64 i = 0; i < PAGES; i++) {
        user_put(va_of(i), 2 * i);
        user_put(va_of(i), i);
    }
    EXPECT(counted_cow_copies() == copies);  // flips only: it is alone
    expect_untouched(PAGES);
    tear_down();
}

static long do_first_touch(void) { return user_store(va_of(PAGES) + PAGE_SIZE, 1); }

TEST(first_touch_fails_as_a_whole) {
    set_up();
    EXPECT(as_map_fixed(as, va_of(PAGES), 4 * PAGE_SIZE, PROT_READ | PROT_WRITE) > 0);
    EXPECT(sweep(do_first_touch) == 2);  // two tables and a page; a table that was made stays
    tear_down();
}

static long do_break(void) { return user_store(va_of(3), 3); }

TEST(write_to_a_shared_page_can_be_tried_again) {
    set_up();
    EXPECT(do_fork() == 0 && sweep(do_break) == 1);  // each look at all pages copies what tables it needs
    tear_down();
}

static long do_copy_out(void) {
    u64 words[2] = {0, 0};
    return copy_out(va_of(4) + PAGE_SIZE - 8, words, sizeof(words));  // two pages, the first one shared
}

TEST(copy_out_over_two_pages_ends_in_the_second) {
    set_up();
    EXPECT(do_fork() == 0);
    fail_allocation(4);  // behind two tables and a page
    EXPECT(do_copy_out() == -ENOMEM && as_pages(as) == PAGES);
    EXPECT(do_copy_out() == 0 && as_pages(as) == PAGES + 1);
    expect_untouched(PAGES + 1);
    tear_down();
}

static long do_unmap_middle(void) {
    return as_unmap(as, va_of(2) + PAGE_SIZE, PAGE_SIZE);
}

TEST(unmap_that_splits_changes_nothing) {
    set_up();
    EXPECT(sweep(do_unmap_middle) >= 2);  // the two ends of what was cut, and those on the way to it
    u64 value;
    EXPECT(user_load(va_of(2) + PAGE_SIZE, &value) == -EFAULT);
    tear_down();
}

static long do_map(void) {
    long at = as_map_anywhere(as, 0, PAGE_SIZE, PROT_READ);
    return at < 0 ? at : 0;
}

static long do_map_file(void) {
    static const struct backing_ops ops = {0};
    static struct backing nothing;
    backing_init(&nothing, &ops, PAGE_SIZE);
    long at = map_file(as, va_of(PAGES + 1), 1, PROT_READ, &nothing, 0, PAGE_SIZE);
    return at < 0 ? at : 0;
}

TEST(map_adds_nothing) {
    set_up();
    EXPECT(sweep(do_map) >= 1 && sweep(do_map_file) >= 1);
    tear_down();
}

static long do_brk(void) {
    return as_brk(as, va_of(PAGES) + 3 * PAGE_SIZE) == va_of(PAGES) + 3 * PAGE_SIZE ? 0 : -ENOMEM;
}

TEST(brk_stays) {
    set_up();
    EXPECT(sweep(do_brk) >= 1 && sweep(do_brk) == 0);
    tear_down();
}

static long do_create(void) {
    struct as *other = as_create();
    if (other) { as_destroy(other); }
    return other ? 0 : -ENOMEM;
}

TEST(create_leaves_nothing) {
    set_up();
    EXPECT(sweep(do_create) == 2);
    tear_down();
}

// The same without injection: really no frame anywhere, in steps of one more.
static frame_t hoard[FRAMES];

TEST(fork_with_only_so_many_frames) {
    set_up();
    u32 n = 0, left = 0;
    while ((hoard[n] = frame_alloc_raw(FRAME_KERNEL))) { n++; }
    while (!(child = as_fork(as, NULL, 0)) && n) {
        EXPECT(as_pages(as) == PAGES && books_balance(&as, 1, n) && freelist_count() == left);
        frame_release(hoard[--n]);
        left++;
    }
    EXPECT(child && left >= 1);  // the root
    while (n) { frame_release(hoard[--n]); }
    expect_untouched(PAGES);
    tear_down();
}
