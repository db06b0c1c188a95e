// SPDX-License-Identifier: MIT
// backing.h - what a mapping shows that is not its own: a file, or memory that processes share. What mm needs
// of it, so that it need not know file systems.
//
// Model      The pages that are in memory stand in its page cache (pagecache.h), each in one frame for all who
//            map it. A leaf entry BORROWS such a frame: it is not counted there, for whoever has the entry has
//            the region, and so a reference to the backing. The cache's own reference counts as two: so
//            nobody takes a page of a file for his alone (frame_sole), and no fork, fault or exit of
//            a program changes a line that others who run it use.
// Invariants B1 a frame of a page cache has cached = true and a count of 2, at rest, as long as the backing lives.
//            B2 an entry that borrows lies in a region with that backing; the region's reference outlives it
//               (as.c: replace, as_destroy; remap.c: move_range).
//            B3 a page is `valid` before anybody maps it; who makes it so has its lock (rank PAGE).
// Ordering   valid: store release after the page is filled; load acquire before it is used.
#pragma once
#include "mm/pagecache.h"

struct backing;

struct backing_ops {
    // Read up to n bytes at off into kernel memory. Returns how many, or -errno. May sleep. NULL: zeros.
    long (*read)(struct backing *b, u64 off, void *buf, usize n);
    // Nobody refers to it any more, and its pages are gone. NULL: that never happens, and nobody counts.
    void (*free)(struct backing *b);
    const char *kind;  // what people are told it is. NULL: it lies in an inode of the tree, which has a path
};

struct backing {
    const struct backing_ops *ops;
    u32 refs;  // (a) regions, and files that are open
    u64 size;  // (a) bytes; it only grows
    struct pagecache pages;
};

void backing_boot(void);
void backing_init(struct backing *b, const struct backing_ops *ops, u64 size);  // one reference
void backing_get(struct backing *b);  // => the caller has one. NULL: nothing
void backing_put(struct backing *b);  // NULL: nothing
// The frame with page `index`, made and filled if need be. 0; -ENXIO: it lies beyond the end; -ENOMEM; -EIO. It stays
// for as long as the caller has his reference.
int backing_page(struct backing *b, u64 index, frame_t *page) must_check;
// No other's, nor that of a file of the tree, as long as it lives.
static inline u64 backing_number(const struct backing *b) { return (u64)b / sizeof(u64); }
// Zeros that processes share. NULL: no memory.
struct backing *backing_create(u64 size) must_check;
