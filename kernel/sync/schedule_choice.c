// SPDX-License-Identifier: MIT
// schedule_choice.c - who goes on: by a script, by the priorities of a seed, or by a list of choices.
//
// Nothing here knows of harts: from (who came where, who can go on, who has left) to a player's number. Only
// the holder of the baton calls it.
#include "lib/string.h"
#include "riscv/hart.h"
#include "sync/schedule.h"

#ifdef SCHED
static u32 line;  // of the script or of the list
static u64 rng;
static u32 priority[KINE_PLAYERS + 1];
static u32 changes[KINE_SCHEDULE_DEPTH];  // steps at which who runs falls behind all others

// Who runs goes on; else the first that can.
static u32 stay(u32 me, u32 mask) { return mask >> me & 1 ? me : bits_lowest(mask); }

static void lost(struct kine_schedule *plan) {
    if (!plan->lost) { plan->lost = line + 1; }
}

// ---- a script ----

// The player of the line in force runs until it comes to the line's point, or, if the line allows that,
// waits for somebody.
static void arrive(struct kine_schedule *plan, u32 me, const char *at, bool waits) {
    const struct kine_schedule_step *l = &plan->line[line];
    if (line < plan->lines && !plan->lost && l->player == me) {
        line += (waits && l->waits) || strcmp(l->at, at) == 0;
    }
}

// A script whose player has left, or waits although it may not, cannot be followed any further.
static u32 follow(struct kine_schedule *plan, u32 me, u32 mask, u32 out) {
    while (line < plan->lines && !plan->lost) {
        const struct kine_schedule_step *l = &plan->line[line];
        if (mask >> l->player & 1) { return l->player; }
        if (!l->waits || out >> l->player & 1) {
            lost(plan);
        } else {
            line++;  // it waits already
        }
    }
    return mask ? stay(me, mask) : 0;
}

// ---- a seed ----

static u32 random_below(u32 n) {
    rng = random_next(rng);
    return (rng >> 11) % n;
}

static void deal(const struct kine_schedule *plan) {
    rng = random_start(plan->seed, 0);
    for (u32 i = 1; i <= plan->players; i++) { priority[i] = KINE_SCHEDULE_DEPTH + i; }
    for (u32 i = plan->players; i > 1; i--) {
        u32 k = 1 + random_below(i), p = priority[i];
        priority[i] = priority[k];
        priority[k] = p;
    }
    for (u32 i = 0; i + 1 < plan->depth; i++) {
        changes[i] = 1 + random_below(plan->length);
    }
}

// PCT (Burckhardt and others, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
// ASPLOS 2010): who can and has the highest priority; at the i-th change who runs gets priority i, below
// all that were dealt. Of n players, k steps and a bug of depth d one seed in n * k^(d-1) finds it.
static u32 by_priority(const struct kine_schedule *plan, u32 me, u32 mask) {
    u32 best = 0;
    for (u32 i = 0; i + 1 < plan->depth; i++) {
        if (changes[i] == plan->steps && me) { priority[me] = i; }
    }
    for (u32 i = 1; i <= plan->players; i++) {
        if (mask >> i & 1 && (!best || priority[i] > priority[best])) { best = i; }
    }
    return best;
}

// ---- a list ----

// Only where there is a choice a line of the list is used up.
static u32 by_list(struct kine_schedule *plan, u32 me, u32 mask) {
    if (!(mask & (mask - 1)) || line >= plan->lines) { return stay(me, mask); }
    u32 next = plan->line[line].next;
    if (!(mask >> next & 1)) {
        lost(plan);
        next = stay(me, mask);
    }
    line++;
    return next;
}

// ---- interface ----

void schedule_deal(const struct kine_schedule *plan) {
    line = 0;
    deal(plan);
}

u32 schedule_choose(struct kine_schedule *plan, u32 me, u32 mask, u32 out, const char *at, bool waits) {
    if (plan->mode == KINE_SCHEDULE_SCRIPT) {
        arrive(plan, me, at, waits);
        return follow(plan, me, mask, out);
    }
    return !mask ? 0 : plan->mode == KINE_SCHEDULE_SEED ? by_priority(plan, me, mask) : by_list(plan, me, mask);
}
#endif
