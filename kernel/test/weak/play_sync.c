// SPDX-License-Identifier: MIT
// play_sync.c - spinlocks and mutexes: what is done under them is in order, and nobody waits for ever.
#include "sync/mutex.h"
#include "sync/spin.h"
#include "test/weak/weak.h"

static struct spin spin;
static struct mutex mutex;
static u64 sum;

static void begin(void) {
    spin_init(&spin, RANK_FREELIST);
    mutex_init(&mutex, RANK_AS);
}

static void add_under_spin(void) {
    spin_lock(&spin);
    sum++;
    spin_unlock(&spin);
}

static void two_are_added(void) { EXPECT(sum == 2); }

const struct play play_spin = {"spin", begin, {add_under_spin, add_under_spin}, two_are_added, 0};

static void try_under_spin(void) {
    if (spin_try_lock(&spin)) {
        sum++;
        spin_unlock(&spin);
    }
}

static void one_is_added(void) { EXPECT(sum == 1 || sum == 2); }

const struct play play_try = {"spin_try", begin, {add_under_spin, try_under_spin}, one_is_added, 0};

static void add_under_mutex(void) {
    mutex_lock(&mutex);
    sum++;
    mutex_unlock(&mutex);
}

static void three_are_added(void) { EXPECT(sum == 3 && mutex.state == 0); }

const struct play play_mutex = {"mutex", begin, {add_under_mutex, add_under_mutex}, two_are_added, 5};
const struct play play_mutex3 = {"mutex, three", begin,
                                 {add_under_mutex, add_under_mutex, add_under_mutex}, three_are_added, 3};
