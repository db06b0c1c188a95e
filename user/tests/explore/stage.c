// SPDX-License-Identifier: MIT
// stage.c - one play: players are forked, join, and go; then contents, books and counts are judged.
//
// The director (hart 0) lets go of the shared page when its players have it: the page's count is then
// their number. It reaps nobody before all have left, so that no other hart frees anything meanwhile. Players
// come and go one at a time: what they share besides the page is not to be raced for.
#include "explore.h"

struct kine_schedule plan;

long schedule(int op) { return ksys_kine_ctl(KINE_SCHEDULE, op, (unsigned long)&plan); }

static struct gate turn;  // to leave

// Own the ways to the shared page and to our own data, so that a play is about pages and not about tables.
static void own_ways(int role) {
    static volatile int mine;
    mine = role;
    CHECK(mine == role && (*(volatile char *)shared || true));
}

static void be_player(const struct scenario *s, int role) {
    CHECK_EQ(pin(role), 0);
    own_ways(role);
    CHECK_EQ(schedule(KINE_SCHEDULE_JOIN), 0);
    s->act(role);
    schedule(KINE_SCHEDULE_LEAVE);
    schedule(KINE_SCHEDULE_OVER);  // what a process gives back on its way out is no part of the play
    gate_wait(&turn);
    s->check(role);
    checks_failed += scenario_failures();
    leave();
}

static bool all_well(const struct scenario *s, const int status[]) {
    bool well = true;
    for (int role = 1; role <= s->players; role++) { well = well && status[role] == 0; }
    return s->judge ? s->judge(status) : well;
}

// First those who have left by their exit, then one after the other.
static void reap_all(int players, const int pids[], int status[]) {
    int options = WNOHANG;
    for (int left = players; left > 0;) {
        int code, pid = (int)ksys_wait4(-1, &code, options, NULL);
        if (pid < 0) {
            check_failed("wait4", 0, "a player is gone", pid);
            return;
        }
        left -= pid > 0;
        for (int role = 1; role <= players; role++) {
            status[role] = pid && pids[role] == pid ? code : status[role];
        }
        if (left && (!pid || !options)) {
            options = 0;
            gate_post(&turn);
        }
    }
}

static void play(const struct scenario *s) {
    int pids[KINE_PLAYERS + 1], status[KINE_PLAYERS + 1] = {0};
    for (int role = 1; role <= s->players; role++) {
        pids[role] = spawn();
        if (pids[role] == 0) { be_player(s, role); }
        CHECK_EQ(ksys_kine_ctl(KINE_SCHEDULE, KINE_SCHEDULE_HERE, (unsigned long)role), role);
    }
    scenario_drop();
    if (s->before) { s->before(); }
    CHECK_EQ(schedule(KINE_SCHEDULE_BEGIN), 0);
    CHECK_EQ(schedule(KINE_SCHEDULE_OVER), 0);
    if (s->before) { ksys_kine_ctl(KINE_UNHOARD, 0, 0); }
    reap_all(s->players, pids, status);
    CHECK_EQ(schedule(KINE_SCHEDULE_RECORD), 0);
    if (!all_well(s, status)) {
        check_failed("players", 0, s->name, status[1] | status[2] << 16);
    }
}

static void play_apart(const struct scenario *s) {
    scenario_page();
    CHECK_EQ(schedule(KINE_SCHEDULE_PREPARE), 0);
    if (!checks_failed) { play(s); }
    ksys_munmap(shared, 3 * PAGE);
}

// What is run of the scenario's is text of its own: there before the books are opened, and all memory taken.
static void touch_text(uintptr_t code) {
    enum { LONGEST = 256 };
    if (code) { (void)(*(volatile char *)code + *(volatile char *)(code + LONGEST)); }
}

bool perform(const struct scenario *s) {
    checks_failed = 0;
    touch_text((uintptr_t)s->act);
    touch_text((uintptr_t)s->before);
    touch_text((uintptr_t)s->judge);
    scenario_pipe();
    turn = gate_new();
    open_books();
    plan.players = s->players;
    plan.watch = s->before && !s->stage ? 0 : (uint64_t)shared;
    plan.length = plan.length ? plan.length : 1;
    if (s->stage) {
        CHECK(play_house(s));
    } else {
        play_apart(s);
    }
    close_books();
    scenario_close();
    gate_free(&turn);
    checks_failed += scenario_failures();
    CHECK(plan.steps <= KINE_SCHEDULE_STEPS);
    if (plan.lost) {
        const struct kine_schedule_step *l = &plan.line[plan.lost - 1];
        checks_failed++;
        ktap_comment("step %u cannot be followed: %d %s%s", plan.lost, l->player, l->at, l->waits ? " or wait" : "");
    }
    return checks_failed == 0;
}

static int kept(void) {
    return plan.steps < KINE_SCHEDULE_STEPS ? (int)plan.steps : KINE_SCHEDULE_STEPS;
}

// FNV-1a over all that was decided.
uint64_t trace_hash(void) {
    uint64_t hash = 0xcbf29ce484222325ul;
    const unsigned char *bytes = (const unsigned char *)plan.step;
    for (size_t i = 0; i < kept() * sizeof plan.step[0]; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3ul;
    }
    return hash;
}

void trace_print(void) {
    for (int i = 0; i < kept(); i++) {
        const struct kine_schedule_step *s = &plan.step[i];
        ktap_comment("%3d: %d %s%s, then %d", i, s->player, s->waits ? "waits: " : "", s->at, s->next);
    }
}
