// SPDX-License-Identifier: MIT
// schedule.h - a scheduler of race points: which hart passes next is decided, not left to chance.
// (SCHED=1. In other builds every hook is nothing.)
//
// Model      A play has up to four players: threads, of one process or of several, each pinned to the hart of
//            its number (1 ..); some may join when it has begun. One of them has the baton and runs; at
//            each race point it asks who is next. The others stand at a point, or wait for a lock or to be
//            unparked. So a play is a sequence of steps (player, point, who is next), and with the same
//            choices it is the same sequence.
// Choices    by a script (a player runs up to a point), by random priorities that change at a few steps
//            (PCT), or by a list of choices; where none is given, who runs goes on.
// Waiting    A player without the baton sleeps with interrupts on: it answers shootdowns. One that waits
//            for a lock whose holder stands still gives the baton on. Whoever is neither player nor point
//            runs freely. With interrupts off no point is one, so no lock of that kind is held at one.
// Watching   With a watched frame only its points count, and those that belong to no frame: the other
//            pages of the players are their own, and steps at them would only make the search longer.
// Invariants P1 only the holder of the baton changes the record, and gives the baton on.
//            P2 a player's state is READY, SPINS or PARKED by its own hand; unpark makes PARKED READY.
// => nobody asks for an audit during a play: the players would not stand still for it.
#pragma once
#include "lib/print.h"

#ifdef SCHED
struct thread;
struct kine_schedule;

void schedule_point(const char *name);
void schedule_point_frame(const char *name, u32 frame);  // decides if this one is watched, or none is
void schedule_lock(u32 rank);                            // about to take it
// A step of a wait loop: the lowest bit of *word is set, by whoever runs on that hart.
void schedule_spin(const void *word, u32 hart, const char *what);
void schedule_park(void);      // => announced, about to switch away
void schedule_switched(void);  // this hart has left a thread, and its space
void schedule_parked(void);    // runs again
void schedule_unparked(struct thread *t);
void schedule_leave(void);     // the play, if the caller is in one
bool schedule_player(void);    // the caller is in one: no tick takes its hart away
void schedule_explain(print_say say);  // panic: how it came so far

// ---- the stage manager (test/schedule.c) ----

void schedule_prepare(const struct kine_schedule *plan, u32 watch);
bool schedule_join(void);      // false: this hart has no role, or it is taken
u32 schedule_joined(void);     // how many have
bool schedule_over(void);
void schedule_begin(void);
const struct kine_schedule *schedule_record(void);
void schedule_news(void);      // test/schedule.c: a player has joined, or the last has left

// ---- schedule_choice.c ----

void schedule_deal(const struct kine_schedule *plan);  // a new play
// Player `me` (0: nobody yet) has come to point `at`, or waits there; those of `mask` can go on, those of
// `out` have left. Who goes on? 0: nobody can. Marks the plan as lost if it cannot be followed.
u32 schedule_choose(struct kine_schedule *plan, u32 me, u32 mask, u32 out, const char *at, bool waits);
#else
#define schedule_lock(rank) ((void)0)
#define schedule_spin(word, hart, what) ((void)0)
#define schedule_park() ((void)0)
#define schedule_switched() ((void)0)
#define schedule_parked() ((void)0)
#define schedule_unparked(t) ((void)0)
#define schedule_leave() ((void)0)
#define schedule_player() false
#define schedule_explain(say) ((void)0)
#endif
