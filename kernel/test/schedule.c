// SPDX-License-Identifier: MIT
// schedule.c - KINE_SCHEDULE: plays for the schedule explorer, set up by a program (user/tests/explore).
//
// Sameness   A play must not depend on what was before it. So a player's hart starts with a magazine
//            that is neither empty nor full soon: refills and spills are seen only where they are meant.
#include "sync/schedule.h"
#include "lib/errno.h"
#include "mm/freelist.h"
#include "mm/cursor.h"
#include "mm/refs.h"
#include "mm/uaccess.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "sync/park.h"
#include "sync/waitq.h"
#include "test/test.h"

#ifdef SCHED
static struct waitq news = WAITQ_INIT(news);
static struct kine_schedule draft;  // one play at a time

void schedule_news(void) { waitq_wake_all(&news); }

static long wait_until(bool (*is_true)(void)) {
    struct waiter w;
    waitq_add(&news, &w);
    while (!is_true() && !park_killed()) {
        park();
        waitq_again(&news, &w);
    }
    waitq_del(&news, &w);
    return is_true() ? 0 : -EINTR;
}

static u32 wanted;

static bool enough(void) { return schedule_joined() >= wanted; }

static frame_t frame_at(u64 va) {
    struct cursor_view v = {0, 0};
    if (va && va < USER_TOP) { v = cursor_view(as_self(), va); }
    return v.entry & PTE_V ? frame_of_pte(v.entry) : FRAME_NONE;
}

static long prepare(uaddr from) {
    int error = copy_in(&draft, from, sizeof(draft));
    if (error) { return error; }
    if (!draft.players || draft.players > KINE_PLAYERS || draft.players >= nharts || !draft.length ||
        draft.depth > KINE_SCHEDULE_DEPTH || draft.lines > KINE_SCHEDULE_LINES) {
        return -EINVAL;
    }
    for (u32 i = 0; i < draft.lines; i++) {
        struct kine_schedule_step *l = &draft.line[i];
        l->at[sizeof(l->at) - 1] = 0;
        if (l->player > draft.players || l->next > draft.players) { return -EINVAL; }
    }
    schedule_prepare(&draft, frame_at(draft.watch));
    return 0;
}

static long join(void) {
    if (this_hart()->index > KINE_PLAYERS) { return -EINVAL; }
#ifdef REFS_CAS
    freelist_settle();
#endif
    return schedule_join() ? 0 : -EINVAL;
}

static long point(u64 n) {
    static const char *const names[] = {"user.1", "user.2", "user.3", "user.4", "user.5",
                                        "user.6", "user.7", "user.8", "user.9"};
    long step = schedule_record()->steps;
    if (n - 1 >= ARRAY_LEN(names)) { return -EINVAL; }
    schedule_point(names[n - 1]);
    return step;
}

static long record(uaddr to) {
    const struct kine_schedule *s = schedule_record();
    usize kept = MIN(s->steps, KINE_SCHEDULE_STEPS) * sizeof(s->step[0]);
    return copy_out(to, s, sizeof(*s) - sizeof(s->step) + kept);
}

long test_schedule(u64 op, uaddr at) {
    switch (op) {
    case KINE_SCHEDULE_PREPARE:
        return prepare(at);
    case KINE_SCHEDULE_JOIN:
        return join();
    case KINE_SCHEDULE_HERE:
        wanted = at;
        return wait_until(enough) ? -EINTR : (long)schedule_joined();
    case KINE_SCHEDULE_BEGIN:
        schedule_begin();
        return 0;
    case KINE_SCHEDULE_LEAVE:
        schedule_leave();
        return 0;
    case KINE_SCHEDULE_OVER:
        return wait_until(schedule_over);
    case KINE_SCHEDULE_RECORD:
        return record(at);
    case KINE_SCHEDULE_POINT:
        return point(at);
    }
    return -EINVAL;
}
#endif
