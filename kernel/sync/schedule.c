// SPDX-License-Identifier: MIT
// schedule.c - the baton. See schedule.h; who has it next is decided in schedule_choice.c.
//
// Ordering   B1 the baton is given with release and taken with acquire: all that a player did comes before
//               what the next one does, and the plan before all.
//            B2 `asleep`, full fence, look at the baton; the baton, full fence, look at `asleep` (Dekker).
//            B3 the same with PARKED and a baton that nobody has.
#include "sync/schedule.h"
#include "dev/ipi.h"
#include "lib/string.h"
#include "mm/tlb.h"
#include "proc/thread.h"
#include "sync/atomic.h"
#include "sync/lockrank.h"
#include "sync/park.h"

#ifdef SCHED
enum state { OUT, READY, SPINS, PARKED };

static struct player {
    struct thread *thread;  // (m: who spins or unparks looks, from any hart) NULL: not in the play
    u32 state;              // (a) enum state
    const u32 *word;        // SPINS: until its lowest bit is clear
    u32 asleep;             // (a)
    u32 owed;               // 1 + who has the baton next, when this hart has left the thread that parks
} cacheline_aligned players[KINE_PLAYERS + 1];

static struct kine_schedule plan;  // and its record
static u32 watched;
static u32 baton;   // (a) who runs; 0: nobody, all are parked, or it is not time yet
static u32 here;    // (a) how many have joined, and not left
static u32 joined;  // (a) how many have joined
static u32 plays;   // since boot

static struct player *self(void) {
    u32 n = this_hart()->index;
    struct player *p = n <= KINE_PLAYERS ? &players[n] : NULL;
    return p && n && read_once(p->thread) == this_hart()->current ? p : NULL;
}

static u32 number(const struct player *p) { return p - players; }

static u32 out(void) {
    u32 mask = 0;
    for (u32 i = 1; i <= plan.players; i++) {
        mask |= (atomic_load_relaxed(&players[i].state) == OUT) << i;
    }
    return mask;
}

static u32 enabled(void) {
    u32 mask = 0;
    for (u32 i = 1; i <= plan.players; i++) {
        u32 state = atomic_load_acquire(&players[i].state);
        bool free = state == SPINS && !(atomic_load_relaxed(players[i].word) & 1);
        mask |= (state == READY || free) << i;
    }
    return mask;
}

static u32 decide(u32 me, const char *at, bool waits) {
    u32 mask = enabled();
    u32 next = schedule_choose(&plan, me, mask, out(), at, waits);
    if (!mask) { return 0; }
    if (plan.steps < KINE_SCHEDULE_STEPS) {
        struct kine_schedule_step *s = &plan.step[plan.steps];
        *s = (struct kine_schedule_step){me, next, mask, waits, ""};
        strlcpy(s->at, at, sizeof(s->at));
    }
    plan.steps++;
    return next;
}

// ---- the baton ----

static void ring(u32 n) {
    atomic_fence_full();  // B2
    if (atomic_load_relaxed(&players[n].asleep)) { ipi_send(harts[n]); }
}

static void give(u32 next) {
    atomic_store_release(&baton, next);  // B1
    if (!next) {
        atomic_fence_full();  // B3: somebody who was unparked just now?
        u32 mask = enabled();
        next = mask && atomic_cas32_acq_rel(&baton, 0, bits_lowest(mask)) ? bits_lowest(mask) : 0;
    }
    if (next) { ring(next); }
}

static void await(struct player *p) {
    u32 n = number(p);
    while (atomic_load_acquire(&baton) != n) {  // B1
        u64 flags = irq_save();
        atomic_store_relaxed(&p->asleep, 1u);
        atomic_fence_full();  // B2
        tlb_serve();
        park_poll_stop();
        if (atomic_load_relaxed(&baton) != n) { wait_for_interrupt(); }
        atomic_store_relaxed(&p->asleep, 0u);
        irq_restore(flags);
    }
    atomic_store_relaxed(&p->state, READY);
}

static void step(struct player *p, const char *at) {
    u32 next = decide(number(p), at, false);
    if (next != number(p)) {
        give(next);
        await(p);
    }
}

void schedule_point(const char *name) {
    struct player *p = self();
    if (p && irq_enabled()) { step(p, name); }
}

void schedule_point_frame(const char *name, u32 frame) {
    if (!watched || watched == frame) { schedule_point(name); }
}

void schedule_lock(u32 rank) {
    if (!watched && (rank == RANK_AS || rank == RANK_REFS || rank == RANK_FRAMES || rank == RANK_FREELIST)) {
        schedule_point(lock_rank_name[rank]);
    }
}

// Nobody else can go on: then somebody outside of the play has the lock, and will drop it.
void schedule_spin(const void *word, u32 hart, const char *what) {
    struct player *p = self();
    if (!p || hart == number(p) || hart > KINE_PLAYERS || !read_once(players[hart].thread)) {
        return;
    }
    p->word = word;
    atomic_store_relaxed(&p->state, SPINS);
    u32 next = enabled() ? decide(number(p), what, true) : number(p);
    if (next != number(p)) {
        give(next);
        await(p);
    }
    atomic_store_relaxed(&p->state, READY);
}

// ---- sleeping ----

void schedule_park(void) {
    struct player *p = self();
    if (p) {
        atomic_store_relaxed(&p->state, PARKED);
        atomic_fence_full();  // PARKED before the look; schedule_unparked comes behind unpark's CAS
        if (atomic_load_relaxed(&p->thread->state) != THREAD_PARKING) {
            atomic_store_relaxed(&p->state, READY);
        }
        p->owed = 1 + decide(number(p), "parked", true);
    }
}

static void pay(struct player *p) {
    u32 owed = p->owed;
    p->owed = 0;
    if (owed) { give(owed - 1); }
}

void schedule_switched(void) {
    u32 n = this_hart()->index;
    if (n && n <= KINE_PLAYERS) { pay(&players[n]); }
}

void schedule_parked(void) {
    struct player *p = self();
    if (p) {
        pay(p);  // it has not been left: somebody was faster
        await(p);
    }
}

void schedule_unparked(struct thread *t) {
    for (u32 i = 1; i <= plan.players; i++) {
        if (read_once(players[i].thread) == t && atomic_cas32_acq_rel(&players[i].state, PARKED, READY)) {
            atomic_fence_full();  // B3
            if (atomic_cas32_acq_rel(&baton, 0, i)) { ring(i); }
        }
    }
}

// ---- the play ----

void schedule_prepare(const struct kine_schedule *p, u32 watch) {
    plan = *p;
    plan.steps = plan.lost = 0;
    plays++;
    watched = watch;
    atomic_store_relaxed(&here, 0u);
    atomic_store_relaxed(&joined, 0u);
    schedule_deal(&plan);
}

bool schedule_join(void) {
    u32 n = this_hart()->index;
    if (!n || n > plan.players || players[n].thread) { return false; }
    atomic_store_relaxed(&players[n].state, READY);
    atomic_add_release(&here, 1u);
    atomic_add_release(&joined, 1u);
    schedule_news();  // while not yet a player: it may have to wait for a lock, and has no baton
    write_once(players[n].thread, this_hart()->current);
    await(&players[n]);
    return true;
}

u32 schedule_joined(void) { return atomic_load_acquire(&joined); }

void schedule_begin(void) { give(decide(0, "begin", false)); }

void schedule_leave(void) {
    struct player *p = self();
    if (!p) { return; }
    atomic_store_relaxed(&p->state, OUT);
    u32 next = decide(number(p), "end", false);
    write_once(p->thread, NULL);
    if (atomic_sub_release(&here, 1u) == 1) {
        atomic_store_release(&baton, 0u);
        schedule_news();
    } else {
        give(next);
    }
}

bool schedule_player(void) { return self(); }

bool schedule_over(void) {
    return atomic_load_acquire(&here) == 0 && atomic_load_acquire(&baton) == 0;
}

void schedule_explain(print_say say) {
    say("schedule: play %u, choices ", plays);
    for (u32 i = 0; i < MIN(plan.steps, KINE_SCHEDULE_STEPS); i++) {
        if (plan.step[i].enabled & (plan.step[i].enabled - 1)) {
            say("%u", plan.step[i].next);
        }
    }
    say("\n");
}

const struct kine_schedule *schedule_record(void) { return &plan; }
#endif
