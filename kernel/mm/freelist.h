// SPDX-License-Identifier: MIT
// freelist.h - free frames: one interface, two designs.
//   freelist_hart.c    per hart, no lock on the fast path (REFS=cas)
//   freelist_global.c  one list, one lock (REFS=freelock, biglock)
#pragma once
#include "mm/frame.h"

// Frames that move together between a magazine and a depot.
#define FREELIST_BATCH 32

// Boot, before other harts run: set up for all harts; then say which frames are free.
usize freelist_bytes(u32 nharts);
void freelist_init(void *memory, u32 nharts);
void freelist_add_virgin(frame_t first, frame_t end);

// SCHED builds, refs_cas: the next 16 takes or gives of this hart need no batch, if its depot has frames.
void freelist_settle(void);
frame_t freelist_take(void) must_check;
// A frame that holds only zeros if one is at hand, else FRAME_NONE: then take any and zero it.
frame_t freelist_take_zeroed(void) must_check;
void freelist_give(frame_t f);
void freelist_give_zeroed(frame_t f);

// How many frames are free: exact while nothing moves.
u64 freelist_count(void);
// Call `visit` for every free frame (in a list or magazine) and `range` for every run of frames that
// were never used. => all harts stand still
void freelist_each(void (*visit)(frame_t f), void (*range)(frame_t first, frame_t end));
