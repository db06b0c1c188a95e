// SPDX-License-Identifier: MIT
// refs_cas.h - counts by atomic operations on each frame's own word. No lock anywhere.
//
// Ordering   O1 frame_get is relaxed: the caller's own reference keeps the frame, and the new entry
//               is published later, by the release of the lock that guards it.
//            O2 frame_put releases, so that all uses of the frame come before it ...
//            O3 ... and the last put acquires (fence) before the frame can be used again.
//            O4 frame_sole acquires: it pairs with O2 of the sharer that left, whose last reads of
//               the frame must come before our writes to it.
//            O5 frame_get_unless_free acquires on success: it pairs with the allocator's release.
// Overflow   frame_get past 0x7fffffff saturates; a saturated count stays so (frame.h).
#pragma once

static inline void frame_get(frame_t f) {
    track_raised(f);
#ifdef MUTANT_M01  // load, add, store
    u32 old = frame_record(f)->ref;
    RACE_POINT_FRAME("frame.get", f);
    frame_record(f)->ref = old + 1;
#else
    RACE_POINT_FRAME("frame.get", f);
    u32 old = atomic_add_relaxed(&frame_record(f)->ref, 1u);  // O1
#endif
    if (unlikely((i32)(old + 1) <= 1)) { refs_misused(f, old, "get"); }
#ifdef MUTANT_W01  // a byte has to do
    if (old == 255) { atomic_store_relaxed(&frame_record(f)->ref, 0u); }
#endif
}

static inline bool must_check frame_put(frame_t f) {
    track_lowered(f);
#ifdef MUTANT_M02  // shared: nothing to free, so nothing to do
    if (frame_refs(f) > 1) { return false; }
#endif
#ifdef MUTANT_M01
    u32 old = frame_record(f)->ref;
    RACE_POINT_FRAME("frame.put", f);
    frame_record(f)->ref = old - 1;
#else
    RACE_POINT_FRAME("frame.put", f);
#ifdef MUTANT_W18  // "only a number"
    u32 old = atomic_sub_relaxed(&frame_record(f)->ref, 1u);
#else
    u32 old = atomic_sub_release(&frame_record(f)->ref, 1u);  // O2, pairs with O3 and O4
#endif
#endif
    RACE_POINT_FRAME("put.done", f);
#ifdef MUTANT_W16  // looks again: two may be told that they were the last
    return frame_refs(f) == 0;
#endif
    if (old == 1) {
#if !defined(MUTANT_last_put_unfenced) && !defined(MUTANT_W18)  // "nobody else has it now"
        atomic_fence_acquire_of(&frame_record(f)->ref);  // O3, pairs with O2
#endif
        return true;
    }
    if (unlikely((i32)old <= 0)) { refs_misused(f, old, "put"); }
    return false;
}

static inline bool must_check frame_get_unless_free(frame_t f) {
    u32 *ref = &frame_record(f)->ref;
    track_raised(f);
    for (;;) {
        u32 old = atomic_load_relaxed(ref);
#ifndef MUTANT_get_from_zero
        if (old == 0) { return false; }
#endif
#ifdef MUTANT_get_relaxed  // as frame_get
        if (ref_is_saturated(old + 1) || atomic_cas32_relaxed(ref, old, old + 1)) {
#else
        if (ref_is_saturated(old + 1) || atomic_cas32_acquire(ref, old, old + 1)) {  // O5
#endif
            return true;
        }
    }
}

static inline bool frame_sole(frame_t f) {
    track_asked(f);
#ifdef MUTANT_W19  // "the branch keeps the order"
    return frame_refs(f) == 1;
#endif
#if defined(MUTANT_M27) || defined(MUTANT_W15)  // whoever writes gets a copy
    return false;
#endif
    return atomic_load_acquire(&frame_record(f)->ref) == 1;  // O4, pairs with O2
}
