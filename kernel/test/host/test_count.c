// SPDX-License-Identifier: MIT
// test_count.c - a frame's count (refs_*.h): its values, its misuse, and who may do what after whom.
//
// Payloads are plain words of the frame, so that ThreadSanitizer sees whether O2 .. O5 order them.
#include "lib/string.h"
#include "mm/refs.h"
#include "test/host/host.h"

TEST(one_owner_then_two_then_one_then_free) {
    frame_t f = frame_alloc(FRAME_USER);
    EXPECT(f && frame_refs(f) == 1 && frame_sole(f));
    frame_get(f);
    EXPECT(frame_refs(f) == 2 && !frame_sole(f));
    EXPECT(!frame_put(f) && frame_sole(f));
    EXPECT(frame_put(f) && frame_refs(f) == 0);
    frame_free(f);
    EXPECT(frame_record(f)->class == FRAME_FREE);
}

TEST(get_unless_free_refuses_a_free_frame) {
    frame_t f = frame_alloc(FRAME_USER);
    EXPECT(frame_get_unless_free(f) && frame_refs(f) == 2);
    EXPECT(!frame_put(f) && frame_put(f));
    EXPECT(!frame_get_unless_free(f) && frame_refs(f) == 0);
    frame_free(f);
}

TEST(count_saturates_for_ever) {
    frame_t f = frame_alloc(FRAME_USER);
    struct frame *r = frame_record(f);
    r->ref = 0x7ffffffe;
    EXPECT(frame_get_unless_free(f) && r->ref == 0x7fffffff);
    EXPECT(frame_get_unless_free(f) && r->ref == 0x7fffffff);
    frame_get(f);
    EXPECT(ref_is_saturated(r->ref));
    for (u32 i = 0; i < 1000; i++) {
        EXPECT(!frame_put(f) && ref_is_saturated(r->ref) && !frame_sole(f));
    }
    frame_get(f);
    EXPECT(ref_is_saturated(r->ref));
    r->ref = 1;
    frame_release(f);
}

TEST(misuse_panics) {
    frame_t f = frame_alloc(FRAME_USER), copy;
    EXPECT(frame_break(f, &copy) == BREAK_SOLE);
    frame_release(f);
    EXPECT_PANIC("put on a count of 0", frame_release(f));
    EXPECT_PANIC("get on a count of 0", frame_get(f));
    EXPECT_PANIC("is freed twice", frame_free(f));
    f = frame_alloc(FRAME_USER);
    EXPECT_PANIC("is freed with count 1", frame_free(f));
    frame_release(f);
}

TEST(zeroed_is_zero_and_has_its_class) {
    for (u32 i = 0; i < 100; i++) {
        frame_t f = frame_alloc_zeroed(i & 1 ? FRAME_USER : FRAME_TABLE);
        const u64 *page = frame_kva(f);
        u64 all = 0;
        for (u32 k = 0; k < PT_ENTRIES; k++) { all |= page[k]; }
        EXPECT(!all && frame_record(f)->class == (i & 1 ? FRAME_USER : FRAME_TABLE));
        EXPECT(frame_put(f));
        (i & 2 ? frame_free : frame_free_zeroed)(f);
    }
}

TEST(copy_is_equal_and_its_own) {
    frame_t f = frame_alloc(FRAME_USER);
    u64 *page = frame_kva(f);
    for (u32 i = 0; i < PT_ENTRIES; i++) { page[i] = hart_random(); }
    frame_get(f);
    frame_t copy = FRAME_NONE;
    EXPECT(frame_break(f, &copy) == BREAK_COPIED && copy != f && frame_refs(f) == 2);
    EXPECT(!memcmp(frame_kva(copy), page, PAGE_SIZE) && frame_refs(copy) == 1);
    frame_release(copy);
    EXPECT(!frame_put(f));
    frame_release(f);
}

static frame_t shared_frame;
static u32 told;  // (a)

static void get_and_put(void *arg) {
    (void)arg;
    for (u32 i = 0; i < 20000; i++) {
        frame_get(shared_frame);
        if (frame_put(shared_frame)) { atomic_add_relaxed(&told, 1u); }
    }
}

TEST(no_get_or_put_is_lost) {
    shared_frame = frame_alloc(FRAME_USER);
    told = 0;
    on_harts(HARTS, get_and_put, NULL);
    EXPECT(frame_refs(shared_frame) == 1 && told == 0);
    frame_release(shared_frame);
}

// Each sharer uses its word, then leaves. The last one may use all of them, and frees.
static void leave(void *arg) {
    (void)arg;
    u64 *page = frame_kva(shared_frame);
    page[this_hart()->index] += 1;
    if (frame_put(shared_frame)) {
        atomic_add_relaxed(&told, 1u);
        for (u32 i = 0; i < HARTS; i++) {
            EXPECT(page[i] == i + 1);
            page[i] = 0;
        }
        frame_free(shared_frame);
    }
}

TEST(exactly_one_put_is_told_last_and_comes_after_all) {
    for (u32 round = 0; round < 200; round++) {
        shared_frame = frame_alloc(FRAME_USER);
        told = 0;
        for (u32 i = 0; i < HARTS; i++) {
            ((u64 *)frame_kva(shared_frame))[i] = i;
            if (i) { frame_get(shared_frame); }
        }
        on_harts(HARTS, leave, NULL);
        EXPECT(told == 1);
    }
}

// Hart 0 waits until it is the sole owner, and then writes what the others were reading.
static void outlive(void *arg) {
    u64 *word = frame_kva(shared_frame), *sum = arg;
    if (this_hart()->index) {
        atomic_add_relaxed(sum, *word);
        EXPECT(!frame_put(shared_frame));
        return;
    }
    while (!frame_sole(shared_frame)) { cpu_pause(); }
    *word = 0;
}

TEST(sole_owner_writes_after_the_last_reader) {
    for (u32 round = 0; round < 200; round++) {
        u64 sum = 0;
        shared_frame = frame_alloc(FRAME_USER);
        *(u64 *)frame_kva(shared_frame) = 7;
        for (u32 i = 1; i < HARTS; i++) { frame_get(shared_frame); }
        on_harts(HARTS, outlive, &sum);
        EXPECT(sum == 7 * (HARTS - 1));
        frame_release(shared_frame);
    }
}

// The frame goes and comes; others try to get it meanwhile and, when they have it, look at its class.
static void catch_it(void *arg) {
    (void)arg;
    for (u32 i = 0; i < 500; i++) {
        if (this_hart()->index == 0) {
            frame_t f = frame_alloc(FRAME_USER);
            EXPECT(f);
            frame_release(f);
        } else if (frame_get_unless_free(shared_frame)) {
            EXPECT(frame_record(shared_frame)->class == FRAME_USER);
            frame_release(shared_frame);
        }
    }
}

TEST(get_unless_free_sees_the_record_of_a_live_frame) {
    shared_frame = frame_alloc(FRAME_USER);
    frame_release(shared_frame);  // the next one that hart 0 gets
    on_harts(3, catch_it, NULL);
    EXPECT(frame_refs(shared_frame) == 0);
}
