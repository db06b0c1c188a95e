// SPDX-License-Identifier: MIT
// kasan_heap.c - the doors of the allocators: what is handed out may be used, what came back may not,
// and is not handed out again soon. See kasan.h. The linker leads the calls here (--wrap).
//
// Line       of free frames, first in, first out, chained by their records. Nothing: an allocation
//            that finds no frame in the free lists takes the oldest of the line. It fails if that is
//            empty, too, and `moves` has stayed as it was: then no frame went into the line or from
//            it to the lists meanwhile, so at the moment when the line was seen empty so were they.
// Ring       of freed objects: each one drives out the one that stands in its place.
// Locking    a raw lock for each, inside of which only the free lists' locks are taken.
#include "lib/print.h"
#include "mm/cache.h"
#include "mm/freelist.h"
#include "mm/kvm.h"
#include "mm/refs.h"
#include "riscv/hart.h"
#include "riscv/stack.h"
#include "sync/kasan.h"

#define REDZONE 16
#define RING 256
#define CACHES 16

static struct kasan_owner *owners;  // [frame_count]
static u32 line_lock, ring_lock;
static frame_t oldest, newest;
static u32 in_line;  // (m: freelist_count looks without the lock)
static u64 moves;  // (a)
static struct {
    struct cache *cache;
    void *slot;
} ring[RING];
static u32 ring_at;
static struct {
    struct cache *cache;
    usize bytes;
} sizes[CACHES];

static always_inline void stack_note(struct kasan_stack *s) {
    stack_take(s->pc, KASAN_DEPTH, (u64)__builtin_frame_address(0));
}

static void raw_lock(u32 *lock) {
    while (atomic_swap_acquire(lock, 1u)) { cpu_pause(); }
}

static void raw_unlock(u32 *lock) { atomic_store_release(lock, 0u); }

struct kasan_owner *kasan_owner_of(u64 va) {
    u64 f = frame_from_kva((void *)va);
    return owners && va < KSTACK_BASE && f < frame_count ? &owners[f] : NULL;
}

// ---- frames ----

frame_t __real_freelist_take(void);
void __real_freelist_give(frame_t f);
u64 __real_freelist_count(void);
void __real_freelist_each(void (*visit)(frame_t f), void (*range)(frame_t first, frame_t end));
void __real_freelist_add_virgin(frame_t first, frame_t end);
void __real_frame_free(frame_t f);
void __real_frame_free_zeroed(frame_t f);

// => line_lock
static frame_t line_leave(void) {
    frame_t f = oldest;
    if (f) {
        oldest = frame_record(f)->next;
        in_line--;
    }
    return f;
}

static void line_join(frame_t f) {
    raw_lock(&line_lock);
    frame_record(f)->next = FRAME_NONE;
    if (oldest) {
        frame_record(newest)->next = f;
    } else {
        oldest = f;
    }
    newest = f;
    if (in_line++ == frame_count / 32) { __real_freelist_give(line_leave()); }
    atomic_add_release(&moves, 1ul);
    raw_unlock(&line_lock);
}

static frame_t take_from_both(void) {
    frame_t f;
    u64 before;
    do {
        before = atomic_load_acquire(&moves);
        f = __real_freelist_take();
        if (!f) {
            raw_lock(&line_lock);
            f = line_leave();
            raw_unlock(&line_lock);
        }
    } while (!f && atomic_load_acquire(&moves) != before);
    return f;
}

frame_t __wrap_freelist_take(void) {
    frame_t f = take_from_both();
    if (f) {
        owners[f].cache = NULL;
        stack_note(&owners[f].allocated);
        kasan_allow(frame_kva(f), PAGE_SIZE);
    }
    return f;
}

static always_inline void free_frame(frame_t f, void (*real)(frame_t f)) {
    const u8 *s = kasan_shadow((u64)frame_kva(f));
    if (s && *s == FRAME_IS_FREE) { kasan_report_free("double free", frame_kva(f)); }
    stack_note(&owners[f].freed);
    real(f);
}

void __wrap_frame_free(frame_t f) { free_frame(f, __real_frame_free); }

// The line forgets that it holds zeros; whoever promised them is held to it here.
void __wrap_frame_free_zeroed(frame_t f) {
    const u64 *p = frame_kva(f);
    for (u32 i = 0; i < PAGE_SIZE / 8; i++) {
        ASSERT(p[i] == 0, "frame %u is freed as zeroed, and word %u is %lx", f, i, p[i]);
    }
    free_frame(f, __real_frame_free_zeroed);
}

void __wrap_freelist_give(frame_t f) {
    kasan_poison(frame_kva(f), PAGE_SIZE, FRAME_IS_FREE);
    line_join(f);
}

void __wrap_freelist_give_zeroed(frame_t f) { __wrap_freelist_give(f); }

u64 __wrap_freelist_count(void) { return __real_freelist_count() + read_once(in_line); }

void __wrap_freelist_each(void (*visit)(frame_t f), void (*range)(frame_t first, frame_t end)) {
    __real_freelist_each(visit, range);
    for (frame_t f = oldest; f; f = frame_record(f)->next) { visit(f); }
}

void __wrap_freelist_add_virgin(frame_t first, frame_t end) {
    kasan_poison(frame_kva(first), (u64)(end - first) * PAGE_SIZE, FRAME_IS_FREE);
    __real_freelist_add_virgin(first, end);
}

// ---- objects ----

void __real_cache_init(struct cache *c, const char *name, usize size);
void *__real_cache_alloc(struct cache *c);
void __real_cache_free(struct cache *c, void *slot);

static usize bytes_of(struct cache *c) {
    u32 i = 0;
    while (sizes[i].cache != c) { i++; }
    return sizes[i].bytes;
}

struct kasan_header *kasan_header_of(u64 va, usize *bytes) {
    struct kasan_owner *o = kasan_owner_of(va);
    if (!o || !o->cache || va % PAGE_SIZE / o->cache->size >= o->cache->per_frame) {
        return NULL;
    }
    *bytes = bytes_of(o->cache);
    return (void *)(va - va % PAGE_SIZE % o->cache->size);
}

void __wrap_cache_init(struct cache *c, const char *name, usize bytes) {
    u32 i = 0;
    while (sizes[i].cache) { ASSERT(++i < CACHES, "kasan: more caches than %u", CACHES); }
    sizes[i].cache = c;
    sizes[i].bytes = bytes;
    __real_cache_init(c, name, sizeof(struct kasan_header) + bytes + REDZONE);
}

// One of c's that waits in the ring, when there is no memory for another.
static void *ring_leave(struct cache *c) {
    void *slot = NULL;
    raw_lock(&ring_lock);
    for (u32 i = 0; i < RING && !slot; i++) {
        if (ring[i].cache == c) {
            slot = ring[i].slot;
            ring[i].cache = NULL;
        }
    }
    raw_unlock(&ring_lock);
    return slot;
}

static void ring_join(struct cache *c, void *slot) {
    raw_lock(&ring_lock);
    u32 at = ring_at++ % RING;
    struct cache *old_cache = ring[at].cache;
    void *old_slot = ring[at].slot;
    ring[at].cache = c;
    ring[at].slot = slot;
    raw_unlock(&ring_lock);
    if (old_cache) { __real_cache_free(old_cache, old_slot); }
}

void *__wrap_cache_alloc(struct cache *c) {
    struct kasan_header *h = __real_cache_alloc(c);
    struct inject *in = this_hart()->inject;
    if (!h && in->seen != in->fail_at) { h = ring_leave(c); }
    if (!h) { return NULL; }
    struct kasan_owner *o = kasan_owner_of((u64)h);
    if (o->cache != c) {  // the first of a new frame, of which nobody else has seen anything yet
        kasan_poison((void *)ALIGN_DOWN((u64)h, PAGE_SIZE), PAGE_SIZE, OBJECT_IS_FREE);
        o->cache = c;
    }
    stack_note(&h->allocated);
    kasan_poison(h, c->size, OBJECT_REDZONE);
    kasan_allow(h + 1, bytes_of(c));
    return h + 1;
}

static const char *wrong_free(struct cache *c, void *object) {
    struct kasan_owner *o = kasan_owner_of((u64)object);
    const u8 *s = kasan_shadow((u64)object);
    if (!o || !o->cache || *s == FRAME_IS_FREE) { return "free of what is no object"; }
    if ((u64)object % PAGE_SIZE % o->cache->size != sizeof(struct kasan_header)) {
        return "free of an interior pointer";
    }
    if (*s == OBJECT_IS_FREE) { return "double free"; }
    return o->cache != c ? "free to the wrong cache" : NULL;
}

void __wrap_cache_free(struct cache *c, void *object) {
    const char *wrong = wrong_free(c, object);
    if (wrong) { kasan_report_free(wrong, object); }
    struct kasan_header *h = (struct kasan_header *)object - 1;
    stack_note(&h->freed);
    kasan_poison(object, ALIGN_UP(bytes_of(c), 8), OBJECT_IS_FREE);
    ring_join(c, h);
}

// ---- boot ----

void *__real_boot_alloc(usize bytes);

void *__wrap_boot_alloc(usize bytes) {
    usize all = ALIGN_UP(bytes + CACHE_LINE, CACHE_LINE);
    void *p = __real_boot_alloc(all);
    kasan_poison(p, all, BOOT_REDZONE);
    kasan_allow(p, bytes);
    return p;
}

extern void (*const __init_array_start[])(void), (*const __init_array_end[])(void);

void kasan_boot(void) {
    for (void (*const *register_globals)(void) = __init_array_start;
         register_globals < __init_array_end; register_globals++) {
        (*register_globals)();
    }
    owners = __wrap_boot_alloc(frame_count * sizeof(*owners));
    kasan_poison(frame_kva(FRAME_NONE), PAGE_SIZE, NOBODYS);
    kasan_begin();
}
