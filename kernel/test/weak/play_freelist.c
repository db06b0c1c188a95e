// SPDX-License-Identifier: MIT
// play_freelist.c - frames that pass from hart to hart, and an allocation that finds none.
#include "mm/freelist.h"
#include "mm/refs.h"
#include "riscv/hart.h"
#include "test/weak/weak.h"

enum { FRAMES = 16 };
static struct frame records[FRAMES];
static u64 contents[FRAMES];
static frame_t got[PLAYERS];
static char lists[PLAYERS * 4096] cacheline_aligned;

static void begin(void) {
    frame_init(0, FRAMES, records);
    freelist_init(lists, PLAYERS);
}

static void use(frame_t f) {
    contents[f]++;
    records[f].next++;
}

// Hart 0 gives what it has used, hart 1 robs it.
static void give_one(void) {
    use(1);
    freelist_give(1);
}

static void take_one(void) {
    got[1] = freelist_take();
    if (got[1]) { use(got[1]); }
}

static void handed_over_or_left(void) { EXPECT(freelist_count() + (got[1] != 0) == 1); }

const struct play play_handover = {"handover", begin, {give_one, take_one}, handed_over_or_left, 5};

// Out of memory would be a lie as long as one frame is free.
static void must_get(void) {
    got[1] = freelist_take();
    EXPECT(got[1]);
    use(got[1]);
}

static void use_one_of_two(void) {
    frame_t f = freelist_take();
    if (f) {
        use(f);
        freelist_give(f);
    }
}

static void two_free(void) {
    begin();
    freelist_give(1);
    freelist_give(2);
}

static void one_is_left(void) { EXPECT(freelist_count() == 1); }

const struct play play_churn = {"one of two", two_free, {use_one_of_two, must_get}, one_is_left, 5};

// Hart 0 moves two frames from its depot to its magazine and keeps one: the other one is there all the time.
static void two_in_the_depot(void) {
    begin();
    freelist_add_virgin(1, 1 + 2 * PLAYERS);
    for (u32 i = 2 * PLAYERS - 1; i > 1; i--) {
        host_hart = harts[i / 2];
        got[0] = freelist_take();
        EXPECT(got[0]);
    }
    host_hart = harts[0];
}

static void keep_one(void) { got[0] = freelist_take(); }

static void none_is_left(void) { EXPECT(freelist_count() + !got[0] == 0 && got[0] != got[1]); }

const struct play play_move = {"a move", two_in_the_depot, {keep_one, must_get}, none_is_left, 4};
