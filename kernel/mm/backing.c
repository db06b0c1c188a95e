// SPDX-License-Identifier: MIT
// backing.c - see backing.h.
#include "mm/backing.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/cache.h"
#include "mm/refs.h"
#include "sync/ghost.h"
#include "sync/lockrank.h"
#include "sync/refcount.h"

static struct cache shared_cache;

void backing_boot(void) {
    pagecache_boot();
    cache_init(&shared_cache, "shared", sizeof(struct backing));
}

void backing_init(struct backing *b, const struct backing_ops *ops, u64 size) {
    *b = (struct backing){.ops = ops, .refs = 1, .size = size};
}

void backing_get(struct backing *b) {
    if (b && b->ops->free) { refcount_get(&b->refs); }
}

// Both of the cache's references.
static void drop_page(frame_t f) {
    frame_record(f)->cached = false;
    frame_release(f);
    frame_release(f);
}

void backing_put(struct backing *b) {
    if (!b || !b->ops->free || !refcount_put(&b->refs)) { return; }
    pagecache_empty(&b->pages, drop_page);
    b->ops->free(b);
}

// A page for an empty slot, or who was faster's. FRAME_NONE: no memory.
static frame_t add_page(struct backing *b, u64 *slot) {
    bool zeros = !b->ops->read;
    frame_t f = zeros ? frame_alloc_zeroed(FRAME_USER) : frame_alloc(FRAME_USER);
    if (!f) { return FRAME_NONE; }
    frame_get(f);
    frame_record(f)->cached = true;
    frame_record(f)->valid = zeros;
    ghost_text(f);
    frame_t now = pagecache_fill(slot, f);
    if (now != f) { drop_page(f); }
    return now;
}

// => the page's lock
static int read_page(struct backing *b, u64 off, void *page) {
    u64 n = MIN(b->size - off, PAGE_SIZE);
    memset((char *)page + n, 0, PAGE_SIZE - n);
    return b->ops->read(b, off, page, n) == (long)n ? 0 : -EIO;
}

static int make_valid(struct backing *b, u64 index, frame_t f) {
    struct frame *r = frame_record(f);
    int error = 0;
    wordlock_lock(&r->lock, RANK_PAGE);
    if (!r->valid) {
        error = read_page(b, index << PAGE_SHIFT, frame_kva(f));
        ghost_text(f);
#ifdef MUTANT_valid_relaxed  // "the lock is let go later"
        if (!error) { atomic_store_relaxed(&r->valid, 1u); }
#else
        if (!error) { atomic_store_release(&r->valid, 1u); }  // pairs with backing_page
#endif
    }
    wordlock_unlock(&r->lock, RANK_PAGE);
    return error;
}

int backing_page(struct backing *b, u64 index, frame_t *page) {
    if (index >= ALIGN_UP(atomic_load_relaxed(&b->size), PAGE_SIZE) >> PAGE_SHIFT) { return -ENXIO; }
    u64 *slot = pagecache_slot(&b->pages, index);
    if (!slot) { return -ENOMEM; }
    frame_t f = atomic_load_dependent(slot);
    if (!f) { f = add_page(b, slot); }
    if (!f) { return -ENOMEM; }
    *page = f;
    return atomic_load_acquire(&frame_record(f)->valid) ? 0 : make_valid(b, index, f);  // pairs with make_valid
}

// ---- memory that processes share ----

static void free_shared(struct backing *b) { cache_free(&shared_cache, b); }

struct backing *backing_create(u64 size) {
    static const struct backing_ops ops = {.free = free_shared, .kind = "/dev/zero (deleted)"};  // Linux's
    struct backing *b = cache_alloc(&shared_cache);
    if (b) { backing_init(b, &ops, size); }
    return b;
}
