// SPDX-License-Identifier: MIT
// test_pagetable.c - tables are built where they are needed, counted, and freed when they are empty.
#include "mm/freelist.h"
#include "mm/pagetable.h"
#include "mm/refs.h"
#include "test/host/host.h"

#define LEAF (PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D)
#define MIB2 (1ul << 21)
#define GIB (1ul << 30)

static u64 frames_taken_since(u64 free) { return free - freelist_count(); }

static void map_page(struct as *as, u64 va) {
    pte_t *e = pt_make(as, va);
    EXPECT(e && e == pt_find(as, va));
    frame_t f = frame_alloc(FRAME_USER);
    pt_set(as, e, pte_make(frame_pa(f), LEAF));
    EXPECT(frame_of_pte(*pt_find(as, va)) == f);
}

TEST(entry_is_found_after_it_was_made) {
    struct as *as = as_create();
    u64 free = freelist_count();
    EXPECT(!pt_find(as, 0x200000) && frames_taken_since(free) == 0);
    pte_t *e = pt_make(as, 0x200000);
    EXPECT(e && *e == 0 && e == pt_find(as, 0x200000) && e + 1 == pt_find(as, 0x201000));
    EXPECT(frames_taken_since(free) == 2 && frame_record(as->root)->live == 1);
    EXPECT(frame_record(pt_table_of(e))->live == 0);
    EXPECT(pt_make(as, 0x3ff000) == e + 511 && frames_taken_since(free) == 2);
    EXPECT(pt_make(as, 0x400000) && frames_taken_since(free) == 3);
    pt_clear(as, 0x200000, 0x600000, true);
    EXPECT(frames_taken_since(free) == 0 && frame_record(as->root)->live == 0);
    as_destroy(as);
}

TEST(live_counts_follow_leaves) {
    struct as *as = as_create();
    for (u64 i = 0; i < 10; i++) { map_page(as, MIB2 + i * PAGE_SIZE); }
    struct frame *table = frame_record(pt_table_of(pt_find(as, MIB2)));
    EXPECT(table->live == 10 && as_rss(as) == 10);
    pt_clear(as, MIB2 + 2 * PAGE_SIZE, MIB2 + 5 * PAGE_SIZE, true);
    EXPECT(table->live == 7 && as_rss(as) == 7 && *pt_find(as, MIB2 + 5 * PAGE_SIZE) & PTE_V);
    EXPECT(!(*pt_find(as, MIB2 + 4 * PAGE_SIZE) & PTE_V));
    pt_clear(as, 0, USER_TOP, true);
    EXPECT(!pt_find(as, MIB2) && as_rss(as) == 0);
    as_destroy(as);
}

static const u64 far_apart[] = {0, MIB2 - PAGE_SIZE, MIB2, GIB - PAGE_SIZE, GIB, 5 * GIB + 7 * MIB2,
                                USER_TOP - PAGE_SIZE};

// Any range, cut anywhere: exactly the pages in it go.
TEST(clear_takes_exactly_its_range) {
    for (u32 from = 0; from < ARRAY_LEN(far_apart); from++) {
        for (u32 to = from; to < ARRAY_LEN(far_apart); to++) {
            struct as *as = as_create();
            for (u32 i = 0; i < ARRAY_LEN(far_apart); i++) { map_page(as, far_apart[i]); }
            pt_clear(as, far_apart[from], far_apart[to] + PAGE_SIZE, to & 1);
            EXPECT(as_rss(as) == ARRAY_LEN(far_apart) - (to - from + 1));
            for (u32 i = 0; i < ARRAY_LEN(far_apart); i++) {
                pte_t *e = pt_find(as, far_apart[i]);
                EXPECT((e && *e & PTE_V) == (i < from || i > to));
            }
            pt_clear(as, 0, USER_TOP, true);
            as_destroy(as);
        }
    }
}

// More leaves and more tables than one shootdown gathers.
TEST(clear_frees_more_than_it_gathers) {
    for (u32 quiet = 0; quiet < 2; quiet++) {
        struct as *as = as_create();
        u64 free = freelist_count();
        for (u64 i = 0; i < 1000; i++) { map_page(as, MIB2 + i * PAGE_SIZE); }
        for (u64 i = 1; i < 30; i++) { map_page(as, i * GIB); }
        EXPECT(as_rss(as) == 1029);
        pt_clear(as, 0, USER_TOP, quiet);
        EXPECT(as_rss(as) == 0 && freelist_count() == free);
        as_destroy(as);
    }
}

TEST(make_without_memory_leaves_what_clear_removes) {
    struct as *as = as_create();
    for (u64 n = 1; n <= 2; n++) {
        u64 free = freelist_count();
        fail_allocation(n);
        EXPECT(!pt_make(as, GIB) && frames_taken_since(free) == n - 1);
        pt_clear(as, GIB, GIB + PAGE_SIZE, false);
        EXPECT(freelist_count() == free && frame_record(as->root)->live == 0);
    }
    as_destroy(as);
}

TEST(a_used_entry_is_not_set_again) {
    struct as *as = as_create();
    map_page(as, MIB2);
    EXPECT_PANIC("is in use", pt_set(as, pt_find(as, MIB2), LEAF));
    pt_clear(as, MIB2, 2 * MIB2, true);
    frame_t table = pt_alloc();
    frame_record(table)->live = 3;
    EXPECT_PANIC("live entries (T1)", pt_free(table));
    frame_record(table)->live = 0;
    pt_free(table);
    as_destroy(as);
}
