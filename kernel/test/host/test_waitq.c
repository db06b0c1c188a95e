// SPDX-License-Identifier: MIT
// test_waitq.c - wait queues: first in, first out; a wake-up is never lost, whenever it comes.
#include "sync/park.h"
#include "sync/waitq.h"
#include "test/host/host.h"

static struct waitq q = WAITQ_INIT(q);

TEST(wake_before_park_is_not_lost) {
    struct waiter w;
    waitq_add(&q, &w);
    EXPECT(w.queued);
    waitq_wake_one(&q);
    EXPECT(!w.queued && list_empty(&q.waiters));
    park();  // would sleep for ever
    waitq_del(&q, &w);
}

TEST(again_queues_once_more) {
    struct waiter w;
    waitq_add(&q, &w);
    waitq_again(&q, &w);
    EXPECT(q.waiters.next == &w.link && w.link.next == &q.waiters);
    waitq_wake_all(&q);
    EXPECT(!w.queued);
    waitq_again(&q, &w);
    EXPECT(w.queued && q.waiters.next == &w.link);
    waitq_del(&q, &w);
    EXPECT(!w.queued && list_empty(&q.waiters));
    park();  // no longer announced: comes back
}

TEST(waking_nobody_does_nothing) {
    waitq_wake_one(&q);
    waitq_wake_all(&q);
    EXPECT(list_empty(&q.waiters));
}

static u32 turn;
static u32 woken[HARTS], nwoken;

// Harts 1 .. queue in order; hart 0 wakes one at a time.
static void wake_in_order(void *arg) {
    (void)arg;
    u32 self = this_hart()->index;
    if (self == 0) {
        for (u32 i = 1; i < HARTS; i++) {
            while (!hart_parked(i)) { cpu_pause(); }
            atomic_store_relaxed(&turn, i + 1);
        }
        for (u32 i = 1; i < HARTS; i++) {
            waitq_wake_one(&q);
            while (atomic_load_acquire(&nwoken) < i) { cpu_pause(); }
        }
        return;
    }
    struct waiter w;
    while (atomic_load_relaxed(&turn) != self) { cpu_pause(); }
    waitq_add(&q, &w);
    park();
    u32 place = atomic_load_acquire(&nwoken);  // of those that were woken before
    woken[place] = self;
    atomic_store_release(&nwoken, place + 1);
    waitq_del(&q, &w);
}

TEST(wakes_first_in_first_out) {
    turn = 1;
    nwoken = 0;
    on_harts(HARTS, wake_in_order, NULL);
    for (u32 i = 1; i < HARTS; i++) { EXPECT(woken[i - 1] == i); }
}

static u32 open;

static void wait_at_gate(void *arg) {
    (void)arg;
    if (this_hart()->index == 0) {
        for (u32 i = 1; i < HARTS; i++) {
            while (!hart_parked(i)) { cpu_pause(); }
        }
        atomic_store_relaxed(&open, 1u);
        waitq_wake_all(&q);
        return;
    }
    struct waiter w;
    waitq_add(&q, &w);
    while (!atomic_load_relaxed(&open)) {
        park();
        waitq_again(&q, &w);
    }
    waitq_del(&q, &w);
}

TEST(wake_all_wakes_all) {
    open = 0;
    on_harts(HARTS, wait_at_gate, NULL);
    EXPECT(list_empty(&q.waiters));
}

// A ring of four words under a spinlock, as a pipe is: makers sleep when it is full, takers when empty.
enum { ROOM = 4, EACH = 1000 };
static struct {
    struct spin lock;
    struct waitq not_full, not_empty;
    u32 made, taken;
    u64 word[ROOM];
} ring = {SPIN_INIT(TTYBUF), WAITQ_INIT(ring.not_full), WAITQ_INIT(ring.not_empty), 0, 0, {0}};

static bool try_make(u64 word) {
    spin_lock(&ring.lock);
    bool ok = ring.made - ring.taken < ROOM;
    if (ok) { ring.word[ring.made++ % ROOM] = word; }
    spin_unlock(&ring.lock);
    return ok;
}

static bool try_take(u64 *word) {
    spin_lock(&ring.lock);
    bool ok = ring.made != ring.taken;
    if (ok) { *word = ring.word[ring.taken++ % ROOM]; }
    spin_unlock(&ring.lock);
    return ok;
}

static void make_and_take(void *arg) {
    u64 *sum = arg, word = 0;
    bool maker = this_hart()->index & 1;
    struct waitq *mine = maker ? &ring.not_full : &ring.not_empty;
    struct waitq *theirs = maker ? &ring.not_empty : &ring.not_full;
    for (u64 i = 1; i <= EACH; i++) {
        struct waiter w;
        waitq_add(mine, &w);
        while (maker ? !try_make(i) : !try_take(&word)) {
            park();
            waitq_again(mine, &w);
        }
        waitq_del(mine, &w);
        waitq_wake_all(theirs);
        if (!maker) { atomic_add_relaxed(sum, word); }
    }
}

TEST(no_wake_up_is_lost_between_makers_and_takers) {
    u64 sum = 0;
    ring.made = ring.taken = 0;
    on_harts(HARTS, make_and_take, &sum);
    EXPECT(sum == HARTS / 2 * (u64)EACH * (EACH + 1) / 2 && ring.made == ring.taken);
}
