// SPDX-License-Identifier: MIT
// model.h - what an address space should hold, as simply as it can be said: a value for every page.
#pragma once
#include "test/host/host.h"

enum { MODEL_PAGES = 48, MODEL_HEAP = 16 };  // the heap follows behind the pages

struct model {
    struct as *as;
    u64 brk;  // pages of heap
    bool mapped[MODEL_PAGES];
    u64 value[MODEL_PAGES + MODEL_HEAP];
};

struct model *model_new(void);
void model_destroy(struct model *m);
// One random operation in m, on this hart. A fork's child is returned, otherwise NULL.
struct model *model_step(struct model *m);
// Every page of m holds what it should, or does not exist.
void model_expect(struct model *m);
