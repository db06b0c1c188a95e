// SPDX-License-Identifier: MIT
// region.h - the regions of an address space: which addresses exist and what may be done there.
//
// Model      a list sorted by address; page-aligned, never overlapping, never empty. A region whose
//            backing is NULL is anonymous (zero-filled). [lo, hi) bounds the pages that may be
//            populated, so that fork and exit look no further.
// Locking    the address space's lock.
#pragma once
#include "lib/list.h"
#include "mm/backing.h"

#define PROT_READ 1u
#define PROT_WRITE 2u
#define PROT_EXEC 4u

struct region {
    struct list link;
    u64 start, end;
    u64 lo, hi;
    u32 prot;
    struct backing *backing;  // of [start, start + file_bytes)
    u64 file_off, file_bytes;
};

struct as;

// The region that contains va, or NULL.
struct region *region_find(struct as *as, u64 va);
// The first region that ends behind va, or NULL: where a walk over [va, ...) begins.
struct region *region_first(struct as *as, u64 va);
struct region *region_next(struct as *as, struct region *r);
// A new one at a place where none is. NULL: no memory.
struct region *region_add(struct as *as, u64 start, u64 end, u32 prot) must_check;
// Make `va` a boundary between regions. false: no memory.
bool region_split(struct as *as, u64 va) must_check;
void region_remove(struct as *as, struct region *r);
// The highest gap of `len` bytes below `top`, or 0.
u64 region_gap(struct as *as, u64 len, u64 top);
