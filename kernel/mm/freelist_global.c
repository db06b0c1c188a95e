// SPDX-License-Identifier: MIT
// freelist_global.c - one free list under one lock: the write-ups' allocator, as a baseline.
//
// Invariants G1 every free frame is on the list or in the virgin range [virgin, virgin_end).
// Locking    frames_lock, rank FRAMES; REFS=freelock uses the same lock for the counts.
#include "mm/freelist.h"
#include "lib/string.h"
#include "sync/spin.h"

struct spin frames_lock = SPIN_INIT(FRAMES);
#ifdef REFS_BIGLOCK
struct spin refs_lock = SPIN_INIT(REFS);
#endif

static frame_t head;
static frame_t virgin, virgin_end;
static u64 count;  // (m: freelist_count looks without the lock)

usize freelist_bytes(u32 n) { return n; }

void freelist_init(void *memory, u32 n) { (void)memory, (void)n; }

void freelist_add_virgin(frame_t first, frame_t end) {
    if (virgin == virgin_end) {
        virgin = first;
        virgin_end = end;
        count += end - first;
        return;
    }
    for (frame_t f = first; f < end; f++) {
        *frame_record(f) = (struct frame){0};
        freelist_give(f);
    }
}

frame_t freelist_take(void) {
    spin_lock(&frames_lock);
    frame_t f = head;
    if (f) {
        head = frame_record(f)->next;
    } else if (virgin < virgin_end) {
        f = virgin++;
        *frame_record(f) = (struct frame){0};
    }
#ifdef MUTANT_M15  // filled with junk, under the lock
    if (f) { memset(frame_kva(f), 5, PAGE_SIZE); }
#endif
    write_once(count, count - (f != FRAME_NONE));
    spin_unlock(&frames_lock);
    return f;
}

frame_t freelist_take_zeroed(void) { return FRAME_NONE; }

void freelist_give(frame_t f) {
    spin_lock(&frames_lock);
    frame_record(f)->next = head;
    head = f;
    write_once(count, count + 1);
    spin_unlock(&frames_lock);
}

void freelist_give_zeroed(frame_t f) { freelist_give(f); }

u64 freelist_count(void) {
#if defined(MUTANT_M25) && defined(REFS_BIGLOCK)  // an exact count, by both locks
    spin_lock(&frames_lock);
    spin_lock(&refs_lock);
    spin_unlock(&refs_lock);
    spin_unlock(&frames_lock);
#endif
#ifdef MUTANT_M41  // counted, under the lock
    u64 n = virgin_end - virgin;
    spin_lock(&frames_lock);
    for (frame_t f = head; f; f = frame_record(f)->next) { n++; }
    spin_unlock(&frames_lock);
    return n;
#endif
    return read_once(count);
}

void freelist_each(void (*visit)(frame_t), void (*range)(frame_t, frame_t)) {
    for (frame_t f = head; f; f = frame_record(f)->next) { visit(f); }
    if (virgin < virgin_end) { range(virgin, virgin_end); }
}
