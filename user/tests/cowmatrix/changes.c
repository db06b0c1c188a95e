// SPDX-License-Identifier: MIT
// changes.c - the mapping itself changes between fork and write: rights, place, contents, extent.
#include "matrix.h"

// Where nothing else is: here pages are moved to.
#define ELSEWHERE (96ul << 30)

static void protect(char *at, size_t pages, int prot) {
    CHECK_EQ(ksys_mprotect(at, pages * PAGE, prot), 0);
}

static void discard(char *at, size_t pages) {
    CHECK_EQ(ksys_madvise(at, pages * PAGE, MADV_DONTNEED), 0);
}

static char *move(char *at, size_t pages, uintptr_t to) {
    const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    CHECK_EQ(ksys_mremap(at, pages * PAGE, pages * PAGE, flags, (void *)to), to);
    return (char *)to;
}

static struct pages move_both(struct pages p, uintptr_t to) {
    p.first = move(p.first, 2, to);
    p.second = p.first + PAGE;
    return p;
}

// ---- rights

static void protect_and_write(struct pages p) {
    protect(p.first, 2, PROT_READ);
    CHECK(untouched(p) && dies(poke, p.first));
    protect(p.first, 2, PROT_RW);
    write_both(p, NEW);
    CHECK(wrote_both(p, NEW));
}

static void child_protects(struct pages p) {
    IN_CHILD(pid, protect_and_write(p))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW));
    write_both(p, NEW + 2);
    CHECK(wrote_both(p, NEW + 2));
}

static void parent_protects(struct pages p) {
    struct gate go = gate_new();
    IN_CHILD(pid, gate_wait(&go); CHECK(reads(p, OLD, NEW)); write_both(p, NEW + 2))
    protect_and_write(p);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, NEW, NEW + 2));
}

static void grandchild_protects(struct pages p) {
    IN_CHILD(pid, IN_CHILD(grandchild, protect_and_write(p)) CHECK_EQ(reap(grandchild), 0);
             CHECK(reads(p, OLD, NEW)); write_both(p, NEW + 2))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW + 2));
}

// The rights are as old as the fork; each side gives itself new ones.
static void read_only_at_fork(struct pages p) {
    protect(p.first, 2, PROT_READ);
    IN_CHILD(pid, CHECK(untouched(p) && dies(poke, p.second)); protect(p.first, 2, PROT_RW);
             write_both(p, NEW))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW) && dies(poke, p.first));
    protect(p.first, 2, PROT_RW);
    write_both(p, NEW + 2);
    CHECK(wrote_both(p, NEW + 2));
}

static void child_stays_read_only(struct pages p) {
    struct gate back = gate_new(), go = gate_new();
    IN_CHILD(pid, protect(p.first, 2, PROT_READ); gate_post(&back); gate_wait(&go);
             CHECK(reads(p, OLD, NEW) && dies(poke, p.first) && dies(poke, p.second)))
    gate_wait(&back);
    write_both(p, NEW);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK(wrote_both(p, NEW));
}

static void child_protects_one_page(struct pages p) {
    IN_CHILD(pid, protect(p.second, 1, PROT_NONE); tag(p.first, NEW);
             CHECK(dies(peek, p.second) && tagged(p.first, NEW)))
    CHECK_EQ(reap(pid), 0);
    CHECK(p.shared ? tagged(p.first, NEW) : untouched(p));
    write_both(p, NEW + 2);
    CHECK(wrote_both(p, NEW + 2));
}

// ---- place

static void child_moves(struct pages p) {
    IN_CHILD(pid, struct pages q = move_both(p, ELSEWHERE); CHECK(untouched(q)); write_both(q, NEW);
             CHECK(wrote_both(q, NEW) && dies(peek, p.first)))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW));
}

static void parent_moves(struct pages p) {
    struct gate go = gate_new();
    IN_CHILD(pid, gate_wait(&go); CHECK(reads(p, OLD, NEW)); write_both(p, NEW + 2))
    struct pages q = move_both(p, ELSEWHERE - PAGE);  // into two tables
    CHECK(untouched(q));
    write_both(q, NEW);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(q, NEW, NEW + 2) && dies(peek, p.second));
}

static void both_move(struct pages p) {
    struct gate go = gate_new(), back = gate_new();
    IN_CHILD(pid, struct pages q = move_both(p, ELSEWHERE + 3 * PAGE); write_both(q, NEW);
             gate_post(&back); gate_wait(&go); CHECK(reads(q, NEW, NEW + 2)))
    struct pages q = move_both(p, ELSEWHERE);
    gate_wait(&back);
    CHECK(reads(q, OLD, NEW));
    write_both(q, NEW + 2);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK(wrote_both(q, NEW + 2));
}

// There and back again: two shootdowns and as many ways, and the same pages.
static void child_moves_twice(struct pages p) {
    IN_CHILD(pid, struct pages q = move_both(p, ELSEWHERE); tag(q.first, NEW);
             q = move_both(q, (uintptr_t)p.first); tag(q.second, NEW + 1); CHECK(wrote_both(p, NEW)))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW));
}

static void child_moves_one_page(struct pages p) {
    IN_CHILD(pid, char *to = move(p.first, 1, ELSEWHERE); tag(to, NEW); tag(p.second, NEW + 1);
             CHECK(tagged(to, NEW) && tagged(p.second, NEW + 1)))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW));
}

// ---- contents

static void child_discards(struct pages p) {
    IN_CHILD(pid, discard(p.first, 2); CHECK(discarded(p, OLD)); write_both(p, NEW);
             CHECK(wrote_both(p, NEW)))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW));
}

static void child_writes_and_discards(struct pages p) {
    IN_CHILD(pid, write_both(p, NEW); discard(p.first, 2); CHECK(discarded(p, NEW)))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW));
}

static void parent_discards(struct pages p) {
    struct gate go = gate_new();
    IN_CHILD(pid, gate_wait(&go); CHECK(untouched(p)); write_both(p, NEW);
             CHECK(wrote_both(p, NEW)))
    discard(p.first, 2);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK(discarded(p, NEW));
}

static void child_discards_one_page(struct pages p) {
    IN_CHILD(pid, tag(p.first, NEW); discard(p.second, 1); tag(p.second, NEW + 1);
             CHECK(wrote_both(p, NEW)))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW));
}

// ---- extent: the two pages come into the middle of a range, of which nobody owns all

enum { RANGE = 8, MIDDLE = 3 };

static char *range_around(struct pages *p) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    char *range = (char *)ELSEWHERE;
    CHECK_EQ(ksys_mmap(range, RANGE * PAGE, PROT_RW, flags, -1, 0), range);
    for (int i = 0; i < RANGE; i++) { tag(range + i * PAGE, OLD + 100 + i); }
    *p = move_both(*p, (uintptr_t)range + MIDDLE * PAGE);
    return range;
}

// Writes every other page from `page` on; and whether this is how these and all others read.
static void write_every_other(char *range, int page) {
    for (; page < RANGE; page += 2) { tag(range + page * PAGE, NEW + page); }
}

static bool wrote_every_other(const char *range, struct pages p, int page) {
    bool good = true;
    for (int i = 0; i < RANGE; i++) {
        bool mine = i % 2 == page, other = i == MIDDLE || i == MIDDLE + 1;
        if (mine || (other && p.shared)) {
            good = good && tagged(range + i * PAGE, NEW + i);
        } else if (!other) {
            good = good && tagged(range + i * PAGE, OLD + 100 + i);
        }
    }
    return good;
}

static void partly_written(struct pages p) {
    char *range = range_around(&p);
    struct gate go = gate_new(), back = gate_new();
    IN_CHILD(pid, CHECK(untouched(p)); write_every_other(range, 0); gate_post(&back); gate_wait(&go);
             CHECK(wrote_every_other(range, p, 0)))
    gate_wait(&back);
    write_every_other(range, 1);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK(wrote_every_other(range, p, 1));
}

// The parent becomes the sole owner of every other page, and shares the rest with the child.
static void partly_unmapped(struct pages p) {
    char *range = range_around(&p);
    struct gate go = gate_new(), back = gate_new();
    IN_CHILD(pid, for (int i = 0; i < RANGE; i += 2) unmap_pages(range + i * PAGE, 1);
             gate_post(&back); gate_wait(&go);
             for (int i = 1; i < RANGE; i += 2)
                 if (i != MIDDLE) CHECK(tagged(range + i * PAGE, OLD + 100 + i)))
    gate_wait(&back);
    CHECK(untouched(p));
    write_both(p, NEW);
    tag(range + PAGE, NEW + 5);
    tag(range + 2 * PAGE, NEW + 6);
    CHECK(wrote_both(p, NEW) && tagged(range + PAGE, NEW + 5) && tagged(range + 2 * PAGE, NEW + 6));
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK(wrote_both(p, NEW));
}

const struct action changes[] = {
    {"the child protects and writes", child_protects},
    {"the parent protects and writes", parent_protects},
    {"the grandchild protects and writes", grandchild_protects},
    {"read-only when it forks", read_only_at_fork},
    {"the child stays read-only", child_stays_read_only},
    {"the child protects one page", child_protects_one_page},
    {"the child moves and writes", child_moves},
    {"the parent moves and writes", parent_moves},
    {"both move and write", both_move},
    {"the child moves there and back", child_moves_twice},
    {"the child moves one page", child_moves_one_page},
    {"the child discards and writes", child_discards},
    {"the child writes and discards", child_writes_and_discards},
    {"the parent discards", parent_discards},
    {"the child discards one page", child_discards_one_page},
    {"every other page of a range is written", partly_written},
    {"every other page of a range is unmapped", partly_unmapped},
};
const int change_count = COUNT(changes);
