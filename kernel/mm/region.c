// SPDX-License-Identifier: MIT
// region.c - see region.h.
#include "mm/region.h"
#include "lib/print.h"
#include "mm/as.h"
#include "mm/cache.h"

struct region *region_first(struct as *as, u64 va) {
    list_each(it, &as->regions) {
        struct region *r = list_entry(it, struct region, link);
        if (va < r->end) { return r; }
    }
    return NULL;
}

struct region *region_next(struct as *as, struct region *r) {
    return r->link.next == &as->regions ? NULL : list_entry(r->link.next, struct region, link);
}

struct region *region_find(struct as *as, u64 va) {
    struct region *r = as->hint;  // the last one found
    if (likely(r && va >= r->start && va < r->end)) { return r; }
    r = region_first(as, va);
    if (!r || va < r->start) { return NULL; }
    return as->hint = r;
}

struct region *region_add(struct as *as, u64 start, u64 end, u32 prot) {
    ASSERT(start < end && end <= USER_TOP, "[%lx, %lx)", start, end);
    struct region *r = cache_alloc(&region_cache);
    if (!r) { return NULL; }
    *r = (struct region){.start = start, .end = end, .lo = end, .hi = start, .prot = prot};
    struct region *after = region_first(as, start);
    ASSERT(!after || end <= after->start, "[%lx, %lx) overlaps %lx", start, end, after->start);
    list_add_tail(after ? &after->link : &as->regions, &r->link);
    return r;
}

bool region_split(struct as *as, u64 va) {
    struct region *r = region_find(as, va);
    if (!r || r->start == va) { return true; }
    struct region *tail = cache_alloc(&region_cache);
    if (!tail) { return false; }
    *tail = *r;
    u64 head = va - r->start;
    tail->start = va;
    tail->lo = MAX(r->lo, va);
    r->end = va;
    r->hi = MIN(r->hi, va);
    tail->file_off += head;
    tail->file_bytes -= MIN(head, tail->file_bytes);
    r->file_bytes = MIN(head, r->file_bytes);
    list_add(&r->link, &tail->link);
    return true;
}

void region_remove(struct as *as, struct region *r) {
    if (as->hint == r) { as->hint = NULL; }
#ifdef MUTANT_unlink_after_free
    cache_free(&region_cache, r);
    list_del(&r->link);
#else
    list_del(&r->link);
    cache_free(&region_cache, r);
#endif
}

u64 region_gap(struct as *as, u64 len, u64 top) {
    for (struct list *it = as->regions.prev; it != &as->regions; it = it->prev) {
        struct region *r = list_entry(it, struct region, link);
        if (r->start >= top) { continue; }
        if (r->end <= top && top - r->end >= len) { return top - len; }
        top = r->start;
    }
    return top >= len + USER_MIN ? top - len : 0;
}
