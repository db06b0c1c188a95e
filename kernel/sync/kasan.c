// SPDX-License-Identifier: MIT
// kasan.c - the shadow, and what `gcc -fsanitize=kernel-address` calls before each access. See kasan.h.
//
// Shadow     one piece for all physical addresses from the lowest to the highest byte of memory, cut
//            off the end of the largest range. The image's addresses and the direct map's share it.
//            QEMU's memory is zero at power-on, and so is the shadow.
#include "sync/kasan.h"
#include "config.h"
#include "mm/frame.h"
#include "mm/kvm.h"

#define GRANULE 8

static bool on;
static u64 low, span;  // physical; span is 0 until there is a shadow
static u8 *shadow;

void kasan_reserve(struct mem_range *usable, u32 n) {
    struct mem_range *largest = usable;
    u64 high = 0;
    low = IMAGE_PHYS;
    for (u32 i = 0; i < n; i++) {
        struct mem_range *r = &usable[i];
        low = MIN(low, r->base);
        high = MAX(high, r->end);
        largest = r->end - r->base > largest->end - largest->base ? r : largest;
    }
    largest->end = ALIGN_DOWN(largest->end - (high - low) / GRANULE, PAGE_SIZE);
    shadow = pa_to_kva(largest->end);
    span = high - low;
}

void kasan_begin(void) { on = true; }

void kasan_stop(void) { on = false; }

u8 *kasan_shadow(u64 va) {
    u64 offset = (va >= IMAGE_BASE ? va - IMAGE_BASE + IMAGE_PHYS : va - DIRECT_BASE) - low;
    return offset < span ? shadow + offset / GRANULE : NULL;
}

void kasan_poison(const void *p, usize bytes, enum kasan_why why) {
    u8 *s = kasan_shadow((u64)p);
    for (usize i = 0; s && i < bytes / GRANULE; i++) { s[i] = why; }
}

void kasan_allow(const void *p, usize bytes) {
    u8 *s = kasan_shadow((u64)p);
    for (; s && bytes >= GRANULE; bytes -= GRANULE) { *s++ = 0; }
    if (s && bytes) { *s = bytes; }
}

// The first byte of [va, end) that may not be used, or `end`.
static u64 first_bad(u64 va, u64 end) {
    for (u64 granule = ALIGN_DOWN(va, (u64)GRANULE); granule < end; granule += GRANULE) {
        u8 *s = kasan_shadow(granule);
        u64 good = granule + (!s || !*s ? GRANULE : *s < GRANULE ? *s : 0);
        if (good < MIN(granule + GRANULE, end)) { return MAX(va, good); }
    }
    return end;
}

static noinline void look_closely(u64 va, usize bytes, bool write) {
    if (on && bytes) {
        u64 end = va + bytes, bad = va < DIRECT_BASE || end < va ? va : first_bad(va, end);
        if (bad != end) { kasan_report_access(va, bad, bytes, write); }
    }
}

void kasan_check(u64 va, usize bytes, bool write) { look_closely(va, bytes, write); }

#define SIZED(bytes, name, write)                                                                  \
    void __asan_##name##bytes##_noabort(u64 va) {                                                  \
        const u8 *s = kasan_shadow(va);                                                            \
        if (unlikely(!s || *s || va % GRANULE + bytes > GRANULE)) {                                \
            look_closely(va, bytes, write);                                                        \
        }                                                                                          \
    }
#define LOAD_STORE(bytes)                                                                          \
    SIZED(bytes, load, false)                                                                      \
    SIZED(bytes, store, true)
LOAD_STORE(1)
LOAD_STORE(2)
LOAD_STORE(4)
LOAD_STORE(8)
LOAD_STORE(16)

void __asan_loadN_noabort(u64 va, usize bytes) { look_closely(va, bytes, false); }
void __asan_storeN_noabort(u64 va, usize bytes) { look_closely(va, bytes, true); }
void __asan_handle_no_return(void) {}

// ---- functions that move memory ----

void *__real_memcpy(void *d, const void *s, usize n);
void *__real_memset(void *d, int c, usize n);
void __real_page_zero(void *page);
void __real_page_copy(void *restrict d, const void *restrict s);
int __real_uaccess_copy(void *d, const void *s, usize n);

void *__wrap_memcpy(void *d, const void *s, usize n) {
    kasan_check((u64)s, n, false);
    kasan_check((u64)d, n, true);
    return __real_memcpy(d, s, n);
}

void *__wrap_memset(void *d, int c, usize n) {
    kasan_check((u64)d, n, true);
    return __real_memset(d, c, n);
}

void __wrap_page_zero(void *page) {
    kasan_check((u64)page, PAGE_SIZE, true);
    __real_page_zero(page);
}

void __wrap_page_copy(void *restrict d, const void *restrict s) {
    kasan_check((u64)s, PAGE_SIZE, false);
    kasan_check((u64)d, PAGE_SIZE, true);
    __real_page_copy(d, s);
}

// One of the two is the user's: that one is the page tables' to check.
int __wrap_uaccess_copy(void *d, const void *s, usize n) {
    bool to_user = (u64)d < USER_TOP;
    kasan_check((u64)(to_user ? s : d), n, !to_user);
    return __real_uaccess_copy(d, s, n);
}

// ---- globals ----

struct global {
    const char *at;
    u64 bytes, with_redzone;
    const char *name, *module;
    u64 dynamic;
    const void *location;
    u64 odr;
};

void __asan_register_globals(const struct global *g, u64 n) {
    for (; n; n--, g++) {
        kasan_poison(g->at, g->with_redzone, GLOBAL_REDZONE);
        kasan_allow(g->at, g->bytes);
    }
}

void __asan_unregister_globals(const struct global *g, u64 n) { (void)g, (void)n; }
