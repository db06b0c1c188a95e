// SPDX-License-Identifier: MIT
// pagecache.c - see pagecache.h.
#include "mm/pagecache.h"
#include "lib/string.h"
#include "mm/cache.h"
#include "sync/atomic.h"
#include "sync/point.h"

#define BITS 6
#define HEIGHT 7ul  // of a root's word: the bits that tell it

struct node {
    u64 slot[1 << BITS];
};

static struct cache node_cache;

void pagecache_boot(void) { cache_init(&node_cache, "pages", sizeof(struct node)); }

static struct node *node_of(u64 word) { return (struct node *)(word & ~HEIGHT); }

static u64 *slot_in(struct node *n, u64 index, u64 height) {
    return &n->slot[index >> BITS * (height - 1) & ((1 << BITS) - 1)];
}

// Put a new node where `old` stands, above it unless it is nothing. false: no memory; who was faster has done it, too.
static bool hang(u64 *at, u64 old, u64 height) {
    struct node *n = cache_alloc(&node_cache);
    if (!n) { return false; }
    memset(n, 0, sizeof(*n));
    n->slot[0] = (u64)node_of(old);
    RACE_POINT("pages.hang");
    if (!atomic_cas64_acq_rel(at, old, (u64)n | height)) { cache_free(&node_cache, n); }  // K1
    return true;
}

static bool covers(u64 root, u64 index) { return root && index >> BITS * (root & HEIGHT) == 0; }

u64 *pagecache_slot(struct pagecache *p, u64 index) {
    u64 root;
    while (!covers(root = atomic_load_dependent(&p->root), index)) {
        if (!hang(&p->root, root, (root & HEIGHT) + 1)) { return NULL; }
    }
    struct node *n = node_of(root);
    for (u64 height = root & HEIGHT; height > 1; height--) {
        u64 *at = slot_in(n, index, height), lower;
        while (!(lower = atomic_load_dependent(at))) {
            if (!hang(at, 0, 0)) { return NULL; }
        }
        n = node_of(lower);
    }
    return slot_in(n, index, 1);
}

frame_t pagecache_fill(u64 *slot, frame_t f) {
    RACE_POINT_FRAME("pages.fill", f);
#ifdef MUTANT_page_twice  // "it was empty a moment ago"
    *slot = f;
    return f;
#endif
    return atomic_cas64_acq_rel(slot, 0, f) ? f : (frame_t)atomic_load_dependent(slot);  // K1
}

static void empty(struct node *n, u64 height, void (*drop)(frame_t f)) {
    for (u32 i = 0; n && i < 1 << BITS; i++) {
        if (height > 1) {
            empty(node_of(n->slot[i]), height - 1, drop);
        } else if (n->slot[i]) {
            drop(n->slot[i]);
        }
    }
    if (n) { cache_free(&node_cache, n); }
}

void pagecache_empty(struct pagecache *p, void (*drop)(frame_t f)) {
    empty(node_of(p->root), p->root & HEIGHT, drop);
    p->root = 0;
}
