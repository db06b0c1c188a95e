// SPDX-License-Identifier: MIT
// spaces.c - one address space on many harts: threads that map, unmap, touch and fork at the same time, and what
// of that other harts have to be told.
//
// Model   Each thread has a part of the addresses for itself, larger than a table's 2 MiB and not aligned to it,
//         and knows for each page of it whether it is there and what its tag is. So whatever the others do to
//         the map and to the tables, each finds its own pages as it left them; and so does a child of a fork,
//         for the part of the thread that has forked.
#include "team.h"
#include <sched.h>
#include <stdlib.h>

enum { THREADS = 6, PAGES = 700, STEPS = 160 };
#define ARENA 0x2000000000ul

static uint64_t random_next(uint64_t *state) {
    *state = *state * 6364136223846793005ul + 1442695040888963407ul;
    return *state >> 33;
}

struct part {
    int number;
    char *base;
    uint64_t random;
    bool there[PAGES];
    uint32_t tags[PAGES];  // 0: not touched since it was mapped
    uint32_t last;
};

static struct part parts[THREADS];

static char *page(const struct part *p, int i) { return p->base + (size_t)i * PAGE; }
static uint64_t value(const struct part *p, int i) { return (uint64_t)p->number << 32 | p->tags[i]; }

static bool as_left(const struct part *p, int i) {
    return p->tags[i] ? tagged(page(p, i), value(p, i)) : all_bytes(page(p, i), 0, 64);
}

static void pick_range(struct part *p, int *from, int *n) {
    *from = (int)(random_next(&p->random) % PAGES);
    *n = 1 + (int)(random_next(&p->random) % 64);
    if (*n > PAGES - *from) { *n = PAGES - *from; }
}

static void map_some(struct part *p) {
    int from, n;
    pick_range(p, &from, &n);
    long at = ksys_mmap(page(p, from), (size_t)n * PAGE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK_EQ(at, (long)page(p, from));
    for (int i = from; i < from + n; i++) {
        p->there[i] = true;
        p->tags[i] = 0;
    }
}

static void unmap_some(struct part *p) {
    int from, n;
    pick_range(p, &from, &n);
    unmap_pages(page(p, from), (size_t)n);
    for (int i = from; i < from + n; i++) { p->there[i] = false; }
}

static void touch_some(struct part *p) {
    int from, n;
    pick_range(p, &from, &n);
    for (int i = from; i < from + n; i++) {
        if (!p->there[i]) { continue; }
        CHECK(as_left(p, i));
        p->tags[i] = ++p->last;
        tag(page(p, i), value(p, i));
    }
}

static void look_at_all(const struct part *p) {
    for (int i = 0; i < PAGES; i++) { CHECK(!p->there[i] || as_left(p, i)); }
}

// Away and back: nothing is lost by it.
static void protect_some(struct part *p) {
    int from, n;
    pick_range(p, &from, &n);
    for (int i = from; i < from + n; i++) {
        if (!p->there[i]) { continue; }
        CHECK_EQ(ksys_mprotect(page(p, i), PAGE, random_next(&p->random) % 2 ? PROT_READ : PROT_NONE), 0);
        CHECK_EQ(ksys_mprotect(page(p, i), PAGE, PROT_RW), 0);
        CHECK(as_left(p, i));
    }
}

static void discard_some(struct part *p) {
    int from, n;
    pick_range(p, &from, &n);
    long result = ksys_madvise(page(p, from), (size_t)n * PAGE, MADV_DONTNEED);
    CHECK(result == 0 || result == -ENOMEM);
    for (int i = from; i < from + n; i++) { p->tags[i] = 0; }
}

// The child sees this thread's part as it is now, changes it, and the parent does not see that.
static void fork_and_look(struct part *p) {
    int pid = spawn();
    if (pid == 0) {
        look_at_all(p);
        touch_some(p);
        unmap_some(p);
        look_at_all(p);
        leave();
    }
    touch_some(p);
    CHECK_EQ(reap(pid), 0);
}

static void *live(void *arg) {
    struct part *p = arg;
    pin(p->number % (int)ksys_kine_ctl(KINE_NHARTS, 0, 0));
    for (int step = 0; step < STEPS; step++) {
        switch (random_next(&p->random) % 10) {
        case 0: case 1: map_some(p); break;
        case 2: unmap_some(p); break;
        case 3: fork_and_look(p); break;
        case 4: protect_some(p); break;
        case 5: discard_some(p); break;
        default: touch_some(p);
        }
    }
    look_at_all(p);
    return NULL;
}

static void threads_share_a_space_and_keep_their_parts(void) {
    static struct thread *t[THREADS];
    for (int i = 0; i < THREADS; i++) {
        parts[i] = (struct part){.number = i, .random = 77 + i,
                                 .base = (char *)ARENA + (size_t)i * (PAGES + 3) * PAGE};
        t[i] = begin(live, &parts[i]);
    }
    for (int i = 0; i < THREADS; i++) { end(t[i]); }
    for (int i = 0; i < THREADS; i++) { look_at_all(&parts[i]); }
}

// ---- what other harts are told

static uint32_t stop, beats[8];

// In user mode, on a hart of its own, until told: so that hart is in the space, unless it waits for a fault.
static void *stand(void *hart) {
    pin((int)(long)hart);
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        __atomic_fetch_add(&beats[(long)hart], 1, __ATOMIC_RELAXED);
        __asm__ volatile(".4byte 0x0100000f" ::: "memory");
    }
    return NULL;
}

// Until all of them have done what they do, faults and all, since now.
static void await_beats(int n) {
    for (int i = 1; i <= n; i++) {
        uint32_t now = __atomic_load_n(&beats[i], __ATOMIC_RELAXED);
        while (__atomic_load_n(&beats[i], __ATOMIC_RELAXED) - now < 2) { sched_yield(); }
    }
}

static struct kine_counters of_hart_0(void) {
    static struct kine_counters c;
    CHECK_EQ(ksys_kine_counters(0, &c, sizeof c), 0);
    return c;
}

// A shootdown of this hart's is one round of interrupts, whoever it goes to.
static void fork_of_threads_tells_them_once(void) {
    int harts = (int)ksys_kine_ctl(KINE_NHARTS, 0, 0);
    static struct thread *t[8];
    int n = harts > 4 ? 3 : harts - 1;
    pin(0);
    for (long i = 1; i <= n; i++) { t[i] = begin(stand, (void *)i); }
    for (size_t pages = 1; pages <= 4096; pages *= 16) {
        char *heap = map(pages, PROT_RW);
        for (size_t i = 0; i < pages; i++) { tag(heap + i * PAGE, i); }
        struct kine_counters before = of_hart_0();
        await_beats(n);
        before = of_hart_0();  // the page that it is written to is ours by now
        int pid = spawn();
        if (pid == 0) { leave(); }
        struct kine_counters after = of_hart_0();
        long rounds = (long)(after.shootdowns - before.shootdowns);
        long copies = (long)(after.cow_copies - before.cow_copies);
        // One for the fork (exactly: host, fork); and one for each page that this thread, not its child, has had to
        // copy since.
        CHECK(n ? rounds >= 1 && rounds <= 1 + copies && copies <= 16 : rounds == 0);
        CHECK_EQ(reap(pid), 0);
        unmap_pages(heap, pages);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (int i = 1; i <= n; i++) { end(t[i]); }
}

static void a_call_fences_nothing_and_a_flip_once(void) {
    enum { CALLS = 1000, FLIPS = 200 };
    char *heap = map(FLIPS + 1, PROT_RW);
    for (int i = 0; i <= FLIPS; i++) { tag(heap + i * PAGE, i); }
    pin(0);
    int pid = spawn();
    if (pid == 0) {
        tag(heap, 5);  // the table is copied: now pages are shared, not tables
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    tag(heap, 1);
    struct kine_counters start = of_hart_0();
    start = of_hart_0();
    for (int i = 0; i < CALLS; i++) { ksys_getppid(); }
    struct kine_counters called = of_hart_0();
    for (int i = 1; i <= FLIPS; i++) { tag(heap + i * PAGE, i); }
    struct kine_counters flipped = of_hart_0();
    CHECK_EQ(called.page_fences + called.full_fences - start.page_fences - start.full_fences, 0);
    CHECK_EQ(flipped.cow_flips - called.cow_flips, FLIPS);
    CHECK_EQ(flipped.page_fences - called.page_fences, FLIPS);
    CHECK_EQ(flipped.full_fences - called.full_fences, 0);
    CHECK_EQ(flipped.cow_copies - called.cow_copies, 0);
    CHECK_EQ(flipped.ipis - called.ipis, 0);
}

static void alone_it_tells_nobody(void) {
    enum { COPIES = 300 };
    char *heap = map(COPIES, PROT_RW);
    for (int i = 0; i < COPIES; i++) { tag(heap + i * PAGE, i); }
    struct gate hold = gate_new();
    pin(0);
    int pid = spawn();
    if (pid == 0) {
        gate_wait(&hold);
        leave();
    }
    struct kine_counters before = of_hart_0();
    before = of_hart_0();
    for (int i = 0; i < COPIES; i++) { tag(heap + i * PAGE, i + 1); }
    struct kine_counters after = of_hart_0();
    CHECK(after.cow_copies - before.cow_copies >= COPIES);
    CHECK_EQ(after.shootdowns - before.shootdowns, 0);
    gate_post(&hold);
    CHECK_EQ(reap(pid), 0);
}

// ---- two threads, one table

static uint32_t turn;

// Both in the same 2 MiB, page about: they meet at the leaf table's lock and nowhere else.
static void *every_other(void *arg) {
    char *heap = arg;
    int self = (int)__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED);
    pin(self % (int)ksys_kine_ctl(KINE_NHARTS, 0, 0));
    for (int i = self; i < 512; i += 4) { tag(heap + i * PAGE, i); }
    return NULL;
}

static void threads_fill_one_table(void) {
    for (int round = 0; round < 8; round++) {
        char *heap = map(512, PROT_RW);
        struct thread *t[4];
        turn = 0;
        for (int i = 0; i < 4; i++) { t[i] = begin(every_other, heap); }
        for (int i = 0; i < 4; i++) { end(t[i]); }
        for (int i = 0; i < 512; i++) { CHECK(tagged(heap + i * PAGE, i)); }
        unmap_pages(heap, 512);
    }
}

// One thread looks and sleeps, so that its hart leaves the space; the other replaces pages meanwhile: unmapped and
// mapped, or copied, as a child has them, too.
static struct gate looked, changed;
static char *seen_by_both;
enum { ROUNDS = 60, SEEN = 4 };

static void *look(void *hart) {
    CHECK_EQ(pin((int)(long)hart), 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SEEN; i++) { CHECK(tagged(seen_by_both + i * PAGE, (uint64_t)round)); }
        gate_post(&looked);
        gate_wait(&changed);
    }
    return NULL;
}

static void replace_seen(int round) {
    int pid = round % 2 ? spawn() : 0;
    if (round % 2 && pid == 0) {
        gate_wait(&looked);
        leave();
    }
    if (round % 2 == 0) {
        long at = ksys_mmap(seen_by_both, SEEN * PAGE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        CHECK_EQ(at, (long)seen_by_both);
    }
    for (int i = 0; i < SEEN; i++) { tag(seen_by_both + i * PAGE, (uint64_t)round); }
    if (round % 2) {
        gate_post(&looked);
        CHECK_EQ(reap(pid), 0);
    }
}

static void who_was_away_sees_what_has_changed(void) {
    looked = gate_new();
    changed = gate_new();
    seen_by_both = map(SEEN, PROT_RW);
    for (int i = 0; i < SEEN; i++) { tag(seen_by_both + i * PAGE, 0); }
    pin(1);  // if there is another hart
    struct thread *t = begin(look, (void *)0);
    for (int round = 1; round <= ROUNDS; round++) {
        gate_wait(&looked);
        replace_seen(round);
        gate_post(&changed);
    }
    end(t);
    unmap_pages(seen_by_both, SEEN);
    gate_free(&looked);
    gate_free(&changed);
}

TEST_MAIN(KINE_TEST(threads_share_a_space_and_keep_their_parts), KINE_TEST(fork_of_threads_tells_them_once),
          KINE_TEST(a_call_fences_nothing_and_a_flip_once), KINE_TEST(alone_it_tells_nobody),
          KINE_TEST(threads_fill_one_table),
          KINE_TEST(who_was_away_sees_what_has_changed))
