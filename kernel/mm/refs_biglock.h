// SPDX-License-Identifier: MIT
// refs_biglock.h - write-up 003's design: one reference lock, held across the test, the allocation
// and the copy of a COW fault. A baseline to measure against.
#pragma once
#include "sync/spin.h"
extern struct spin refs_lock;
#define REFS_LOCK refs_lock
#include "mm/refs_locked.h"

static inline enum frame_break frame_break(frame_t f, frame_t *copy) {
    enum frame_break result = BREAK_SOLE;
    spin_lock(&refs_lock);
#ifdef MUTANT_M23  // the lock is held for the count only; the copy is made when it is already dropped
    if (frame_record(f)->ref != 1) {
        frame_record(f)->ref--;
        spin_unlock(&refs_lock);
        *copy = frame_copy(f);
        return *copy ? BREAK_COPIED : BREAK_NOMEM;
    }
#endif
#ifdef MUTANT_M22  // "copying needs no lock", and whoever counts down does not look who was last
    if (frame_record(f)->ref != 1) {
        spin_unlock(&refs_lock);
        *copy = frame_copy(f);
        spin_lock(&refs_lock);
        frame_record(f)->ref -= *copy != FRAME_NONE;
        result = *copy ? BREAK_COPIED : BREAK_NOMEM;
        spin_unlock(&refs_lock);
        return result;
    }
#endif
    if (frame_record(f)->ref != 1) {
        RACE_POINT_FRAME("break.shared", f);
        *copy = frame_copy(f);
        result = *copy ? BREAK_COPIED : BREAK_NOMEM;
    }
    spin_unlock(&refs_lock);
    return result;
}
