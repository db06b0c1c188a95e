// SPDX-License-Identifier: MIT
// test_scarce.c - few frames are left, and they wander: each is found by whoever needs it, none is handed
// out twice, and "none left" is said only when it is so.
#include "lib/string.h"
#include "mm/freelist.h"
#include "sync/atomic.h"
#include "test/host/owners.h"

static u32 refused;  // (a)
static frame_t hoard[FRAMES];
static u32 nhoard;

static void leave_only(u32 left) {
    nhoard = take_all(hoard);
    for (u32 i = 0; i < left; i++) { give(hoard[--nhoard]); }
}

static void end_scarcity(void) {
    while (nhoard) { give(hoard[--nhoard]); }
}

// As many frames as harts, and each hart holds at most one: there is always one for who asks.
static void take_the_last(void *arg) {
    for (u32 i = 0; i < *(u32 *)arg; i++) {
        frame_t f = take();
        atomic_add_relaxed(&refused, !f);
        if (f) {
            *(u64 *)frame_kva(f) = i;
            ((u64 *)frame_kva(f))[1] = this_hart()->index;
            if (pick(4) == 0) { cpu_pause(); }
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

// Two frames. Harts 0 and 2 in turn take one and give it back, so that at least one is free at every
// moment, but not in the same place for long: now with hart 2, now with hart 0. Hart 1 looks in one place
// after the other. What it gets goes back by way of `returned` before it looks again.
static u32 turn, stop;    // (a)
static frame_t returned;  // (a)

static void look_for_a_frame(void) {
    while (!atomic_load_relaxed(&stop)) {
        frame_t f = take();
        atomic_add_relaxed(&refused, !f);
        atomic_store_release(&returned, f);
        while (atomic_load_relaxed(&returned) && !atomic_load_relaxed(&stop)) {
            cpu_pause();
        }
    }
}

static void take_turns(u32 self, u32 rounds) {
    while (rounds--) {
        while (atomic_load_relaxed(&turn) != self) { cpu_pause(); }
        frame_t back = atomic_swap_acquire(&returned, FRAME_NONE);
        if (back) { give(back); }
        frame_t f = take();
        atomic_add_relaxed(&refused, !f);
        cpu_pause();
        if (f) { give(f); }
        atomic_store_relaxed(&turn, 2 - self);
    }
}

static void seesaw(void *arg) {
    if (this_hart()->index == 1) {
        look_for_a_frame();
    } else {
        take_turns(this_hart()->index, *(u32 *)arg);
        atomic_store_relaxed(&stop, 1u);
    }
}

TEST(a_frame_that_is_always_somewhere_is_found) {
    u32 rounds = 1500;
    leave_only(2);
    refused = turn = stop = 0;
    on_harts(3, seesaw, &rounds);
    EXPECT(refused == 0);
    if (returned) {
        give(returned);
        returned = FRAME_NONE;
    }
    end_scarcity();
    EXPECT(each_is_free_once(0));
}

// Hart 0 gives 70 frames, of which a batch goes to its depot, and takes back what it can have without
// that. The batch is then all there is. Harts 1 and 2 want one frame each: while one of them has the
// whole batch in its hands, the other must not be refused.
enum { GIVEN = 70 };

static u32 leave_a_batch(void) {
    for (u32 i = 0; i < GIVEN; i++) { give(hoard[--nhoard]); }
    u64 refills = this_hart()->count.refills;
    u32 left = GIVEN;
    while (left > FREELIST_BATCH && this_hart()->count.refills == refills) {
        hoard[nhoard++] = take();
        left--;
    }
    return left;
}

static void share_a_batch(void *arg) {
    u32 self = this_hart()->index;
    this_hart()->delay = 200;  // the hands shall be full for long
    for (u32 round = *(u32 *)arg; round; round--) {
        u32 left = self ? 0 : leave_a_batch();
        rendezvous(3);
        for (u64 pause = self == 1 ? pick(20) : 0; pause; pause--) { cpu_pause(); }
        frame_t mine = self ? take() : FRAME_NONE;
        atomic_add_relaxed(&refused, self && !mine);
        rendezvous(3);
        if (mine) { give(mine); }
        rendezvous(3);
        if (self == 0) {
            u32 found = take_all(hoard + nhoard);
            EXPECT(found == left);
            nhoard += found;
        }
    }
}

TEST(nobody_is_refused_while_a_batch_moves) {
    u32 rounds = 120;
    leave_only(0);
    refused = 0;
    on_harts(3, share_a_batch, &rounds);
    EXPECT(refused == 0);
    end_scarcity();
    EXPECT(each_is_free_once(0));
}

// The harts free all they hold, each some, after which one of them takes every one.
static void free_all_then_one_takes(void *arg) {
    static frame_t list[FRAMES];
    u32 taker = *(u32 *)arg, self = this_hart()->index;
    for (u32 i = self; i < nhoard; i += HARTS) { give(hoard[i]); }
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
