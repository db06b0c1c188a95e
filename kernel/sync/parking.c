// SPDX-License-Identifier: MIT
// parking.c - see parking.h. A wait queue per bucket: who sleeps on another word of the same bucket wakes up
// in vain, and looks again.
#include "sync/parking.h"
#include "sync/park.h"
#include "sync/waitq.h"

#define BUCKETS 256

static struct bucket {
    struct waitq sleepers;
} cacheline_aligned buckets[BUCKETS];

static struct waitq *bucket_of(const u32 *word) { return &buckets[(u64)word / CACHE_LINE % BUCKETS].sleepers; }

void parking_boot(void) {
    for (u32 i = 0; i < BUCKETS; i++) { waitq_init(&buckets[i].sleepers); }
}

void parking_sleep(const u32 *word, u32 value) {
    struct waiter w;
    struct waitq *q = bucket_of(word);
    waitq_add(q, &w);
    if (atomic_load_relaxed(word) == value) { park(); }  // a waker has changed it before it took the queue's lock
    waitq_del(q, &w);
}

void parking_wake_all(const u32 *word) { waitq_wake_all(bucket_of(word)); }
