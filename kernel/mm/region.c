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
#include "sync/refcount.h"

struct build {
    bool failed;
};

struct region *region_get(struct region *map) {
    if (map) { refcount_get(&map->refs); }
    return map;
}

void region_put(struct region *map) {
    while (map && refcount_put(&map->refs)) {
#ifdef MUTANT_left_after_free
        cache_free(&region_cache, map);
        struct region *right = map->right;
        region_put(map->left);
#else
        struct region *right = map->right;
        region_put(map->left);
        cache_free(&region_cache, map);
#endif
        map = right;
    }
}

static void summarise(struct region *r) {
    const struct region *l = r->left, *h = r->right;
    r->first = l ? l->first : r->start;
    r->last = h ? h->last : r->end;
    r->gap = MAX(l ? MAX(l->gap, r->start - l->last) : 0ul, h ? MAX(h->gap, h->first - r->end) : 0ul);
}

// A region like `r` with these subtrees, whose references it takes over.
static struct region *node(struct build *b, const struct region *r, struct region *left, struct region *right) {
    struct region *n = cache_alloc(&region_cache);
    if (!n) {
        b->failed = true;
        region_put(left);
        region_put(right);
        return NULL;
    }
    *n = *r;
    n->refs = 1;
    n->left = left;
    n->right = right;
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
static void split(struct build *b, struct region *m, u64 va, struct region **below, struct region **above) {
    struct region *middle;
    if (!m || m->last <= va) {
        *below = region_get(m);
        *above = NULL;
    } else if (m->first >= va) {
        *below = NULL;
        *above = region_get(m);
    } else if (m->end <= va) {
        split(b, m->right, va, &middle, above);
        *below = node(b, m, region_get(m->left), middle);
    } else if (m->start >= va) {
        split(b, m->left, va, below, &middle);
        *above = node(b, m, middle, region_get(m->right));
    } else {
        struct region low = cut(m, m->start, va), high = cut(m, va, m->end);
        *below = node(b, &low, region_get(m->left), NULL);
        *above = node(b, &high, NULL, region_get(m->right));
    }
}

// All of `low` and then all of `high`. Takes over both references.
static struct region *merge(struct build *b, struct region *low, struct region *high) {
    if (!low || !high) { return low ? low : high; }
    struct region *top = low->priority > high->priority ? low : high, *n;
    if (top == low) {
        n = node(b, low, region_get(low->left), merge(b, region_get(low->right), high));
    } else {
        n = node(b, high, merge(b, low, region_get(high->left)), region_get(high->right));
    }
    region_put(top);
    return n;
}

bool region_replace(struct as *as, u64 lo, u64 hi, const struct region *with) {
    ASSERT(lo < hi && hi <= USER_TOP, "[%lx, %lx)", lo, hi);
    struct build b = {false};
    struct region *below, *rest, *gone, *above, *new = NULL;
    split(&b, as->map, lo, &below, &rest);
    split(&b, rest, hi, &gone, &above);
    region_put(rest);
    region_put(gone);
    if (with) {
        new = node(&b, with, NULL, NULL);
        if (new) { new->priority = hart_random(); }
    }
    new = merge(&b, merge(&b, below, new), above);
    if (b.failed) {
        region_put(new);
        return false;
    }
    struct region *old = as->map;
    as->map = new;
    region_put(old);
    return true;
}

const struct region *region_first(struct as *as, u64 va) {
    const struct region *found = NULL, *r = as->map;
    while (r) {
        if (va < r->end) {
            found = r;
            r = r->left;
        } else {
            r = r->right;
        }
    }
    return found;
}

const struct region *region_find(struct as *as, u64 va) {
    const struct region *r = as->map;
    while (r && (va < r->start || va >= r->end)) { r = va < r->start ? r->left : r->right; }
    return r;
}

// The highest free range of len bytes within [floor, top), or 0.
static u64 gap_in(const struct region *m, u64 len, u64 floor, u64 top) {
    if (top <= floor || top - floor < len) { return 0; }
    if (!m || m->last <= floor || m->first >= top) { return top - len; }
    bool above = top > m->last && top - m->last >= len, below = m->first > floor && m->first - floor >= len;
    if (m->gap < len && !above && !below) { return 0; }
    u64 at = gap_in(m->right, len, MAX(floor, m->end), top);
    return at ? at : gap_in(m->left, len, floor, MIN(top, m->start));
}

u64 region_gap(struct as *as, u64 len, u64 top) { return gap_in(as->map, len, USER_MIN, top); }
