// SPDX-License-Identifier: MIT
// region.h - the map of an address space: which addresses exist and what may be done there.
//
// Model      a persistent treap (Seidel and Aragon, "Randomized Search Trees"; Driscoll et al., "Making
//            Data Structures Persistent"): ordered by address, heap-ordered by random priorities. A
//            region that has been published is never written again: a change builds a new version that
//            shares all but a path with the old one. So fork shares the whole map by one count, a fault
//            looks up without a lock, and a change that runs out of memory has changed nothing.
//            Regions are page-aligned, never overlapping, never empty. One whose backing is NULL is
//            anonymous (zero-filled). What is private is copied on write; what is shared is not.
//            Whoever knows the priorities can choose addresses that make a map high: it does not become
//            higher than REGION_HEIGHT_MAX, a change that would make it so finds no memory.
// Invariants G1 a published region changes only in its count.
//            G2 refs = pointers from regions, maps of address spaces and versions that are kept for readers.
// Locking    as->lock for changes. Lookups: that lock, or region_look, which has interrupts off: an old version
//            is freed only after every hart of the space has taken an interrupt since (as_retire_map).
#pragma once
#include "mm/backing.h"

#define PROT_READ 1u
#define PROT_WRITE 2u
#define PROT_EXEC 4u

struct region {
    u64 start, end;
    u32 prot, never;          // rights that it has, and that it cannot get
    bool shared;              // writes reach the backing, and all who map it
    struct backing *backing;  // of [start, start + file_bytes); a published region has a reference to it
    u64 file_off, file_bytes;
};

#define REGION_HEIGHT_MAX 48  // of a map: paths are kept on the stack. 65,000 regions are 43 high, on average

struct region_node {
    u32 refs;  // (a)
    u32 priority;
    u32 height;  // of this subtree
    struct region_node *left, *right;
    struct region region;
    u64 first, last;  // of this subtree: where it starts and ends,
    u64 gap;          // and the widest gap within
};

struct as;

// The region that contains va, or NULL. => as->lock, of all but region_look
const struct region *region_find(struct as *as, u64 va);
// The same without the lock: a copy of what is published now. false: there is none. What is read in the space
// behind it is not older than that (as_busy).
bool region_look(struct as *as, u64 va, struct region *copy) must_check;
// The first region that ends behind va, or NULL: where a walk over [va, ...) begins.
const struct region *region_first(struct as *as, u64 va);
// The last region that starts below va, or NULL.
const struct region *region_last(struct as *as, u64 va);
// The highest gap of `len` bytes below `top`, or 0.
u64 region_gap(struct as *as, u64 len, u64 top);
// Let [lo, hi) hold the region `with`, which lies within it, or nothing (NULL), instead of what is there.
// false: no memory, and nothing has changed.
bool region_replace(struct as *as, u64 lo, u64 hi, const struct region *with) must_check;

// Take [lo, hi) away, and put `to` where nothing is, at once. As region_replace.
bool region_move(struct as *as, u64 lo, u64 hi, const struct region *to) must_check;

// region_replace with all of `r`, which joins its like on both sides.
bool region_set(struct as *as, const struct region *r) must_check;
// The part of `r` within [lo, hi).
struct region region_cut(const struct region *r, u64 lo, u64 hi);

// Count a version of a map in and out; NULL is the empty one.
struct region_node *region_get(struct region_node *map);
void region_put(struct region_node *map);
