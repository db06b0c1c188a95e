// SPDX-License-Identifier: MIT
// judge.c - what must hold when all harts stand still: the audit's books, and that nothing is left over.
#include "lib/print.h"
#include "mm/audit.h"
#include "mm/cache.h"
#include "mm/freelist.h"
#include "mm/kstack.h"
#include "test/host/host.h"

bool books_balance(struct as *const *spaces, u32 n, u64 held) {
    struct kine_audit a;
    audit_begin(&a);
    for (u32 i = 0; i < n; i++) { audit_address_space(spaces[i], i); }
    audit_end(cache_frames() + kstack_frames() + held);
    if (a.errors) { printf("# audit: %lu errors, the first: %s\n", a.errors, a.first); }
    u64 counted = freelist_count();
    if (counted != a.free) {
        printf("# audit: %lu frames are free, the lists count %lu\n", a.free, counted);
    }
    return !a.errors && counted == a.free;
}

static u64 out_of(const struct cache *c) {
    u64 n = 0;
    for (u32 i = 0; i < nharts; i++) { n += c->hart[i].out; }
    return n;
}

u64 objects_out(void) { return out_of(&as_cache) + out_of(&region_cache); }

u64 counted_cow_copies(void) {
    u64 n = 0;
    for (u32 i = 0; i < nharts; i++) { n += harts[i]->count.cow_copies; }
    return n;
}

u64 counted_cow_flips(void) {
    u64 n = 0;
    for (u32 i = 0; i < nharts; i++) { n += harts[i]->count.cow_flips; }
    return n;
}

struct as *space_with(u64 pages) {
    struct as *as = as_create();
    EXPECT(as_map_fixed(as, BASE, pages * PAGE_SIZE, PROT_READ | PROT_WRITE) == (long)BASE);
    as->brk_start = as->brk = BASE + pages * PAGE_SIZE;
    return as;
}

long map_file(struct as *as, u64 va, u64 pages, u32 prot, struct backing *b, u64 off, u64 bytes) {
    struct region r = {.start = va, .end = va + pages * PAGE_SIZE, .prot = prot, .backing = b, .file_off = off,
                       .file_bytes = bytes};
    return as_map(as, &r, AS_VACANT);
}
