// SPDX-License-Identifier: MIT
// refs.h - the one place where a frame's count changes, in three designs behind one interface.
//
//   REFS=cas       atomic operations on the frame's own word (the default)
//   REFS=freelock  write-up 000's: one lock around allocation, free and counts
//   REFS=biglock   write-up 003's: one lock held across the test, the allocation and the copy
//
// bool frame_put(f)              drop one reference; true for exactly one caller: the last. That
//                                caller frees the frame (frame_release does both).
// void frame_get(f)              one more reference. => the caller owns one already
// bool frame_get_unless_free(f)  one more, unless the frame is free
// bool frame_sole(f)             count is exactly one. => the caller owns that one, and holds the
//                                lock of the leaf table that has it, on a path that is OWNED
// enum frame_break frame_break(f, &copy)  for a write to a shared page: SOLE, or a copy, or NOMEM.
//                                The reference to f stays: the caller drops it after the shootdown.
// u32 frame_refs(f)              the count as it is now: for display and audits
#pragma once
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "sync/atomic.h"
#include "sync/point.h"
#include "sync/track.h"

enum frame_break { BREAK_SOLE, BREAK_COPIED, BREAK_NOMEM };

#define REF_SATURATED 0xc0000000u

static inline bool ref_is_saturated(u32 ref) { return (i32)ref < 0; }

static inline u32 frame_refs(frame_t f) {
    return atomic_load_relaxed(&frame_record(f)->ref);
}

// A copy of a page of user memory in a new frame; FRAME_NONE when there is none.
frame_t frame_copy(frame_t old) must_check;
// A count went out of range: saturate it, or panic if it was 0 (a reference that nobody had).
void refs_misused(frame_t f, u32 ref, const char *what);

#if defined(REFS_FREELOCK)
#include "mm/refs_freelock.h"
#elif defined(REFS_BIGLOCK)
#include "mm/refs_biglock.h"
#else
#include "mm/refs_cas.h"
#endif

#ifndef REFS_BIGLOCK  // which holds its lock meanwhile
static inline enum frame_break frame_break(frame_t f, frame_t *copy) {
    if (frame_sole(f)) { return BREAK_SOLE; }
#ifdef MUTANT_M21  // counts down first; a copy that fails leaves it so
    (void)!frame_put(f);
#endif
    RACE_POINT_FRAME("break.shared", f);
#ifdef MUTANT_M29  // the old frame is let go, and then copied (fault.c)
    *copy = frame_alloc(FRAME_USER);
    if (*copy) {
        if (frame_put(f)) { frame_free(f); }
        RACE_POINT_FRAME("frame.copy", f);
        page_copy(frame_kva(*copy), frame_kva(f));
    }
#else
    *copy = frame_copy(f);
#endif
#ifdef MUTANT_W15
    if (!*copy) { panic("no frame for a copy of the sole owner's page"); }
#endif
    return *copy ? BREAK_COPIED : BREAK_NOMEM;
}
#endif

// Drop one reference and free the frame if it was the last.
static inline void frame_release(frame_t f) {
    if (frame_put(f)) { frame_free(f); }
}
