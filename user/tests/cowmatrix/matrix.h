// SPDX-License-Identifier: MIT
// matrix.h - the copy-on-write matrix: every way to share and write (actions.c, orders.c,
// writers.c) times every way a page can have come about (states.c).
#pragma once
#include "user/tests/common.h"

// Two adjacent pages, tagged OLD and OLD + 1, or both zero if they were never written.
struct pages {
    char *first, *second;
    bool zero;
};

enum { OLD = 1000, NEW = 2000 };

struct state {
    const char *name;
    struct pages (*make)(char *stack_pages);
};

struct action {
    const char *name;
    void (*run)(struct pages p);
};

extern const struct state states[];
extern const struct action actions[], orders[], writers[];
extern const int state_count, action_count, order_count, writer_count;

// Whether both pages still read as they did before the action.
bool untouched(struct pages p);

// Write both pages with tags of `who`; and whether they read so.
void write_both(struct pages p, uint64_t who);
bool wrote_both(struct pages p, uint64_t who);

// End the relative that some states leave behind, and see that its pages are as they were.
void release_relative(void);
