// SPDX-License-Identifier: MIT
// test_pagetable.c - tables are built where they are needed, counted, shared, and freed when nobody needs them.
#include "lib/errno.h"
#include "mm/cursor.h"
#include "mm/freelist.h"
#include "mm/refs.h"
#include "test/host/host.h"

#define LEAF (PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D)
#define MIB2 (1ul << 21)
#define GIB (1ul << 30)

static u64 frames_taken_since(u64 free) { return free - freelist_count(); }

// The entry for va, with all tables on the way; NULL: no memory.
static pte_t *make(struct as *as, u64 va) {
    pte_t *e;
    if (cursor_open(as, va, true, &e)) { return NULL; }
    cursor_close(e);
    return e;
}

static void map_page(struct as *as, u64 va) {
    EXPECT(as_map_fixed(as, va, PAGE_SIZE, PROT_READ | PROT_WRITE) == (long)va);
    pte_t *e = make(as, va);
    EXPECT(e && e == pt_find(as->table, va));
    frame_t f = frame_alloc(FRAME_USER);
    pt_set(e, pte_make(frame_pa(f), LEAF));
    EXPECT(frame_of_pte(*pt_find(as->table, va)) == f);
}

static bool there(struct as *as, u64 va) {
    pte_t *e = pt_find(as->table, va);
    return e && *e & PTE_V;
}

TEST(entry_is_found_after_it_was_made) {
    struct as *as = as_create();
    EXPECT(as_map_fixed(as, 0x200000, 0x400000, PROT_READ) > 0);
    u64 free = freelist_count();
    EXPECT(!pt_find(as->table, 0x200000) && frames_taken_since(free) == 0);
    pte_t *e = make(as, 0x200000);
    EXPECT(e && *e == 0 && e == pt_find(as->table, 0x200000) && e + 1 == pt_find(as->table, 0x201000));
    EXPECT(frames_taken_since(free) == 2 && frame_record(as->root)->live == 1);
    EXPECT(frame_record(pt_table_of(e))->live == 0);
    EXPECT(make(as, 0x3ff000) == e + 511 && frames_taken_since(free) == 2);
    EXPECT(make(as, 0x400000) && frames_taken_since(free) == 3);
    EXPECT(as_unmap(as, 0x200000, 0x400000) == 0);
    EXPECT(frames_taken_since(free) == 0 && frame_record(as->root)->live == 0);
    as_destroy(as);
}

TEST(live_counts_follow_leaves) {
    struct as *as = as_create();
    for (u64 i = 0; i < 10; i++) { map_page(as, MIB2 + i * PAGE_SIZE); }
    struct frame *table = frame_record(pt_table_of(pt_find(as->table, MIB2)));
    EXPECT(table->live == 10 && as_pages(as) == 10);
    EXPECT(as_unmap(as, MIB2 + 2 * PAGE_SIZE, 3 * PAGE_SIZE) == 0);
    EXPECT(table->live == 7 && as_pages(as) == 7 && there(as, MIB2 + 5 * PAGE_SIZE));
    EXPECT(!there(as, MIB2 + 4 * PAGE_SIZE));
    EXPECT(as_unmap(as, 0, USER_TOP) == 0);
    EXPECT(!pt_find(as->table, MIB2) && as_pages(as) == 0);
    as_destroy(as);
}

static const u64 far_apart[] = {PAGE_SIZE * 16, MIB2 - PAGE_SIZE, MIB2, GIB - PAGE_SIZE, GIB, 5 * GIB + 7 * MIB2,
                                USER_LIMIT - PAGE_SIZE};

// Any range, cut anywhere: exactly the pages in it go, and no table stays that no region needs; also of
// tables that a child shares, who keeps all.
TEST(unmap_takes_exactly_its_range) {
    for (u32 turn = 0; turn < ARRAY_LEN(far_apart) * ARRAY_LEN(far_apart) * 2; turn++) {
        u32 from = turn / 2 % ARRAY_LEN(far_apart), to = turn / 2 / ARRAY_LEN(far_apart);
        if (to < from) { continue; }
        struct as *both[2] = {as_create()};
        for (u32 i = 0; i < ARRAY_LEN(far_apart); i++) { map_page(both[0], far_apart[i]); }
        if (turn & 1) { both[1] = as_fork(both[0], NULL, 0); }
        EXPECT(as_unmap(both[0], far_apart[from], far_apart[to] + PAGE_SIZE - far_apart[from]) == 0);
        EXPECT(as_pages(both[0]) == ARRAY_LEN(far_apart) - (to - from + 1) && books_balance(both, 1 + (turn & 1), 0));
        for (u32 i = 0; i < ARRAY_LEN(far_apart); i++) {
            EXPECT((cursor_view(both[0], far_apart[i]).sharers > 0) == (i < from || i > to));
        }
        if (turn & 1) {
            EXPECT(as_pages(both[1]) == ARRAY_LEN(far_apart));
            as_destroy(both[1]);
        }
        as_destroy(both[0]);
    }
}

// More leaves than one shootdown gathers, and many tables.
TEST(unmap_frees_more_than_it_gathers) {
    struct as *as = as_create();
    for (u64 i = 0; i < 1000; i++) { map_page(as, MIB2 + PAGE_SIZE + i * PAGE_SIZE); }
    for (u64 i = 1; i < 30; i++) { map_page(as, i * GIB); }
    EXPECT(as_pages(as) == 1029);
    EXPECT(as_unmap(as, MIB2 + 2 * PAGE_SIZE, 998 * PAGE_SIZE) == 0 && as_pages(as) == 31);
    EXPECT(as_unmap(as, 0, USER_TOP) == 0 && as_pages(as) == 0 && frame_record(as->root)->live == 0);
    as_destroy(as);
}

TEST(make_without_memory_can_be_tried_again) {
    struct as *as = as_create();
    EXPECT(as_map_fixed(as, GIB, PAGE_SIZE, PROT_READ) > 0);
    for (u64 n = 1; n <= 2; n++) {
        u64 free = freelist_count();
        fail_allocation(n);
        EXPECT(!make(as, GIB) && frames_taken_since(free) == n - 1);
        EXPECT(as_unmap(as, GIB, PAGE_SIZE) == 0 && as_map_fixed(as, GIB, PAGE_SIZE, PROT_READ) > 0);
        EXPECT(freelist_count() == free && frame_record(as->root)->live == 0);
    }
    as_destroy(as);
}

TEST(a_used_entry_is_not_set_again) {
    struct as *as = as_create();
    map_page(as, MIB2);
    EXPECT_PANIC("is in use", pt_set(pt_find(as->table, MIB2), LEAF));
    frame_t table = pt_alloc(0);
    frame_record(table)->live = 3;
    EXPECT_PANIC("entries (T1)", pt_free(table));
    frame_record(table)->live = 0;
    pt_free(table);
    as_destroy(as);
}

// ---- sharing ----

static u32 count_at(struct as *as, u64 va, int level) {
    frame_t t = as->root;
    for (int l = PT_LEVELS - 1; l > level; l--) { t = frame_of_pte(pt_entries(t)[pt_index(va, l)]); }
    return frame_refs(t);
}

// A table is copied by the first of two, and taken back by the second.
TEST(the_last_sharer_takes_the_table_back) {
    struct as *both[2] = {as_create()};
    for (u64 i = 0; i < 3; i++) { map_page(both[0], GIB + i * MIB2); }
    u64 free = freelist_count();
    both[1] = as_fork(both[0], NULL, 0);
    EXPECT(frames_taken_since(free) == 1 && count_at(both[0], GIB, 1) == 2 && count_at(both[0], GIB, 0) == 1);
    EXPECT(make(both[1], GIB) && frames_taken_since(free) == 3 && count_at(both[0], GIB, 1) == 1);
    EXPECT(count_at(both[0], GIB, 0) == 1 && count_at(both[0], GIB + MIB2, 0) == 2);
    EXPECT(make(both[0], GIB) && frames_taken_since(free) == 3);
    EXPECT(books_balance(both, 2, 0));
    as_destroy(both[1]);
    EXPECT(make(both[0], GIB + MIB2) && frames_taken_since(free) == 0);
    EXPECT(*pt_find(both[0]->table, GIB + MIB2) & PTE_W && !(*pt_find(both[0]->table, GIB) & PTE_W));
    as_destroy(both[0]);
}

// A chain of generations, none of which touches anything: one table serves all.
TEST(tables_are_shared_by_generations) {
    struct as *space[20] = {as_create()};
    map_page(space[0], GIB);
    for (u32 i = 1; i < 20; i++) { space[i] = as_fork(space[i - 1], NULL, 0); }
    EXPECT(count_at(space[7], GIB, 1) == 20 && cursor_view(space[3], GIB).sharers == 20 && books_balance(space, 20, 0));
    for (u32 i = 0; i < 19; i++) { as_destroy(space[i]); }
    EXPECT(count_at(space[19], GIB, 1) == 1 && books_balance(space + 19, 1, 0));
    as_destroy(space[19]);
}

// What a space has no way to is as it was when there is no memory for a copy.
TEST(no_memory_to_unshare_changes_nothing) {
    struct as *both[2] = {as_create()};
    map_page(both[0], GIB);
    map_page(both[0], GIB + PAGE_SIZE);
    both[1] = as_fork(both[0], NULL, 0);
    for (u64 n = 1; n <= 2; n++) {
        fail_allocation(n);
        EXPECT(as_fault(both[1], GIB, ACCESS_WRITE) == -ENOMEM && books_balance(both, 2, 0));
        fail_allocation(n);
        EXPECT(as_unmap(both[0], GIB, PAGE_SIZE) == -ENOMEM && books_balance(both, 2, 0));
        fail_allocation(0);
    }
    EXPECT(as_pages(both[0]) == 2 && region_find(both[0], GIB));
    as_destroy(both[1]);
    as_destroy(both[0]);
}
