// SPDX-License-Identifier: MIT
// as.c - life of an address space, and the calls that change its regions. See as.h.
#include "mm/as.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/backing.h"
#include "mm/cache.h"
#include "mm/kvm.h"
#include "mm/pagetable.h"
#include "mm/tlb.h"
#include "mm/unmap.h"
#include "riscv/hart.h"
#include "sync/point.h"
#include "sync/refcount.h"

struct cache as_cache, region_cache;

static struct population {
    struct spin lock;
    struct list spaces;
    u32 n;  // (m: as_population looks)
} cacheline_aligned populations[HART_MAX];

void as_init(void) {
    cache_init(&as_cache, "as", sizeof(struct as));
    cache_init(&region_cache, "region", sizeof(struct region_node));
    backing_boot();
    for (u32 i = 0; i < nharts; i++) {
        spin_init(&populations[i].lock, RANK_SPACES);
        list_init(&populations[i].spaces);
    }
}

// ---- who there is ----

static void enlist(struct as *as) {
    as->home = this_hart()->index;
    struct population *p = &populations[as->home];
    spin_lock(&p->lock);
    list_add_tail(&p->spaces, &as->link);
    write_once(p->n, p->n + 1);
    spin_unlock(&p->lock);
}

static void strike_off(struct as *as) {
    if (as->home == AS_HOMELESS) { return; }
    struct population *p = &populations[as->home];
    spin_lock(&p->lock);
    list_del(&as->link);
    write_once(p->n, p->n - 1);
    spin_unlock(&p->lock);
}

u32 as_population(u32 h) { return read_once(populations[h].n); }

struct as *as_pick(u32 h) {
    struct population *p = &populations[h];
    struct as *found = NULL;
    spin_lock(&p->lock);
    list_each(it, &p->spaces) {
        struct as *as = list_entry(it, struct as, link);
        if (refcount_get_unless_zero(&as->users)) {  // else it is about to be struck off
            found = as;
            list_del(&as->link);
            list_add_tail(&p->spaces, &as->link);
            break;
        }
    }
    spin_unlock(&p->lock);
    return found;
}

void as_each(void (*fn)(struct as *, void *), void *arg) {
    for (u32 i = 0; i < nharts; i++) {
        list_each(it, &populations[i].spaces) { fn(list_entry(it, struct as, link), arg); }
    }
}

// ---- life ----

static u64 new_id(struct hart *h) { return ++h->spaces * HART_MAX + h->index; }

struct as *as_create(void) {
    struct as *as = cache_alloc(&as_cache);
    if (!as) { return NULL; }
    *as = (struct as){.root = pt_alloc(PT_LEVELS - 1), .users = 1, .home = AS_HOMELESS,
                       .id = new_id(this_hart())};
    if (!as->root) {
        cache_free(&as_cache, as);
#ifdef MUTANT_freed_twice  // by whoever notices, and by the exit of all errors
        cache_free(&as_cache, as);
#endif
        return NULL;
    }
    mutex_init(&as->lock, RANK_AS);
    as->table = pt_entries(as->root);
    ghost_root(as->root);
    kvm_copy_root(as->table);
    pt_detach(as->root);
#ifdef MUTANT_enlisted_early  // "it is a space, is it not"
    enlist(as);
#endif
    return as;
}

void as_adopt(struct as *as) {
    pt_attach(as->root);
#ifndef MUTANT_enlisted_early
    enlist(as);
#endif
}

void as_destroy(struct as *as) {
#ifdef MUTANT_destroy_asks_itself  // "I was the last one in it"
    ASSERT(!(as->harts >> this_hart()->index & 1), "harts %lx (S3)", as->harts);
#else
    ASSERT(atomic_load_acquire(&as->harts) == 0, "harts %lx (S3)", as->harts);
#endif
    strike_off(as);
    pt_detach(as->root);
    pt_empty_root(as->root);
    as_forget_maps(as);
    region_put(as->map);
    kvm_clear_root(as->table);
#ifdef MUTANT_use_after_destroy
    cache_free(&as_cache, as);
    pt_free(as->root);
#else
    pt_free(as->root);
    cache_free(&as_cache, as);
#endif
}

void as_forget_maps(struct as *as) {
    while (as->nold_maps) { region_put(as->old_maps[--as->nold_maps]); }
}

// A hart that looks at the map has interrupts off. So once every hart of the space has taken an interrupt, nobody
// looks at the versions that came before. => as->lock
static void await_readers(struct as *as) {
    if (as->nold_maps) { tlb_sync(as); }
    as_forget_maps(as);
}

void as_retire_map(struct as *as, struct region_node *old) {
    as->old_maps[as->nold_maps++] = old;
    if (as->nold_maps == ARRAY_LEN(as->old_maps) || !tlb_others(as)) { await_readers(as); }
}

void as_get(struct as *as) { refcount_get(&as->users); }

// A hart has a space in satp only while it runs a thread that uses it, so each user's harts have left
// before its put: a thread is queued elsewhere after its hart has switched (sched.c, finish).
void as_put(struct as *as) {
    if (refcount_put(&as->users)) { as_destroy(as); }
}

static bool range_ok(u64 start, u64 len) {
    return len && !(start & (PAGE_SIZE - 1)) && !(len & (PAGE_SIZE - 1)) && start >= USER_MIN &&
           start < USER_LIMIT && len <= USER_LIMIT - start;
}

static bool range_free(struct as *as, u64 start, u64 end) {
    const struct region *r = region_first(as, start);
    return !r || r->start >= end;
}

// Whether it shows something that goes with whoever refers to it last.
static bool shows_mortal(struct as *as, u64 start, u64 end) {
    bool mortal = false;
    for (const struct region *r = region_first(as, start); r && r->start < end; r = region_first(as, r->end)) {
        mortal |= r->backing && r->backing->ops->free;
    }
    return mortal;
}

// Let [start, end) hold `with`, or nothing, instead of what is there. What entries borrow from stays until they are
// gone (backing.h, B2). => lock held
static long replace(struct as *as, u64 start, u64 end, const struct region *with) {
    u64 lo = start, hi = end;
    bool mortal = shows_mortal(as, start, end);
    if (unmap_prepare(as, &lo, &hi)) { return -ENOMEM; }
#ifdef MUTANT_map_late  // "first the pages, then the map"
    unmap_range(as, lo, hi);
    RACE_POINT("unmap.done");
    return (with ? region_set(as, with) : region_replace(as, start, end, NULL)) ? 0 : -ENOMEM;
#endif
#ifndef MUTANT_over_at_once  // "the tables are locked"
    if (with) { as_busy(as, start, end); }
#endif
    struct region_node *was = region_get(as->map);
    bool done = with ? region_set(as, with) : region_replace(as, start, end, NULL);
    RACE_POINT("map.over");
    if (done) { unmap_range(as, lo, hi); }
    RACE_POINT("unmap.done");
    region_put(was);
    as_idle(as);
    if (mortal) { await_readers(as); }  // old versions of the map refer to it
    return done ? 0 : -ENOMEM;
}

long as_unmap_locked(struct as *as, u64 start, u64 end) { return replace(as, start, end, NULL); }

// The error of a range that cannot be mapped, or 0.
static long refuse(u64 start, u64 len) {
    return range_ok(start, len) ? 0 : start & (PAGE_SIZE - 1) ? -EINVAL : -ENOMEM;
}

// Where the region is to begin, or -errno. => lock held
static long find_place(struct as *as, const struct region *r, enum as_where where) {
    u64 len = r->end - r->start;
    long error = refuse(r->start, len);
    bool vacant = !error && range_free(as, r->start, r->end);
    if (where == AS_HINT && !(r->start && vacant)) {
        u64 at = region_gap(as, len, USER_LIMIT);
        return at ? (long)at : -ENOMEM;
    }
    return error ? error : vacant || where == AS_OVER ? (long)r->start : -EEXIST;
}

long as_map(struct as *as, const struct region *r, enum as_where where) {
    struct region placed = *r;
    if (r->end == r->start) { return -EINVAL; }
    mutex_lock(&as->lock);
    long at = find_place(as, r, where);
    if (at >= 0) {
        placed.start = at;
        placed.end = at + (r->end - r->start);
        bool over = where == AS_OVER && !range_free(as, placed.start, placed.end);
        if (over ? replace(as, placed.start, placed.end, &placed) : !region_set(as, &placed)) { at = -ENOMEM; }
    }
    mutex_unlock(&as->lock);
    return at;
}

long as_unmap(struct as *as, u64 start, u64 len) {
    len = ALIGN_UP(len, PAGE_SIZE);
    if (!len || start & (PAGE_SIZE - 1) || start >= USER_TOP || len > USER_TOP - start) {
        return -EINVAL;
    }
    mutex_lock(&as->lock);
    long result = as_unmap_locked(as, start, start + len);
    mutex_unlock(&as->lock);
    return result;
}

// Of what is mapped in the range; -ENOMEM says that not all was, as well as that there was no memory.
long as_discard(struct as *as, u64 start, u64 len, bool own) {
    u64 end = start + len;
    long result = 0;
    mutex_lock(&as->lock);
    for (u64 next; start < end; start = next) {
        const struct region *r = region_first(as, start);
        next = r ? MIN(r->end, end) : end;
        if (!r || r->start > start) { result = -ENOMEM; }
        u64 from = r ? MAX(start, r->start) : end;
        if (from >= next) { continue; }
        if (own && r->backing && (r->shared || from - r->start < r->file_bytes)) {
            result = -EINVAL;
            break;
        }
        if (unmap_own(as, from, next)) {
            result = -ENOMEM;
            break;
        }
        unmap_range(as, from, next);
    }
    mutex_unlock(&as->lock);
    return result;
}

static u64 pages_below(frame_t table, int level) {
    const pte_t *entries = pt_entries(table);
    pt_lock(table, level);
    u64 pages = level ? 0 : frame_record(table)->live;
    for (u32 i = 0; level && (i = pt_next(table, i)) < PT_ENTRIES; i++) {
        pages += pages_below(frame_of_pte(entries[i]), level - 1);
    }
    pt_unlock(table, level);
    return pages;
}

u64 as_pages(struct as *as) { return pages_below(as->root, PT_LEVELS - 1); }

u64 as_brk(struct as *as, u64 want) {
    mutex_lock(&as->lock);
    u64 old_end = ALIGN_UP(as->brk, PAGE_SIZE), end = ALIGN_UP(want, PAGE_SIZE);
    bool ok = want >= as->brk_start && want < USER_LIMIT;
    if (ok && end > old_end) {
        struct region more = {.start = old_end, .end = end, .prot = PROT_READ | PROT_WRITE};
        ok = range_free(as, old_end, end) && region_set(as, &more);
    } else if (ok && end < old_end) {
        ok = as_unmap_locked(as, end, old_end) == 0;
    }
    if (ok) { as->brk = want; }
    u64 result = as->brk;
    mutex_unlock(&as->lock);
    return result;
}
