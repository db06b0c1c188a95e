// SPDX-License-Identifier: MIT
// mapmodel.c - random sequences of mmap, munmap, mprotect and mremap, against a model of the map.
//
// Model   What each page of an arena must be: nothing, private memory, or a page of a file, with its rights. After
//         every step the lines of /proc/self/maps in the arena are compared with it, to the page. Neighbours that
//         are alike must be one line (`joined`), as long as nothing is put over the middle of its like, or moved;
//         if that is allowed they may be several lines, which together are one.
#include "maps.h"

enum { PAGES = 48, STEPS = 600, FILE_PAGES = 2 * PAGES };
enum kind { NOTHING, MEMORY, FILE_PAGE };

struct page {
    enum kind kind;
    int prot;
    long off;  // in the file
};

static struct page model[PAGES + 1];  // and nothing behind them
static char *arena;
static int file;
static uint64_t seed;

static int draw(int n) {
    seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    return (int)((seed >> 33) % (unsigned)n);
}

static char *at(int page) { return arena + page * (long)PAGE; }

// Does `b`, the next page, go on with `a`?
static bool goes_on(struct page a, struct page b) {
    return a.kind == b.kind && a.prot == b.prot && (a.kind != FILE_PAGE || b.off == a.off + 1);
}

// The end of those that are one line.
static int run_end(int page) {
    int end = page + 1;
    while (end < PAGES && goes_on(model[end - 1], model[end])) { end++; }
    return end;
}

static bool is_one_line(int page, int end) {
    return model[page].kind != NOTHING && end <= PAGES && run_end(page) >= end;
}

// ---- steps: the call, and what it makes of the model

static void put(int page, int n, struct page what) {
    for (int i = 0; i < n; i++, what.off++) { model[page + i] = what; }
}

static int draw_prot(void) {
    static const int prots[] = {PROT_READ, PROT_RW, PROT_READ | PROT_EXEC};
    return prots[draw(COUNT(prots))];
}

static void step_unmap(int page, int n) {
    CHECK_EQ(ksys_munmap(at(page), n * PAGE), 0);
    put(page, n, (struct page){NOTHING, 0, 0});
}

// Files are mapped so that neighbours go on with each other, or not.
static void step_map(int page, int n, bool joined) {
    struct page what = {draw(2) ? MEMORY : FILE_PAGE, draw_prot(), page + draw(4) / 3};
    bool is_file = what.kind == FILE_PAGE;
    int flags = MAP_FIXED | (is_file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);
    if (joined) { step_unmap(page, n); }
    CHECK_EQ(ksys_mmap(at(page), n * PAGE, what.prot, flags, is_file ? file : -1, is_file ? what.off * (long)PAGE : 0),
             at(page));
    put(page, n, what);
}

static void step_protect(int page, int n) {
    int prot = draw_prot();
    bool all = true;
    for (int i = 0; i < n; i++) { all &= model[page + i].kind != NOTHING; }
    CHECK_EQ(ksys_mprotect(at(page), n * PAGE, prot), all ? 0 : -ENOMEM);
    for (int i = 0; i < n && all; i++) { model[page + i].prot = prot; }
}

// The pages that it has, and those that it gets.
static struct page continued(struct page first, int i) {
    first.off += i;
    return first;
}

static void step_resize(int page, int n, bool joined) {
    int new = 1 + draw(PAGES - page), end = page + n;
    bool whole = page == 0 || !is_one_line(page - 1, end), one = is_one_line(page, end);
    if (joined && !whole) { return; }  // what grows in the middle of its like need not join it
    bool room = end == run_end(page) || new <= n;
    for (int i = n; i < new; i++) { room &= model[page + i].kind == NOTHING; }
    struct page first = model[page];
    long got = ksys_mremap(at(page), n * PAGE, new * PAGE, 0, NULL);
    if (!joined && got == -EFAULT && one) { return; }  // several lines that look like one
    CHECK_EQ(got, !one ? -EFAULT : room ? (long)at(page) : -ENOMEM);
    if (got < 0) { return; }
    for (int i = n; i < new; i++) { model[page + i] = continued(first, i); }
    if (new < n) { put(page + new, n - new, (struct page){NOTHING, 0, 0}); }
}

static void step_move(int page, int n) {
    int new = 1 + draw(12), to = draw(PAGES - new + 1);
    bool apart = to + new <= page || page + n <= to, one = is_one_line(page, page + n);
    struct page first = model[page];
    long got = ksys_mremap(at(page), n * PAGE, new * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(to));
    if (got == -EFAULT && apart && one) { return; }
    CHECK_EQ(got, !apart ? -EINVAL : !one ? -EFAULT : (long)at(to));
    if (got < 0) { return; }
    put(page, n, (struct page){NOTHING, 0, 0});
    for (int i = 0; i < new; i++) { model[to + i] = continued(first, i); }
}

static void step(bool joined) {
    int page = draw(PAGES), most = PAGES - page, n = 1 + draw(most < 12 ? most : 12), what = draw(joined ? 8 : 10);
    if (what < 3) {
        step_map(page, n, joined);
    } else if (what < 4) {
        step_unmap(page, n);
    } else if (what < 6) {
        step_protect(page, n);
    } else if (what < 8) {
        step_resize(page, n, joined);
    } else {
        step_move(page, n);
    }
}

// ---- the comparison

// Is the line what the model has from `page` on? The first page behind it.
static int line_end(const struct line *l, int page) {
    const char rights[] = {'r', model[page].prot & PROT_WRITE ? 'w' : '-', model[page].prot & PROT_EXEC ? 'x' : '-',
                           model[page].kind == FILE_PAGE ? 's' : 'p', 0};
    long off = model[page].kind == FILE_PAGE ? model[page].off * (long)PAGE : 0;
    CHECK_EQ(l->start, at(page));
    CHECK(strcmp(l->rights, rights) == 0);
    CHECK_EQ(l->off, off);
    CHECK_EQ(l->ino != 0, model[page].kind == FILE_PAGE);
    return (int)((l->end - (uintptr_t)arena) / PAGE);
}

static void compare(bool joined) {
    int page = 0;
    read_maps(sizeof text);
    for (int i = 0; i < nlines; i++) {
        if (lines[i].end <= (uintptr_t)at(0) || lines[i].start >= (uintptr_t)at(PAGES)) { continue; }
        while (page < PAGES && model[page].kind == NOTHING) { page++; }
        CHECK(page < PAGES);
        int want = run_end(page), end = line_end(&lines[i], page);
        CHECK(joined ? end == want : end <= want);
        page = end > page && end < PAGES ? end : PAGES;
    }
    while (page < PAGES && model[page].kind == NOTHING) { page++; }
    CHECK_EQ(page, PAGES);
}

static void walk(bool joined) {
    for (uint64_t round = 1; round <= 4; round++) {
        seed = round;
        step_unmap(0, PAGES);
        for (int i = 0; i < STEPS; i++) {
            step(joined);
            compare(joined);
            if (checks_failed) {
                ktap_comment("seed %d, step %d", (int)round, i);
                return;
            }
        }
    }
}

// Pages without rights on both sides: nothing there goes on in the arena, nor grows out of it.
static void prepare(void) {
    arena = map(PAGES + 2, PROT_NONE) + PAGE;
    file = (int)ksys_memfd_create("pages", 0);
    CHECK_EQ(ksys_ftruncate(file, FILE_PAGES * PAGE), 0);
}

static void likes_are_joined(void) {
    prepare();
    walk(true);
}

static void whatever_moves_is_right_to_the_page(void) {
    prepare();
    walk(false);
}

TEST_MAIN(TEST(likes_are_joined), TEST(whatever_moves_is_right_to_the_page))
