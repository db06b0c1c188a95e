// SPDX-License-Identifier: MIT
// tables.c - anonymous pages by what their tables, marks, rights and place have gone through before
// an action forks.
#include "matrix.h"

// A GiB of its own: no stack, text or heap that a child needs at once is below the same tables.
#define LONELY (64ul << 30)

static char *map_at(uintptr_t at, size_t pages) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    CHECK_EQ(ksys_mmap((void *)at, pages * PAGE, PROT_RW, flags, -1, 0), at);
    return (char *)at;
}

// Four pages, of which the two in the middle are the action's: touching another owns the way to them.
static struct pages lonely(void) {
    char *room = map_at(LONELY + 6 * MIB, 4);
    tag(room, 1);
    return written(room + PAGE);
}

static char *neighbour_of(struct pages p) { return p.first - PAGE; }

// Has the page's entry that mark, or will it have it when it is touched? True on a kernel that does not tell.
static bool says(struct pages p, uint64_t mark, bool set) {
    static uint64_t word;
    bool told = ksys_kine_pagemap(p.first, 1, &word) == 0;
    return !told || !!(word & mark) == set;
}

static struct pages table_shared(char *unused) {
    (void)unused;
    struct pages p = lonely();
    share_with_relative(p, NULL);
    return p;
}

// Copied, with a mark and a count of two for each page, which itself nobody has touched.
static struct pages table_owned(char *unused) {
    struct pages p = table_shared(unused);
    peek(neighbour_of(p));
    CHECK(says(p, KINE_PM_COW, true));
    return p;
}

// The relative has copied the table: ours is pointed at by nobody else, but not owned yet.
static struct pages table_left_by_relative(char *unused) {
    (void)unused;
    struct pages p = lonely();
    share_with_relative(p, neighbour_of(p));
    CHECK(says(p, KINE_PM_COW, true));
    return p;
}

static struct pages table_taken_back(char *unused) {
    (void)unused;
    struct pages p = lonely();
    CHECK_EQ(status_of(nothing, NULL), 0);
    peek(neighbour_of(p));
    CHECK(says(p, KINE_PM_COW, false));
    return p;
}

// Marked, and the only one to have the frame.
static struct pages about_to_flip(char *unused) {
    (void)unused;
    struct pages p = lonely();
    CHECK_EQ(status_of(peek, neighbour_of(p)), 0);
    peek(neighbour_of(p));
    CHECK(says(p, KINE_PM_COW, true));
    return p;
}

static struct pages just_flipped(char *unused) {
    struct pages p = about_to_flip(unused);
    write_both(p, OLD);
    CHECK(says(p, KINE_PM_COW, false) && says(p, KINE_PM_WRITE, true));
    return p;
}

static struct pages across_two_gib(char *unused) {
    (void)unused;
    return written(map_at(LONELY - PAGE, 2));
}

static struct pages across_two_gib_owned(char *unused) {
    (void)unused;
    struct pages p = written(map_at(LONELY - 2 * PAGE, 4) + PAGE);
    share_with_relative(p, p.second + PAGE);
    peek(neighbour_of(p));
    return p;
}

static void protect(struct pages p, int prot) {
    CHECK_EQ(ksys_mprotect(p.first, 2 * PAGE, prot), 0);
}

static struct pages read_only_for_a_while(char *unused) {
    (void)unused;
    struct pages p = written(map(2, PROT_RW));
    protect(p, PROT_READ);
    CHECK(untouched(p));
    protect(p, PROT_RW);
    return p;
}

static struct pages read_only_while_shared(char *unused) {
    (void)unused;
    struct pages p = lonely();
    protect(p, PROT_READ);
    share_with_relative(p, neighbour_of(p));
    protect(p, PROT_RW);
    return p;
}

static struct pages without_rights_while_shared(char *unused) {
    (void)unused;
    struct pages p = lonely();
    CHECK_EQ(status_of(peek, neighbour_of(p)), 0);
    protect(p, PROT_NONE);
    CHECK_EQ(status_of(peek, neighbour_of(p)), 0);
    protect(p, PROT_RW);
    return p;
}

static struct pages moved(char *unused) {
    (void)unused;
    char *from = written(map(2, PROT_RW)).first;
    uintptr_t to = LONELY + 8 * MIB - PAGE;
    CHECK_EQ(ksys_mremap(from, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)to), to);
    return (struct pages){.first = (char *)to, .second = (char *)to + PAGE};
}

static struct pages discarded_once(char *unused) {
    (void)unused;
    struct pages p = lonely();
    CHECK_EQ(ksys_madvise(p.first, 2 * PAGE, MADV_DONTNEED), 0);
    p.zero = true;
    return p;
}

const struct state tables[] = {
    {"below a shared table", table_shared},
    {"below an owned table", table_owned},
    {"below a table that a relative has left", table_left_by_relative},
    {"below a table taken back", table_taken_back},
    {"about to flip", about_to_flip},
    {"just flipped", just_flipped},
    {"across two GiB", across_two_gib},
    {"across two GiB, one table owned", across_two_gib_owned},
    {"read-only for a while", read_only_for_a_while},
    {"read-only while shared", read_only_while_shared},
    {"without rights while shared", without_rights_while_shared},
    {"moved", moved},
    {"discarded", discarded_once},
};
const int table_count = COUNT(tables);
