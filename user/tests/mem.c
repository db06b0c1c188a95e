// SPDX-License-Identifier: MIT
// mem.c - mmap, munmap, the stack, and what memory holds when it is first looked at.
#include "common.h"

static const int ANON = MAP_PRIVATE | MAP_ANONYMOUS;

static void memory_is_zero_at_first(void) {
    enum { PAGES = 64 };
    for (int round = 0; round < 4; round++) {  // later rounds get recycled frames
        char *at = map(PAGES, PROT_RW);
        CHECK(all_bytes(at, 0, PAGES * PAGE));
        memset(at, 0x5a, PAGES * PAGE);
        unmap_pages(at, PAGES);
    }
}

static void untouched_memory_costs_nothing(void) {
    long before = ksys_kine_ctl(KINE_RSS, 0, 0);
    char *at = map(10000, PROT_RW);
    CHECK_EQ(ksys_kine_ctl(KINE_RSS, 0, 0), before);
    poke(at);
    poke(at + 5000 * PAGE);
    CHECK_EQ(ksys_kine_ctl(KINE_RSS, 0, 0), before + 2);
    unmap_pages(at, 10000);
    CHECK_EQ(ksys_kine_ctl(KINE_RSS, 0, 0), before);
}

static void munmap_in_parts(void) {
    char *at = map(9, PROT_RW);
    for (int i = 0; i < 9; i++) { tag(at + i * PAGE, i); }
    unmap_pages(at + 4 * PAGE, 1);  // the middle
    unmap_pages(at, 2);             // the beginning
    unmap_pages(at + 8 * PAGE, 1);  // the end
    for (int i = 0; i < 9; i++) {
        bool gone = i < 2 || i == 4 || i == 8;
        CHECK_EQ(dies(peek, at + i * PAGE), gone);
        CHECK(gone || tagged(at + i * PAGE, i));
    }
    unmap_pages(at, 9);  // holes do not matter
    CHECK(dies(peek, at + 5 * PAGE));
    unmap_pages(at, 9);
}

// Each hole cuts what is left of one mapping, from its beginning on: a careless map becomes a list.
static void many_holes_in_one_mapping(void) {
    enum { HOLES = 600 };
    char *at = map(2 * HOLES, PROT_RW);
    tag(at + 2 * PAGE, 2);
    for (int i = 0; i < HOLES; i++) { unmap_pages(at + (2 * i + 1) * PAGE, 1); }
    unmap_pages(at, 1);
    CHECK(dies(peek, at) && dies(peek, at + PAGE) && tagged(at + 2 * PAGE, 2));
}

static void munmap_over_several_mappings(void) {
    char *at = map(12, PROT_NONE);
    for (int i = 0; i < 12; i += 3) {
        int prot = i % 2 ? PROT_READ : PROT_RW;
        CHECK_EQ(ksys_mmap(at + i * PAGE, 2 * PAGE, prot, ANON | MAP_FIXED, -1, 0), at + i * PAGE);
        peek(at + i * PAGE);
    }
    unmap_pages(at + PAGE, 9);
    CHECK(dies(peek, at + PAGE) && dies(peek, at + 4 * PAGE) && dies(peek, at + 9 * PAGE));
    peek(at);
    peek(at + 10 * PAGE);
}

static void unmapped_memory_is_zero_when_mapped_again(void) {
    char *at = map(4, PROT_RW);
    for (int i = 0; i < 4; i++) { tag(at + i * PAGE, 1); }
    unmap_pages(at + PAGE, 2);
    CHECK_EQ(ksys_mmap(at + PAGE, 2 * PAGE, PROT_RW, ANON | MAP_FIXED, -1, 0), at + PAGE);
    CHECK(all_bytes(at + PAGE, 0, 2 * PAGE));
    CHECK(tagged(at, 1) && tagged(at + 3 * PAGE, 1));
}

static void fixed_replaces_what_was_there(void) {
    char *at = map(6, PROT_RW);
    for (int i = 0; i < 6; i++) { tag(at + i * PAGE, i); }
    CHECK_EQ(ksys_mmap(at + 2 * PAGE, 2 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0), at + 2 * PAGE);
    CHECK(all_bytes(at + 2 * PAGE, 0, 2 * PAGE));
    CHECK(dies(poke, at + 2 * PAGE) && dies(poke, at + 3 * PAGE));
    CHECK(tagged(at + PAGE, 1) && tagged(at + 4 * PAGE, 4));
    poke(at + 4 * PAGE);
}

static void noreplace_takes_only_free_addresses(void) {
    enum { NOREPLACE = 0x100000, POPULATE = 0x8000 };
    char *at = map(4, PROT_RW);
    tag(at, 1);
    unmap_pages(at + PAGE, 2);
    CHECK_EQ(ksys_mmap(at, PAGE, PROT_RW, ANON | NOREPLACE, -1, 0), -EEXIST);
    CHECK_EQ(ksys_mmap(at + PAGE, 3 * PAGE, PROT_RW, ANON | NOREPLACE | MAP_FIXED, -1, 0), -EEXIST);
    CHECK_EQ(ksys_mmap(at + 1, PAGE, PROT_RW, ANON | NOREPLACE, -1, 0), -EINVAL);
    CHECK_EQ(ksys_mmap((void *)(1ul << 62), PAGE, PROT_RW, ANON | NOREPLACE, -1, 0), -ENOMEM);
    CHECK_EQ(ksys_mmap(at + PAGE, PAGE, PROT_RW, ANON | NOREPLACE, -1, 0), at + PAGE);
    CHECK_EQ(ksys_mmap(at + 2 * PAGE, PAGE, PROT_RW, ANON | NOREPLACE | POPULATE, -1, 0), at + 2 * PAGE);
    CHECK(tagged(at, 1) && all_bytes(at + PAGE, 0, 3 * PAGE));
    poke(at + PAGE);
    poke(at + 2 * PAGE);
}

static void hints_are_used_or_passed_over(void) {
    char *room = map(16, PROT_RW);
    unmap_pages(room, 16);
    CHECK_EQ(ksys_mmap(room + 4 * PAGE, 2 * PAGE, PROT_RW, ANON, -1, 0), room + 4 * PAGE);
    tag(room + 4 * PAGE, 1);
    char *other = (char *)ksys_mmap(room + 4 * PAGE, 2 * PAGE, PROT_RW, ANON, -1, 0);
    CHECK(other != room + 4 * PAGE && (long)other > 0);
    CHECK(all_bytes(other, 0, 2 * PAGE));
    CHECK(tagged(room + 4 * PAGE, 1));
}

static void new_mappings_overlap_nothing(void) {
    enum { MAPPINGS = 200 };
    static char *at[MAPPINGS];
    for (int i = 0; i < MAPPINGS; i++) {
        at[i] = map(1 + i % 5, PROT_RW);
        for (int k = 0; k <= i % 5; k++) {
            CHECK(all_bytes(at[i] + k * PAGE, 0, PAGE));
            tag(at[i] + k * PAGE, 10 * i + k);
        }
        if (i % 3 == 2) {
            unmap_pages(at[i - 1], 1 + (i - 1) % 5);
            at[i - 1] = NULL;
        }
    }
    for (int i = 0; i < MAPPINGS; i++) {
        for (int k = 0; at[i] && k <= i % 5; k++) {
            CHECK(tagged(at[i] + k * PAGE, 10 * i + k));
        }
    }
}

static void arguments_out_of_range(void) {
    char *at = map(4, PROT_RW);
    CHECK_EQ(ksys_mmap(NULL, 0, PROT_RW, ANON, -1, 0), -EINVAL);
    CHECK_EQ(ksys_mmap(at + 1, PAGE, PROT_RW, ANON | MAP_FIXED, -1, 0), -EINVAL);
    CHECK_EQ(ksys_mmap(NULL, PAGE, PROT_RW, MAP_ANONYMOUS, -1, 0), -EINVAL);
    CHECK_EQ(ksys_mmap(NULL, -PAGE, PROT_RW, ANON, -1, 0), -ENOMEM);
    CHECK_EQ(ksys_mmap(NULL, -1ul, PROT_RW, ANON, -1, 0), -ENOMEM);
    CHECK_EQ(ksys_mmap((void *)(1ul << 62), PAGE, PROT_RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
    CHECK_EQ(ksys_mmap((void *)-PAGE, PAGE, PROT_RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
    CHECK_EQ(ksys_munmap(at + 1, PAGE), -EINVAL);
    CHECK_EQ(ksys_munmap(at, 0), -EINVAL);
    CHECK_EQ(ksys_munmap(at, -1ul), -EINVAL);
    CHECK_EQ(ksys_munmap((void *)(1ul << 62), PAGE), -EINVAL);
    CHECK_EQ(ksys_munmap((void *)-PAGE, PAGE), -EINVAL);
    poke(at);
}

static void lengths_are_rounded_up(void) {
    long at = ksys_mmap(NULL, PAGE + 1, PROT_RW, ANON, -1, 0);
    poke((char *)at + 2 * PAGE - 1);
    CHECK_EQ(ksys_munmap((char *)at, 1), 0);
    CHECK(dies(peek, (char *)at));
    peek((char *)at + PAGE);
}

static void protection_is_kept(void) {
    char *none = map(2, PROT_NONE), *ro = map(2, PROT_READ);
    CHECK(dies(peek, none) && dies(poke, none + PAGE));
    CHECK(dies(poke, ro));
    peek(ro);
    CHECK(dies(poke, ro) && dies(poke, ro + PAGE));
    CHECK(all_bytes(ro, 0, 2 * PAGE));
}

// Nothing is ever writable and executable.
static void writable_means_not_executable(void) {
    const int prot = PROT_READ | PROT_WRITE | PROT_EXEC;
    long at = ksys_mmap(NULL, PAGE, prot, ANON, -1, 0);
    if (at > 0) {
        poke((char *)at);
        uint64_t word = pagemap((char *)at);
        CHECK((word & (KINE_PM_WRITE | KINE_PM_EXEC)) != (KINE_PM_WRITE | KINE_PM_EXEC));
    } else {
        CHECK(at == -EINVAL || at == -EACCES || at == -EPERM);
    }
}

static __attribute__((noinline)) uint64_t recurse(uint64_t depth) {
    volatile char frame[PAGE];
    frame[0] = (char)depth;
    frame[PAGE - 1] = 2;
    uint64_t below = depth ? recurse(depth - 1) : 0;
    return below + (frame[0] == (char)depth && frame[PAGE - 1] == 2);
}

static void recurse_ever_deeper(void *unused) {
    (void)unused;
    recurse(1ul << 40);
}

static void the_stack_grows_to_eight_mib(void) {
    CHECK_EQ(recurse(1800), 1801);  // 7.2 MiB
    CHECK(dies(recurse_ever_deeper, NULL));
    CHECK_EQ(recurse(1800), 1801);
}

static void a_deep_stack_survives_fork(void) {
    int pid = spawn();
    if (pid == 0) {
        CHECK_EQ(recurse(500), 501);
        int inner = spawn();
        if (inner == 0) {
            CHECK_EQ(recurse(1000), 1001);
            leave();
        }
        CHECK_EQ(recurse(700), 701);
        CHECK_EQ(reap(inner), 0);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
}

// Tables too: mapping one page in each of many far places and unmapping returns everything.
static void page_tables_come_back(void) {
    for (int round = 0; round < 3; round++) {
        for (uint64_t at = 0x1000000000; at < 0x1000000000 + 64 * (1ul << 30); at += 1ul << 30) {
            CHECK_EQ(ksys_mmap((void *)at, PAGE, PROT_RW, ANON | MAP_FIXED, -1, 0), at);
            tag((char *)at, at);
        }
        CHECK_EQ(status_of(nothing, NULL), 0);
        CHECK_EQ(ksys_munmap((void *)0x1000000000, 64 * (1ul << 30)), 0);
    }
}

// One record of 64 bytes for each frame that there is, and hardly any for addresses without memory.
static void records_are_for_memory_that_is_there(void) {
    static struct kine_audit books;
    struct sysinfo info;
    audit(&books);
    CHECK_EQ(ksys_sysinfo(&info), 0);
    size_t records = info.totalram * info.mem_unit / PAGE;
    CHECK(books.frames <= records && records / 2 <= books.frames);
}

TEST_MAIN(TEST(memory_is_zero_at_first), KINE_TEST(untouched_memory_costs_nothing),
          TEST(munmap_in_parts), TEST(many_holes_in_one_mapping), TEST(munmap_over_several_mappings),
          TEST(unmapped_memory_is_zero_when_mapped_again), TEST(fixed_replaces_what_was_there),
          KINE_TEST(noreplace_takes_only_free_addresses), TEST(hints_are_used_or_passed_over),
          TEST(new_mappings_overlap_nothing),
          TEST(arguments_out_of_range), TEST(lengths_are_rounded_up), TEST(protection_is_kept),
          KINE_TEST(writable_means_not_executable), TEST(the_stack_grows_to_eight_mib),
          TEST(a_deep_stack_survives_fork), TEST(page_tables_come_back),
          KINE_TEST(records_are_for_memory_that_is_there))
