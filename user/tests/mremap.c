// SPDX-License-Identifier: MIT
// mremap.c - mappings that grow, shrink and move, with all that is in them and nothing more.
#include "common.h"

enum { MANY = 700 };

static long remap(void *old, size_t pages, size_t new_pages, int flags, void *to) {
    return ksys_mremap(old, pages * PAGE, new_pages * PAGE, flags, to);
}

static void fill(char *at, int pages, int who) {
    for (int i = 0; i < pages; i++) { tag(at + i * PAGE, who + i); }
}

static bool filled(const char *at, int pages, int who) {
    for (int i = 0; i < pages; i++) {
        if (!tagged(at + i * PAGE, who + i)) { return false; }
    }
    return true;
}

static bool gone(char *at) { return dies(peek, at); }

static void grows_where_it_is(void) {
    char *at = map(8, PROT_RW);
    unmap_pages(at + 4 * PAGE, 4);
    fill(at, 4, 1);
    CHECK_EQ(remap(at, 4, 7, 0, NULL), at);
    CHECK(filled(at, 4, 1) && all_bytes(at + 4 * PAGE, 0, 3 * PAGE));
    CHECK_EQ(remap(at, 7, 7, 0, NULL), at);
    CHECK(gone(at + 7 * PAGE));
    unmap_pages(at, 8);
}

static void moves_when_it_must(void) {
    char *at = map(8, PROT_RW);
    fill(at, 8, 1);
    CHECK_EQ(remap(at, 4, 5, 0, NULL), -ENOMEM);  // something is in the way
    uint32_t frame = KINE_PM_FRAME(pagemap(at + PAGE));
    char *to = (char *)remap(at, 4, 600, MREMAP_MAYMOVE, NULL);
    CHECK((long)to > 0 && to != at);
    CHECK_EQ(KINE_PM_FRAME(pagemap(to + PAGE)), frame);
    CHECK(filled(to, 4, 1) && all_bytes(to + 4 * PAGE, 0, 596 * PAGE) && gone(at) && gone(at + 3 * PAGE));
    CHECK(filled(at + 4 * PAGE, 4, 5));
    unmap_pages(to, 600);
    unmap_pages(at, 8);
}

static void shrinks(void) {
    char *at = map(8, PROT_RW);
    fill(at, 8, 1);
    CHECK_EQ(remap(at, 8, 3, 0, NULL), at);
    CHECK(filled(at, 3, 1) && gone(at + 3 * PAGE) && gone(at + 7 * PAGE));
    CHECK_EQ(remap(at + PAGE, 2, 1, MREMAP_MAYMOVE, NULL), at + PAGE);
    CHECK(filled(at, 2, 1) && gone(at + 2 * PAGE));
    unmap_pages(at, 8);
}

// Over several tables, by every kind of offset; no frame is copied, and nothing faults afterwards.
static void keeps_its_frames(void) {
    char *room = map(4 * MANY, PROT_RW);
    static const int offsets[] = {2 * MANY, 2 * MANY + 1, 2048, 1537, 1024 + 256};
    for (int i = 0; i < COUNT(offsets); i++) {
        char *at = room, *to = room + offsets[i] * PAGE;
        CHECK_EQ(ksys_mmap(at, MANY * PAGE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at);
        fill(at, MANY, i);
        struct kine_counters before = counters();
        CHECK_EQ(remap(at, MANY, MANY, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
        fill(to, MANY, i + 1);
        struct kine_counters after = counters();
        CHECK(filled(to, MANY, i + 1) && gone(at) && gone(at + (MANY - 1) * PAGE));
        CHECK_EQ(after.cow_copies - before.cow_copies, 0);
        CHECK(after.zero_fills - before.zero_fills < 4);
    }
    unmap_pages(room, 4 * MANY);
}

static void takes_the_place_of_what_is_there(void) {
    char *at = map(16, PROT_RW);
    fill(at, 16, 1);
    CHECK_EQ(remap(at, 4, 6, MREMAP_MAYMOVE | MREMAP_FIXED, at + 10 * PAGE), at + 10 * PAGE);
    CHECK(filled(at + 10 * PAGE, 4, 1) && all_bytes(at + 14 * PAGE, 0, 2 * PAGE) && filled(at + 4 * PAGE, 6, 5));
    CHECK_EQ(remap(at + 4 * PAGE, 4, 1, MREMAP_MAYMOVE | MREMAP_FIXED, at), at);  // and becomes shorter
    CHECK(tagged(at, 5) && gone(at + PAGE) && gone(at + 5 * PAGE) && filled(at + 8 * PAGE, 2, 9));
    unmap_pages(at, 16);
}

static void rights_move_too(void) {
    char *at = map(4, PROT_RW);
    fill(at, 4, 1);
    CHECK_EQ(ksys_mprotect(at, 2 * PAGE, PROT_READ), 0);
    CHECK_EQ(remap(at, 4, 5, MREMAP_MAYMOVE, NULL), -EFAULT);  // two mappings
    char *to = (char *)remap(at, 2, 100, MREMAP_MAYMOVE, NULL);
    CHECK(filled(to, 2, 1) && filled(at + 2 * PAGE, 2, 3));
    CHECK_EQ(status_of(poke, to), KILLED(SIGSEGV));
    CHECK_EQ(status_of(poke, to + 99 * PAGE), KILLED(SIGSEGV));
    CHECK_EQ(ksys_mprotect(to, PAGE, PROT_RW), 0);
    fill(to, 1, 9);
    unmap_pages(to, 100);
    unmap_pages(at, 4);
}

static void on_both_sides_of_a_fork(void) {
    enum { PAGES = 520 };
    char *at = map(2 * PAGES, PROT_RW), *to = at + PAGES * PAGE;
    unmap_pages(to, PAGES);
    fill(at, PAGES, 1);
    struct gate moved = gate_new();
    int pid = spawn();
    if (pid == 0) {
        CHECK_EQ(remap(at, PAGES, PAGES, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
        CHECK(filled(to, PAGES, 1));
        fill(to, PAGES / 2, 1000);
        gate_wait(&moved);
        CHECK(filled(to, PAGES / 2, 1000) && filled(to + PAGES / 2 * PAGE, PAGES / 2, 1 + PAGES / 2) && gone(at));
        leave();
    }
    fill(at, 10, 2000);
    char *mine = (char *)remap(at, PAGES, 2 * PAGES + 1, MREMAP_MAYMOVE, NULL);
    CHECK(filled(mine, 10, 2000) && filled(mine + 10 * PAGE, PAGES - 10, 11));
    fill(mine, PAGES, 3000);
    gate_post(&moved);
    CHECK_EQ(reap(pid), 0);
    CHECK(filled(mine, PAGES, 3000));
    gate_free(&moved);
    unmap_pages(mine, 2 * PAGES + 1);
}

static void files_and_shared_memory_move(void) {
    int fd = (int)ksys_memfd_create("m", 0);
    CHECK_EQ(ksys_ftruncate(fd, 20 * PAGE), 0);
    char *at = (char *)ksys_mmap(NULL, 8 * PAGE, PROT_RW, MAP_SHARED, fd, 4 * PAGE);
    char *all = (char *)ksys_mmap(NULL, 20 * PAGE, PROT_RW, MAP_SHARED, fd, 0);
    fill(all, 20, 1);
    char *to = (char *)remap(at + 2 * PAGE, 3, 9, MREMAP_MAYMOVE, NULL);
    CHECK(filled(to, 9, 7) && filled(at, 2, 5) && filled(at + 5 * PAGE, 3, 10) && gone(at + 2 * PAGE));
    fill(to, 9, 100);
    CHECK(filled(all + 6 * PAGE, 9, 100));
    unmap_pages(to, 9);
    unmap_pages(all, 20);
    ksys_close(fd);
}

static void what_is_refused(void) {
    char *at = map(4, PROT_RW);
    CHECK_EQ(ksys_mremap(at + 1, PAGE, PAGE, 0, NULL), -EINVAL);
    CHECK_EQ(ksys_mremap(at, PAGE, 0, 0, NULL), -EINVAL);
    CHECK_EQ(ksys_mremap(at, 0, PAGE, MREMAP_MAYMOVE, NULL), -EINVAL);
    CHECK_EQ(ksys_mremap(at, PAGE, PAGE, MREMAP_FIXED, at), -EINVAL);
    CHECK_EQ(ksys_mremap(at, PAGE, PAGE, 8, NULL), -EINVAL);
    CHECK_EQ(remap(at, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE), -EINVAL);  // into itself
    CHECK_EQ(remap(at, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, at - PAGE), -EINVAL);
    CHECK_EQ(remap(at, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)1), -EINVAL);
    CHECK_EQ(remap(at, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, NULL), -EINVAL);
    CHECK_EQ(remap(at, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(1ul << 40)), -EINVAL);
    CHECK_EQ(remap(at, 1, 1ul << 40, MREMAP_MAYMOVE, NULL), -ENOMEM);
    CHECK_EQ(remap((void *)(1ul << 37), 1, 2, MREMAP_MAYMOVE, NULL), -EFAULT);
    CHECK_EQ(remap(at, 5, 6, MREMAP_MAYMOVE, NULL), -EFAULT);  // more than there is
    CHECK_EQ(remap((void *)(1ul << 50), 1, 2, MREMAP_MAYMOVE, NULL), -EFAULT);
    unmap_pages(at, 4);
}

TEST_MAIN(TEST(grows_where_it_is), KINE_TEST(moves_when_it_must), TEST(shrinks), KINE_TEST(keeps_its_frames),
          TEST(takes_the_place_of_what_is_there), TEST(rights_move_too), TEST(on_both_sides_of_a_fork),
          TEST(files_and_shared_memory_move), TEST(what_is_refused))
