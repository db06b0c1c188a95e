// SPDX-License-Identifier: MIT
// search.c - many plays of one scenario: scripts, seeds, all schedules with few preemptions.
//
// Search    Depth first, without memory of states. A play follows a list of choices and then goes on by
//           default (who runs goes on). Of its last choice for which there is another one within the
//           bound, that other one is the next play's; what lies behind is free again. A preemption is a
//           choice against a player that could have gone on (Musuvathi and Qadeer, PLDI 2007).
#include "explore.h"
#include <stdlib.h>

enum { SCRIPT_MS = 1000 };

static bool real_choice(const struct kine_schedule_step *s) {
    return (s->enabled & (s->enabled - 1)) != 0;
}

static bool preempts(const struct kine_schedule_step *s, int next) {
    return s->enabled >> s->player & 1 && next != s->player;
}

// The choices in the order in which they are tried: the default, then upwards. 0: no more.
static int choice_after(const struct kine_schedule_step *s, int tried) {
    int first = s->enabled >> s->player & 1 ? s->player : __builtin_ctz(s->enabled);
    for (int p = tried == first ? 1 : tried + 1; p <= KINE_PLAYERS; p++) {
        if (p != first && s->enabled >> p & 1) { return p; }
    }
    return 0;
}

// Make the plan for the next play out of the record of the last. false: that was all.
static bool next_plan(long bound) {
    static uint8_t before[KINE_SCHEDULE_STEPS], place[KINE_SCHEDULE_STEPS];  // preemptions; its choice's number
    int preemptions = 0, choices = 0, at = -1;
    for (int i = 0; i < (int)plan.steps && choices < KINE_SCHEDULE_LINES; i++) {
        if (real_choice(&plan.step[i])) {
            before[i] = (uint8_t)preemptions;
            preemptions += preempts(&plan.step[i], plan.step[i].next);
            place[i] = (uint8_t)choices;
            plan.line[choices++].next = plan.step[i].next;
            at = i;
        }
    }
    for (; at >= 0; at--) {
        const struct kine_schedule_step *s = &plan.step[at];
        int next = real_choice(s) ? choice_after(s, s->next) : 0;
        if (next && before[at] + preempts(s, next) <= bound) {
            plan.line[place[at]].next = (uint8_t)next;
            plan.lines = place[at] + 1u;
            return true;
        }
    }
    return false;
}

static void say_again(const struct scenario *s) {
    static char choices[2 * KINE_SCHEDULE_STEPS + 1];
    int n = 0;
    for (int i = 0; i < (int)plan.steps && i < KINE_SCHEDULE_STEPS; i++) {
        if (real_choice(&plan.step[i])) {
            choices[n++] = (char)('0' + plan.step[i].next);
        }
    }
    choices[n] = 0;
    ktap_comment("again: list %s %s", s->name, choices);
}

int run_search(const struct scenario *s, long bound, long limit) {
    long plays = 0, longest = 0;
    bool well = true, more = true;
    ktap_plan(1);
    plan.mode = KINE_SCHEDULE_LIST;
    plan.lines = 0;
    while (well && more && plays < limit) {
        well = perform(s);
        plays++;
        longest = plan.steps > longest ? plan.steps : longest;
        if (!well) {
            trace_print();
            say_again(s);
        }
        more = next_plan(bound);
    }
    ktap_ok(well, "exhaustive %s: %ld schedules of at most %ld preemptions, %s, at most %ld steps", s->name,
            plays, bound, more ? "not all" : "all", longest);
    return ktap_end();
}

int run_list(const struct scenario *s, const char *choices) {
    ktap_plan(1);
    plan.mode = KINE_SCHEDULE_LIST;
    for (plan.lines = 0; choices[plan.lines] && plan.lines < KINE_SCHEDULE_LINES; plan.lines++) {
        plan.line[plan.lines].next = (uint8_t)(choices[plan.lines] - '0');
    }
    bool well = perform(s);
    trace_print();
    ktap_ok(well, "list %s: %u steps, trace %016lx", s->name, plan.steps, (unsigned long)trace_hash());
    return ktap_end();
}

// Seeds seed .. seed + runs - 1, each played `times` times: every time the same trace.
int run_seeds(const struct scenario *s, long seed, long runs, long depth, long length, long times) {
    ktap_plan((int)runs);
    plan.mode = KINE_SCHEDULE_SEED;
    for (long run = 0; run < runs; run++) {
        uint64_t first = 0;
        long equal = 0;
        bool well = true;
        for (long i = 0; i < times && well; i++) {
            plan.seed = (uint64_t)(seed + run);
            plan.depth = (uint32_t)depth;
            plan.length = (uint32_t)length;
            well = perform(s);
            first = i ? first : trace_hash();
            equal += trace_hash() == first;
            if (!well || (i == 0 && runs == 1) || trace_hash() != first) {
                trace_print();
            }
        }
        ktap_ok(well && equal == times, "seeded %s: seed %ld, depth %ld: %u steps, trace %016lx, %ld of %ld equal",
                s->name, seed + run, depth, plan.steps, (unsigned long)first, equal, times);
    }
    return ktap_end();
}

// ---- scripts: NAME/SCENARIO/1:point,2:end?,...   "?": or waits. Each has a second.

static const char *one_line(const char *text, struct kine_schedule_step *line) {
    memset(line, 0, sizeof *line);
    line->player = (uint8_t)(*text - '0');
    text += *text != 0;
    text += *text == ':';
    for (size_t n = 0; *text && *text != ',' && *text != '?'; text++) {
        if (n < sizeof line->at - 1) { line->at[n++] = *text; }
    }
    line->waits = *text == '?';
    text += *text == '?';
    return text + (*text == ',');
}

static void run_script(const char *text, bool steps) {
    const char *scenario = strchr(text, '/'), *lines = scenario ? strchr(++scenario, '/') : NULL;
    const struct scenario *s = lines ? scenario_named(scenario, (size_t)(lines++ - scenario)) : NULL;
    if (!s) {
        ktap_ok(false, "script %s: NAME/SCENARIO/PLAYER:POINT,... is wanted", text);
        return;
    }
    plan.mode = KINE_SCHEDULE_SCRIPT;
    for (plan.lines = 0; *lines && plan.lines < KINE_SCHEDULE_LINES; plan.lines++) {
        lines = one_line(lines, &plan.line[plan.lines]);
    }
    int64_t start = now_ns();
    bool well = perform(s);
    long ms = (now_ns() - start) / MS;
    if (!well || steps) { trace_print(); }
    if (ms > SCRIPT_MS) { ktap_comment("%ld ms, and %d are allowed", ms, SCRIPT_MS); }
    ktap_ok(well && ms <= SCRIPT_MS, "script %.*s: %u lines, %u steps, trace %016lx, %ld ms",
            (int)(strchr(text, '/') - text), text, plan.lines, plan.steps, (unsigned long)trace_hash(), ms);
}

int run_scripts(int count, char **texts, bool steps) {
    ktap_plan(count);
    for (int i = 0; i < count; i++) { run_script(texts[i], steps); }
    return ktap_end();
}
