// SPDX-License-Identifier: MIT
// areas.h - a thread's mappings, and what each of their pages must hold.
//
// Model      A page holds a tag (stress.h), or zeros. Private pages that are discarded hold what is under them:
//            zeros, or a file's tag. Each area is one thread's, or one process's after a fork; but all areas of a
//            process lie side by side, in the same tables and in one map.
// Rules      A1 `company`: some relative looks at the shared areas; so nobody writes them.
//            A2 `lent`: a child writes that area; so nobody else looks at it.
// Memory     What cannot be had is done without. After a call that may have done half its work, the area is
//            forgotten, and stays mapped: its addresses may be another thread's by now.
// Failure    A wrong byte, or a right that is not heeded, is told to whoever started it all, and ends the process.
#pragma once
#include "stress.h"
#include <stdbool.h>

enum { AREAS = 6, AREA_MOST = 64 };

struct area {
    char *at;  // NULL: none
    int pages;
    bool shared, grows;
    struct {
        uint64_t tag, under;
        int prot;
    } page[AREA_MOST];
};

struct storm {
    uint64_t random;
    uint32_t writer, sequence;
    int most;     // pages of an area
    int verdict;  // a pipe: a byte for each failure
    int pipe[2];  // its own, or -1
    int forks;    // that it is the child of, or waits for
    bool child, company;
    const struct area *lent;
    struct area areas[AREAS];
};

uint64_t dice(struct storm *s, uint64_t sides);
uint64_t new_tag(struct storm *s);
_Noreturn void wrong(struct storm *s, const char *what);

void area_check(struct storm *s, const struct area *a);  // each page that may be read
void area_write(struct area *a, int page, uint64_t tag);  // => it may be written
void areas_check(struct storm *s);
// Map one, or do something with the one there is, that leaves it with pages that are known.
void area_step(struct storm *s, struct area *a);
