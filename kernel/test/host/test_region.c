// SPDX-License-Identifier: MIT
// test_region.c - the map of regions, against a model: an array with the protection of every page.
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/region.h"
#include "test/host/host.h"

enum { PAGES = 64 };
static u32 model[PAGES];  // 0: nothing there

static u64 page_va(u64 page) { return BASE + page * PAGE_SIZE; }

// Each priority is below the one above it, each summary is that of what lies below.
static void expect_treap(const struct region_node *n) {
    if (!n) { return; }
    const struct region_node *l = n->left, *h = n->right;
    const struct region *r = &n->region;
    EXPECT((!l || l->priority <= n->priority) && (!h || h->priority <= n->priority));
    EXPECT(n->first == (l ? l->first : r->start) && n->last == (h ? h->last : r->end));
    u64 below = l ? MAX(l->gap, r->start - l->last) : 0, above = h ? MAX(h->gap, h->first - r->end) : 0;
    EXPECT(n->gap == MAX(below, above));
    expect_treap(l);
    expect_treap(h);
}

// Sorted, apart, not empty; what each page's region says is what the model says.
static void expect_model(struct as *as) {
    u64 end = 0;
    expect_treap(as->map);
    for (const struct region *r = region_first(as, 0); r; r = region_first(as, r->end)) {
        EXPECT(r->start >= end && r->start < r->end && r->start % PAGE_SIZE == 0);
        end = r->end;
    }
    for (u64 i = 0; i < PAGES; i++) {
        const struct region *r = region_find(as, page_va(i)), *last = region_find(as, page_va(i) + PAGE_SIZE - 1);
        EXPECT((r ? r->prot : 0) == model[i] && r == last);
    }
}

static void change_model(u64 page, u64 n, u32 prot) {
    for (u64 i = page; i < page + n; i++) { model[i] = prot; }
}

static void change_at_random(struct as *as) {
    static const u32 prots[] = {PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};
    u64 page = pick(PAGES), n = 1 + pick(MIN(PAGES - page, 12ul));
    u32 prot = prots[pick(ARRAY_LEN(prots))];
    switch (pick(4)) {
    case 0:
        EXPECT(as_unmap(as, page_va(page), n * PAGE_SIZE) == 0);
        prot = 0;
        break;
    case 1:
        if (as_map_memory(as, page_va(page), n * PAGE_SIZE, prot, AS_VACANT) < 0) {
            return;  // something is there: see map_refuses_what_is_taken
        }
        break;
    default:
        EXPECT(as_map_fixed(as, page_va(page), n * PAGE_SIZE, prot) == (long)page_va(page));
    }
    change_model(page, n, prot);
}

TEST(random_changes_follow_the_model) {
    struct as *as = as_create();
    memset(model, 0, sizeof(model));
    for (u32 i = 0; i < 1500; i++) {
        change_at_random(as);
        expect_model(as);
    }
    as_destroy(as);
}

// Holes in one mapping, from its beginning on: each cuts the last region in two.
TEST(a_map_of_many_pieces_is_not_high) {
    enum { HOLES = 2000 };
    struct as *as = as_create();
    EXPECT(as_map_fixed(as, BASE, 2 * HOLES * PAGE_SIZE, PROT_READ) == BASE);
    for (u64 i = 0; i < HOLES; i++) { EXPECT(as_unmap(as, page_va(2 * i + 1), PAGE_SIZE) == 0); }
    expect_treap(as->map);
    EXPECT(as->map->height < REGION_HEIGHT_MAX);
    EXPECT(as_unmap(as, page_va(0), PAGE_SIZE) == 0 && region_find(as, page_va(2)));
    as_destroy(as);
}

// Whoever chooses addresses by priority makes a list; it ends before the kernel's stack does.
TEST(a_map_does_not_become_too_high) {
    struct as *as = as_create();
    u32 n = 0;
    for (; n < 1000; n++) {
        if (as_map_memory(as, page_va(2 * n), PAGE_SIZE, PROT_READ, AS_VACANT) < 0) { break; }
        ((struct region_node *)as->map)->priority = 0xffffffffu - n;
    }
    EXPECT(n >= 20 && as->map->height <= REGION_HEIGHT_MAX && books_balance(&as, 1, 0));
    EXPECT(as_unmap(as, 0, USER_TOP) == 0 && !as->map);
    as_destroy(as);
}

TEST(map_refuses_what_is_taken) {
    struct as *as = space_with(4);
    EXPECT(as_map_memory(as, BASE - PAGE_SIZE, 2 * PAGE_SIZE, PROT_READ, AS_VACANT) == -EEXIST);
    EXPECT(as_map_memory(as, page_va(3), PAGE_SIZE, PROT_READ, AS_VACANT) == -EEXIST);
    EXPECT(as_map_memory(as, page_va(4), PAGE_SIZE, PROT_READ, AS_VACANT) > 0);
    EXPECT(as_map_memory(as, BASE - PAGE_SIZE, PAGE_SIZE, PROT_READ, AS_VACANT) > 0);
    as_destroy(as);
}

TEST(bad_ranges_are_refused) {
    struct as *as = as_create();
    static const struct {
        u64 start, len;
    } bad[] = {{BASE, 0}, {BASE + 8, PAGE_SIZE}, {BASE, 100}, {0, PAGE_SIZE},
               {USER_LIMIT, PAGE_SIZE}, {BASE, USER_TOP}, {~0ul - 4095, PAGE_SIZE}};
    for (u32 i = 0; i < ARRAY_LEN(bad); i++) {
        long error = bad[i].start & (PAGE_SIZE - 1) || !bad[i].len ? -EINVAL : -ENOMEM;
        EXPECT(as_map_memory(as, bad[i].start, bad[i].len, PROT_READ, AS_VACANT) == error);
        EXPECT(as_map_fixed(as, bad[i].start, bad[i].len, PROT_READ) < 0);
    }
    EXPECT(as_unmap(as, BASE + 1, PAGE_SIZE) == -EINVAL && as_unmap(as, BASE, 0) == -EINVAL);
    EXPECT(as_unmap(as, USER_TOP, PAGE_SIZE) == -EINVAL && as_unmap(as, BASE, ~0ul) == -EINVAL);
    EXPECT(as_map_anywhere(as, 0, 0, PROT_READ) == -EINVAL);
    EXPECT(as_map_anywhere(as, 0, USER_TOP + PAGE_SIZE, PROT_READ) == -ENOMEM);
    as_destroy(as);
}

static long zeros(struct backing *b, u64 off, void *buf, usize n) {
    (void)b, (void)off;
    memset(buf, 0, n);
    return n;
}

TEST(split_divides_the_file_too) {
    static const struct backing_ops ops = {.read = zeros};
    struct backing file;
    struct as *as = as_create();
    backing_init(&file, &ops, ~0ul);
    EXPECT(map_file(as, BASE, 8, PROT_READ, &file, 0x5000, 3 * PAGE_SIZE + 100) > 0);
    EXPECT(as_unmap(as, page_va(2), PAGE_SIZE) == 0 && as_unmap(as, page_va(5), PAGE_SIZE) == 0);
    const struct region *a = region_find(as, BASE), *b = region_find(as, page_va(3)), *c = region_find(as, page_va(6));
    EXPECT(a->end == page_va(2) && b->start == page_va(3) && b->end == page_va(5) && c->end == page_va(8));
    EXPECT(a->file_bytes == 2 * PAGE_SIZE && b->file_bytes == 100 && c->file_bytes == 0);
    EXPECT(a->file_off == 0x5000 && b->file_off == 0x8000 && b->backing == &file);
    as_destroy(as);
}

TEST(neighbours_alike_become_one) {
    struct as *as = space_with(2);
    EXPECT(as_map_fixed(as, page_va(2), PAGE_SIZE, PROT_READ | PROT_WRITE) > 0);
    EXPECT(as_map_fixed(as, page_va(3), PAGE_SIZE, PROT_READ) > 0);
    EXPECT(as_map_fixed(as, BASE - PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE) > 0);
    const struct region *r = region_first(as, 0);
    EXPECT(r->start == BASE - PAGE_SIZE && r->end == page_va(3) && region_first(as, r->end)->prot == PROT_READ);
    EXPECT(objects_out() == 3);  // the space and two regions
    EXPECT(as_map_fixed(as, page_va(1), PAGE_SIZE, PROT_READ | PROT_WRITE) > 0);  // amid its like
    EXPECT(as_remap(as, page_va(3), PAGE_SIZE, PAGE_SIZE, true, page_va(4)) == (long)page_va(4));
    EXPECT(as_map_fixed(as, page_va(5), PAGE_SIZE, PROT_READ) > 0 && objects_out() == 3);
    EXPECT(as_remap(as, page_va(5), PAGE_SIZE, 3 * PAGE_SIZE, false, 0) == (long)page_va(5) && objects_out() == 3);
    as_destroy(as);
}

TEST(gap_is_the_highest_that_fits) {
    struct as *as = as_create();
    u64 top = USER_LIMIT;
    EXPECT(region_gap(as, PAGE_SIZE, top) == top - PAGE_SIZE);
    EXPECT(as_map_anywhere(as, 0, PAGE_SIZE, PROT_READ) == (long)(top - PAGE_SIZE));
    EXPECT(as_map_fixed(as, top - 4 * PAGE_SIZE, PAGE_SIZE, PROT_READ) > 0);
    EXPECT(region_gap(as, 2 * PAGE_SIZE, top) == top - 3 * PAGE_SIZE);
    EXPECT(region_gap(as, 3 * PAGE_SIZE, top) == top - 7 * PAGE_SIZE);
    EXPECT(as_map_anywhere(as, BASE + 5, PAGE_SIZE, PROT_READ) == (long)BASE);  // the hint, if it is free
    EXPECT(as_map_anywhere(as, BASE, PAGE_SIZE, PROT_READ) == (long)(top - 2 * PAGE_SIZE));
    EXPECT(region_gap(as, USER_LIMIT, top) == 0);
    as_destroy(as);
}

TEST(brk_grows_shrinks_and_stops) {
    struct as *as = space_with(2);
    u64 start = as->brk;
    EXPECT(as_brk(as, 0) == start && as_brk(as, start - 1) == start);
    EXPECT(as_brk(as, start + 100) == start + 100 && region_find(as, start));
    EXPECT(as_brk(as, start + PAGE_SIZE) == start + PAGE_SIZE && !region_find(as, start + PAGE_SIZE));
    EXPECT(as_map_fixed(as, start + 4 * PAGE_SIZE, PAGE_SIZE, PROT_READ) > 0);
    EXPECT(as_brk(as, start + 5 * PAGE_SIZE) == start + PAGE_SIZE);  // something is in the way
    EXPECT(as_brk(as, start + 4 * PAGE_SIZE) == start + 4 * PAGE_SIZE);
    EXPECT(as_brk(as, start) == start && !region_find(as, start));
    EXPECT(as_brk(as, USER_LIMIT) == start);
    as_destroy(as);
}
