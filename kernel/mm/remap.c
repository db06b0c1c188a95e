// SPDX-License-Identifier: MIT
// remap.c - mappings that change their size, or their addresses with all that is there (mremap(2)).
//
// Order      of a move: own all tables of the range, and make those where it goes; publish the map with the range
//            at its new place. From before the first look both places are busy (as.h), and all between: who faults
//            where nothing is yet waits. So no page comes for which there would be no table. Then, table by table, take
//            the entries out, shoot down, and put them in: a frame that could be written by its old address might be
//            copied for the new one meanwhile, and the store be lost.
// Locking    as->lock. Source and destination are never locked at once: in between the entries are in a leaf
//            table of our own, which is detached, so that an audit finds them.
// Failure    of the memory for tables or for the map, before anything has moved.
#include "lib/errno.h"
#include "mm/cursor.h"
#include "mm/tlb.h"
#include "mm/unmap.h"
#include "sync/point.h"

struct move {
    struct as *as;
    u64 from, to, len;
    frame_t spare;
};

static u64 rest_of_table(u64 va) { return pt_end(va, 1) - va; }

// How far from offset `at` on neither side comes to another table.
static u64 chunk(const struct move *m, u64 at) {
    return MIN(MIN(rest_of_table(m->from + at), rest_of_table(m->to + at)), m->len - at);
}

static void move_entry(pte_t *from, pte_t *to) {
    pte_t e = *from;
    ASSERT(!*to, "entry %p is in use: %lx", (void *)to, *to);
    pt_count(to);
    ghost_change(to, atomic_store_relaxed(to, e));
    ghost_change(from, atomic_store_relaxed(from, 0ul));
    frame_record_of(from)->live--;
}

static void move_entries(pte_t *from, pte_t *to, u64 n) {
    for (u64 i = 0; i < n; i++) {
        if (from[i]) { move_entry(&from[i], &to[i]); }
    }
}

// Tables where the entries go, for all that come from somewhere. 0 or -ENOMEM.
static int make_tables(const struct move *m) {
    pte_t *e;
    int found;
    for (u64 va = m->from; (found = cursor_next(m->as, &va, m->from + m->len, &e)) > 0;) {
        cursor_close(e);
        u64 at = va - m->from;
        int error = cursor_open(m->as, m->to + at, true, &e);
        if (error) { return error; }
        cursor_close(e);
        va += chunk(m, at);
    }
    return found;
}

static void move_all(const struct move *m) {
    pte_t *e, *between = pt_entries(m->spare);
    for (u64 va = m->from, n; cursor_next(m->as, &va, m->from + m->len, &e) > 0; va += n) {
        u64 at = va - m->from;
        n = chunk(m, at);
        move_entries(e, between, n >> PAGE_SHIFT);
        cursor_close(e);
        if (!frame_record(m->spare)->live) { continue; }
#ifndef MUTANT_remap_unfenced
        tlb_shootdown(m->as, va, n >> PAGE_SHIFT);
#endif
        int error = cursor_open(m->as, m->to + at, true, &e);
        ASSERT(!error, "no table for %lx: %d", m->to + at, error);
        move_entries(between, e, n >> PAGE_SHIFT);
        cursor_close(e);
    }
}

// => lock held; `r` is what is to lie at m->to, where nothing is; m->spare
static long move_range(struct move *m, const struct region *r) {
#ifdef MUTANT_remap_unbusy  // "nothing is there as yet"
    as_busy(m->as, r->start, r->end);
#else
    as_busy(m->as, MIN(m->from, r->start), MAX(m->from + m->len, r->end));
#endif
    struct region_node *was = region_get(m->as->map);
    bool done = !cursor_own(m->as, m->from, m->from + m->len) && !make_tables(m);
    RACE_POINT("remap.tables");
    done = done && region_move(m->as, m->from, m->from + m->len, r);
    if (done) { move_all(m); }
    region_put(was);
    as_idle(m->as);
    return done ? (long)r->start : -ENOMEM;
}

// => lock held
static long move_with_spare(struct move *m, const struct region *r) {
    m->spare = pt_alloc(0);
    if (!m->spare) { return -ENOMEM; }
    pt_detach(m->spare);
    long result = move_range(m, r);
    pt_free(m->spare);
    return result;
}

// The first `len` bytes of `part` at another place and with another length; a file goes on.
static struct region resized(const struct region *part, u64 start, u64 len) {
    struct region r = *part;
    u64 was = part->end - part->start;
    if (r.file_bytes == was) { r.file_bytes = len; }
    r.start = start;
    r.end = start + len;
    return r;
}

// To an address where nothing is, as much of it as fits. => lock held; [old, old + old_len) lies in one region
static long move_to(struct as *as, u64 old, u64 old_len, u64 len, u64 to) {
    struct region part = region_cut(region_find(as, old), old, old + old_len);
    struct region r = resized(&part, to, len);
    struct move m = {as, old, to, MIN(old_len, len), FRAME_NONE};
    return move_with_spare(&m, &r);
}

// Where it is, if there is room behind it; else elsewhere. => the same
static long grow(struct as *as, u64 old, u64 old_len, u64 len, bool may_move) {
    struct region whole = *region_find(as, old), part = region_cut(&whole, old, old + old_len);
    const struct region *next = region_first(as, whole.end);
    if (old + old_len == whole.end && len <= USER_LIMIT - old && (!next || next->start >= old + len)) {
        struct region r = resized(&part, old, len);
        return region_set(as, &r) ? (long)old : -ENOMEM;
    }
    u64 to = may_move ? region_gap(as, len, USER_LIMIT) : 0;
    return to ? move_to(as, old, old_len, len, to) : -ENOMEM;
}

static long remap(struct as *as, u64 old, u64 old_len, u64 len, bool may_move, u64 to) {
    const struct region *r = region_find(as, old);
    if (!r || old_len > r->end - old) { return -EFAULT; }
    if (to) {
        long error = as_unmap_locked(as, to, to + len);
        if (error) { return error; }
    }
    long at = to ? move_to(as, old, old_len, len, to) : (long)old;
    if (at > 0 && len < old_len) {
        long error = as_unmap_locked(as, old + len, old + old_len);
        if (error && !to) { return error; }  // what has moved has moved
    }
    return to || len <= old_len ? at : grow(as, old, old_len, len, may_move);
}

long as_remap(struct as *as, u64 old, u64 old_len, u64 len, bool may_move, u64 to) {
    mutex_lock(&as->lock);
    long result = remap(as, old, old_len, len, may_move, to);
    mutex_unlock(&as->lock);
    return result;
}
