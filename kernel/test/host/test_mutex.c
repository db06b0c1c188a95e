// SPDX-License-Identifier: MIT
// test_mutex.c - mutexes: exclusion, sleeping, and that no waiter is forgotten.
#include "mm/tlb.h"
#include "sync/mutex.h"
#include "test/host/host.h"

static struct mutex lock = MUTEX_INIT(lock, PIPE);
static u64 inside, entered;

static void enter_often(void *arg) {
    (void)arg;
    for (u32 i = 0; i < 500; i++) {
        mutex_lock(&lock);
        EXPECT(++inside == 1 && mutex_held_here(&lock));
        entered++;
        if (pick(8) == 0) {
            cpu_pause();  // so that others come and sleep
        }
        inside--;
        mutex_unlock(&lock);
    }
}

TEST(one_holder_at_a_time_and_nobody_sleeps_for_ever) {
    entered = 0;
    on_harts(HARTS, enter_often, NULL);
    EXPECT(entered == HARTS * 500);
    EXPECT(lock.state == 0 && list_empty(&lock.waiters.waiters));
}

TEST(states_without_waiters) {
    struct mutex m;
    mutex_init(&m, RANK_FILE);
    EXPECT(m.state == 0 && !mutex_held_here(&m));
    mutex_lock(&m);
    EXPECT(m.state == 1 && m.owner == this_hart()->current && mutex_held_here(&m));
    mutex_unlock(&m);
    EXPECT(m.state == 0 && m.owner == NULL);
}

static void sleep_and_be_woken(void *arg) {
    u64 *order = arg;
    u32 self = this_hart()->index;
    if (self == 0) {
        mutex_lock(&lock);
        rendezvous(2);
        while (!hart_parked(1)) { cpu_pause(); }
        EXPECT(atomic_load_relaxed(&lock.state) == 2);
        *order = 1;
        mutex_unlock(&lock);
    } else {
        rendezvous(2);
        mutex_lock(&lock);
        EXPECT(*order == 1);
        mutex_unlock(&lock);
    }
}

TEST(waiter_sleeps_until_the_unlock) {
    u64 order = 0;
    on_harts(2, sleep_and_be_woken, &order);
    EXPECT(lock.state == 0);
}

// All but hart 0 sleep on the lock; each that gets it finds the next one still waiting.
static void queue_up(void *arg) {
    u64 *got = arg;
    if (this_hart()->index == 0) {
        mutex_lock(&lock);
        rendezvous(HARTS);
        for (u32 i = 1; i < HARTS; i++) {
            while (!hart_parked(i)) { cpu_pause(); }
        }
        mutex_unlock(&lock);
    } else {
        rendezvous(HARTS);
        mutex_lock(&lock);
        *got += 1;
        mutex_unlock(&lock);
    }
}

TEST(each_unlock_wakes_the_next) {
    u64 got = 0;
    on_harts(HARTS, queue_up, &got);
    EXPECT(got == HARTS - 1);
}

// As in fork: the holder of an address space's lock shoots at a hart that sleeps on that lock.
static void shoot_at_sleeper(void *arg) {
    struct as *as = arg;
    as_switch(as);
    rendezvous(2);
    if (this_hart()->index == 0) {
        mutex_lock(&as->lock);
        rendezvous(2);
        while (!hart_parked(1)) { cpu_pause(); }
        tlb_shootdown(as, BASE, 1);
        mutex_unlock(&as->lock);
    } else {
        rendezvous(2);
        mutex_lock(&as->lock);
        mutex_unlock(&as->lock);
    }
    as_switch(NULL);
}

TEST(sleeper_answers_a_shootdown) {
    struct as *as = space_with(1);
    u64 before = harts[0]->count.shootdowns;
    on_harts(2, shoot_at_sleeper, as);
    EXPECT(harts[0]->count.shootdowns == before + 1);
    as_destroy(as);
}
