// SPDX-License-Identifier: MIT
// race_access.h - the way of most accesses, inlined wherever one is reported: their shadow is at hand, and
// all that is there happened before. race_shadow.c has the rest.
#pragma once
#include "sync/race_internal.h"

noinline void race_record_more(u64 va, struct race_context *c, u64 mine, u64 *cells);
noinline void race_record_new(u64 va, struct race_context *c, u64 mine, u64 *cells, u64 pair);
noinline void race_access_elsewhere(u64 va, struct race_context *c, u64 kind, u64 pc);

static always_inline struct race_view *race_view_of(struct race_context *c, u64 va) {
    return &c->views[va >> PAGE_SHIFT & (RACE_VIEWS - 1)];
}

// Did this happen before what c does now? Zeros did.
static always_inline bool race_before(const struct race_context *c, u64 cell) {
    const char *at = (const char *)c->now.at + (cell >> (CELL_ID_SHIFT - 2) & 127 * sizeof(u32));
    return *(const u32 *)at >= cell_epoch(cell);
}

// How far an access has come here, with what the rest of the way needs.
enum race_outcome { RACE_DONE, RACE_ELSEWHERE, RACE_NEW, RACE_MORE };
struct race_rest {
    u64 mine, *cells, pair;
};

// With two cells at most, and nothing to judge. The compiler may know `kind`, that of mine.
static always_inline bool race_record(struct race_context *c, u64 mine, u64 *cells, u64 kind) {
    u64 first = read_once(cells[0]), second = read_once(cells[1]), kept = ~kind & CELL_KIND;
    if (unlikely(read_once(cells[2])) || unlikely(!race_before(c, first)) || unlikely(!race_before(c, second))) {
        return false;
    }
    if (first & kept) {
        if (second & kept) { write_once(cells[2], second); }
        write_once(cells[1], first);
    } else if (!(second & kept)) {
        write_once(cells[1], 0);
    }
    write_once(cells[0], mine);
    return true;
}

// Two frequent cases by themselves: the last access was by the same context, and either covers this
// one, in the same epoch, or was of its kind.
static always_inline enum race_outcome race_try_cells(struct race_context *c, u64 kind, u64 pc,
                                                      u64 *cells, struct race_rest *rest) {
    u64 mine = c->stamp | kind, last = read_once(cells[0]), differs = last ^ mine;
    if (unlikely(!(differs >> CELL_ID_SHIFT))) {
        __asm__("" : "+r"(last));  // else the compiler makes one question of both
        if (!(mine & ~last)) { return RACE_DONE; }
    }
    u64 pair = race_stack_pair(c, pc), stack = race_stack_place(c, pair);
    *rest = (struct race_rest){mine, cells, pair};
    if (unlikely(c->stacks[stack] != pair)) { return RACE_NEW; }
    rest->mine |= stack;
    if (!(differs << 27 >> 47)) {
        write_once(cells[0], rest->mine);
        return RACE_DONE;
    }
    return race_record(c, rest->mine, cells, kind) ? RACE_DONE : RACE_MORE;
}

static always_inline enum race_outcome race_try(u64 va, struct race_context *c, u64 kind, u64 pc,
                                                struct race_rest *rest) {
    u64 offset = va - c->window.base, *cells = c->window.cells;
    if (unlikely(offset >= c->window.bytes)) {
        struct race_view *v = race_view_of(c, va);
        offset = va - v->page;
        cells = v->cells;
        if (unlikely(offset >= PAGE_SIZE)) { return RACE_ELSEWHERE; }
    }
    if (__builtin_constant_p(kind) && cell_bytes(kind) == 255) {  // then va is that of a word
        return race_try_cells(c, kind, pc, (u64 *)((u64)cells + offset * CELLS), rest);
    }
    return race_try_cells(c, kind, pc, cells + offset / 8 * CELLS, rest);
}

static always_inline void race_go_on(u64 va, struct race_context *c, enum race_outcome o,
                                     const struct race_rest *rest) {
    if (unlikely(o == RACE_NEW)) {
        race_record_new(va, c, rest->mine, rest->cells, rest->pair);
    } else if (unlikely(o == RACE_MORE)) {
        race_record_more(va, c, rest->mine, rest->cells);
    }
}

static always_inline void race_access_word(u64 va, struct race_context *c, u64 kind, u64 pc) {
    struct race_rest rest;
    enum race_outcome o = race_try(va, c, kind, pc, &rest);
    if (unlikely(o == RACE_ELSEWHERE)) {
        race_access_elsewhere(va, c, kind, pc);
    } else {
        race_go_on(va, c, o, &rest);
    }
}
