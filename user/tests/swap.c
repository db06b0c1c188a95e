// SPDX-License-Identifier: MIT
// swap.c - pages that are not in memory: wanted are little memory and /dev/vda, some larger than that.
// `swap errors`: /dev/vda cannot be read nor written at its end.
#include "team.h"

static struct kine_audit books(void) {
    static struct kine_audit a;
    audit(&a);
    return a;
}

static size_t memory_pages(void) { return books().frames; }

static bool is_out(const void *at) { return pagemap(at) & KINE_PM_SWAP; }

static char *written(size_t pages, int who) {
    char *at = map(pages, PROT_RW);
    for (size_t i = 0; i < pages; i++) { tag(at + i * PAGE, who + i); }
    return at;
}

static bool holds(const char *at, size_t pages, int who) {
    for (size_t i = 0; i < pages; i++) {
        if (!tagged(at + i * PAGE, who + i)) { return false; }
    }
    return true;
}

static void send_out(char *at, size_t pages) {
    CHECK_EQ(ksys_madvise(at, pages * PAGE, MADV_PAGEOUT), 0);
    for (size_t i = 0; i < pages; i++) { CHECK(is_out(at + i * PAGE)); }
}

static void out_and_in_again(void) {
    enum { PAGES = 100 };
    char *at = written(PAGES, 1);
    long before = ksys_kine_ctl(KINE_FREE, 0, 0);
    send_out(at, PAGES);
    CHECK(ksys_kine_ctl(KINE_FREE, 0, 0) >= before + PAGES - 4);
    CHECK_EQ(books().swapped, PAGES);
    struct kine_counters c = counters();
    CHECK(holds(at, PAGES / 2, 1));
    CHECK_EQ(counters().swap_ins - c.swap_ins, PAGES / 2);
    CHECK_EQ(books().swapped, PAGES / 2);
    for (int i = 0; i < PAGES; i++) { tag(at + i * PAGE, 1000 + i); }
    CHECK(holds(at, PAGES, 1000));
    CHECK_EQ(books().swapped, 0);
    send_out(at, PAGES);
    unmap_pages(at, PAGES / 2);
    CHECK_EQ(ksys_madvise(at + PAGES / 2 * PAGE, PAGE, MADV_DONTNEED), 0);
    CHECK_EQ(books().swapped, PAGES / 2 - 1);
    unmap_pages(at, PAGES);
    CHECK_EQ(books().swapped, 0);
}

static void both_sides_of_a_fork(void) {
    enum { PAGES = 64 };
    char *at = written(PAGES, 1);
    send_out(at, PAGES);
    struct gate go = gate_new(), counted = gate_new();
    int pid = spawn();
    if (pid == 0) {
        tag(at, 500);  // the table is copied, the slots are counted twice
        CHECK_EQ(KINE_PM_COUNT(pagemap(at + PAGE)), 2);
        gate_post(&counted);
        CHECK(holds(at + PAGE, PAGES - 1, 2));
        for (int i = 0; i < PAGES; i++) { tag(at + i * PAGE, 500 + i); }
        CHECK_EQ(ksys_madvise(at, PAGES * PAGE, MADV_PAGEOUT), 0);
        gate_wait(&go);
        CHECK(holds(at, PAGES, 500));
        leave();
    }
    gate_wait(&counted);
    CHECK(holds(at, PAGES, 1));
    for (int i = 0; i < PAGES; i += 2) { tag(at + i * PAGE, 900 + i); }
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    for (int i = 0; i < PAGES; i++) { CHECK(tagged(at + i * PAGE, i % 2 ? 1 + i : 900 + i)); }
    CHECK_EQ(books().swapped, 0);
    unmap_pages(at, PAGES);
    gate_free(&go);
    gate_free(&counted);
}

// Shared frames are not taken by one side alone; shared tables are.
static void what_a_fork_shares(void) {
    enum { PAGES = 64 };
    char *at = written(PAGES, 1);
    struct gate go = gate_new(), ready = gate_new();
    int pid = spawn();
    if (pid == 0) {
        gate_post(&ready);
        gate_wait(&go);
        CHECK(is_out(at) && holds(at, PAGES, 1));  // in a table that both had
        leave();
    }
    gate_wait(&ready);
    CHECK_EQ(ksys_madvise(at, PAGES * PAGE, MADV_PAGEOUT), 0);
    CHECK(is_out(at));
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK(holds(at, PAGES, 1));
    unmap_pages(at, PAGES);
    gate_free(&go);
    gate_free(&ready);
}

static void rights_and_addresses_change(void) {
    char *at = written(8, 1);
    send_out(at, 8);
    CHECK_EQ(ksys_mprotect(at, 4 * PAGE, PROT_READ), 0);
    CHECK_EQ(status_of(poke, at), KILLED(SIGSEGV));
    CHECK(holds(at, 8, 1));
    send_out(at, 8);
    CHECK_EQ(ksys_mprotect(at, 4 * PAGE, PROT_RW), 0);
    tag(at + 3 * PAGE, 4);
    char *to = (char *)ksys_mremap(at, 8 * PAGE, 600 * PAGE, MREMAP_MAYMOVE, NULL);
    CHECK(is_out(to + PAGE) && holds(to, 8, 1));
    struct gate pipe = gate_new();
    send_out(to, 8);
    CHECK_EQ(ksys_write(pipe.ends[1], to + PAGE - 4, 8), 8);  // the kernel brings it in
    send_out(to, 1);
    CHECK_EQ(ksys_read(pipe.ends[0], to + PAGE - 4, 8), 8);
    CHECK(holds(to, 8, 1));
    gate_free(&pipe);
    unmap_pages(to, 600);
}

static void eager_fork_of_what_is_out(void) {
    char *at = written(8, 1);
    send_out(at, 4);
    int pid = spawn_with(KINE_CLONE_EAGER);
    if (pid == 0) {
        CHECK(holds(at, 8, 1));
        poke(at);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    CHECK(holds(at, 8, 1));
    unmap_pages(at, 8);
}

// Every allocation of a page-in is failed in turn; then there is room made, and it goes on.
static void a_page_comes_in_when_there_was_no_frame(void) {
    enum { PAGES = 8 };
    char *at = written(PAGES, 1);
    long k = 0, made = 1;
    for (; made > k; k++) {
        send_out(at, PAGES);
        fail_nth(k + 1);
        bool right = holds(at, 1, 1);
        made = fail_nth(0);
        CHECK(right);
        CHECK_EQ(books().errors, 0);
    }
    CHECK(k > 1);
    CHECK(holds(at, PAGES, 1));
    unmap_pages(at, PAGES);
}

// Half as much again as there is memory, three times over, forwards and backwards.
static void more_than_there_is(void) {
    size_t pages = memory_pages() * 3 / 2;
    char *at = map(pages, PROT_RW);
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < pages; n++) {
            size_t i = round % 2 ? pages - 1 - n : n;
            if (round) { CHECK(tagged(at + i * PAGE, 100000 * (round - 1) + i)); }
            tag(at + i * PAGE, 100000 * round + i);
        }
    }
    CHECK(books().swapped >= pages / 3);
    int pid = spawn();  // and with a child that shares it all
    if (pid == 0) {
        for (size_t i = 0; i < pages; i += 64) {
            CHECK(tagged(at + i * PAGE, 200000 + i));
            tag(at + i * PAGE, i);
        }
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    for (size_t i = 0; i < pages; i++) { CHECK(tagged(at + i * PAGE, 200000 + i)); }
    unmap_pages(at, pages);
    CHECK(books().swapped < 64);  // what the other processes have not touched since
}

// Threads write their own words of all pages while these come and go.
static char *field;
static volatile int over;
enum { FIELD = 300, WRITERS = 3 };

static void *write_words(void *number) {
    long me = (long)number, bad = 0;
    for (long n = 1; !over || n < 3; n++) {
        for (int i = 0; i < FIELD; i++) {
            volatile long *word = (volatile long *)(field + i * PAGE) + me;
            bad += *word != n - 1;
            *word = n;
        }
    }
    return (void *)bad;
}

static void threads_write_meanwhile(void) {
    struct thread *t[WRITERS];
    field = map(FIELD, PROT_RW);
    for (int i = 0; i < FIELD; i++) { ((volatile long *)(field + i * PAGE))[WRITERS] = 1; }  // so that all are there
    for (long i = 0; i < WRITERS; i++) { t[i] = begin(write_words, (void *)i); }
    for (int n = 0; n < 40; n++) {
        long error = ksys_madvise(field + n % 10 * 20 * PAGE, 100 * PAGE, MADV_PAGEOUT);
        CHECK_EQ(error, 0);
    }
    over = 1;
    for (int i = 0; i < WRITERS; i++) { CHECK_EQ((long)end(t[i]), 0); }
    unmap_pages(field, FIELD);
}

// -ENOMEM that is no want of memory: nobody pays for it, though there was none a moment ago.
static void a_hole_is_no_want_of_memory(void) {
    size_t many = memory_pages() * 5 / 4;
    char *at = written(600, 1);
    unmap_pages(written(many, 1), many);
    unmap_pages(at + 300 * PAGE, 1);
    struct kine_counters before = counters();
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(ksys_mprotect(at, 600 * PAGE, PROT_RW), -ENOMEM);
        CHECK_EQ(ksys_madvise(at + 290 * PAGE, 20 * PAGE, MADV_DONTNEED), -ENOMEM);
        CHECK_EQ(ksys_mremap(at, PAGE, 2 * PAGE, 0, NULL), -ENOMEM);
        CHECK_EQ(ksys_mmap(NULL, 1ul << 40, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), -ENOMEM);
    }
    struct kine_counters after = counters();
    CHECK_EQ(after.swap_outs - before.swap_outs, 0);
    CHECK_EQ(after.ooms - before.ooms, 0);
    unmap_pages(at, 600);
}

// Several processes write more than there is, and fork all the while: some of the forks find no table.
static void forks_when_memory_is_short(void) {
    enum { WRITERS = 4, ROUNDS = 5 };
    size_t each = memory_pages() * 5 / 4 / WRITERS;
    int pid[WRITERS], ended = 0;
    for (int w = 0; w < WRITERS; w++) {
        if ((pid[w] = spawn()) == 0) {
            char *at = map(each, PROT_RW);
            for (int r = 0; r < ROUNDS; r++) {
                for (size_t i = r % 2; i < each; i += 2) {
                    if (r > 1) { CHECK(tagged(at + i * PAGE, 100000 * w + r - 2 + i)); }
                    tag(at + i * PAGE, 100000 * w + r + i);
                    int child = i % 50 < 2 ? spawn() : 0;
                    if (child > 0) { reap(child); }  // it may be the largest
                    if (child == 0 && i % 50 < 2) {
                        tag(at, 7);
                        ksys_exit_group(0);
                    }
                }
            }
            leave();
        }
    }
    for (int w = 0; w < WRITERS; w++) {
        int status = reap(pid[w]);
        CHECK(status == 0 || status == KILLED(SIGKILL));
        ended += status == 0;
    }
    CHECK(ended > 0);
}

// A small process lives on when a large one takes all there is.
static void out_of_both_kills_the_largest(void) {
    struct gate hold = gate_new();
    char *mine = written(50, 1);
    int small = spawn();
    if (small == 0) {
        gate_wait(&hold);
        CHECK(holds(mine, 50, 1));
        leave();
    }
    int hog = spawn();
    if (hog == 0) {
        for (size_t n = 0;; n++) { poke(map(1, PROT_RW)); }
    }
    CHECK_EQ(reap(hog), KILLED(SIGKILL));
    gate_post(&hold);
    CHECK_EQ(reap(small), 0);
    CHECK(holds(mine, 50, 1));
    unmap_pages(mine, 50);
    gate_free(&hold);
}

static void a_device_that_fails(void) {
    char *at = written(600, 1);
    long result = 0;
    for (int i = 0; i < 600 && result == 0; i++) { result = ksys_madvise(at + i * PAGE, PAGE, MADV_PAGEOUT); }
    CHECK_EQ(result, -EIO);
    CHECK(holds(at, 600, 1));  // what could not be written is here still
    unmap_pages(at, 600);
}

static long swapon_refused;  // for want of memory, one allocation after the other

static void swap_on(void) {
    long got = -ENOMEM;
    for (long k = 1; got == -ENOMEM; k++) {
        fail_nth(k);
        got = ksys_swapon("/dev/vda", 0);
        swapon_refused += got == -ENOMEM;
    }
    fail_nth(0);
}

static void swapon_wants_memory(void) { CHECK(swapon_refused > 0); }

static void what_swapon_refuses(void) {
    CHECK_EQ(ksys_swapon("/nowhere", 0), -ENOENT);
    CHECK_EQ(ksys_swapon("/dev/console", 0), -EINVAL);
    CHECK_EQ(ksys_swapon("/dev/vda", 1), -EINVAL);
    CHECK_EQ(ksys_swapon("/dev/vda", 0), -EBUSY);
}

int main(int argc, char **argv) {
    static const struct test good[] = {KINE_TEST(out_and_in_again), KINE_TEST(both_sides_of_a_fork),
                                       KINE_TEST(what_a_fork_shares), KINE_TEST(rights_and_addresses_change),
                                       KINE_TEST(eager_fork_of_what_is_out),
                                       KINE_TEST(a_page_comes_in_when_there_was_no_frame),
                                       KINE_TEST(swapon_wants_memory), KINE_TEST(threads_write_meanwhile),
                                       KINE_TEST(a_hole_is_no_want_of_memory), KINE_TEST(more_than_there_is),
                                       KINE_TEST(forks_when_memory_is_short),
                                       KINE_TEST(out_of_both_kills_the_largest), KINE_TEST(what_swapon_refuses)};
    static const struct test bad[] = {KINE_TEST(a_device_that_fails), KINE_TEST(what_swapon_refuses)};
    bool errors = argc > 1 && strcmp(argv[1], "errors") == 0;
    swap_on();
    if (errors) { return run_tests(bad, COUNT(bad), NULL); }
    return run_tests(good, COUNT(good), argc > 1 ? argv[1] : NULL);
}
