// SPDX-License-Identifier: MIT
// cow.c - copy-on-write told by its effects on the books: what is shared, copied, flipped, marked.
//
// Counters of all harts are compared at moments when only this program's processes exist and all
// but one of them sleep; so the numbers are exact, not bounds. Contents are cowmatrix's business.
#include "common.h"

// Fork a child that sleeps until `hold` is posted.
static int spawn_sleeper(const struct gate *hold) {
    int pid = spawn();
    if (pid == 0) {
        gate_wait(hold);
        leave();
    }
    return pid;
}

static void fork_copies_neither_data_nor_tables(void) {
    enum { PAGES = 1024 };
    static struct kine_audit before, during;
    char *heap = map(PAGES, PROT_RW);
    for (int i = 0; i < PAGES; i++) { tag(heap + i * PAGE, i); }
    struct gate hold = gate_new();
    audit(&before);
    int pid = spawn_sleeper(&hold);
    nap(20 * MS);
    audit(&during);
    for (int i = 0; i < PAGES; i++) { CHECK_EQ(KINE_PM_COUNT(pagemap(heap + i * PAGE)), 2); }
    CHECK(during.user - before.user < 16);   // stacks and data written since
    CHECK(during.table - before.table < 8);  // and the ways to them
    gate_post(&hold);
    CHECK_EQ(reap(pid), 0);
}

// What a rewriting of all pages costs, after a child that ends at once, or first reads one page of each 2 MiB.
static void rewrite(bool child_looks, struct kine_counters *cost) {
    enum { PAGES = 1500, LEAF = 512 };
    static char *heap;
    if (!heap) {
        heap = map(PAGES, PROT_RW);
        for (int i = 0; i < PAGES; i++) { tag(heap + i * PAGE, 0); }
    }
    int pid = spawn();
    if (pid == 0) {
        for (int i = 0; child_looks && i < PAGES; i += LEAF) { CHECK(*(volatile char *)(heap + i * PAGE) || true); }
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    struct kine_counters before = counters();
    for (int i = 0; i < PAGES; i++) { tag(heap + i * PAGE, i); }
    struct kine_counters after = counters();
    cost->cow_copies = after.cow_copies - before.cow_copies;
    cost->cow_flips = after.cow_flips - before.cow_flips;
    cost->faults = after.faults - before.faults;
    cost->table_copies = after.table_copies - before.table_copies;
    for (int i = 0; i < PAGES; i++) { CHECK(tagged(heap + i * PAGE, i)); }
}

static void after_a_child_has_gone_nothing_is_copied(void) {
    for (int round = 0; round < 3; round++) {
        struct kine_counters cost;
        rewrite(false, &cost);
        CHECK_EQ(cost.cow_copies, 0);
        CHECK_EQ(cost.cow_flips, 0);
        CHECK_EQ(cost.table_copies, 0);
        CHECK(cost.faults <= 4);  // one for each 2 MiB, and 1500 pages touch four
    }
}

static void sole_owner_flips_and_never_copies(void) {
    for (int round = 0; round < 3; round++) {
        struct kine_counters cost;
        rewrite(true, &cost);
        CHECK_EQ(cost.cow_copies, 0);
        CHECK(cost.cow_flips > 1000);  // the child has copied the table of most, and marked them in ours
    }
}

static void k_sharers_make_k_minus_1_copies(void) {
    enum { SHARERS = 8 };
    char *page = map(1, PROT_RW);
    struct gate turn[SHARERS], done = gate_new();
    int pid[SHARERS];
    tag(page, 100);
    for (int i = 1; i < SHARERS; i++) { turn[i] = gate_new(); }
    for (int i = 1; i < SHARERS; i++) {
        if ((pid[i] = spawn()) == 0) {
            gate_wait(&turn[i]);  // the first turn only warms stack and data
            gate_post(&done);
            gate_wait(&turn[i]);
            CHECK(tagged(page, 100));
            *(volatile char *)page = (char)i;
            gate_post(&done);
            gate_wait(&turn[i]);
            leave();
        }
        gate_post(&turn[i]);
        gate_wait(&done);
    }
    CHECK_EQ(KINE_PM_COUNT(pagemap(page)), SHARERS);
    struct kine_counters before = counters();
    for (int i = 1; i < SHARERS; i++) {
        gate_post(&turn[i]);
        gate_wait(&done);
    }
    CHECK(tagged(page, 100));
    *(volatile char *)page = 0;
    struct kine_counters after = counters();
    CHECK_EQ(after.cow_copies - before.cow_copies, SHARERS - 1);
    CHECK_EQ(after.cow_flips - before.cow_flips, 1);
    for (int i = 1; i < SHARERS; i++) {
        gate_post(&turn[i]);
        CHECK_EQ(reap(pid[i]), 0);
    }
}

// What pagemap says of a page, without its frame number.
static void check_bits(const volatile void *page, uint64_t bits, uint32_t count) {
    const uint64_t all = KINE_PM_VALID | KINE_PM_READ | KINE_PM_WRITE | KINE_PM_EXEC | KINE_PM_USER
        | KINE_PM_COW | KINE_PM_FILE;
    uint64_t word = pagemap(page);
    CHECK_EQ(word & all, bits);
    CHECK_EQ(KINE_PM_COUNT(word), count);
}

#define BITS_RO (KINE_PM_VALID | KINE_PM_USER | KINE_PM_READ)
#define BITS_FILE (BITS_RO | KINE_PM_FILE)
#define BITS_RW (BITS_RO | KINE_PM_WRITE)
#define BITS_COW (BITS_RO | KINE_PM_COW)

static const char constants[4 * PAGE] = "constants";

static void only_formerly_writable_pages_are_marked(void) {
    char *rw = map(3, PROT_RW), *none = map(1, PROT_NONE);
    const volatile char *ro = constants + PAGE;
    const volatile char *text = (const volatile char *)(uintptr_t)spawn_sleeper;
    struct gate hold = gate_new();
    (void)(*ro + *text);
    tag(rw, 1);
    check_bits(rw, BITS_RW, 1);
    int sleeper = spawn_sleeper(&hold);
    int pid = spawn();
    if (pid == 0) {
        check_bits(rw, BITS_COW, 3);
        check_bits(ro, BITS_FILE, 2);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    check_bits(rw, BITS_COW, 2);
    check_bits(ro, BITS_FILE, 2);
    check_bits(text, BITS_FILE | KINE_PM_EXEC, 2);
    gate_post(&hold);
    CHECK_EQ(reap(sleeper), 0);
    tag(rw, 2);
    check_bits(rw, BITS_RW, 1);
    check_bits(ro, BITS_FILE, 2);
    CHECK_EQ(pagemap(none) & (KINE_PM_WRITE | KINE_PM_COW), 0);
    CHECK_EQ(pagemap(rw + 2 * PAGE), 0);
}

static void a_copy_is_private_and_writable(void) {
    char *page = map(1, PROT_RW);
    struct gate hold = gate_new();
    tag(page, 1);
    int sleeper = spawn_sleeper(&hold);
    uint32_t shared_frame = KINE_PM_FRAME(pagemap(page));
    tag(page, 2);
    check_bits(page, BITS_RW, 1);
    CHECK(KINE_PM_FRAME(pagemap(page)) != shared_frame);
    gate_post(&hold);
    CHECK_EQ(reap(sleeper), 0);
}

enum { RUN = 128 };

// Writes of the child to pages start, start + step, ... of a heap that both have; what the counters say of them.
static struct kine_counters child_writes(char *heap, int pages, int start, int step) {
    static struct kine_counters before, after;
    struct gate answer = gate_new();
    int pid = spawn();
    if (pid == 0) {
        tag(heap + RUN * PAGE, 0);  // the table is its own, and the books are written
        ksys_kine_counters(-1, &after, sizeof after);
        ksys_kine_counters(-1, &before, sizeof before);
        for (int i = start; i < pages; i += step) { tag(heap + i * PAGE, 1000 + i); }
        ksys_kine_counters(-1, &after, sizeof after);
        for (int i = 0; i < pages; i++) {
            bool wrote = i >= start && (i - start) % step == 0;
            CHECK(tagged(heap + i * PAGE, wrote ? 1000 + i : i));
        }
        after.faults -= before.faults;
        after.cow_copies -= before.cow_copies;
        after.cow_around -= before.cow_around;
        CHECK_EQ(ksys_write(answer.ends[1], &after, sizeof after), sizeof after);
        leave();
    }
    CHECK_EQ(ksys_read(answer.ends[0], &after, sizeof after), sizeof after);
    CHECK_EQ(reap(pid), 0);
    for (int i = 0; i < pages; i++) { CHECK(tagged(heap + i * PAGE, i)); }
    gate_free(&answer);
    return after;
}

static void a_run_of_writes_is_copied_in_blocks(void) {
    char *room = map(1024, PROT_RW), *heap = (char *)(((uintptr_t)room + 2 * MIB - 1) & -(2 * MIB));
    for (int i = 0; i < RUN; i++) { tag(heap + i * PAGE, i); }
    tag(heap + RUN * PAGE, 0);
    struct gate hold = gate_new();
    int sleeper = spawn_sleeper(&hold);
    struct kine_counters c = child_writes(heap, RUN, 0, 1);
    CHECK_EQ(c.cow_copies, RUN);
    CHECK(c.cow_around >= RUN * 3 / 4 && c.faults < RUN / 4 + 8);
    c = child_writes(heap, RUN, 0, 2);  // here and there: no more than what is written
    CHECK_EQ(c.cow_copies, RUN / 2);
    CHECK_EQ(c.cow_around, 0);
    c = child_writes(heap, RUN, RUN - 7, 1);  // too few to go by
    CHECK_EQ(c.cow_copies, 7);
    CHECK_EQ(ksys_mprotect(heap + 12 * PAGE, PAGE, PROT_READ), 0);
    c = child_writes(heap, 12, 0, 1);  // up to what must not be written
    CHECK_EQ(c.cow_copies, 12);
    CHECK(tagged(heap + 12 * PAGE, 12));
    gate_post(&hold);
    CHECK_EQ(reap(sleeper), 0);
    unmap_pages(room, 1024);
}

// The same fork with all pages copied at once: nothing is shared, and what each side sees is what it sees after
// the other kind.
static void an_eager_fork_differs_in_nothing_but_sharing(void) {
    enum { PAGES = 700 };
    char *heap = map(PAGES, PROT_RW);
    for (int i = 0; i < PAGES; i += 3) { tag(heap + i * PAGE, i); }
    CHECK_EQ(status_of(nothing, NULL), 0);  // so that some are marked
    tag(heap, 0);
    for (int eager = 0; eager < 2; eager++) {
        static struct kine_audit before, during;
        struct gate hold = gate_new(), done = gate_new();
        audit(&before);
        int pid = spawn_with(eager ? KINE_CLONE_EAGER : 0);
        if (pid == 0) {
            for (int i = 0; i < PAGES; i += 3) { CHECK(tagged(heap + i * PAGE, i)); }
            CHECK(all_bytes(heap + PAGE, 0, PAGE));
            for (int i = 0; i < PAGES; i++) { tag(heap + i * PAGE, i + 5000); }
            gate_post(&done);
            gate_wait(&hold);
            for (int i = 0; i < PAGES; i++) { CHECK(tagged(heap + i * PAGE, i + 5000)); }
            leave();
        }
        CHECK(pid > 0);
        if (eager) { CHECK_EQ(KINE_PM_COUNT(pagemap(heap + 3 * PAGE)), 1); }
        gate_wait(&done);
        audit(&during);
        CHECK(during.user - before.user >= PAGES);
        for (int i = 0; i < PAGES; i += 3) {
            CHECK(tagged(heap + i * PAGE, i));
            tag(heap + i * PAGE, i);
        }
        gate_post(&hold);
        CHECK_EQ(reap(pid), 0);
    }
}

// A count of eight bits would wrap here.
static void three_hundred_sharers(void) {
    enum { SHARERS = 300 };
    static int pid[SHARERS];
    char *page = map(1, PROT_RW);
    struct gate hold = gate_new();
    tag(page, 7);
    for (int i = 0; i < SHARERS; i++) {
        if ((pid[i] = spawn()) == 0) {
            gate_wait(&hold);
            CHECK(tagged(page, 7));
            tag(page, i);
            CHECK(tagged(page, i));
            leave();
        }
    }
    check_bits(page, BITS_COW, SHARERS + 1);
    tag(page, 8);
    for (int i = 0; i < SHARERS; i++) { gate_post(&hold); }
    for (int i = 0; i < SHARERS; i++) { CHECK_EQ(reap(pid[i]), 0); }
    CHECK(tagged(page, 8));
}

// Two thirds of the free memory, forked: impossible if fork copied.
static void a_big_heap_forks_twice(void) {
    struct sysinfo info;
    CHECK_EQ(ksys_sysinfo(&info), 0);
    size_t pages = info.freeram * info.mem_unit / PAGE * 2 / 3;
    char *heap = map(pages, PROT_RW);
    for (size_t i = 0; i < pages; i++) { tag(heap + i * PAGE, i); }
    for (int round = 0; round < 2; round++) {
        int pid = spawn();
        if (pid == 0) {
            for (size_t i = 0; i < pages; i += 16) {
                CHECK(tagged(heap + i * PAGE, i));
                tag(heap + i * PAGE, ~i);
            }
            leave();
        }
        CHECK_EQ(reap(pid), 0);
    }
    size_t wrong = 0;
    for (size_t i = 0; i < pages; i++) { wrong += !tagged(heap + i * PAGE, i); }
    CHECK_EQ(wrong, 0);
    CHECK_EQ(ksys_munmap(heap, pages * PAGE), 0);
}

TEST_MAIN(KINE_TEST(fork_copies_neither_data_nor_tables),
          KINE_TEST(after_a_child_has_gone_nothing_is_copied), KINE_TEST(sole_owner_flips_and_never_copies),
          KINE_TEST(k_sharers_make_k_minus_1_copies),
          KINE_TEST(only_formerly_writable_pages_are_marked),
          KINE_TEST(a_copy_is_private_and_writable), KINE_TEST(a_run_of_writes_is_copied_in_blocks),
          KINE_TEST(an_eager_fork_differs_in_nothing_but_sharing), KINE_TEST(three_hundred_sharers),
          KINE_TEST(a_big_heap_forks_twice))
