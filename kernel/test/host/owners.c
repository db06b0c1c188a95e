// SPDX-License-Identifier: MIT
// owners.c - see owners.h. Taking is entered in `owner` by a swap that must find nobody, giving by one
// that must find somebody.
#include "test/host/owners.h"
#include "lib/string.h"
#include "mm/cache.h"
#include "mm/freelist.h"
#include "mm/kstack.h"
#include "sync/atomic.h"

static u32 owner[FRAMES];  // (a) hart + 1

frame_t take(void) {
    frame_t f = freelist_take();
    if (f) {
        EXPECT(atomic_swap_relaxed(&owner[f], this_hart()->index + 1) == 0);
        frame_record(f)->next = FRAMES - 1;  // mine to write: a batch that it was in is no more
    }
    return f;
}

void give(frame_t f) {
    EXPECT(atomic_swap_relaxed(&owner[f], 0u) != 0);
    freelist_give(f);
}

u32 take_all(frame_t *list) {
    u32 n = 0;
    for (frame_t f; (f = take());) { list[n++] = f; }
    return n;
}

static u32 visits[FRAMES];
static void visit(frame_t f) { visits[f]++; }
static void visit_range(frame_t first, frame_t end) {
    for (frame_t f = first; f < end; f++) { visits[f]++; }
}

bool each_is_free_once(u32 out) {
    u64 seen = 0;
    memset(visits, 0, sizeof(visits));
    freelist_each(visit, visit_range);
    for (frame_t f = 0; f < FRAMES; f++) {
        seen += visits[f];
        if (visits[f] > 1 || (visits[f] && owner[f])) { return false; }
    }
    return seen == freelist_count() && seen + out + cache_frames() + kstack_frames() ==
                                           managed_frames;
}
