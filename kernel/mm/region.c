// SPDX-License-Identifier: MIT
// region.c - see region.h. split and merge are the whole of it: to replace a range is to split the map
// at both of its ends and to merge the outer parts with what comes between.
//
// Failure    a build goes on with an empty subtree where a region could not be had, and says so at the
//            end; then the new version is dropped as a whole.
#include "mm/region.h"
#include "lib/print.h"
#include "mm/as.h"
#include "mm/cache.h"
#include "riscv/csr.h"
#include "sync/refcount.h"

struct build {
    bool failed;
};

struct region_node *region_get(struct region_node *map) {
    if (map) { refcount_get(&map->refs); }
    return map;
}

void region_put(struct region_node *map) {
    while (map && refcount_put(&map->refs)) {
#ifdef MUTANT_left_after_free
        cache_free(&region_cache, map);
        struct region_node *right = map->right;
        region_put(map->left);
#else
        struct region_node *right = map->right;
        region_put(map->left);
        cache_free(&region_cache, map);
#endif
        map = right;
    }
}

static void summarise(struct region_node *n) {
    const struct region_node *l = n->left, *h = n->right;
    n->first = l ? l->first : n->region.start;
    n->last = h ? h->last : n->region.end;
    n->gap = MAX(l ? MAX(l->gap, n->region.start - l->last) : 0ul, h ? MAX(h->gap, h->first - n->region.end) : 0ul);
}

// A node with these subtrees, whose references it takes over.
static struct region_node *node(struct build *b, const struct region *r, u32 priority, struct region_node *left,
                                struct region_node *right) {
    struct region_node *n = cache_alloc(&region_cache);
    if (!n) {
        b->failed = true;
        region_put(left);
        region_put(right);
        return NULL;
    }
    n->refs = 1;
    n->priority = priority;
    n->left = left;
    n->right = right;
    n->region = *r;
    summarise(n);
    return n;
}

// The part of `r` within [lo, hi).
static struct region cut(const struct region *r, u64 lo, u64 hi) {
    struct region part = *r;
    u64 head = lo - r->start;
    part.start = lo;
    part.end = hi;
    part.file_off += head;
    part.file_bytes = MIN(r->file_bytes - MIN(head, r->file_bytes), hi - lo);
    return part;
}

// What lies below va and what lies above, as new references; a region across it is cut.
static void split(struct build *b, struct region_node *m, u64 va, struct region_node **below,
                  struct region_node **above) {
    struct region_node *middle;
    const struct region *r = m ? &m->region : NULL;
    if (!m || m->last <= va) {
        *below = region_get(m);
        *above = NULL;
    } else if (m->first >= va) {
        *below = NULL;
        *above = region_get(m);
    } else if (r->end <= va) {
        split(b, m->right, va, &middle, above);
        *below = node(b, r, m->priority, region_get(m->left), middle);
    } else if (r->start >= va) {
        split(b, m->left, va, below, &middle);
        *above = node(b, r, m->priority, middle, region_get(m->right));
    } else {
        struct region low = cut(r, r->start, va), high = cut(r, va, r->end);
        *below = node(b, &low, m->priority, region_get(m->left), NULL);
        *above = node(b, &high, m->priority, NULL, region_get(m->right));
    }
}

// All of `low` and then all of `high`. Takes over both references.
static struct region_node *merge(struct build *b, struct region_node *low, struct region_node *high) {
    if (!low || !high) { return low ? low : high; }
    struct region_node *top = low->priority > high->priority ? low : high, *left, *right;
    if (top == low) {
        left = region_get(low->left);
        right = merge(b, region_get(low->right), high);
    } else {
        left = merge(b, low, region_get(high->left));
        right = region_get(high->right);
    }
    struct region_node *n = node(b, &top->region, top->priority, left, right);
    region_put(top);
    return n;
}

bool region_replace(struct as *as, u64 lo, u64 hi, const struct region *with) {
    ASSERT(lo < hi && hi <= USER_TOP, "[%lx, %lx)", lo, hi);
    struct build b = {false};
    struct region_node *below, *rest, *gone, *above, *new = NULL;
    split(&b, as->map, lo, &below, &rest);
    split(&b, rest, hi, &gone, &above);
    region_put(rest);
    region_put(gone);
    if (with) { new = node(&b, with, hart_random(), NULL, NULL); }
    new = merge(&b, merge(&b, below, new), above);
    if (b.failed) {
        region_put(new);
        return false;
    }
    struct region_node *old = as->map;
#ifdef MUTANT_map_relaxed  // "the fence comes later"
    atomic_store_relaxed(&as->map, new);
#else
    atomic_store_release(&as->map, new);  // all of it before the pointer: pairs with region_look
#endif
    as_retire_map(as, old);
    return true;
}

const struct region *region_first(struct as *as, u64 va) {
    const struct region *found = NULL;
    for (const struct region_node *n = as->map; n;) {
        bool here = va < n->region.end;
        if (here) { found = &n->region; }
        n = here ? n->left : n->right;
    }
    return found;
}

const struct region *region_last(struct as *as, u64 va) {
    const struct region *found = NULL;
    for (const struct region_node *n = as->map; n;) {
        bool here = n->region.start < va;
        if (here) { found = &n->region; }
        n = here ? n->right : n->left;
    }
    return found;
}

static const struct region *find(const struct region_node *n, u64 va) {
    while (n) {
        const struct region *r = &n->region;
        if (va >= r->start && va < r->end) { return r; }
        n = va < r->start ? n->left : n->right;
    }
    return NULL;
}

const struct region *region_find(struct as *as, u64 va) { return find(as->map, va); }

bool region_look(struct as *as, u64 va, struct region *copy) {
    u64 flags = irq_save();
    const struct region *r = find(atomic_load_dependent(&as->map), va);
    if (r) { *copy = *r; }
    irq_restore(flags);
    return r;
}

// The highest free range of len bytes within [floor, top), or 0.
static u64 gap_in(const struct region_node *n, u64 len, u64 floor, u64 top) {
    if (top <= floor || top - floor < len) { return 0; }
    if (!n || n->last <= floor || n->first >= top) { return top - len; }
    bool above = top > n->last && top - n->last >= len, below = n->first > floor && n->first - floor >= len;
    if (n->gap < len && !above && !below) { return 0; }
    u64 at = gap_in(n->right, len, MAX(floor, n->region.end), top);
    return at ? at : gap_in(n->left, len, floor, MIN(top, n->region.start));
}

u64 region_gap(struct as *as, u64 len, u64 top) { return gap_in(as->map, len, USER_MIN, top); }
