// SPDX-License-Identifier: MIT
// test_atomic.c - atomic.h: what each operation returns, and that each order publishes. The payloads are
// plain words: ThreadSanitizer reports an order that is too weak.
#include "sync/atomic.h"
#include "test/host/host.h"

TEST(cas_swaps_only_what_was_expected) {
    bool (*const cas32[])(u32 *, u32, u32) = {atomic_cas32_relaxed, atomic_cas32_acquire,
                                              atomic_cas32_release, atomic_cas32_acq_rel};
    for (u32 i = 0; i < ARRAY_LEN(cas32); i++) {
        u32 word = 0x80000001;
        EXPECT(!cas32[i](&word, 1, 2) && word == 0x80000001);
        EXPECT(cas32[i](&word, 0x80000001, 2) && word == 2);
    }
    u64 word = 1ul << 63;
    EXPECT(!atomic_cas64_acq_rel(&word, 0, 1) && word == 1ul << 63);
    EXPECT(atomic_cas64_acq_rel(&word, 1ul << 63, 1) && word == 1);
}

TEST(operations_return_the_old_value) {
    u64 w = 5;
    EXPECT(atomic_add_relaxed(&w, 2ul) == 5 && atomic_sub_relaxed(&w, 1ul) == 7);
    EXPECT(atomic_sub_release(&w, 1ul) == 6 && atomic_or_relaxed(&w, 8ul) == 5);
    EXPECT(atomic_or_release(&w, 16ul) == 13 && atomic_and_relaxed(&w, ~1ul) == 29);
    EXPECT(atomic_and_release(&w, ~8ul) == 28 && atomic_xor_relaxed(&w, 4ul) == 20);
    EXPECT(atomic_swap_relaxed(&w, 1ul) == 16 && atomic_swap_acquire(&w, 2ul) == 1);
    EXPECT(atomic_swap_release(&w, 3ul) == 2 && atomic_swap_acq_rel(&w, 4ul) == 3);
    EXPECT(read_once(w) == 4);
    write_once(w, 9ul);
    EXPECT(atomic_load_relaxed(&w) == 9);
}

static struct {
    u32 word;
    u64 payload;
    u64 sum;
} shared;

static void add_often(void *arg) {
    (void)arg;
    for (u32 i = 0; i < 10000; i++) {
        atomic_add_relaxed(&shared.sum, 3ul);
        atomic_sub_relaxed(&shared.sum, 2ul);
    }
}

TEST(every_addition_counts) {
    shared.sum = 0;
    on_harts(HARTS, add_often, NULL);
    EXPECT(shared.sum == HARTS * 10000);
}

// The payload goes around: whoever finds its own number in the word may use it, and passes it on.
static void pass_around(void *arg) {
    void (*pass)(u32 from, u32 to) = arg;
    u32 self = this_hart()->index;
    for (u32 i = 0; i < 300; i++) {
        while (atomic_load_acquire(&shared.word) != self) { cpu_pause(); }
        shared.payload++;
        pass(self, (self + 1) % 3);
    }
}

static void pass_by_store(u32 from, u32 to) {
    (void)from;
    atomic_store_release(&shared.word, to);
}

static void pass_by_swap(u32 from, u32 to) {
    EXPECT(atomic_swap_release(&shared.word, to) == from);
}

static void pass_by_cas(u32 from, u32 to) {
    EXPECT(atomic_cas32_release(&shared.word, from, to));
}

static void pass_by_cas_acq_rel(u32 from, u32 to) {
    EXPECT(atomic_cas32_acq_rel(&shared.word, from, to));
}

static void goes_around_by(void (*pass)(u32, u32)) {
    shared.word = shared.payload = 0;
    on_harts(3, pass_around, (void *)pass);
    EXPECT(shared.payload == 900);
}

TEST(release_store_publishes) {
    goes_around_by(pass_by_store);
}

TEST(release_swap_publishes) {
    goes_around_by(pass_by_swap);
}

TEST(release_cas_publishes) {
    goes_around_by(pass_by_cas);
    goes_around_by(pass_by_cas_acq_rel);
}

// A word that is 0 while somebody is inside: taking acquires, putting back releases.
static void take_and_put(void *arg) {
    bool (*take)(u32 *word) = arg;
    for (u32 i = 0; i < 1000; i++) {
        while (!take(&shared.word)) { cpu_pause(); }
        shared.payload++;
        atomic_store_release(&shared.word, 1u);
    }
}

static bool take_by_swap(u32 *word) { return atomic_swap_acquire(word, 0u) == 1; }

static bool take_by_cas(u32 *word) { return atomic_cas32_acquire(word, 1, 0); }

TEST(acquire_swap_and_cas_see_what_was_published) {
    shared.word = 1;
    shared.payload = 0;
    on_harts(HARTS, take_and_put, (void *)take_by_swap);
    on_harts(HARTS, take_and_put, (void *)take_by_cas);
    EXPECT(shared.payload == 2 * HARTS * 1000);
}
