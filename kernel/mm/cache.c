// SPDX-License-Identifier: MIT
// cache.c - see cache.h.
//
// Model      Each hart keeps a short private list of loose objects (linked through their first
//            word): no lock, no shared line. When it runs dry a batch comes from the hart's own
//            slabs; when it is long, the older half goes back, each object to the slab of the frame
//            it lies in, under the lock of the hart that owns that frame (frame.home). A frame whose
//            objects are all back is freed.
// Invariants C1 an object is handed out, loose on one hart, or on its frame's list of free objects.
#include "mm/cache.h"
#include "lib/print.h"
#include "mm/kvm.h"
#include "mm/refs.h"

#define LOOSE_MAX 32
#define LOOSE_BATCH 16

struct cache *cache_all;

void cache_init(struct cache *c, const char *name, usize size) {
    c->name = name;
    c->size = ALIGN_UP(size, size >= 64 ? 64 : 16);
    c->per_frame = PAGE_SIZE / c->size;
    ASSERT(c->per_frame >= 1, "%s: %lu bytes", name, size);
    c->hart = boot_alloc(nharts * sizeof(struct cache_hart));
    for (u32 i = 0; i < nharts; i++) {
        spin_init(&c->hart[i].lock, RANK_CACHE);
        list_init(&c->hart[i].slabs);
    }
    c->next = cache_all;
    cache_all = c;
}

static void loose_push(struct cache_hart *ch, void *object) {
    *(void **)object = ch->loose;
    ch->loose = object;
    ch->nloose++;
}

// => there is one
static void *loose_pop(struct cache_hart *ch) {
    void *object = ch->loose;
    ch->loose = *(void **)object;
    ch->nloose--;
    return object;
}

// A new frame, all of its objects loose. false: no memory.
static bool grow(struct cache *c, struct cache_hart *ch) {
    frame_t f = frame_alloc_raw(FRAME_KERNEL);
    if (!f) { return false; }
    struct frame *r = frame_record(f);
    r->objects = NULL;
    r->objects_free = 0;
    r->home = this_hart()->index;
    for (u32 i = 0; i < c->per_frame; i++) {
        loose_push(ch, (char *)frame_kva(f) + i * c->size);
    }
    spin_lock(&ch->lock);
    ch->frames++;
    spin_unlock(&ch->lock);
    return true;
}

static bool refill(struct cache *c, struct cache_hart *ch) {
    spin_lock(&ch->lock);
    while (!list_empty(&ch->slabs) && ch->nloose < LOOSE_BATCH) {
        struct frame *r = list_first(&ch->slabs, struct frame, slab);
        while (r->objects && ch->nloose < LOOSE_BATCH) {
            void *object = r->objects;
            r->objects = *(void **)object;
            r->objects_free--;
            loose_push(ch, object);
        }
        if (!r->objects) { list_del(&r->slab); }
    }
    spin_unlock(&ch->lock);
    return ch->nloose || grow(c, ch);
}

// Back to the slab it came from; the frame goes back, too, when it is whole again.
static void give_back(struct cache *c, void *object) {
    frame_t f = frame_from_kva(object);
    struct frame *r = frame_record(f);
    struct cache_hart *owner = &c->hart[r->home];
    spin_lock(&owner->lock);
    if (!r->objects) { list_add(&owner->slabs, &r->slab); }
    *(void **)object = r->objects;
    r->objects = object;
    bool whole = ++r->objects_free == c->per_frame;
    if (whole) {
        list_del(&r->slab);
        owner->frames--;
    }
    spin_unlock(&owner->lock);
    if (whole) { frame_release(f); }
}

void *cache_alloc(struct cache *c) {
    struct cache_hart *ch = &c->hart[this_hart()->index];
    if (frame_inject_failure() || (!ch->loose && !refill(c, ch))) { return NULL; }
    ch->out++;
    return loose_pop(ch);
}

void cache_free(struct cache *c, void *object) {
    struct cache_hart *ch = &c->hart[this_hart()->index];
    ch->out--;
    loose_push(ch, object);
    if (unlikely(ch->nloose > LOOSE_MAX)) {
        for (u32 i = 0; i < LOOSE_BATCH; i++) { give_back(c, loose_pop(ch)); }
    }
}

u64 cache_frames(void) {
    u64 n = 0;
    for (struct cache *c = cache_all; c; c = c->next) {
        for (u32 i = 0; i < nharts; i++) { n += c->hart[i].frames; }
    }
    return n;
}
