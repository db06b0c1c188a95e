// SPDX-License-Identifier: MIT
// region.c - see region.h. split and merge are the whole of it: to replace a range is to split the map
// at both of its ends and to merge the outer parts with what comes between. Both go down a path and build anew
// on the way up.
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
        backing_put(map->region.backing);
        cache_free(&region_cache, map);
#endif
        map = right;
    }
}

static void summarise(struct region_node *n) {
    const struct region_node *l = n->left, *h = n->right;
    n->height = 1 + MAX(l ? l->height : 0, h ? h->height : 0);
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
    backing_get(r->backing);
    summarise(n);
    b->failed |= n->height > REGION_HEIGHT_MAX;
    return n;
}

struct region region_cut(const struct region *r, u64 lo, u64 hi) {
    struct region part = *r;
    u64 head = lo - r->start;
    part.start = lo;
    part.end = hi;
    part.file_off += head;
    part.file_bytes = MIN(r->file_bytes - MIN(head, r->file_bytes), hi - lo);
    return part;
}

// What lies below va and what lies above, as new references. => no region lies across it
static void split(struct build *b, struct region_node *m, u64 va, struct region_node **below,
                  struct region_node **above) {
    struct region_node *path[REGION_HEIGHT_MAX];
    u32 n = 0;
    if (b->failed) { m = NULL; }  // perhaps for its height: there is no room for such a path
    while (m && m->first < va && m->last > va) {
        path[n++] = m;
        m = m->region.end <= va ? m->right : m->left;
    }
    *below = m && m->last <= va ? region_get(m) : NULL;
    *above = m && m->first >= va ? region_get(m) : NULL;
    while (n) {
        m = path[--n];
        if (m->region.end <= va) {
            *below = node(b, &m->region, m->priority, region_get(m->left), *below);
        } else {
            *above = node(b, &m->region, m->priority, *above, region_get(m->right));
        }
    }
}

// All of `low` and then all of `high`. Takes over both references.
static struct region_node *merge(struct build *b, struct region_node *low, struct region_node *high) {
    struct region_node *path[2 * REGION_HEIGHT_MAX];
    u64 is_low[2] = {0, 0};
    u32 n = 0;
    if (b->failed) {
        region_put(low);
        region_put(high);
        return NULL;
    }
    for (; low && high; n++) {
        bool take_low = low->priority > high->priority;
        path[n] = take_low ? low : high;
        is_low[n / 64] |= (u64)take_low << n % 64;
        if (take_low) {
            low = region_get(low->right);
        } else {
            high = region_get(high->left);
        }
    }
    struct region_node *m = low ? low : high;
    while (n--) {
        struct region_node *top = path[n];
        bool l = is_low[n / 64] >> n % 64 & 1;
        m = node(b, &top->region, top->priority, l ? region_get(top->left) : m, l ? m : region_get(top->right));
        region_put(top);
    }
    return m;
}

// `low` and a new region above it, which finds its place by a priority of its own.
static struct region_node *append(struct build *b, struct region_node *low, const struct region *r) {
    return merge(b, low, node(b, r, hart_random(), NULL, NULL));
}

static const struct region *find(const struct region_node *n, u64 va) {
    while (n) {
        const struct region *r = &n->region;
        if (va >= r->start && va < r->end) { return r; }
        n = va < r->start ? n->left : n->right;
    }
    return NULL;
}

// The version of `map` in which [lo, hi) holds `with`, or nothing. Regions that the range cuts are taken out
// whole, and what is left of them comes back as new ones.
static struct region_node *replaced(struct build *b, struct region_node *map, u64 lo, u64 hi,
                                    const struct region *with) {
    ASSERT(lo < hi && hi <= USER_TOP, "[%lx, %lx)", lo, hi);
    struct region_node *below, *rest, *gone, *above;
    const struct region *first = find(map, lo), *last = find(map, hi - 1);
    split(b, map, first ? first->start : lo, &below, &rest);
    split(b, rest, last ? last->end : hi, &gone, &above);
    region_put(rest);
    if (first && first->start < lo) {
        struct region part = region_cut(first, first->start, lo);
        below = append(b, below, &part);
    }
    if (with) { below = append(b, below, with); }
    if (last && last->end > hi) {
        struct region part = region_cut(last, hi, last->end);
        below = append(b, below, &part);
    }
    region_put(gone);
    return merge(b, below, above);
}

// Whether a build has come to be, is the question of its end.
static bool publish(struct as *as, const struct build *b, struct region_node *new) {
    struct region_node *old = as->map;
    if (b->failed) {
        region_put(new);
        return false;
    }
#ifdef MUTANT_map_relaxed  // "the fence comes later"
    atomic_store_relaxed(&as->map, new);
#else
    atomic_store_release(&as->map, new);  // all of it, and who is busy, before the pointer: pairs with region_look
#endif
    as_retire_map(as, old);
    return true;
}

bool region_replace(struct as *as, u64 lo, u64 hi, const struct region *with) {
    struct build b = {false};
    return publish(as, &b, replaced(&b, as->map, lo, hi, with));
}

// Whether region a goes on in b.
static bool joins(const struct region *a, const struct region *b) {
    if (a->end != b->start || a->prot != b->prot || a->never != b->never ||
        a->shared != b->shared || a->backing != b->backing) {
        return false;
    }
    u64 len = a->end - a->start;
    return !a->backing || (a->file_bytes == len && a->file_off + len == b->file_off);
}

// r and its like on both sides, as far as that lies beside it.
static struct region joined(const struct region_node *map, const struct region *r) {
    const struct region *low = find(map, r->start - 1), *high = find(map, r->end);
    struct region all = *r, part;
    if (low) { part = region_cut(low, low->start, r->start); }
    if (low && joins(&part, &all)) {
        part.end = all.end;
        part.file_bytes += all.file_bytes;
        all = part;
    }
    if (high) { part = region_cut(high, r->end, high->end); }
    if (high && joins(&all, &part)) {
        all.end = part.end;
        all.file_bytes += part.file_bytes;
    }
    return all;
}

bool region_set(struct as *as, const struct region *r) {
    struct region all = joined(as->map, r);
    return region_replace(as, all.start, all.end, &all);
}

bool region_move(struct as *as, u64 lo, u64 hi, const struct region *to) {
    struct build b = {false};
    struct region_node *without = replaced(&b, as->map, lo, hi, NULL), *new = NULL;
    if (!b.failed) {
        struct region all = joined(without, to);
        new = replaced(&b, without, all.start, all.end, &all);
    }
    region_put(without);
    return publish(as, &b, new);
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

const struct region *region_find(struct as *as, u64 va) { return find(as->map, va); }

bool region_look(struct as *as, u64 va, struct region *copy) {
    u64 flags = irq_save();
    const struct region *r = find(atomic_load_acquire(&as->map), va);  // pairs with publish
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
