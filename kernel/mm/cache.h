// SPDX-License-Identifier: MIT
// cache.h - small kernel objects of one size, allocated from whole frames (Bonwick's slabs).
#pragma once
#include "lib/types.h"
#include "mm/frame.h"
#include "sync/spin.h"

// One hart's share of a cache. `loose` is private to the hart; the slabs are under the lock.
struct cache_hart {
    void *loose;
    u32 nloose;
    u64 out;  // objects handed out less objects taken back, on this hart
    struct spin lock;
    struct list slabs;  // frames with at least one free object
    u64 frames;         // all frames of this hart's part
} cacheline_aligned;

struct cache {
    const char *name;
    u32 size, per_frame;
    struct cache_hart *hart;  // [nharts]
    struct cache *next;
};

extern struct cache *cache_all;
extern struct cache as_cache, region_cache;

// Boot, before other harts run. Sizes up to half a page.
void cache_init(struct cache *c, const char *name, usize size);
// An object of undefined contents, or NULL. Counts as an allocation for KINE_FAIL_NTH.
void *cache_alloc(struct cache *c) must_check;
void cache_free(struct cache *c, void *object);
// Frames of all caches. => all harts stand still
u64 cache_frames(void);
