// SPDX-License-Identifier: MIT
// refs_locked.h - counts under one lock, REFS_LOCK: what the two write-ups' designs share.
#pragma once
#include "sync/spin.h"

static inline void frame_get(frame_t f) {
    struct frame *r = frame_record(f);
    track_raised(f);
#ifdef MUTANT_M06  // "fork only adds: no need to lock"
    u32 old = r->ref;
    RACE_POINT_FRAME("frame.get", f);
    r->ref = old + 1;
    return;
#endif
    RACE_POINT_FRAME("frame.get", f);
    spin_lock(&REFS_LOCK);
    if (unlikely((i32)++r->ref <= 1)) { refs_misused(f, r->ref - 1, "get"); }
    spin_unlock(&REFS_LOCK);
}

static inline bool must_check frame_put(frame_t f) {
    struct frame *r = frame_record(f);
    track_lowered(f);
    RACE_POINT_FRAME("frame.put", f);
    spin_lock(&REFS_LOCK);
    u32 old = r->ref--;
    if (unlikely((i32)old <= 0)) { refs_misused(f, old, "put"); }
    spin_unlock(&REFS_LOCK);
    RACE_POINT_FRAME("put.done", f);
#ifdef MUTANT_M18  // looks again, outside of the lock: two may be told that they were the last
    return r->ref == 0;
#endif
    return old == 1;
}

static inline bool must_check frame_get_unless_free(frame_t f) {
    struct frame *r = frame_record(f);
    track_raised(f);
    spin_lock(&REFS_LOCK);
    u32 old = atomic_load_acquire(&r->ref);  // O5: own() sets the first count without the lock
    if (old && !ref_is_saturated(old + 1)) { r->ref = old + 1; }
    spin_unlock(&REFS_LOCK);
    return old;
}

static inline bool frame_sole(frame_t f) {
    spin_lock(&REFS_LOCK);
    bool sole = frame_record(f)->ref == 1;
    spin_unlock(&REFS_LOCK);
    return sole;
}
