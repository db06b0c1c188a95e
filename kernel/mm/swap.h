// SPDX-License-Identifier: MIT
// swap.h - pages that are not in memory: slots of a device, counted as frames are.
//
// Model      A slot holds one page, and its count is the number of leaf entries that name it: fork and the copying
//            of tables share slots as they share frames. A swapped entry has no V; what would be the frame's number
//            is the slot's; R, X and U are kept, and W says that the page may be written.
//            There is one device, whole. Who brings a page in has a frame of his own then: the others do as
//            much for themselves, from the same slot.
// Invariants W1 count = entries that name the slot, and at most one more hand that is about to write it.
// Ordering   a slot's count goes down with release, and is taken from 0 with acquire: what was read from it comes
//            before what is written there next.
#pragma once
#include "mm/frame.h"
#include "riscv/pte.h"

#define SWAP_BATCH 8  // pages that go to the device at once

struct swap_device {
    // n pages between frames and page `slot` of the device on. 0 or -EIO. May sleep; allocates nothing.
    long (*read)(struct swap_device *d, u64 slot, const frame_t *frames, u32 n);
    long (*write)(struct swap_device *d, u64 slot, const frame_t *frames, u32 n);
};

static always_inline bool swap_is(pte_t leaf) { return leaf && !(leaf & PTE_V); }

bool swap_is_on(void);
// Use a device of that many pages from now on. 0; -EBUSY: there is one; -ENOMEM; -EINVAL.
long swap_on(struct swap_device *d, u64 pages);

// One more entry, one entry less that names the slot. => an entry that does
void swap_get(pte_t swapped);
void swap_put(pte_t swapped);
u32 swap_count(pte_t swapped);

// Write n pages of user memory to slots, and say what their leaves are to become. 0; -ENOSPC, -EIO: nothing is kept.
// The slots are counted as in hand until swap_written. => nobody writes the frames meanwhile
long swap_write(const frame_t *frames, const pte_t *leaves, pte_t *swapped, u32 n) must_check;
void swap_written(u32 n);  // as many slots are named by entries now
// Bring a page into a new frame of class USER: the leaf for it. The slot stays counted. 0, -ENOMEM, -EIO.
long swap_read(pte_t swapped, pte_t *leaf) must_check;

// Audits, while all stand still: visit each entry, then compare. Slots whose count is wrong; *slot is the first.
bool swap_visit(pte_t swapped) must_check;  // false: there is no such slot
u64 swap_compare(u64 *slot);
u64 swap_used(void);
u64 swap_frames(void);  // of the kernel's, for counts and for pages that are being read
