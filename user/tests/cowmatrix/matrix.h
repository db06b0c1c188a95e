// SPDX-License-Identifier: MIT
// matrix.h - the copy-on-write matrix: every way to share and write (actions.c, orders.c, writers.c,
// changes.c, transfers.c) times every way a page can have come about (states.c, files.c, tables.c,
// away.c).
//
// What an action expects depends on the state in two things only. Of shared pages all processes see
// the latest write, of private ones each its own: reads() knows. And what pages are that have been
// discarded: discarded() knows.
#pragma once
#include "user/tests/common.h"

// Two adjacent pages, tagged OLD and OLD + 1; all zeros if they were never written; or like `image`.
struct pages {
    char *first, *second;
    bool zero;
    bool shared;        // by mmap: whoever writes, all see it
    bool file;          // private, of a file with the same bytes: discarded, they are read from it again
    const char *image;  // what they read like, if neither tagged nor zeros
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

extern const struct state states[], files[], tables[], away[];
extern const struct action actions[], orders[], writers[], changes[], transfers[];
extern const int state_count, file_count, table_count, away_count;
extern const int action_count, order_count, writer_count, change_count, transfer_count;

// Whether both pages still read as they did before the action.
bool untouched(struct pages p);

// Write both pages with tags of `who`; and whether they read so.
void write_both(struct pages p, uint64_t who);
bool wrote_both(struct pages p, uint64_t who);

// Whether they read as this process has left them, with tags of `mine`, or (OLD) untouched; if they
// are shared: as the `latest` to write them has.
bool reads(struct pages p, uint64_t mine, uint64_t latest);

// Whether they read as this process has discarded them, after the `latest` write of anybody.
bool discarded(struct pages p, uint64_t latest);

// The pages at `at`, written with the tags of before the action.
struct pages written(char *at);

// Fork a relative who lives on, after it has looked at `at` (if not NULL); and end the one that some
// states leave behind, which sees that its pages are as they were.
void share_with_relative(struct pages p, char *at);
void release_relative(void);

// Run the statements in a child that ends after them; `pid` is then its id.
#define IN_CHILD(pid, ...)                                                                         \
    int pid = spawn();                                                                             \
    if (pid == 0) {                                                                                \
        __VA_ARGS__;                                                                               \
        leave();                                                                                   \
    }
