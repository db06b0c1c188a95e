// SPDX-License-Identifier: MIT
// refs_freelock.h - write-up 000's design, put right: one lock guards the free list and every count.
// A baseline to measure against; its list is mm/freelist_global.c.
#pragma once
#include "sync/spin.h"
extern struct spin frames_lock;
#define REFS_LOCK frames_lock
#include "mm/refs_locked.h"

static inline enum frame_break frame_break(frame_t f, frame_t *copy) {
    RACE_POINT_FRAME("break.test", f);
    if (frame_sole(f)) { return BREAK_SOLE; }
    RACE_POINT_FRAME("break.shared", f);
    *copy = frame_copy(f);
    return *copy ? BREAK_COPIED : BREAK_NOMEM;
}
