// SPDX-License-Identifier: MIT
// futex.c - sleeping on a word of memory, and what is made of it: mutexes, conditions, barriers.
//
// That somebody sleeps is seen by waking it: a wake-up says how many it found, and is repeated until all
// have been.
#include "team.h"
#include <clone.h>
#include <sched.h>

enum { SLEEPERS = 8, ALL = 0x7fffffff };

static long call(const volatile void *word, int op, uint value, uaddr timeout, const volatile void *word2,
                 uint value3) {
    return ksys_futex(word, op, value, timeout, word2, value3);
}

static uint32_t word, other;

// Wake n sleepers in all, as they come.
static void wake_all_of(const volatile uint32_t *at, int n, uint32_t bits) {
    for (long woken = 0; woken < n; sched_yield()) {
        long got = call(at, FUTEX_WAKE_BITSET, (uint)(n - woken), NULL, NULL, bits);
        CHECK(got >= 0 && woken + got <= n);
        woken += got;
    }
}

// ---- what one call says

static void errors_are_linuxs(void) {
    static char bytes[16] __attribute__((aligned(8)));
    char *nowhere = map(1, PROT_RW);
    unmap_pages(nowhere, 1);
    struct timespec bad = {.tv_nsec = 1000000000}, negative = {.tv_sec = -1}, none = {0};
    CHECK_EQ(call(&word, FUTEX_WAIT, 1, NULL, NULL, 0), -EAGAIN);
    CHECK_EQ(call(&word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0), -EAGAIN);
    CHECK_EQ(call(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, ~0u), -EAGAIN);
    for (int off = 1; off < 4; off++) {
        CHECK_EQ(call(bytes + off, FUTEX_WAIT, 0, &none, NULL, 0), -EINVAL);
        CHECK_EQ(call(bytes + off, FUTEX_WAKE, 1, NULL, NULL, 0), -EINVAL);
        CHECK_EQ(call(bytes, FUTEX_REQUEUE, 1, (uaddr)1, bytes + off, 0), -EINVAL);
    }
    CHECK_EQ(call(nowhere, FUTEX_WAIT, 0, &none, NULL, 0), -EFAULT);
    CHECK_EQ(call(NULL, FUTEX_WAIT, 0, &none, NULL, 0), -EFAULT);
    CHECK_EQ(call((void *)-8l, FUTEX_WAIT, 0, &none, NULL, 0), -EFAULT);
    CHECK_EQ(call((void *)-8l, FUTEX_WAKE, 1, NULL, NULL, 0), -EFAULT);
    CHECK_EQ(call(nowhere, FUTEX_WAKE, 1, NULL, NULL, 0), -EFAULT);
    CHECK_EQ(call(nowhere, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0), 0);
    CHECK_EQ(call(nowhere, FUTEX_CMP_REQUEUE, 1, (uaddr)1, &word, 0), -EFAULT);
    CHECK_EQ(call(&word, FUTEX_WAIT, 0, &bad, NULL, 0), -EINVAL);
    CHECK_EQ(call(&word, FUTEX_WAIT, 0, &negative, NULL, 0), -EINVAL);
    CHECK_EQ(call(&word, FUTEX_WAIT, 0, nowhere, NULL, 0), -EFAULT);
    CHECK_EQ(call(&word, FUTEX_WAIT_BITSET, 0, &none, NULL, 0), -EINVAL);
    CHECK_EQ(call(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), -EINVAL);
    CHECK_EQ(call(&word, FUTEX_CMP_REQUEUE, 1, (uaddr)1, &other, 7), -EAGAIN);
    CHECK_EQ(call(&word, FUTEX_REQUEUE, (uint)-1, (uaddr)1, &other, 0), -EINVAL);
    CHECK_EQ(call(&word, FUTEX_REQUEUE, 1, (uaddr)-1l, &other, 0), -EINVAL);
    CHECK_EQ(call(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0), -ENOSYS);
    CHECK_EQ(call(&word, 2, 1, NULL, NULL, 0), -ENOSYS);
    CHECK_EQ(call(&word, 77, 1, NULL, NULL, 0), -ENOSYS);
    CHECK_EQ(call(&word, FUTEX_WAKE, ALL, NULL, NULL, 0), 0);
}

static void a_wait_ends_in_time(void) {
    const long waits[] = {0, 1, 1000, 2 * MS, 20 * MS};
    for (int i = 0; i < COUNT(waits); i++) {
        int64_t before = now_ns();
        CHECK_EQ(futex_wait(&word, 0, waits[i]), -ETIMEDOUT);
        CHECK(now_ns() - before >= waits[i]);
        before = now_ns();
        int64_t end_ns = before + waits[i];
        struct timespec then = {.tv_sec = end_ns / 1000000000, .tv_nsec = end_ns % 1000000000};
        CHECK_EQ(call(&word, FUTEX_WAIT_BITSET | (i & 1 ? FUTEX_CLOCK_REALTIME : 0), 0, &then, NULL, 1), -ETIMEDOUT);
        CHECK(now_ns() - before >= waits[i]);
    }
    struct timespec past = {.tv_nsec = 1};
    CHECK_EQ(call(&word, FUTEX_WAIT_BITSET, 0, &past, NULL, 1), -ETIMEDOUT);
    CHECK_EQ(call(&word, FUTEX_WAKE, ALL, NULL, NULL, 0), 0);  // nobody is left behind
}

// Pages that are not there, are shared with a child, or may only be read: the word is fetched first.
static void a_word_may_have_to_be_fetched(void) {
    static const char constant[8] __attribute__((aligned(8))) = "read";
    uint32_t *fresh = (uint32_t *)map(3, PROT_RW), value;
    memcpy(&value, constant, 4);
    CHECK_EQ(call(fresh, FUTEX_WAIT, 1, NULL, NULL, 0), -EAGAIN);
    CHECK_EQ(futex_wait(fresh + PAGE / 4, 0, 1000), -ETIMEDOUT);
    CHECK_EQ(call(fresh + PAGE / 2, FUTEX_CMP_REQUEUE, 1, (uaddr)1, fresh, 1), -EAGAIN);
    CHECK_EQ(call(fresh, FUTEX_CMP_REQUEUE, 1, (uaddr)1, fresh + 1, 0), 0);
    CHECK_EQ(futex_wait((const uint32_t *)(const void *)constant, value, 1000), -ETIMEDOUT);
    unmap_pages(fresh, 3);
}

// ---- sleepers

static void *sleep_on_word(void *at) { return (void *)call(at, FUTEX_WAIT, 0, NULL, NULL, 0); }

static void *sleep_on_bits(void *bits) {
    return (void *)call(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, (uint)(long)bits);
}

static void a_wake_finds_as_many_as_asked(void) {
    struct thread *t[SLEEPERS];
    for (int i = 0; i < SLEEPERS; i++) { t[i] = begin(sleep_on_word, &word); }
    for (int left = SLEEPERS; left; sched_yield()) {
        long got = call(&word, FUTEX_WAKE, 1, NULL, NULL, 0);
        CHECK(got == 0 || got == 1);
        left -= (int)got;
    }
    for (int i = 0; i < SLEEPERS; i++) { CHECK_EQ(end(t[i]), 0); }
    CHECK_EQ(call(&word, FUTEX_WAKE, ALL, NULL, NULL, 0), 0);
}

static void bits_choose_the_sleepers(void) {
    struct thread *t[SLEEPERS];
    for (long i = 0; i < SLEEPERS; i++) { t[i] = begin(sleep_on_bits, (void *)(1l << i | 0x100)); }
    CHECK_EQ(call(&word, FUTEX_WAKE_BITSET, ALL, NULL, NULL, 0x200), 0);
    for (int i = SLEEPERS - 1; i > 1; i--) {
        wake_all_of(&word, 1, 1u << i);
        CHECK_EQ(end(t[i]), 0);
        CHECK_EQ(call(&word, FUTEX_WAKE_BITSET, ALL, NULL, NULL, 1u << i), 0);
    }
    wake_all_of(&word, 2, 0x100);
    CHECK_EQ(end(t[0]), 0);
    CHECK_EQ(end(t[1]), 0);
}

// Move all of them as they come; then they are there and not here. To a word next to it, and to far ones: the
// same bucket, or another with a lower or a higher address.
static void sleepers_can_be_moved(void) {
    static uint32_t far[64];
    for (int round = 0; round < 64; round++) {
        struct thread *t[SLEEPERS];
        uint32_t *to = &far[round];
        for (int i = 0; i < SLEEPERS; i++) { t[i] = begin(sleep_on_word, &word); }
        for (long moved = 0; moved < SLEEPERS; sched_yield()) {
            long got = call(&word, FUTEX_CMP_REQUEUE, 0, (uaddr)(long)(round % SLEEPERS + 1), to, 0);
            CHECK(got >= 0 && got <= round % SLEEPERS + 1);
            moved += got;
        }
        CHECK_EQ(call(&word, FUTEX_WAKE, ALL, NULL, NULL, 0), 0);
        CHECK_EQ(call(to, FUTEX_CMP_REQUEUE, 1, (uaddr)1, &word, 1), -EAGAIN);
        CHECK_EQ(call(to, FUTEX_REQUEUE, 3, (uaddr)2, &word, 1), 5);
        CHECK_EQ(call(&word, FUTEX_WAKE, ALL, NULL, NULL, 0), 2);
        CHECK_EQ(call(to, FUTEX_REQUEUE, 1, (uaddr)5, to, 1), 1);  // to itself: nobody moves
        CHECK_EQ(call(to, FUTEX_WAKE, ALL, NULL, NULL, 0), 2);
        for (int i = 0; i < SLEEPERS; i++) { CHECK_EQ(end(t[i]), 0); }
    }
}

static void a_child_sleeps_on_a_word_of_its_own(void) {
    struct gate up = gate_new();
    int pid = spawn();
    if (pid == 0) {
        gate_post(&up);
        CHECK_EQ(futex_wait(&word, 0, 30 * MS), -ETIMEDOUT);
        leave();
    }
    gate_wait(&up);
    int status;
    while (ksys_wait4(pid, &status, WNOHANG, NULL) == 0) {
        CHECK_EQ(call(&word, FUTEX_WAKE, ALL, NULL, NULL, 0), 0);
        sched_yield();
    }
    CHECK_EQ(status, 0);
}

static void wake_parent(void *at) {
    wake_all_of(at, 1, ~0u);
    ksys_exit(0);
}

static void a_child_with_the_same_memory_wakes(void) {
    static char stack[8192] __attribute__((aligned(16)));
    long pid = clone_run(CLONE_VM | SIGCHLD, stack + sizeof stack, NULL, NULL, NULL, wake_parent, &word);
    CHECK_EQ(call(&word, FUTEX_WAIT, 0, NULL, NULL, 0), 0);
    CHECK_EQ(reap((int)pid), 0);
}

static void death_ends_a_wait(void) {
    for (int i = 0; i < 10; i++) {
        struct gate up = gate_new();
        int pid = spawn();
        if (pid == 0) {
            for (int n = 0; n < 4; n++) { begin(sleep_on_word, &word); }
            gate_post(&up);
            futex_wait(&word, 0, i & 1 ? -1 : 1000000 * MS);
            leave();
        }
        gate_wait(&up);
        nap(i % 3 * MS);
        CHECK_EQ(ksys_kill(pid, SIGKILL), 0);
        CHECK_EQ(reap(pid), KILLED(SIGKILL));
        gate_free(&up);
    }
}

// ---- between processes

static uint32_t *map_words(int fd, int flags) {
    long at = ksys_mmap(NULL, 2 * PAGE, PROT_RW, flags, fd, 0);
    CHECK(at > 0);
    return (uint32_t *)at;
}

static int words_file(void) {
    int fd = (int)ksys_memfd_create("words", 0);
    CHECK_EQ(ksys_ftruncate(fd, 2 * PAGE), 0);
    return fd;
}

// Until somebody sleeps on *at: he is moved to the next word, and back.
static void await_sleeper(const uint32_t *at) {
    while (call(at, FUTEX_REQUEUE, 0, (uaddr)1, at + 1, 0) != 1) { sched_yield(); }
    CHECK_EQ(call(at + 1, FUTEX_REQUEUE, 0, (uaddr)1, at, 0), 1);
}

// A child that sleeps on a word until it is woken.
static int child_asleep(const uint32_t *at, int op) {
    int pid = spawn();
    if (pid == 0) {
        CHECK_EQ(call(at, op, 0, NULL, NULL, 0), 0);
        leave();
    }
    return pid;
}

// Sleepers on their parent's mapping and on one of their own; who wakes them uses a third, and the first.
static void processes_meet_on_a_shared_word(void) {
    int fd = words_file(), pid[SLEEPERS];
    uint32_t *first = map_words(fd, MAP_SHARED), *third = map_words(fd, MAP_SHARED);
    for (int i = 0; i < SLEEPERS; i++) {
        if ((pid[i] = spawn()) == 0) {
            uint32_t *mine = i & 1 ? map_words(fd, MAP_SHARED) : first;
            CHECK((mine == first) == !(i & 1) && mine != third);
            CHECK_EQ(call(mine + PAGE / 4 + 3, FUTEX_WAIT, 0, NULL, NULL, 0), 0);
            leave();
        }
    }
    wake_all_of(third + PAGE / 4 + 3, SLEEPERS / 2, ~0u);
    wake_all_of(first + PAGE / 4 + 3, SLEEPERS / 2, ~0u);
    for (int i = 0; i < SLEEPERS; i++) { CHECK_EQ(reap(pid[i]), 0); }
    CHECK_EQ(call(first + PAGE / 4 + 3, FUTEX_WAKE, ALL, NULL, NULL, 0), 0);
}

static void sleepers_move_between_processes(void) {
    uint32_t *at = map_words(-1, MAP_SHARED | MAP_ANONYMOUS), *to = map_words(-1, MAP_SHARED | MAP_ANONYMOUS);
    int pid[SLEEPERS];
    for (int i = 0; i < SLEEPERS; i++) { pid[i] = child_asleep(at, FUTEX_WAIT); }
    for (long moved = 0; moved < SLEEPERS; sched_yield()) {
        moved += call(at, FUTEX_CMP_REQUEUE, 0, (uaddr)3, to + 5, 0);
    }
    CHECK_EQ(call(at, FUTEX_WAKE, ALL, NULL, NULL, 0), 0);
    CHECK_EQ(call(to + 5, FUTEX_REQUEUE, 2, (uaddr)3, at, 0), 5);
    CHECK_EQ(call(to + 5, FUTEX_REQUEUE, 0, (uaddr)(long)ALL, &word, 0), -EINVAL);  // nobody else has that word
    CHECK_EQ(call(&word, FUTEX_REQUEUE, 0, (uaddr)(long)ALL, at, 0), 0);
    unmap_pages(at, 2);
    CHECK_EQ(call(to + 5, FUTEX_WAKE, ALL, NULL, NULL, 0), SLEEPERS - 5);
    for (int i = 0; i < SLEEPERS - 3; i++) { CHECK_EQ(reap(-1), 0); }
    for (int i = 0; i < SLEEPERS; i++) { ksys_kill(pid[i], SIGKILL); }
    for (int i = 0; i < 3; i++) { CHECK_EQ(reap(-1), KILLED(SIGKILL)); }
    unmap_pages(to, 2);
}

static void a_word_stays_itself_when_it_moves(void) {
    uint32_t *at = map_words(-1, MAP_SHARED | MAP_ANONYMOUS);
    char *room = map(2, PROT_RW);
    int pid = child_asleep(at + PAGE / 4, FUTEX_WAIT);
    await_sleeper(at + PAGE / 4);
    CHECK_EQ(ksys_mremap(at + PAGE / 4, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + PAGE), room + PAGE);
    CHECK_EQ(call(room, FUTEX_WAKE, ALL, NULL, NULL, 0), 0);
    CHECK_EQ(call(at, FUTEX_WAKE, ALL, NULL, NULL, 0), 0);
    CHECK_EQ(call(room + PAGE, FUTEX_WAKE, ALL, NULL, NULL, 0), 1);
    CHECK_EQ(reap(pid), 0);
    unmap_pages(at, 1);
    unmap_pages(room, 2);
}

// With the flag it is a word of this space alone, by its address, for who sleeps and for who wakes.
static void the_private_flag_does_not_cross(void) {
    uint32_t *at = map_words(-1, MAP_SHARED | MAP_ANONYMOUS);
    const int wake_mine = FUTEX_WAKE | FUTEX_PRIVATE_FLAG;
    int pid = child_asleep(at, FUTEX_WAIT);
    await_sleeper(at);
    CHECK_EQ(call(at, wake_mine, ALL, NULL, NULL, 0), 0);
    CHECK_EQ(call(at, FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, 1, (uaddr)1, at + 1, 0), 0);
    CHECK_EQ(call(at, FUTEX_WAKE, ALL, NULL, NULL, 0), 1);
    CHECK_EQ(reap(pid), 0);
    struct gate up = gate_new();
    if ((pid = spawn()) == 0) {
        gate_post(&up);
        CHECK_EQ(futex_wait(at, 0, 30 * MS), -ETIMEDOUT);
        leave();
    }
    gate_wait(&up);
    int status;
    while (ksys_wait4(pid, &status, WNOHANG, NULL) == 0) {
        CHECK_EQ(call(at, FUTEX_WAKE, ALL, NULL, NULL, 0) + call(at, wake_mine, ALL, NULL, NULL, 0), 0);
        sched_yield();
    }
    CHECK_EQ(status, 0);
    gate_free(&up);
    unmap_pages(at, 2);
}

// Private views of one file, and a shared one: each is another word.
static void a_private_word_does_not_cross(void) {
    int fd = words_file(), status;
    uint32_t *mine = map_words(fd, MAP_PRIVATE), *shared = map_words(fd, MAP_SHARED);
    struct gate up = gate_new();
    int pid = spawn();
    if (pid == 0) {
        gate_post(&up);
        struct timespec end = {.tv_nsec = 30 * MS};
        CHECK_EQ(call(mine, FUTEX_WAIT, 0, &end, NULL, 0), -ETIMEDOUT);
        leave();
    }
    gate_wait(&up);
    while (ksys_wait4(pid, &status, WNOHANG, NULL) == 0) {
        CHECK_EQ(call(mine, FUTEX_WAKE, ALL, NULL, NULL, 0), 0);
        CHECK_EQ(call(shared, FUTEX_WAKE, ALL, NULL, NULL, 0), 0);
        sched_yield();
    }
    CHECK_EQ(status, 0);
}

static void *sleep_for_a_while(void *at) {
    struct timespec end = {.tv_nsec = 50 * MS};
    return (void *)call(at, FUTEX_WAIT, 0, &end, NULL, 0);
}

// The memory in which somebody sleeps is nobody's any more: what is made next is not taken for it.
static void who_sleeps_in_lost_memory_is_alone(void) {
    uint32_t *at = map_words(-1, MAP_SHARED | MAP_ANONYMOUS);
    struct thread *t = begin(sleep_for_a_while, at);
    await_sleeper(at);
    for (int i = 0; i < 40; i++) { unmap_pages(map_words(-1, MAP_SHARED | MAP_ANONYMOUS), 2); }  // caches run down
    unmap_pages(at, 2);
    for (int i = 0; i < 40; i++) {
        uint32_t *again = map_words(-1, MAP_SHARED | MAP_ANONYMOUS);
        CHECK_EQ(call(again, FUTEX_WAKE, ALL, NULL, NULL, 0), 0);
    }
    CHECK_EQ(end(t), -ETIMEDOUT);
}

static void end_when_awaited(void *at) {
    await_sleeper(at);
    ksys_exit(0);
}

// The word that a thread clears at its end lies in shared memory: another process sleeps on it, elsewhere.
static void a_threads_end_wakes_another_process(void) {
    static char stack[8192] __attribute__((aligned(16)));
    int fd = words_file();
    uint32_t *here = map_words(fd, MAP_SHARED);
    *here = 1;
    int pid = spawn();
    if (pid == 0) {
        uint32_t *there = map_words(fd, MAP_SHARED);
        CHECK(there != here);
        const long flags = CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD;
        long thread = clone_run(flags, stack + sizeof stack, NULL, NULL, there, end_when_awaited, there);
        CHECK_EQ(reap((int)thread), 0);
        leave();
    }
    struct timespec end = {.tv_sec = 20};
    CHECK_EQ(call(here, FUTEX_WAIT, 1, &end, NULL, 0), 0);
    CHECK_EQ(*here, 0);
    CHECK_EQ(reap(pid), 0);
}

// ---- lost wake-ups

enum { TURNS = 6000, RING = 4 };
static uint32_t turn;

// Each waits for its turn and gives it on; a wake-up that got lost would leave all asleep.
static void *take_turns(void *arg) {
    uint32_t me = (uint32_t)(long)arg;
    for (uint32_t n = me; n < TURNS; n += RING) {
        for (uint32_t now; (now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != n;) { futex_wait(&turn, now, -1); }
        __atomic_store_n(&turn, n + 1, __ATOMIC_RELEASE);
        futex_wake(&turn, ALL);
    }
    return NULL;
}

static void no_wake_up_is_lost(void) {
    struct thread *t[RING];
    turn = 0;
    for (long i = 0; i < RING; i++) { t[i] = begin(take_turns, (void *)i); }
    for (int i = 0; i < RING; i++) { end(t[i]); }
    CHECK_EQ(turn, TURNS);
}

// A pair on a word each: who wakes does so once and then sleeps itself.
static uint32_t ball[2];

static void *play(void *arg) {
    long me = (long)arg;
    for (int n = 0; n < TURNS; n++) {
        while (__atomic_load_n(&ball[me], __ATOMIC_ACQUIRE) == 0) {
            bool lost = futex_wait(&ball[me], 0, 10000 * MS) == -ETIMEDOUT;
            CHECK(!lost);
            if (lost) { leave(); }
        }
        __atomic_store_n(&ball[me], 0, __ATOMIC_RELAXED);
        __atomic_store_n(&ball[!me], 1, __ATOMIC_RELEASE);
        futex_wake(&ball[!me], 1);
    }
    return NULL;
}

static void one_wake_up_is_enough(void) {
    ball[0] = 1;
    ball[1] = 0;
    struct thread *t = begin(play, (void *)1l);
    play((void *)0l);
    end(t);
    CHECK_EQ(ball[0], 1);
}

static uint32_t slept, stop;

static void *sleep_shortly(void *arg) {
    uint32_t woken = 0;
    for (long n = 0; n < 1500; n++) {
        long got = futex_wait(&word, 0, n * (long)arg % 7 * 1000);
        CHECK(got == 0 || got == -ETIMEDOUT);
        woken += got == 0;
    }
    __atomic_fetch_add(&slept, woken, __ATOMIC_RELAXED);
    return NULL;
}

static void *move_about(void *arg) {
    long woken = 0;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        woken += futex_wake(&word, 1) + futex_wake(&other, ALL);
        call(&word, FUTEX_REQUEUE, 0, (uaddr)2, &other, 0);
        call(&other, FUTEX_REQUEUE, 0, (uaddr)1, &word, 0);
    }
    *(long *)arg = woken;
    return NULL;
}

// Time runs out, sleepers are woken, and moved both ways, all at once: each was woken or not, never both.
static void time_and_wake_ups_race(void) {
    struct thread *t[4], *movers[2];
    long woken[2];
    slept = stop = 0;
    for (int i = 0; i < 2; i++) { movers[i] = begin(move_about, &woken[i]); }
    for (long i = 0; i < COUNT(t); i++) { t[i] = begin(sleep_shortly, (void *)(i + 1)); }
    for (int i = 0; i < COUNT(t); i++) { end(t[i]); }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++) { end(movers[i]); }
    CHECK_EQ(slept, woken[0] + woken[1]);
}

// ---- what thread.h makes of it

enum { THREADS = 6, ROUNDS = 3000 };
static struct mutex lock;
static struct cond changed;
static long counter, produced, consumed;

static void *count_up(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        mutex_lock(&lock);
        long was = counter;
        if (i % 64 == 0) { sched_yield(); }
        counter = was + 1;
        mutex_unlock(&lock);
    }
    return arg;
}

static void a_mutex_excludes(void) {
    struct thread *t[THREADS];
    for (int i = 0; i < THREADS; i++) { t[i] = begin(count_up, NULL); }
    for (int i = 0; i < THREADS; i++) { end(t[i]); }
    CHECK_EQ(counter, THREADS * ROUNDS);
    CHECK(mutex_trylock(&lock));
    CHECK(!mutex_trylock(&lock));
    mutex_unlock(&lock);
}

static void *consume(void *arg) {
    mutex_lock(&lock);
    while (consumed < ROUNDS) {
        while (!produced && consumed < ROUNDS) { cond_wait(&changed, &lock); }
        if (produced) {
            produced--;
            consumed++;
        }
        if (consumed == ROUNDS) { cond_broadcast(&changed, &lock); }
    }
    mutex_unlock(&lock);
    return arg;
}

static void a_condition_wakes(void) {
    struct thread *t[THREADS];
    for (int i = 0; i < THREADS; i++) { t[i] = begin(consume, NULL); }
    for (int i = 0; i < ROUNDS; i += 2) {
        mutex_lock(&lock);
        produced += 2;
        if (i % 4) {
            cond_signal(&changed);
            cond_signal(&changed);
        } else {
            cond_broadcast(&changed, &lock);
        }
        mutex_unlock(&lock);
    }
    for (int i = 0; i < THREADS; i++) { end(t[i]); }
    CHECK_EQ(consumed, ROUNDS);
    mutex_lock(&lock);
    CHECK_EQ(cond_timedwait(&changed, &lock, MS), ETIMEDOUT);
    mutex_unlock(&lock);
}

static struct barrier barrier = {.threads = THREADS};
static uint32_t rounds_done[THREADS], firsts;

static void *go_round(void *arg) {
    long me = (long)arg;
    for (uint32_t n = 1; n <= 300; n++) {
        __atomic_store_n(&rounds_done[me], n, __ATOMIC_RELAXED);
        if (barrier_wait(&barrier)) { __atomic_fetch_add(&firsts, 1, __ATOMIC_RELAXED); }
        for (int i = 0; i < THREADS; i++) {
            uint32_t seen = __atomic_load_n(&rounds_done[i], __ATOMIC_RELAXED);
            CHECK(seen == n || seen == n + 1);
        }
    }
    return NULL;
}

static void a_barrier_keeps_all_together(void) {
    struct thread *t[THREADS];
    for (long i = 0; i < THREADS; i++) { t[i] = begin(go_round, (void *)i); }
    for (int i = 0; i < THREADS; i++) { end(t[i]); }
    CHECK_EQ(firsts, 300);
}

static struct once once;
static int times;

static void do_once(void) {
    nap(MS);
    times++;
}

static void *come_by(void *arg) {
    once_run(&once, do_once);
    CHECK_EQ(times, 1);
    return arg;
}

static void once_is_once(void) {
    struct thread *t[THREADS];
    for (int i = 0; i < THREADS; i++) { t[i] = begin(come_by, NULL); }
    for (int i = 0; i < THREADS; i++) { end(t[i]); }
    CHECK_EQ(times, 1);
}

static void *fail_a_call(void *arg) {
    errno = 0;
    CHECK_EQ(close(99), -1);
    CHECK_EQ(errno, EBADF);
    return arg;
}

static void errno_is_each_threads_own(void) {
    errno = ENOTDIR;
    end(begin(fail_a_call, NULL));
    CHECK_EQ(errno, ENOTDIR);
}

TEST_MAIN(TEST(errors_are_linuxs), TEST(a_wait_ends_in_time), TEST(a_word_may_have_to_be_fetched),
          TEST(a_wake_finds_as_many_as_asked), TEST(bits_choose_the_sleepers), TEST(sleepers_can_be_moved),
          TEST(a_child_sleeps_on_a_word_of_its_own), TEST(a_child_with_the_same_memory_wakes),
          TEST(death_ends_a_wait), TEST(processes_meet_on_a_shared_word), TEST(sleepers_move_between_processes),
          TEST(a_word_stays_itself_when_it_moves), TEST(the_private_flag_does_not_cross),
          TEST(a_private_word_does_not_cross), TEST(who_sleeps_in_lost_memory_is_alone),
          TEST(a_threads_end_wakes_another_process), TEST(no_wake_up_is_lost), TEST(one_wake_up_is_enough),
          TEST(time_and_wake_ups_race), TEST(a_mutex_excludes), TEST(a_condition_wakes),
          TEST(a_barrier_keeps_all_together), TEST(once_is_once), TEST(errno_is_each_threads_own))
