// SPDX-License-Identifier: MIT
// test_freelist.c - the free lists: each frame in one place, none lost, whatever is taken and given.
#include "lib/string.h"
#include "mm/freelist.h"
#include "sync/atomic.h"
#include "test/host/owners.h"

TEST(all_can_be_taken_once_and_given_back) {
    static frame_t list[FRAMES];
    u64 before = freelist_count();
    for (u32 round = 0; round < 3; round++) {
        u32 n = take_all(list);
        EXPECT(n == before && freelist_count() == 0 && each_is_free_once(n));
        EXPECT(!freelist_take() && !freelist_take_zeroed());
        while (n) { give(list[--n]); }
        EXPECT(freelist_count() == before && each_is_free_once(0));
    }
}

// Around the sizes of magazines and batches, one frame at a time, the count is exact.
TEST(counts_stay_exact_across_batches) {
    static frame_t list[FRAMES];
    u64 before = freelist_count();
    for (u32 size = 1; size < 300; size += 1 + pick(13)) {
        for (u32 i = 0; i < size; i++) {
            list[i] = take();
            EXPECT(list[i] && freelist_count() == before - i - 1);
        }
        EXPECT(each_is_free_once(size));
        for (u32 i = 0; i < size; i++) {
            give(list[i]);
            EXPECT(freelist_count() == before - size + i + 1);
        }
    }
    EXPECT(each_is_free_once(0));
}

TEST(zeroed_frames_come_back_zeroed_and_are_counted) {
    frame_t list[40];
    u64 before = freelist_count();
    for (u32 i = 0; i < ARRAY_LEN(list); i++) {
        list[i] = freelist_take();
        page_zero(frame_kva(list[i]));
    }
    for (u32 i = 0; i < ARRAY_LEN(list); i++) {
        freelist_give_zeroed(list[i]);
        EXPECT(freelist_count() == before - ARRAY_LEN(list) + i + 1);
    }
    EXPECT(each_is_free_once(0));
    u32 n = 0;
    for (frame_t f; n < ARRAY_LEN(list) && (f = freelist_take_zeroed()); n++) {
        list[n] = f;
    }
    EXPECT(freelist_count() == before - n);
    while (n) { freelist_give_zeroed(list[--n]); }
}

// ---- many harts ----

enum { MINE_MAX = 400 };
static u32 refused;  // (a)

// Each hart holds at most MINE_MAX, all together less than there are: none may ever be refused.
static void take_and_give_at_random(void *arg) {
    u32 rounds = *(u32 *)arg, n = 0;
    frame_t mine[MINE_MAX];
    for (u32 i = 0; i < rounds; i++) {
        u32 much = pick(100);
        for (bool taking = pick(2); much; much--) {
            if (taking && n < MINE_MAX) {
                frame_t f = take();
                atomic_add_relaxed(&refused, !f);
                mine[n] = f;
                n += f != 0;
            } else if (!taking && n) {
                give(mine[--n]);
            }
        }
    }
    while (n) { give(mine[--n]); }
}

TEST(many_harts_lose_nothing_and_share_nothing) {
    u32 rounds = 120;
    refused = 0;
    on_harts(HARTS, take_and_give_at_random, &rounds);
    EXPECT(refused == 0 && each_is_free_once(0));
}
