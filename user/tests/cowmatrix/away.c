// SPDX-License-Identifier: MIT
// away.c - pages that are on the swap device when the action begins. Only with a disk, /dev/vda.
#include "matrix.h"

static struct pages send_out(struct pages p, char *from, int pages) {
    CHECK_EQ(ksys_madvise(from, pages * PAGE, MADV_PAGEOUT), 0);
    for (int i = 0; i < pages; i++) { CHECK(pagemap(from + i * PAGE) & KINE_PM_SWAP); }
    return p;
}

static struct pages swapped(char *unused) {
    (void)unused;
    struct pages p = written(map(2, PROT_RW));
    return send_out(p, p.first, 2);
}

static struct pages one_swapped(char *unused) {
    (void)unused;
    struct pages p = written(map(2, PROT_RW));
    return send_out(p, p.second, 1);
}

static struct pages swapped_and_back(char *unused) {
    struct pages p = swapped(unused);
    CHECK(untouched(p));
    return p;
}

// By this side; the other one has the frames, or the table with the slots.
static struct pages swapped_below_a_shared_table(char *unused) {
    struct pages p = swapped(unused);
    share_with_relative(p, NULL);
    return p;
}

static struct pages swapped_and_shared(char *unused) {
    struct pages p = swapped(unused);
    share_with_relative(p, p.second + PAGE - 1);
    return p;
}

const struct state away[] = {
    {"swapped", swapped},
    {"one swapped", one_swapped},
    {"swapped and back", swapped_and_back},
    {"swapped below a shared table", swapped_below_a_shared_table},
    {"swapped, and the relative has one back", swapped_and_shared},
};
const int away_count = COUNT(away);
