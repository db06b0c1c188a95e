// SPDX-License-Identifier: MIT
// house.c - one play whose players are threads of one process, the house, and children that come from it.
//
// The house's first thread sets the stage, starts the players one at a time and then sleeps on hart 0 until
// the play is over; the director (stage.c) begins it, and reaps the house. Whoever joins the play later is forked by a
// player, who has the baton and yields its hart until the child is there: so nobody may stand meanwhile who holds
// what the child needs on its way.
#include "explore.h"
#include <thread.h>

static struct gate ready, over;  // all players stand ready; the play is over
static struct gate home;         // neighbours may go
static int neighbours;
static const struct scenario *now;
static struct thread *threads[KINE_PLAYERS + 1];

static long here(int n) { return ksys_kine_ctl(KINE_SCHEDULE, KINE_SCHEDULE_HERE, (unsigned long)n); }

static void act(int role) {
    CHECK_EQ(schedule(KINE_SCHEDULE_JOIN), 0);
    now->act(role);
    schedule(KINE_SCHEDULE_LEAVE);
    schedule(KINE_SCHEDULE_OVER);
}

// Own the ways to the page and to the own stack.
static void *be_thread(void *role) {
    CHECK_EQ(pin((int)(long)role), 0);
    CHECK(*(volatile char *)shared || true);
    act((int)(long)role);
    return NULL;
}

static _Noreturn void be_child(int role) {
    pin(role);
    act(role);
    now->check(role);
    checks_failed += scenario_failures();
    leave();
}

void house_bring(int role) {
    int pid = spawn();
    if (pid == 0) { be_child(role); }
    CHECK(pid > 0);
    while (pid > 0 && here(0) < role) { ksys_sched_yield(); }
}

void house_neighbour(void) {
    struct gate in = gate_new();
    neighbours++;
    int pid = spawn();
    if (pid == 0) {
        CHECK(*(volatile char *)shared || true);  // and the table is copied: the page is counted twice
        gate_post(&in);
        gate_wait(&home);
        scenario_words(0);
        checks_failed += scenario_failures();
        leave();
    }
    gate_wait(&in);
    gate_free(&in);
    CHECK(*(volatile char *)shared || true);
}

static void start(const struct scenario *s) {
    for (int role = 1; role <= s->players - s->late; role++) {
        CHECK_EQ(thread_create(&threads[role], be_thread, (void *)(long)role), 0);
        CHECK_EQ(here(role), role);
    }
}

// What a player's children are has been seen by their own checks.
static void reap_children(void) {
    for (int status, pid; (pid = (int)ksys_wait4(-1, &status, 0, NULL)) != -ECHILD;) { CHECK_EQ(status, 0); }
}

static _Noreturn void keep_house(const struct scenario *s) {
    now = s;
    home = gate_new();
    scenario_page();
    s->stage();
    CHECK_EQ(schedule(KINE_SCHEDULE_PREPARE), 0);
    start(s);
    gate_post(&ready);
    gate_wait(&over);
    for (int role = 1; role <= s->players - s->late; role++) { CHECK_EQ(thread_join(threads[role], NULL), 0); }
    for (int i = 0; i < neighbours; i++) { gate_post(&home); }
    reap_children();
    if (s->check) { s->check(0); }
    checks_failed += scenario_failures();
    leave();
}

bool play_house(const struct scenario *s) {
    checks_failed = 0;
    int status[KINE_PLAYERS + 1] = {0};
    ready = gate_new();
    over = gate_new();
    int pid = spawn();
    if (pid == 0) { keep_house(s); }
    gate_wait(&ready);
    if (s->before) { s->before(); }
    CHECK_EQ(schedule(KINE_SCHEDULE_BEGIN), 0);
    CHECK_EQ(schedule(KINE_SCHEDULE_OVER), 0);
    if (s->before) { ksys_kine_ctl(KINE_UNHOARD, 0, 0); }
    gate_post(&over);
    status[1] = reap(pid);
    CHECK_EQ(schedule(KINE_SCHEDULE_RECORD), 0);
    if (s->judge ? !s->judge(status) : status[1] != 0) { check_failed("house", 0, s->name, status[1]); }
    gate_free(&ready);
    gate_free(&over);
    return checks_failed == 0;
}
