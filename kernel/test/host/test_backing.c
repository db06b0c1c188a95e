// SPDX-License-Identifier: MIT
// test_backing.c - files' pages in memory: one frame for each, whoever is first, and none left at the end.
#include "lib/errno.h"
#include "mm/backing.h"
#include "mm/freelist.h"
#include "mm/refs.h"
#include "test/host/host.h"

static struct backing *shared;
static frame_t seen[HARTS], inner;

static frame_t page(struct backing *b, u64 index) {
    frame_t f = FRAME_NONE;
    EXPECT(backing_page(b, index, &f) == 0);
    return f;
}

TEST(pages_are_found_again_however_far) {
    static const u64 far[] = {0, 1, 63, 64, 4095, 4096, 1 << 18, (1 << 18) + 1, 1ul << 27};
    frame_t f[ARRAY_LEN(far)];
    struct backing *b = backing_create((far[ARRAY_LEN(far) - 1] + 1) * PAGE_SIZE);
    for (u32 i = ARRAY_LEN(far); i-- > 0;) { f[i] = page(b, far[i]); }
    for (u32 i = 0; i < ARRAY_LEN(far); i++) {
        EXPECT(page(b, far[i]) == f[i] && frame_refs(f[i]) == 2);
        for (u32 j = 0; j < i; j++) { EXPECT(f[j] != f[i]); }
    }
    EXPECT(backing_page(b, far[ARRAY_LEN(far) - 1] + 1, &f[0]) == -ENXIO);
    backing_put(b);
}

static void make_inside(void) { inner = page(shared, 70); }

// Somebody makes the same page while we are about to put ours into the slot, or a node above it.
TEST(who_is_late_takes_the_other_ones_page) {
    static const char *const points[] = {"pages.fill", "pages.hang"};
    for (u32 i = 0; i < ARRAY_LEN(points); i++) {
        shared = backing_create(100 * PAGE_SIZE);
        inner = FRAME_NONE;
        u64 free = freelist_count();
        at_point(points[i], make_inside);
        frame_t f = page(shared, 70);
#ifdef CHECK
        EXPECT(inner == f);
#endif
        EXPECT(frame_refs(f) == 2 && frame_record(f)->cached && free - freelist_count() <= 3);
        backing_put(shared);
    }
}

static void all_pages(void *unused) {
    (void)unused;
    rendezvous(HARTS);
    for (u32 i = 0; i < 200; i++) {
        frame_t f = page(shared, i);
        atomic_add_relaxed((u32 *)frame_kva(f), 1u);
        if (i == 199) { seen[this_hart()->index] = f; }
    }
}

TEST(harts_that_make_the_same_pages_get_the_same) {
    for (u32 round = 0; round < 20; round++) {
        shared = backing_create(200 * PAGE_SIZE);
        on_harts(HARTS, all_pages, NULL);
        for (u32 i = 0; i < HARTS; i++) { EXPECT(seen[i] == seen[0]); }
        for (u32 i = 0; i < 200; i++) { EXPECT(*(u32 *)frame_kva(page(shared, i)) == HARTS); }
        backing_put(shared);
    }
}

TEST(no_memory_for_a_page_changes_nothing) {
    shared = backing_create(1ul << 30);
    frame_t f;
    u32 n = 1;
    for (;; n++) {
        fail_allocation(n);
        int error = backing_page(shared, 5000, &f);
        fail_allocation(0);
        if (!error) { break; }
        EXPECT(error == -ENOMEM);
    }
    EXPECT(n >= 2 && page(shared, 5000) == f);
    backing_put(shared);
}

static void keep(frame_t f) { (void)f; }

static int unreadable;

static long sometimes(struct backing *b, u64 off, void *buf, usize n) {
    (void)b, (void)off, (void)buf;
    *(u8 *)buf = 7;
    return unreadable ? -EIO : (long)n;
}

TEST(a_page_that_cannot_be_read_is_read_again) {
    static const struct backing_ops ops = {.read = sometimes};
    struct backing b;
    frame_t f;
    backing_init(&b, &ops, 100);
    unreadable = 1;
    EXPECT(backing_page(&b, 0, &f) == -EIO && backing_page(&b, 0, &f) == -EIO);
    unreadable = 0;
    EXPECT(backing_page(&b, 0, &f) == 0 && *(u8 *)frame_kva(f) == 7 && ((u8 *)frame_kva(f))[100] == 0);
    frame_record(f)->cached = false;  // a file that is there for ever, but for this test
    frame_release(f);
    frame_release(f);
    pagecache_empty(&b.pages, keep);
}
