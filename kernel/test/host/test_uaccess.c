// SPDX-License-Identifier: MIT
// test_uaccess.c - the kernel's copies to and from user memory, which obey the user's own page tables.
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/refs.h"
#include "mm/uaccess.h"
#include "sync/atomic.h"
#include "test/host/host.h"

enum { PAGES = 4 };
#define END (BASE + PAGES * PAGE_SIZE)

static struct as *enter_space(void) {
    struct as *as = space_with(PAGES);
    as_switch(as);
    return as;
}

static void leave_space(struct as *as) {
    as_switch(NULL);
    as_destroy(as);
}

TEST(bytes_arrive_whatever_the_alignment) {
    struct as *as = enter_space();
    u8 from[48], to[48];
    for (u32 i = 0; i < sizeof(from); i++) { from[i] = i + 1; }
    for (u64 at = BASE + PAGE_SIZE - 24; at < BASE + PAGE_SIZE; at++) {
        for (u32 n = 0; n <= sizeof(from); n += 1 + pick(5)) {
            memset(to, 0xee, sizeof(to));
            EXPECT(copy_out(at, from, n) == 0 && copy_in(to, at, n) == 0);
            EXPECT(!memcmp(to, from, n) && (n == sizeof(to) || to[n] == 0xee));
        }
    }
    leave_space(as);
}

TEST(outside_of_user_memory_is_refused) {
    struct as *as = enter_space();
    u8 byte[16] = {0};
    EXPECT(copy_out(0, byte, 1) == -EFAULT && copy_in(byte, 8, 8) == -EFAULT);
    EXPECT(copy_out(USER_TOP - 8, byte, 16) == -EFAULT && copy_out(USER_TOP, byte, 1) == -EFAULT);
    EXPECT(copy_out(~0ul, byte, 16) == -EFAULT && copy_in(byte, DIRECT_BASE, 1) == -EFAULT);
    EXPECT(copy_out(BASE, byte, ~0ul) == -EFAULT && zero_out(END - 8, 16) == -EFAULT);
    EXPECT(copy_in(byte, END - 8, 16) == -EFAULT && copy_in(byte, END - 16, 16) == 0);
    EXPECT(copy_in(byte, 0, 0) == 0);
    leave_space(as);
}

TEST(read_only_is_refused_for_writing_only) {
    struct as *as = enter_space();
    u64 word = 7;
    EXPECT(as_map_fixed(as, END, PAGE_SIZE, PROT_READ) == (long)END);
    EXPECT(copy_in(&word, END, sizeof(word)) == 0 && word == 0);
    EXPECT(copy_out(END, &word, sizeof(word)) == -EFAULT);
    EXPECT(copy_out(END - 4, &word, sizeof(word)) == -EFAULT);
    leave_space(as);
}

TEST(copy_out_breaks_sharing) {
    struct as *both[2] = {enter_space()};
    u64 word = 1, got = 0;
    EXPECT(copy_out(BASE, &word, 8) == 0);
    both[1] = as_fork(both[0], NULL, 0);
    word = 2;
    u64 copies = counted_cow_copies();
    EXPECT(copy_out(BASE, &word, 8) == 0 && counted_cow_copies() == copies + 1);
    EXPECT(books_balance(both, 2, 0));
    as_switch(both[1]);
    EXPECT(copy_in(&got, BASE, 8) == 0 && got == 1);
    u64 flips = counted_cow_flips();
    EXPECT(zero_out(BASE, 8) == 0 && counted_cow_flips() == flips + 1);
    as_switch(both[0]);
    EXPECT(user_get(BASE) == 2);
    as_destroy(both[1]);
    leave_space(both[0]);
}

TEST(zeros_over_pages_and_no_further) {
    struct as *as = enter_space();
    for (u64 va = BASE; va < END; va += 8) { user_put(va, ~0ul); }
    EXPECT(zero_out(BASE + 3, 2 * PAGE_SIZE + 1) == 0);
    EXPECT(user_get(BASE) == 0xffffff && user_get(BASE + 8) == 0);
    EXPECT(user_get(BASE + 2 * PAGE_SIZE) == ~0ul << 32 && user_get(BASE + 2 * PAGE_SIZE - 8) == 0);
    EXPECT(user_get(BASE + 2 * PAGE_SIZE + 8) == ~0ul);
    leave_space(as);
}

TEST(strings_end_at_their_zero) {
    struct as *as = enter_space();
    char text[] = "from one page to the next", got[64];
    for (u64 at = END - 100; at + sizeof(text) <= END; at++) {
        memset(got, 'x', sizeof(got));
        EXPECT(copy_out(at, text, sizeof(text)) == 0);
        EXPECT(copy_in_string(got, at, sizeof(got)) == (long)strlen(text) && !strcmp(got, text));
        EXPECT(copy_in_string(got, at, sizeof(text)) == (long)strlen(text));
        EXPECT(copy_in_string(got, at, sizeof(text) - 1) == -ENAMETOOLONG);
    }
    EXPECT(copy_out(END - 4, "abcd", 4) == 0 && copy_in_string(got, END - 4, sizeof(got)) == -EFAULT);
    EXPECT(copy_in_string(got, END - 4, 4) == -ENAMETOOLONG && copy_in_string(got, 0, 4) == -EFAULT);
    leave_space(as);
}

TEST(fixup_covers_the_copy_and_nothing_else) {
    extern char uaccess_begin[], uaccess_end[], uaccess_failed[];
    EXPECT(uaccess_fixup((u64)uaccess_begin) == (u64)uaccess_failed);
    EXPECT(!uaccess_fixup((u64)uaccess_end) && !uaccess_fixup((u64)uaccess_begin - 1));
}

// Every hart writes into its own copy of a page by copy_out, all at once.
static struct as *mine[HARTS];

static void copy_out_in_own_space(void *arg) {
    (void)arg;
    u64 self = this_hart()->index, got[64], want[64];
    as_switch(mine[self]);
    rendezvous(HARTS);
    for (u64 i = 0; i < PAGES; i++) {
        for (u32 k = 0; k < 64; k++) { want[k] = self << 32 | i << 16 | k; }
        EXPECT(copy_out(BASE + i * PAGE_SIZE + 100, want, sizeof(want)) == 0);
        EXPECT(copy_in(got, BASE + i * PAGE_SIZE + 100, sizeof(got)) == 0);
        EXPECT(!memcmp(got, want, sizeof(got)));
    }
    as_switch(NULL);
}

TEST(harts_copy_out_into_what_they_share) {
    for (u32 round = 0; round < 20; round++) {
        mine[0] = enter_space();
        EXPECT(zero_out(BASE, PAGES * PAGE_SIZE) == 0);
        as_switch(NULL);
        for (u32 i = 1; i < HARTS; i++) { mine[i] = as_fork(mine[0], NULL, 0); }
        on_harts(HARTS, copy_out_in_own_space, NULL);
        EXPECT(books_balance(mine, HARTS, 0));
        for (u32 i = 0; i < HARTS; i++) { as_destroy(mine[i]); }
    }
}

// Hart 0 takes the page away and keeps its frame: what others copy out to the address must not arrive there
// any more. They look it up and are held up, then and when, by a race point.
enum { TAKEN = 200, HELD_UP = 200 };
static frame_t taken[TAKEN];
static u32 took;  // (a)

static u64 *word_of(u32 i) { return frame_kva(taken[i]); }

static void take(struct as *as, u32 i) {
    taken[i] = frame_from_kva(as_populate(as, BASE));
    frame_get(taken[i]);
    EXPECT(as_unmap(as, BASE, PAGE_SIZE) == 0);
    atomic_store_relaxed(word_of(i), 0ul);
    EXPECT(as_map_fixed(as, BASE, PAGE_SIZE, PROT_READ | PROT_WRITE) == BASE);
}

static void copy_out_or_take(void *arg) {
    struct as *as = arg;
    u64 ones = ~0ul;
    as_switch(as);
    this_hart()->delay = HELD_UP;
    rendezvous(3);
    for (u32 i = 0; this_hart()->index == 0 && i < TAKEN; i++) {
        take(as, i);
        atomic_store_relaxed(&took, i + 1);
    }
    while (this_hart()->index && atomic_load_relaxed(&took) < TAKEN) {
        int error = copy_out(BASE, &ones, sizeof(ones));
        EXPECT(error == 0 || error == -EFAULT);
    }
    as_switch(NULL);
}

TEST(copy_out_reaches_no_page_that_is_gone) {
    struct as *as = space_with(1);
    atomic_store_relaxed(&took, 0u);
    on_harts(3, copy_out_or_take, as);
    for (u32 i = 0; i < TAKEN; i++) {
        EXPECT(*word_of(i) == 0);
        frame_release(taken[i]);
    }
    EXPECT(books_balance(&as, 1, 0));
    as_destroy(as);
}
