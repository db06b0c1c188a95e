// SPDX-License-Identifier: MIT
// sched.c - who runs where and when: affinity, pre-emption, sleep, clocks.
#include "common.h"

static int harts(void) {
    unsigned long mask[16] = {0};
    long len = ksys_sched_getaffinity(0, sizeof mask, mask);
    int count = 0;
    for (int i = 0; i < len / 8; i++) { count += __builtin_popcountl(mask[i]); }
    return count;
}

static int my_hart(void) {
    unsigned cpu = ~0u;
    CHECK_EQ(ksys_getcpu(&cpu, NULL, NULL), 0);
    return (int)cpu;
}

// The first n harts that this process may use.
static int allowed(int *list, int max) {
    unsigned long mask[16] = {0};
    int n = 0;
    CHECK(ksys_sched_getaffinity(0, sizeof mask, mask) > 0);
    for (int i = 0; i < 1024 && n < max; i++) {
        if (mask[i / 64] >> (i % 64) & 1) { list[n++] = i; }
    }
    return n;
}

static void setting_affinity_moves_at_once(void) {
    int list[64], n = allowed(list, 64);
    for (int i = 0; i < 300; i++) {
        int hart = list[i * 7 % n];
        CHECK_EQ(pin(hart), 0);
        CHECK_EQ(my_hart(), hart);
    }
    for (int i = 0; i < n; i++) {
        unsigned long mask = 0;
        CHECK_EQ(pin(list[i]), 0);
        CHECK(ksys_sched_getaffinity(0, sizeof mask, &mask) > 0);
        CHECK_EQ(mask, 1ul << list[i]);
    }
}

static void affinity_is_inherited(void) {
    int list[64], n = allowed(list, 64);
    for (int i = 0; i < n; i++) {
        CHECK_EQ(pin(list[i]), 0);
        int pid = spawn();
        if (pid == 0) {
            for (int k = 0; k < 50; k++) {
                CHECK_EQ(my_hart(), list[i]);
                ksys_sched_yield();
            }
            leave();
        }
        CHECK_EQ(reap(pid), 0);
    }
}

static void affinity_of_another_process(void) {
    int list[2], n = allowed(list, 2);
    struct gate go = gate_new(), ready = gate_new();
    int pid = spawn();
    if (pid == 0) {
        gate_post(&ready);
        gate_wait(&go);
        CHECK_EQ(my_hart(), list[n - 1]);
        leave();
    }
    gate_wait(&ready);
    unsigned long mask = 1ul << list[n - 1], got = 0;
    CHECK_EQ(ksys_sched_setaffinity(pid, sizeof mask, &mask), 0);
    CHECK(ksys_sched_getaffinity(pid, sizeof got, &got) > 0);
    CHECK_EQ(got, mask);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK_EQ(ksys_sched_setaffinity(pid, sizeof mask, &mask), -ESRCH);
}

static void affinity_errors(void) {
    unsigned long none = 0, far[2] = {0, 0}, got;
    far[1] = 1ul << 63;
    CHECK_EQ(ksys_sched_setaffinity(0, sizeof none, &none), -EINVAL);
    CHECK_EQ(ksys_sched_setaffinity(0, sizeof far, far), -EINVAL);
    CHECK_EQ(ksys_sched_getaffinity(0, 1, &got), -EINVAL);
    CHECK_EQ(ksys_sched_getaffinity(0, 0, &got), -EINVAL);
    CHECK_EQ(ksys_sched_getaffinity(0x3fffffff, sizeof got, &got), -ESRCH);
}

static void spin_until(volatile char *stop) {
    while (!*stop) {
    }
}

// On one hart: spinning children never call the kernel, yet the parent goes on.
static void spinners_are_preempted(void) {
    enum { SPINNERS = 3 };
    int list[1], pid[SPINNERS];
    allowed(list, 1);
    CHECK_EQ(pin(list[0]), 0);
    for (int i = 0; i < SPINNERS; i++) {
        if ((pid[i] = spawn()) == 0) {
            static volatile char never;
            spin_until(&never);
        }
    }
    for (int i = 0; i < 5; i++) {
        nap(5 * MS);
        ksys_sched_yield();
    }
    for (int i = 0; i < SPINNERS; i++) {
        CHECK_EQ(ksys_kill(pid[i], SIGKILL), 0);
        CHECK_EQ(reap(pid[i]), KILLED(SIGKILL));
    }
}

// Two equal workers on one hart: neither starves.
static void the_hart_is_shared_fairly(void) {
    int list[1], pid[2];
    struct gate results = gate_new();
    allowed(list, 1);
    CHECK_EQ(pin(list[0]), 0);
    for (int i = 0; i < 2; i++) {
        if ((pid[i] = spawn()) == 0) {
            long rounds = 0;
            for (int64_t end = now_ns() + 600 * MS; now_ns() < end; rounds++) {
            }
            long report[2] = {i, rounds};
            ksys_write(results.ends[1], report, sizeof report);
            leave();
        }
    }
    long rounds[2] = {0, 0}, report[2];
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(ksys_read(results.ends[0], report, sizeof report), sizeof report);
        rounds[report[0] & 1] = report[1];
        CHECK_EQ(reap(pid[i]), 0);
    }
    CHECK(rounds[0] > rounds[1] / 8 && rounds[1] > rounds[0] / 8);
}

static void every_hart_runs_something(void) {
    int list[64], n = allowed(list, 64), pid[64];
    for (int i = 0; i < n; i++) {
        if ((pid[i] = spawn()) == 0) {
            CHECK_EQ(pin(list[i]), 0);
            nap(2 * MS);
            CHECK_EQ(my_hart(), list[i]);
            leave();
        }
    }
    for (int i = 0; i < n; i++) { CHECK_EQ(reap(pid[i]), 0); }
}

static void yield_lets_the_other_run(void) {
    int list[1];
    allowed(list, 1);
    CHECK_EQ(pin(list[0]), 0);
    int pid = spawn();
    if (pid == 0) { leave(); }
    int status, tries = 0;
    while (ksys_wait4(pid, &status, WNOHANG, NULL) == 0 && tries < 100000) {
        CHECK_EQ(ksys_sched_yield(), 0);
        tries++;
    }
    CHECK(tries < 10000);
}

static struct kine_counters counters_of(int hart) {
    struct kine_counters now;
    CHECK_EQ(ksys_kine_counters(hart, &now, sizeof now), 0);
    return now;
}

// Two spaces that nobody changes: what the hart holds of the one stays while it is in the other.
static void who_takes_turns_fences_nothing(void) {
    enum { WARM = 100, TURNS = 500 };
    int list[1];
    allowed(list, 1);
    CHECK_EQ(pin(list[0]), 0);
    int pid = spawn();
    if (pid == 0) {
        for (int i = 0; i < 4 * (WARM + TURNS); i++) { ksys_sched_yield(); }
        leave();
    }
    for (int i = 0; i < WARM; i++) { ksys_sched_yield(); }
    struct kine_counters before = counters_of(list[0]);
    for (int i = 0; i < TURNS; i++) { ksys_sched_yield(); }
    struct kine_counters after = counters_of(list[0]);
    CHECK(after.switches - before.switches >= 2 * TURNS);
    CHECK_EQ(after.full_fences - before.full_fences, 0);
    CHECK_EQ(reap(pid), 0);
}

static void sleep_lasts_as_long_as_asked(void) {
    const long naps[] = {0, 1, 1000, MS, 7 * MS, 30 * MS, 100 * MS};
    for (int i = 0; i < COUNT(naps); i++) {
        int64_t begin = now_ns();
        nap(naps[i]);
        int64_t slept = now_ns() - begin;
        CHECK(slept >= naps[i]);
        CHECK(slept < naps[i] + 3000 * MS);  // a busy host may be late
    }
}

static void sleepers_wake_in_order(void) {
    struct gate woken = gate_new();
    int pid[4];
    for (int i = 0; i < 4; i++) {
        if ((pid[i] = spawn()) == 0) {
            nap((4 - i) * 200 * MS);
            char me = (char)i;
            ksys_write(woken.ends[1], &me, 1);
            leave();
        }
    }
    char order[4];
    for (int i = 0; i < 4; i++) { CHECK_EQ(ksys_read(woken.ends[0], &order[i], 1), 1); }
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(order[i], 3 - i);
        CHECK_EQ(reap(pid[i]), 0);
    }
}

// They wake up where they went to sleep, many at once, so others come and take some away.
static void killed_sleepers_wake_on_any_hart(void) {
    enum { SLEEPERS = 16 };
    for (int round = 0; round < 8; round++) {
        int pid[SLEEPERS];
        for (int i = 0; i < SLEEPERS; i++) {
            if ((pid[i] = spawn()) == 0) {
                nap(1000000 * MS);
                leave();
            }
        }
        nap(5 * MS);
        for (int i = 0; i < SLEEPERS; i++) { CHECK_EQ(ksys_kill(pid[i], SIGKILL), 0); }
        for (int i = 0; i < SLEEPERS; i++) { CHECK_EQ(reap(pid[i]), KILLED(SIGKILL)); }
    }
}

static void sleep_refuses_nonsense(void) {
    struct timespec bad[] = {{.tv_nsec = -1}, {.tv_nsec = 1000000000}, {.tv_sec = -1}};
    for (int i = 0; i < COUNT(bad); i++) {
        CHECK_EQ(ksys_nanosleep(&bad[i], NULL), -EINVAL);
    }
}

static void sleeps_of_ages_are_sleeps(void) {
    static const long seconds[] = {1l << 31, 1l << 45, __LONG_MAX__};
    for (int i = 0; i < COUNT(seconds); i++) {
        struct timespec ages = {.tv_sec = seconds[i]};
        int pid = spawn();
        if (pid == 0) {
            ksys_nanosleep(&ages, NULL);
            leave();
        }
        nap(20 * MS);
        CHECK_EQ(ksys_wait4(pid, NULL, WNOHANG, NULL), 0);
        CHECK_EQ(ksys_kill(pid, SIGKILL), 0);
        CHECK_EQ(reap(pid), KILLED(SIGKILL));
    }
}

static void the_clock_never_goes_back(void) {
    int list[64], n = allowed(list, 64);
    int64_t last = now_ns();
    for (int i = 0; i < 400; i++) {
        if (i % 10 == 0) { CHECK_EQ(pin(list[i / 10 % n]), 0); }
        int64_t now = now_ns();
        CHECK(now >= last);
        last = now;
    }
    struct timespec ts;
    CHECK_EQ(ksys_clock_gettime(CLOCK_REALTIME, &ts), 0);
    CHECK(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
    CHECK_EQ(ksys_clock_gettime(CLOCK_MONOTONIC_RAW, &ts), 0);
    CHECK_EQ(ksys_clock_gettime(99, &ts), -EINVAL);
    const int cpu_time[] = {2, 3};  // of the process, of the thread: not counted by Kine
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(ksys_clock_gettime(cpu_time[i], &ts), have_kine() ? -EINVAL : 0);
    }
}

static void user_mode_may_read_the_counters(void) {
    unsigned long t0, t1, cycles, instructions;
    __asm__ volatile("rdtime %0" : "=r"(t0));
    nap(2 * MS);
    __asm__ volatile("rdtime %0" : "=r"(t1));
    __asm__ volatile("rdcycle %0" : "=r"(cycles));
    __asm__ volatile("rdinstret %0" : "=r"(instructions));
    CHECK(t1 > t0);
    CHECK(harts() > 0);
}

// One call of 64 MiB is long; it notices in its middle that its process is to die.
static void a_long_read_ends_when_its_reader_is_killed(void) {
    struct gate begins = gate_new();
    uint64_t before = counters().zero_fills;
    int pid = spawn();
    if (pid == 0) {
        int fd = (int)ksys_openat(AT_FDCWD, "/dev/zero", O_RDONLY, 0);
        char *big = (char *)ksys_mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        gate_post(&begins);
        ksys_read(fd, big, 64 * MIB);
        leave();
    }
    gate_wait(&begins);
    ksys_kill(pid, SIGKILL);
    CHECK_EQ(reap(pid), SIGKILL);
    CHECK(counters().zero_fills - before < 64 * MIB / PAGE);
}

// ---- stealing, and where sleepers wake

static uint64_t switches_of(int hart) {
    static struct kine_counters c;
    CHECK_EQ(ksys_kine_counters(hart, &c, sizeof c), 0);
    return c.switches;
}

static void allow(unsigned long harts) {
    CHECK_EQ(ksys_sched_setaffinity(0, sizeof harts, &harts), 0);
}

static unsigned long mask_of(const int *list, int n) {
    unsigned long mask = 0;
    for (int i = 0; i < n; i++) { mask |= 1ul << list[i]; }
    return mask;
}

// Forked on a hart whose owner, the parent, never sleeps: they wait for it, and another one that has nothing
// to do takes them. Time is the busy hart's switches, one at each tick: thieves that do not come in a
// thousand of them do not come at all.
static void who_waits_for_a_busy_hart_is_stolen(void) {
    enum { PATIENCE = 1000 };
    int list[64], n = allowed(list, 64), pid[64];
    if (n == 1) { return; }
    CHECK_EQ(pin(list[0]), 0);
    uint64_t end = switches_of(list[0]) + PATIENCE, before = counters().task_steals;
    for (int i = 0; i < n; i++) {
        if ((pid[i] = spawn()) == 0) {
            allow(mask_of(list, n));
            while (my_hart() == list[0] && switches_of(list[0]) < end) {
            }
            CHECK(my_hart() != list[0]);
            leave();
        }
    }
    for (int i = 0, status; i < n; i++) {
        while (ksys_wait4(pid[i], &status, WNOHANG, NULL) == 0) {
        }
        CHECK_EQ(status, 0);
    }
    CHECK(counters().task_steals >= before + n);
}

// Nobody else has anything to do, so nothing but the wake-up moves a sleeper; `moves` counts how often it wakes
// elsewhere. (Chance would move one of two harts 25 times in 50, one of eight 44 times.)
enum { SLEEPS = 50, MOVES = 10 };

static void sleep_there(int hart, unsigned long mask, void (*sleep)(const struct gate *), const struct gate *gate,
                        int *moves) {
    CHECK_EQ(pin(hart), 0);
    allow(mask);
    sleep(gate);
    *moves += my_hart() != hart;
}

static void nap_a_little(const struct gate *unused) {
    (void)unused;
    nap(MS);
}

// On two harts the one that the sleeper has left is awake, and would steal it back.
static void sleepers_wake_where_they_slept(void) {
    int list[64], n = allowed(list, 64), moves = 0;
    uint64_t before = counters().task_steals;
    for (int i = 0; i < SLEEPS; i++) { sleep_there(list[n - 1], mask_of(list, n), nap_a_little, NULL, &moves); }
    CHECK(moves <= MOVES);
    CHECK(counters().task_steals - before <= MOVES);
}

// The same when another hart wakes it: one that goes on, so that it does not come as a thief.
static void the_waker_does_not_take_the_sleeper(void) {
    int list[64], n = allowed(list, 64), moves = 0;
    struct gate gate = gate_new();
    int pid = spawn();
    if (pid == 0) {
        for (int i = 0; i < SLEEPS; i++) { sleep_there(list[n - 1], mask_of(list, n), gate_wait, &gate, &moves); }
        CHECK(moves <= MOVES);
        leave();
    }
    CHECK_EQ(pin(list[0]), 0);
    for (int i = 0; i < SLEEPS; i++) {
        for (int64_t end = now_ns() + 12 * MS; now_ns() < end;) {  // a tick: whoever waits here gets its turn
        }
        gate_post(&gate);
    }
    CHECK_EQ(reap(pid), 0);
}

TEST_MAIN(TEST(setting_affinity_moves_at_once), TEST(affinity_is_inherited),
          TEST(affinity_of_another_process), TEST(affinity_errors), TEST(spinners_are_preempted),
          TEST(the_hart_is_shared_fairly), TEST(every_hart_runs_something),
          TEST(yield_lets_the_other_run), TEST(sleep_lasts_as_long_as_asked),
          TEST(sleepers_wake_in_order), TEST(sleep_refuses_nonsense),
          TEST(killed_sleepers_wake_on_any_hart),
          TEST(sleeps_of_ages_are_sleeps),
          TEST(the_clock_never_goes_back), KINE_TEST(a_long_read_ends_when_its_reader_is_killed),
          KINE_TEST(user_mode_may_read_the_counters), KINE_TEST(who_takes_turns_fences_nothing),
          KINE_TEST(who_waits_for_a_busy_hart_is_stolen),
          KINE_TEST(sleepers_wake_where_they_slept), KINE_TEST(the_waker_does_not_take_the_sleeper))
