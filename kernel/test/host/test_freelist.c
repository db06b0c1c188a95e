// SPDX-License-Identifier: MIT
// test_freelist.c - the free lists: each frame in one place, none lost, and "none left" only when so.
//
// Owners     every frame that a test takes is entered in `owner` by a swap that must find nobody: a frame
//            handed out twice is caught at once.
#include "lib/string.h"
#include "mm/cache.h"
#include "mm/freelist.h"
#include "mm/kstack.h"
#include "mm/refs.h"
#include "test/host/host.h"

static u32 owner[FRAMES];  // (a) hart + 1

static frame_t take(void) {
    frame_t f = freelist_take();
    if (f) {
        EXPECT(atomic_swap_relaxed(&owner[f], this_hart()->index + 1) == 0);
    }
    return f;
}

static void give(frame_t f) {
    EXPECT(atomic_swap_relaxed(&owner[f], 0u) != 0);
    freelist_give(f);
}

// Everything there is, into list[]; how many.
static u32 take_all(frame_t *list) {
    u32 n = 0;
    for (frame_t f; (f = take());) {
        list[n++] = f;
    }
    return n;
}

static u32 visits[FRAMES];
static void visit(frame_t f) {
    visits[f]++;
}
static void visit_range(frame_t first, frame_t end) {
    for (frame_t f = first; f < end; f++) {
        visits[f]++;
    }
}

// => all harts stand still; `out` frames are taken
static bool each_is_free_once(u32 out) {
    u64 seen = 0;
    memset(visits, 0, sizeof(visits));
    freelist_each(visit, visit_range);
    for (frame_t f = 0; f < FRAMES; f++) {
        seen += visits[f];
        if (visits[f] > 1 || (visits[f] && owner[f])) {
            return false;
        }
    }
    return seen == freelist_count() && seen + out + cache_frames() + kstack_frames() ==
                                           managed_frames;
}

TEST(all_can_be_taken_once_and_given_back) {
    static frame_t list[FRAMES];
    u64 before = freelist_count();
    for (u32 round = 0; round < 3; round++) {
        u32 n = take_all(list);
        EXPECT(n == before && freelist_count() == 0 && each_is_free_once(n));
        EXPECT(!freelist_take() && !freelist_take_zeroed());
        while (n) {
            give(list[--n]);
        }
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
    while (n) {
        freelist_give_zeroed(list[--n]);
    }
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
    while (n) {
        give(mine[--n]);
    }
}

TEST(many_harts_lose_nothing_and_share_nothing) {
    u32 rounds = 120;
    refused = 0;
    on_harts(HARTS, take_and_give_at_random, &rounds);
    EXPECT(refused == 0 && each_is_free_once(0));
}

// ---- scarcity: few frames are left, and they wander ----

static frame_t hoard[FRAMES];
static u32 nhoard;

static void leave_only(u32 left) {
    nhoard = take_all(hoard);
    for (u32 i = 0; i < left; i++) {
        give(hoard[--nhoard]);
    }
}

static void end_scarcity(void) {
    while (nhoard) {
        give(hoard[--nhoard]);
    }
}

// As many frames as harts, and each hart holds at most one: there is always one for who asks.
static void take_the_last(void *arg) {
    for (u32 i = 0; i < *(u32 *)arg; i++) {
        frame_t f = take();
        atomic_add_relaxed(&refused, !f);
        if (f) {
            *(u64 *)frame_kva(f) = i;
            ((u64 *)frame_kva(f))[1] = this_hart()->index;
            if (pick(4) == 0) {
                cpu_pause();
            }
            EXPECT(*(u64 *)frame_kva(f) == i);
            give(f);
        }
    }
}

TEST(the_last_frames_are_always_found) {
    u32 rounds = 1500;
    leave_only(HARTS);
    refused = 0;
    on_harts(HARTS, take_the_last, &rounds);
    EXPECT(refused == 0);
    end_scarcity();
    EXPECT(each_is_free_once(0));
}

TEST(with_fewer_frames_than_harts_none_is_taken_twice) {
    u32 rounds = 1500;
    leave_only(2);
    on_harts(HARTS, take_the_last, &rounds);
    EXPECT(freelist_count() == 2);
    end_scarcity();
    EXPECT(each_is_free_once(0));
}

// The harts free all they hold, each some, after which one of them takes every one.
static void free_all_then_one_takes(void *arg) {
    static frame_t list[FRAMES];
    u32 taker = *(u32 *)arg, self = this_hart()->index;
    for (u32 i = self; i < nhoard; i += HARTS) {
        give(hoard[i]);
    }
    rendezvous(HARTS);
    if (self == taker) {
        u32 n = take_all(list);
        EXPECT(n == nhoard);
        memcpy(hoard, list, n * sizeof(list[0]));
    }
    rendezvous(HARTS);
}

TEST(one_hart_takes_what_all_have_freed) {
    nhoard = take_all(hoard);
    u32 all = nhoard;
    for (u32 taker = 0; taker < HARTS; taker += 2) {
        on_harts(HARTS, free_all_then_one_takes, &taker);
        EXPECT(nhoard == all);
    }
    end_scarcity();
}

// The same without a rendezvous: hart 0 must find each frame while the other is still freeing.
static void free_while_one_takes(void *arg) {
    u32 *found = arg;
    if (this_hart()->index) {
        for (u32 i = this_hart()->index - 1; i < nhoard; i += HARTS - 1) {
            give(hoard[i]);
        }
        return;
    }
    static frame_t list[FRAMES];
    while (*found < nhoard) {
        frame_t f = take();
        list[*found] = f;
        *found += f != 0;
    }
    memcpy(hoard, list, *found * sizeof(list[0]));
}

TEST(one_hart_takes_what_others_are_freeing) {
    nhoard = take_all(hoard);
    for (u32 round = 0; round < 3; round++) {
        u32 found = 0;
        on_harts(HARTS, free_while_one_takes, &found);
        EXPECT(found == nhoard && freelist_count() == 0);
    }
    end_scarcity();
    EXPECT(each_is_free_once(0));
}

// One hart takes, the next gives: every frame ends in another hart's lists than it came from (ABA).
static frame_t belt[64];  // (a)

static void run_belt(void *arg) {
    u32 self = this_hart()->index, n = *(u32 *)arg;
    for (u32 done = 0; done < n;) {
        if (self % 2 == 0) {
            frame_t f = take();
            u32 place = pick(ARRAY_LEN(belt));
            while (f && !atomic_cas32_release(&belt[place], FRAME_NONE, f)) {
                place = pick(ARRAY_LEN(belt));
                cpu_pause();
            }
            done += f != 0;
        } else {
            frame_t f = atomic_swap_acquire(&belt[pick(ARRAY_LEN(belt))], FRAME_NONE);
            if (f) {
                give(f);
                done++;
            } else {
                cpu_pause();
            }
        }
    }
}

TEST(frames_wander_from_hart_to_hart) {
    u32 each = 2000;
    leave_only(100);
    on_harts(HARTS, run_belt, &each);
    end_scarcity();
    EXPECT(each_is_free_once(0));
}
