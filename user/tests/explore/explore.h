// SPDX-License-Identifier: MIT
// explore.h - plays for the schedule explorer (kernel/sync/schedule.h): what the files here share.
//
// A scenario says what each player does between two moments at which the scheduler alone decides, and
// what must hold afterwards, however it decided. stage.c performs it once, search.c many times.
#pragma once
#include "../common.h"

struct scenario {
    const char *name;
    int players;
    void (*act)(int role);    // with the baton; may end the process
    void (*check)(int role);  // afterwards, in the same process
    void (*before)(void);     // the director's, when all players stand ready; NULL: nothing
    bool (*judge)(const int status[]);  // wait statuses of players 1 ..; NULL: all must be 0
    int late;                 // so many of the players, the last ones, come when the play has begun
    void (*stage)(void);      // not NULL: the players are threads of one process (house.c), which begins with this
};

extern const struct scenario scenarios[], house_scenarios[], end_scenarios[];
extern const int nscenarios, nhouse_scenarios, nend_scenarios;
const struct scenario *scenario_named(const char *name, size_t length);
void scenario_pipe(void);  // before the books are opened: its memory is the director's
void scenario_send(void);
long scenario_receive(void *to);  // a message; there is one from the beginning
void scenario_close(void);
void scenario_page(void);  // a new page that players will share; returns with it filled
void scenario_drop(void);  // the director's mapping of it
extern char *const shared;
enum { ELSEWHERE = 2 << 20 };  // from the page: another leaf table
static inline volatile uint64_t *words(void) { return (volatile uint64_t *)shared; }
static inline uint64_t pattern(int i) { return 0x1000000ul + (uint64_t)i * 0x9e3779b97f4a7c15ul; }
static inline uint64_t mark(int role) { return ~0ul - (uint64_t)role; }
void scenario_words(int writer);  // CHECK the page: as it was, but for what player `writer` has written; 0: for nothing
void scenario_write(int role);
int scenario_failures(void);  // common.h counts by file: what failed in any of the three, since the last call
int threads_failures(void), ends_failures(void);

// The plan, and after perform() the record.
extern struct kine_schedule plan;

long schedule(int op);
// Play `s` once as planned. false: content, a status, the books or the script went wrong; it is said why.
bool perform(const struct scenario *s);
// The same where all players are threads of one process, or come from it.
bool play_house(const struct scenario *s);
// For what players do in it:
static inline long point(int n) { return ksys_kine_ctl(KINE_SCHEDULE, KINE_SCHEDULE_POINT, (unsigned long)n); }
void house_bring(int role);  // fork a child that is player `role` from now on
void stage_plain(void);      // as it is
void stage_elsewhere(void);  // room for pages in another table
void house_neighbour(void);  // on stage: fork a child that shares the page until the play is over
uint64_t trace_hash(void);
void trace_print(void);

int run_scripts(int count, char **texts, bool steps);
int run_seeds(const struct scenario *s, long seed, long runs, long depth, long length, long times);
int run_search(const struct scenario *s, long bound, long limit);
int run_list(const struct scenario *s, const char *choices);
