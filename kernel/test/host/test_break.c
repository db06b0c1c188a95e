// SPDX-License-Identifier: MIT
// test_break.c - copy-on-write is broken while other harts of the same space look on, and while the other
// sharer writes or leaves: the protocol of fault.c, its order included.
#include "mm/refs.h"
#include "mm/tlb.h"
#include "sync/atomic.h"
#include "test/host/host.h"

enum { FOREIGN = 1000000 };  // what the other side writes

static struct as *ours;

static void read_before_and_after(void *arg) {
    (void)arg;
    as_switch(ours);
    for (u64 i = 1; i <= 40; i++) {
        struct as *child = this_hart()->index ? NULL : as_fork(ours, NULL, 0);
        rendezvous(HARTS);
        EXPECT(user_get(BASE) == i - 1);  // every hart keeps the shared translation
        rendezvous(HARTS);
        if (child) { user_put(BASE, i); }
        rendezvous(HARTS);
        EXPECT(user_get(BASE) == i);
        rendezvous(HARTS);
        if (child) { as_destroy(child); }
    }
    as_switch(NULL);
}

TEST(a_broken_page_is_read_anew_on_every_hart) {
    ours = space_with(1);
    on_harts(HARTS, read_before_and_after, NULL);
    as_destroy(ours);
}

// Hart 0 forks, hands the child to hart 2, and writes; hart 2 writes into the child, or not, and destroys
// it. Hart 1 stays in the parent and reads; hart 3 comes, reads, and goes. They see what hart 0 writes,
// in order, and never the other side or a free frame.
static struct as *handed;  // (a)
static u32 stop;           // (a)

static void fork_and_write(void) {
    as_switch(ours);
    for (u64 i = 1; i <= 200; i++) {
        struct as *child = as_fork(ours, NULL, 0);
        EXPECT(child);
        while (atomic_load_relaxed(&handed)) { cpu_pause(); }
        atomic_store_release(&handed, child);
        if (pick(2)) { cpu_pause(); }
        user_put(BASE, i);
        user_put(BASE + PAGE_SIZE, i);
    }
    while (atomic_load_relaxed(&handed)) { cpu_pause(); }
    atomic_store_relaxed(&stop, 1u);
}

static void be_the_other_side(void) {
    while (!atomic_load_relaxed(&stop)) {
        struct as *child = atomic_load_acquire(&handed);
        if (!child) {
            cpu_pause();
            continue;
        }
        as_switch(child);
        for (u32 i = 0; i < 2 && pick(4); i++) {
            user_put(BASE + i * PAGE_SIZE, FOREIGN);
        }
        as_switch(NULL);
        as_destroy(child);
        atomic_store_relaxed(&handed, NULL);
    }
}

static void look_on(bool come_and_go) {
    u64 seen[2] = {0, 0};
    for (u64 i = 0; !atomic_load_relaxed(&stop); i++) {
        as_switch(come_and_go && i % 4 == 3 ? NULL : ours);
        if (this_hart()->active_as) {
            u64 value = user_get(BASE + i % 2 * PAGE_SIZE);
            EXPECT(value >= seen[i % 2] && value < FOREIGN);
            seen[i % 2] = value;
        }
    }
}

static void take_part(void *arg) {
    (void)arg;
    switch (this_hart()->index) {
    case 0:
        fork_and_write();
        break;
    case 2:
        be_the_other_side();
        break;
    default:
        look_on(this_hart()->index == 3);
    }
    as_switch(NULL);
}

TEST(onlookers_see_one_side_in_order) {
    ours = space_with(2);
    stop = 0;
    on_harts(4, take_part, NULL);
    EXPECT(books_balance(&ours, 1, 0));
    as_destroy(ours);
}

// The parent flips as soon as the child is gone: the child's last reads come before the parent's writes.
static void read_and_leave(void *arg) {
    (void)arg;
    as_switch(ours);
    for (u64 i = 1; this_hart()->index == 0 && i <= 400; i++) {
        struct as *child = as_fork(ours, NULL, 0);
        atomic_store_release(&handed, child);
        u64 flips = this_hart()->count.cow_flips;
        for (u64 k = 0; k < 4; k++) { user_put(BASE + k * 8, i); }
        while (atomic_load_acquire(&handed)) { cpu_pause(); }
        EXPECT(this_hart()->count.cow_flips <= flips + 1);
    }
    if (this_hart()->index == 0) { atomic_store_relaxed(&stop, 1u); }
    while (!atomic_load_relaxed(&stop)) {
        struct as *child = atomic_load_acquire(&handed);
        if (child) {
            as_switch(child);
            u64 first = user_get(BASE);
            EXPECT(user_get(BASE + 8) == first && user_get(BASE + 24) == first);
            as_switch(NULL);
            as_destroy(child);
            atomic_store_release(&handed, NULL);
        }
        cpu_pause();
    }
    as_switch(NULL);
}

TEST(reader_leaves_and_writer_flips) {
    ours = space_with(1);
    stop = 0;
    on_harts(2, read_and_leave, NULL);
    as_destroy(ours);
}
