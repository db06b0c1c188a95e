// SPDX-License-Identifier: MIT
// pagecache.h - the pages of one file that are in memory, by their index.
//
// Model      a radix tree, 6 bits a level, as high as the largest index needs. Slots are filled, roots put above
//            roots, by compare-and-swap, and nothing is taken out before the end: so there is no lock, and who
//            looks writes nothing.
// Ordering   K1 whatever a slot or the root points at is complete before it is (CAS acq_rel); who follows
//               has a dependent load.
#pragma once
#include "mm/frame.h"

struct pagecache {
    u64 root;  // (a) 0, or the top node, with the height of the tree in the lowest bits
};

void pagecache_boot(void);
// The slot of page `index`: 0 or its frame, by atomic_load_dependent; made if need be. NULL: no memory.
u64 *pagecache_slot(struct pagecache *p, u64 index) must_check;
// Fill a slot that was empty. The frame that is in it now, which may be another's.
frame_t pagecache_fill(u64 *slot, frame_t f);
// Drop all pages. => nobody uses it any more
void pagecache_empty(struct pagecache *p, void (*drop)(frame_t f));
