// SPDX-License-Identifier: MIT
// test_cache.c - object caches: objects never overlap, go back to their frames from any hart, and whole
// frames go back to the free lists.
#include "lib/string.h"
#include "mm/cache.h"
#include "mm/freelist.h"
#include "mm/refs.h"
#include "test/host/host.h"

enum { N = 400, EXTRA_MAX = 200 };

// Fill and check objects by a number of their own.
static void sign(void *object, u64 mark) {
    for (u32 i = 0; i < region_cache.size / 8; i++) { ((u64 *)object)[i] = mark; }
}

static bool signed_by(const void *object, u64 mark) {
    for (u32 i = 0; i < region_cache.size / 8; i++) {
        if (((const u64 *)object)[i] != mark) { return false; }
    }
    return true;
}

TEST(objects_are_aligned_and_do_not_overlap) {
    void *object[N];
    for (u32 i = 0; i < N; i++) {
        object[i] = cache_alloc(&region_cache);
        EXPECT(object[i] && (u64)object[i] % (region_cache.size >= 64 ? 64 : 16) == 0);
        EXPECT(((u64)object[i] & (PAGE_SIZE - 1)) + region_cache.size <= PAGE_SIZE);
        sign(object[i], i);
    }
    EXPECT(objects_out() == N);
    for (u32 i = 0; i < N; i++) {
        EXPECT(signed_by(object[i], i));
        cache_free(&region_cache, object[i]);
    }
}

static u64 frames_of(const struct cache *c) {
    u64 n = 0;
    for (u32 i = 0; i < nharts; i++) { n += c->hart[i].frames; }
    return n;
}

TEST(whole_frames_go_back) {
    void *object[N];
    u64 free = freelist_count(), frames = frames_of(&region_cache);
    for (u32 i = 0; i < N; i++) { object[i] = cache_alloc(&region_cache); }
    u64 most = frames_of(&region_cache);
    EXPECT(most >= N / region_cache.per_frame && free - freelist_count() == most - frames);
    for (u32 i = 0; i < N; i++) { cache_free(&region_cache, object[i]); }
    EXPECT(frames_of(&region_cache) <= frames + 3);  // no more than the loose objects keep
    EXPECT(freelist_count() + frames_of(&region_cache) == free + frames);
}

TEST(size_decides_how_many_fit) {
    EXPECT(as_cache.size >= sizeof(struct as) && as_cache.size % 64 == 0);
    EXPECT(region_cache.size >= sizeof(struct region_node) && region_cache.size % 16 == 0);
    for (const struct cache *c = cache_all; c; c = c->next) {
        EXPECT(c->per_frame * c->size <= PAGE_SIZE && (c->per_frame + 1) * c->size > PAGE_SIZE);
    }
}

static void *moved[N];

// The harts free what another one has allocated.
static void free_a_share(void *arg) {
    (void)arg;
    for (u32 i = this_hart()->index; i < N; i += HARTS) {
        EXPECT(signed_by(moved[i], i));
        cache_free(&region_cache, moved[i]);
    }
}

TEST(objects_go_home_from_other_harts) {
    for (u32 round = 0; round < 20; round++) {
        for (u32 i = 0; i < N; i++) {
            moved[i] = cache_alloc(&region_cache);
            sign(moved[i], i);
        }
        on_harts(HARTS, free_a_share, NULL);
        EXPECT(objects_out() == 0);
    }
    EXPECT(frames_of(&region_cache) <= N / region_cache.per_frame + HARTS);
}

// Random allocation everywhere; objects change hands in a shared box.
static void *box[128];  // (a)

static void trade(void *arg) {
    u32 rounds = *(u32 *)arg;
    for (u32 i = 0; i < rounds; i++) {
        u64 *object = cache_alloc(&region_cache);
        EXPECT(object);
        sign(object, (u64)object);
        void **place = &box[pick(ARRAY_LEN(box))];
        void *other = atomic_swap_acq_rel(place, (void *)object);
        if (other) {
            EXPECT(signed_by(other, (u64)other));
            cache_free(&region_cache, other);
        }
    }
}

TEST(harts_trade_objects) {
    u32 rounds = 3000;
    on_harts(HARTS, trade, &rounds);
    for (u32 i = 0; i < ARRAY_LEN(box); i++) {
        if (box[i]) {
            EXPECT(signed_by(box[i], (u64)box[i]));
            cache_free(&region_cache, box[i]);
            box[i] = NULL;
        }
    }
}

TEST(no_memory_is_said_and_harmless) {
    static void *object[FRAMES * 64];
    u32 n = 0;
    fail_allocation(3);
    for (u32 i = 0; i < 3; i++) {
        object[n] = cache_alloc(&region_cache);
        EXPECT((object[n] == NULL) == (i == 2));
        n += object[n] != NULL;
    }
    while ((object[n] = cache_alloc(&region_cache))) { n++; }
    EXPECT(freelist_count() == 0 && n >= (managed_frames - 64) * region_cache.per_frame);
    while (n) { cache_free(&region_cache, object[--n]); }
}
