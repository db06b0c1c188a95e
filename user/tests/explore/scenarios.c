// SPDX-License-Identifier: MIT
// scenarios.c - what the players do: writes, forks, exits on one page that all of them share.
//
// Content   word i of the page is pattern(i) when the play begins; player n writes word 64 n only. So each
//           must find its own word as it wrote it, and all others as they were.
#include "explore.h"

char *const shared = (char *)0x5000000;
enum { FRESH = 1, WORDS = PAGE / 8 };  // FRESH: the page behind it, which nobody has touched

void scenario_page(void) {
    long at = ksys_mmap(shared, 3 * PAGE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK_EQ(at, (long)shared);
    for (int i = 0; i < WORDS; i++) { words()[i] = pattern(i); }
    shared[2 * PAGE] = 1;  // so that the tables stay when pages go
}

void scenario_drop(void) { unmap_pages(shared, 1); }

// ---- what is done

void scenario_write(int role) { words()[64 * role] = mark(role); }

static void just_exit(int role) {
    (void)role;
    ksys_exit_group(0);
}

static int child;

static void fork_once(void) {
    child = spawn();
    if (child == 0) {  // it runs when its parent has left the play
        schedule(KINE_SCHEDULE_OVER);
        CHECK(words()[0] == pattern(0) && words()[WORDS - 1] == pattern(WORDS - 1));
        for (int i = 0; i < WORDS; i++) { CHECK_EQ(words()[i], pattern(i)); }
        leave();
    }
    CHECK(words()[0] == pattern(0) || true);  // the way to the page is shared now: this counts the page once more
}

static struct gate mail;  // a pipe with one message in it

void scenario_send(void) {
    uint64_t message = mark(2);
    CHECK_EQ(ksys_write(mail.ends[1], &message, 8), 8);
}

void scenario_pipe(void) {
    mail = gate_new();
    scenario_send();
}

long scenario_receive(void *to) { return ksys_read(mail.ends[0], to, 8); }

void scenario_close(void) { gate_free(&mail); }

int scenario_failures(void) {
    int failed = checks_failed + threads_failures() + ends_failures();
    checks_failed = 0;
    return failed;
}

static long answer;  // of the call that follows

// A write by the kernel into word 64; if it needs a copy, that fails: the call says so, and the page stays.
static void fail_to_write(void) {
    fail_nth(1);
    answer = ksys_kine_pagemap(shared, 1, (uint64_t *)&words()[64]);
    fail_nth(0);
}

// A demand-zero page for the kernel to write: by its answer we know whether there was a frame.
static void take_frame(int role) {
    (void)role;
    answer = ksys_kine_pagemap(shared, 1, (uint64_t *)(shared + FRESH * PAGE));
}

// Two messages, the second of which may not be there yet, into the shared page: its copy is made with the
// pipe's lock held, for which the sender may have to wait.
static void send_or_receive(int role) {
    uint64_t message = mark(2);
    if (role == 1) {
        scenario_write(1);
        CHECK_EQ(ksys_write(mail.ends[1], &message, 8), 8);
    } else {
        CHECK_EQ(ksys_read(mail.ends[0], (void *)&words()[128], 8), 8);
        CHECK_EQ(ksys_read(mail.ends[0], (void *)&words()[128], 8), 8);
    }
}

static void fork_or_write(int role) { role == 1 ? fork_once() : scenario_write(role); }
static void fork_or_exit(int role) { role == 1 ? fork_once() : just_exit(role); }
static void write_or_exit(int role) { role == 1 ? scenario_write(role) : just_exit(role); }
static void fail_or_write(int role) { role == 1 ? fail_to_write() : scenario_write(role); }
static void fork_write_exit(int role) { role == 3 ? just_exit(role) : fork_or_write(role); }

// ---- what must hold

void scenario_words(int writer) {
    for (int i = 0; i < WORDS; i++) {
        CHECK_EQ(words()[i], writer && i == 64 * writer ? mark(writer) : pattern(i));
    }
}

static void check_own(int role) { scenario_words(role); }

static void check_fork(int role) {
    scenario_words(role == 1 ? 0 : role);
    if (role == 1) { CHECK_EQ(reap(child), 0); }
}

static void check_failed_write(int role) {
    if (role == 1 && answer == 0) {  // the other was done, so no copy was needed
        words()[64] = mark(1);
    }
    scenario_words(role == 1 && answer ? 0 : role);
}

static void check_taken(int role) {
    (void)role;
    CHECK(answer == 0 || answer == -ENOMEM);
    ksys_exit_group(answer ? 7 : checks_failed);
}

static void nothing_left(int role) { (void)role; }

// ---- one frame for two

// Take every frame but one. The others come back when the play has been recorded.
static void leave_one_frame(void) {
    CHECK(ksys_kine_ctl(KINE_HOARD, 0, 0) > 0);
    CHECK_EQ(ksys_kine_ctl(KINE_UNHOARD, 1, 0), 1);
}

static bool one_of_two(const int status[]) {
    return (status[1] == 0 && status[2] == EXITED(7)) || (status[2] == 0 && status[1] == EXITED(7));
}

const struct scenario scenarios[] = {
    {"cow2", 2, scenario_write, check_own, NULL, NULL, 0, NULL},
    {"cow3", 3, scenario_write, check_own, NULL, NULL, 0, NULL},
    {"cow4", 4, scenario_write, check_own, NULL, NULL, 0, NULL},
    {"forkwrite", 2, fork_or_write, check_fork, NULL, NULL, 0, NULL},
    {"forkexit", 2, fork_or_exit, check_fork, NULL, NULL, 0, NULL},
    {"exitwrite", 2, write_or_exit, check_own, NULL, NULL, 0, NULL},
    {"exitexit", 2, just_exit, nothing_left, NULL, NULL, 0, NULL},
    {"forkwriteexit", 3, fork_write_exit, check_fork, NULL, NULL, 0, NULL},
    {"pipe", 2, send_or_receive, check_own, NULL, NULL, 0, NULL},
    {"oom", 2, fail_or_write, check_failed_write, NULL, NULL, 0, NULL},
    {"scarce", 2, take_frame, check_taken, leave_one_frame, one_of_two, 0, NULL},
};
const int nscenarios = COUNT(scenarios);

static const struct scenario *named_in(const struct scenario *s, int n, const char *name, size_t length) {
    for (; n > 0; s++, n--) {
        if (strlen(s->name) == length && memcmp(s->name, name, length) == 0) { return s; }
    }
    return NULL;
}

const struct scenario *scenario_named(const char *name, size_t length) {
    const struct scenario *s = named_in(scenarios, nscenarios, name, length);
    if (!s) { s = named_in(house_scenarios, nhouse_scenarios, name, length); }
    return s ? s : named_in(end_scenarios, nend_scenarios, name, length);
}
