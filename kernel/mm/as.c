// SPDX-License-Identifier: MIT
// as.c - life of an address space, and the calls that change its regions. See as.h.
#include "mm/as.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/cache.h"
#include "mm/kvm.h"
#include "mm/pagetable.h"
#include "riscv/hart.h"

struct cache as_cache, region_cache;

void as_init(void) {
    cache_init(&as_cache, "as", sizeof(struct as));
    cache_init(&region_cache, "region", sizeof(struct region));
}

struct as *as_create(void) {
    struct as *as = cache_alloc(&as_cache);
    if (!as) { return NULL; }
    *as = (struct as){.root = pt_alloc(), .users = 1};
    if (!as->root) {
        cache_free(&as_cache, as);
#ifdef MUTANT_freed_twice  // by whoever notices, and by the exit of all errors
        cache_free(&as_cache, as);
#endif
        return NULL;
    }
    mutex_init(&as->lock, RANK_AS);
    list_init(&as->regions);
    as->table = frame_kva(as->root);
    ghost_root(as->root);
    kvm_copy_root(as->table);
    return as;
}

void as_destroy(struct as *as) {
#ifdef MUTANT_destroy_asks_itself  // "I was the last one in it"
    ASSERT(!(as->harts >> this_hart()->index & 1), "harts %lx (S3)", as->harts);
#else
    ASSERT(atomic_load_acquire(&as->harts) == 0, "harts %lx (S3)", as->harts);
#endif
    while (!list_empty(&as->regions)) {
        struct region *r = list_first(&as->regions, struct region, link);
        if (r->lo < r->hi) {
#ifdef MUTANT_W10  // as many pages, from the wrong one on
            pt_clear(as, r->start, r->start + (r->hi - r->lo), true);
#else
            pt_clear(as, r->lo, r->hi, true);
#endif
        }
        region_remove(as, r);
    }
    ASSERT(as->rss == 0, "rss %lu after the last region", as->rss);
    kvm_clear_root(as->table);
#ifdef MUTANT_use_after_destroy
    cache_free(&as_cache, as);
    pt_free(as->root);
#else
    pt_free(as->root);
    cache_free(&as_cache, as);
#endif
}

void as_get(struct as *as) { atomic_add_relaxed(&as->users, 1u); }

// A hart has a space in satp only while it runs a thread that uses it, so each user's harts have left
// before its put: a thread is queued elsewhere after its hart has switched (sched.c, finish).
void as_put(struct as *as) {
#ifdef MUTANT_as_put_relaxed  // "only a number"
    if (atomic_sub_relaxed(&as->users, 1u) != 1) { return; }
#else
    if (atomic_sub_release(&as->users, 1u) != 1) { return; }  // pairs with the fence of the last one
#endif
    atomic_fence_acquire();
    as_destroy(as);
}

// The new space's bit is set before its root is in satp, the old one's cleared after its last
// translation is gone; the full fence pairs with the one in tlb_shootdown.
void as_switch(struct as *as) {
    struct hart *h = this_hart();
    struct as *old = h->active_as;
    if (old == as) { return; }
    u64 bit = 1ul << h->index;
    if (as) {
        atomic_or_relaxed(&as->harts, bit);
#ifndef MUTANT_enter_unfenced  // "satp comes later anyway"
        atomic_fence_full();
#endif
    }
    u64 root = as ? frame_pa(as->root) : kvm_root_pa;
    ghost_satp(frame_from_pa(root), csr_write(satp, SATP_SV39 | root >> PAGE_SHIFT));
    h->active_as = as;
    COUNT(full_fences);
#ifndef MUTANT_switch_unfenced
    sfence_space();
#endif
#ifndef MUTANT_switch_without_fence_i
    fence_i();  // text may have been filled in by another hart
#endif
    if (old) {
#ifdef MUTANT_leave_relaxed  // "sfence.vma has fenced"
        atomic_and_relaxed(&old->harts, ~bit);
#else
        atomic_and_release(&old->harts, ~bit);  // pairs with as_destroy, tlb_shootdown
#endif
    }
}

static bool range_ok(u64 start, u64 len) {
    return len && !(start & (PAGE_SIZE - 1)) && !(len & (PAGE_SIZE - 1)) && start >= USER_MIN &&
           start < USER_STACK_TOP && len <= USER_STACK_TOP - start;
}

static bool range_free(struct as *as, u64 start, u64 end) {
    struct region *r = region_first(as, start);
    return !r || r->start >= end;
}

// => lock held
static long unmap_locked(struct as *as, u64 start, u64 end) {
    if (!region_split(as, start) || !region_split(as, end)) { return -ENOMEM; }
    for (struct region *r = region_first(as, start), *next; r && r->start < end; r = next) {
        next = region_next(as, r);
        if (r->lo < r->hi) { pt_clear(as, r->lo, r->hi, false); }
        region_remove(as, r);
    }
    return 0;
}

// Anonymous memory that touches a region alike on its upper or lower side joins it.
// => there is nothing in [start, end)
static bool merge(struct as *as, u64 start, u64 end, u32 prot) {
    struct region *below = region_find(as, start - 1), *above = region_find(as, end);
    if (above && above->prot == prot && !above->backing) {
        above->start = start;
        return true;
    }
    if (below && below->prot == prot && !below->backing) {
        below->end = end;
        return true;
    }
    return false;
}

static long map_locked(struct as *as, u64 start, u64 len, u32 prot) {
    if (merge(as, start, start + len, prot)) { return 0; }
    return region_add(as, start, start + len, prot) ? 0 : -ENOMEM;
}

long as_map(struct as *as, u64 start, u64 len, u32 prot, struct backing *b, u64 off, u64 bytes) {
    if (!range_ok(start, len)) { return start & (PAGE_SIZE - 1) ? -EINVAL : -ENOMEM; }
    long result = -EEXIST;
    mutex_lock(&as->lock);
    if (range_free(as, start, start + len)) {
        struct region *r = region_add(as, start, start + len, prot);
        result = r ? 0 : -ENOMEM;
        if (r) {
            r->backing = b;
            r->file_off = off;
            r->file_bytes = bytes;
        }
    }
    mutex_unlock(&as->lock);
    return result;
}

long as_map_anywhere(struct as *as, u64 hint, u64 len, u32 prot) {
    if (!len || len > USER_TOP) { return len ? -ENOMEM : -EINVAL; }
    mutex_lock(&as->lock);
    u64 start = ALIGN_DOWN(hint, PAGE_SIZE);
    if (!start || !range_ok(start, len) || !range_free(as, start, start + len)) {
        start = region_gap(as, len, USER_MMAP_TOP);
    }
    long result = start ? map_locked(as, start, len, prot) : -ENOMEM;
    mutex_unlock(&as->lock);
    return result ? result : (long)start;
}

long as_map_fixed(struct as *as, u64 start, u64 len, u32 prot) {
    if (!range_ok(start, len)) { return start & (PAGE_SIZE - 1) ? -EINVAL : -ENOMEM; }
    mutex_lock(&as->lock);
    long result = unmap_locked(as, start, start + len);
    if (!result) { result = map_locked(as, start, len, prot); }
    mutex_unlock(&as->lock);
    return result ? result : (long)start;
}

long as_unmap(struct as *as, u64 start, u64 len) {
    len = ALIGN_UP(len, PAGE_SIZE);
    if (!len || start & (PAGE_SIZE - 1) || start >= USER_TOP || len > USER_TOP - start) {
        return -EINVAL;
    }
    mutex_lock(&as->lock);
    long result = unmap_locked(as, start, start + len);
    mutex_unlock(&as->lock);
    return result;
}

u64 as_brk(struct as *as, u64 want) {
    mutex_lock(&as->lock);
    u64 old_end = ALIGN_UP(as->brk, PAGE_SIZE), end = ALIGN_UP(want, PAGE_SIZE);
    bool ok = want >= as->brk_start && want < USER_MMAP_TOP;
    if (ok && end > old_end) {
        ok = range_free(as, old_end, end) &&
             map_locked(as, old_end, end - old_end, PROT_READ | PROT_WRITE) == 0;
    } else if (ok && end < old_end) {
        ok = unmap_locked(as, end, old_end) == 0;
    }
    if (ok) { as->brk = want; }
    u64 result = as->brk;
    mutex_unlock(&as->lock);
    return result;
}
