// SPDX-License-Identifier: MIT
// test_remap.c - mappings that move, and what takes their place, while others fault there.
#include "lib/errno.h"
#include "mm/cursor.h"
#include "mm/refs.h"
#include "test/host/host.h"

enum { PAGES = 1030 };  // three leaf tables at either place
#define TO (BASE + 0x40000000ul + 0x1ff000ul)

static u64 va_of(u64 page) { return BASE + page * PAGE_SIZE; }

TEST(a_move_keeps_frames_and_rights) {
    struct as *as = space_with(PAGES);
    as_switch(as);
    for (u64 i = 0; i < PAGES; i += 3) { user_put(va_of(i), i); }
    struct as *child = as_fork(as, NULL, 0);
    for (u64 i = 0; i < 300; i += 3) { user_put(va_of(i), i + 1); }  // some are its own again
    u64 copies = counted_cow_copies();
    EXPECT(as_remap(as, BASE, PAGES * PAGE_SIZE, (PAGES + 1) * PAGE_SIZE, true, TO) == (long)TO);
    struct as *both[2] = {as, child};
    EXPECT(books_balance(both, 2, 0) && counted_cow_copies() == copies);
    for (u64 i = 0; i < PAGES; i++) {
        EXPECT(user_get(TO + i * PAGE_SIZE) == (i % 3 ? 0 : i < 300 ? i + 1 : i));
    }
    for (u64 i = 0; i < PAGES; i += 3) { user_put(TO + i * PAGE_SIZE, 7); }
    EXPECT(counted_cow_copies() - copies == (PAGES - 300 + 2) / 3);  // what the child has, too
    u64 value;
    EXPECT(user_load(BASE, &value) == -EFAULT);
    as_switch(child);
    for (u64 i = 0; i < PAGES; i += 3) { EXPECT(user_get(va_of(i)) == i); }
    as_switch(NULL);
    as_destroy(as);
    as_destroy(child);
}

// The n-th allocation fails: all is as it was.
TEST(a_move_without_memory_changes_nothing) {
    for (u64 n = 1;; n++) {
        struct as *as = space_with(PAGES);
        as_switch(as);
        for (u64 i = 0; i < PAGES; i += 100) { user_put(va_of(i), i); }
        struct as *child = as_fork(as, NULL, 0);
        fail_allocation(n);
        long at = as_remap(as, va_of(1), (PAGES - 2) * PAGE_SIZE, (PAGES - 2) * PAGE_SIZE, true, TO);
        bool failed = this_hart()->inject->seen >= n;
        fail_allocation(0);
        EXPECT(at == (failed ? -ENOMEM : (long)TO));
        u64 base = failed ? BASE : TO - PAGE_SIZE, value;
        for (u64 i = 100; i < PAGES; i += 100) { EXPECT(user_get(base + i * PAGE_SIZE) == i); }
        EXPECT(!failed || user_load(TO, &value) == -EFAULT);
        struct as *both[2] = {as, child};
        EXPECT(books_balance(both, 2, 0));
        as_switch(NULL);
        as_destroy(as);
        as_destroy(child);
        if (!failed) {
            EXPECT(n > 8);
            return;
        }
    }
}

#ifdef CHECK
static struct as *space;
static u32 told, over;  // (a)

static void tell_the_other(void) {
    atomic_store_release(&told, 1u);
    while (!hart_parked(1) && !atomic_load_acquire(&over)) { cpu_pause(); }
}

// Hart 1 stores to the range when the map says what is new, and what is old is not gone yet.
static void map_over_or_store(void *unused) {
    (void)unused;
    as_switch(space);
    if (this_hart()->index == 0) {
        at_point("map.over", tell_the_other);
        EXPECT(as_map_fixed(space, BASE, 512 * PAGE_SIZE, PROT_READ | PROT_WRITE) == BASE);
    } else {
        while (!atomic_load_acquire(&told)) { cpu_pause(); }
        EXPECT(user_store(va_of(9), 9) == 0);
        atomic_store_release(&over, 1u);
    }
    while (!atomic_load_acquire(&over)) { cpu_pause(); }
    EXPECT(user_get(va_of(9)) == 9 && user_get(va_of(8)) == 0);
    as_switch(NULL);
}

TEST(a_store_to_what_is_new_is_not_taken_away_with_the_old) {
    space = space_with(512);
    as_switch(space);
    user_put(va_of(8), 8);
    told = over = 0;
    on_harts(2, map_over_or_store, NULL);
    as_destroy(space);
}
#endif
