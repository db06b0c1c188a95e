// SPDX-License-Identifier: MIT
// play_frame.c - a frame's count, and who may use its contents when. `contents` stands for them.
#include "mm/freelist.h"
#include "mm/refs.h"
#include "test/weak/weak.h"

enum { FRAMES = 8, F = 1 };
static struct frame records[FRAMES];
static u64 contents;
static char lists[PLAYERS * 4096] cacheline_aligned;

static void begin(void) {
    frame_init(0, FRAMES, records);
    freelist_init(lists, PLAYERS);
}

static void shared(u32 refs) {
    begin();
    freelist_give(F);
    frame_t f = frame_alloc(FRAME_USER);
    EXPECT(f == F);
    for (u32 i = 1; i < refs; i++) { frame_get(f); }
}

static void shared_by_two(void) { shared(2); }
static void shared_by_three(void) { shared(3); }

// Each looks at the frame and lets it go; the last one has it for itself.
static void look_and_put(void) {
    EXPECT(contents == 0);
    if (frame_put(F)) { contents = 1; }
}

static void put_by_all(void) { EXPECT(frame_refs(F) == 0 && contents == 1); }

const struct play play_put = {"last_put", shared_by_two, {look_and_put, look_and_put}, put_by_all, 0};
const struct play play_put3 = {"last_put, three", shared_by_three,
                               {look_and_put, look_and_put, look_and_put}, put_by_all, 0};

// One leaves; the other one writes in place if it is alone.
static void write_if_sole(void) {
    if (frame_sole(F)) { contents = 2; }
}

static void leave(void) {
    EXPECT(contents == 0);
    EXPECT(!frame_put(F));
}

static void one_is_left(void) { EXPECT(frame_refs(F) == 1); }

const struct play play_sole = {"sole_owner", shared_by_two, {write_if_sole, leave}, one_is_left, 0};

// A frame is born while somebody tries to get at it.
static void give_to_first(void) {
    begin();
    freelist_give(F);
}

static void bear(void) {
    frame_t f = frame_alloc(FRAME_USER);
    EXPECT(f == F);
}

static void get_unless_free(void) {
    if (frame_get_unless_free(F)) { EXPECT(records[F].class == FRAME_USER); }
}

static void born_at_least(void) { EXPECT(frame_refs(F) >= 1); }

const struct play play_unless = {"unless_free", give_to_first, {bear, get_unless_free}, born_at_least, 0};
