// SPDX-License-Identifier: MIT
// freelist_hart.c - per-hart free lists without a lock or a shared line on the fast path.
//
// Model      Each hart has two magazines (arrays of slots: any frames; frames known to be zero) that
//            only it fills, and a depot: batches of frames, and a range of virgin frames, never used
//            since boot. Frames move between magazine and depot a batch at a time. A hart whose own
//            depot is empty takes from another's; a starving one empties other harts' magazines too.
// Slots      0 or a frame. Only the owner writes a frame into a slot, and only into an empty one;
//            whoever takes a frame out swaps in 0. So taking is one AMO by owner and thief alike,
//            each frame is taken once, and there is no head pointer to suffer from ABA.
// Invariants L1 slots at `top` and above are empty: the owner fills from below, thieves only empty.
//            L2 a frame is in one slot, one batch or one virgin range, or in the hands of a hart
//               whose `epoch` is odd.
//            L3 `epoch` changes with every give and every move, and never with a plain take.
// Nothing    An allocation fails only if at one instant no frame was free anywhere. The scan notes
// is free    the sum of all epochs (waiting for odd ones), looks everywhere, and looks at the sum
//            again: if it is the same, nothing was given or moved meanwhile (L2, L3), so what was
//            empty when we looked was still empty at the end: all of it, at that instant. (Instants
//            of the memory's order: a give may become visible after its giver's next take.)
// Locking    depot: its lock, rank FREELIST, one at a time. The rest: atomics; owners are not
//            pre-empted, and interrupt handlers do not allocate.
// Ordering   A1 filling a slot releases, taking from it acquires (the record and the contents go
//               with the frame). A2 an epoch is stored with release after the slots; the scan loads
//               it with acquire before, and after a full fence. A move makes the epoch odd first
//               and then fences: who sees the frames gone (slot empty, count low) sees that as well.
#include "mm/freelist.h"
#include "riscv/hart.h"
#include "sync/point.h"
#include "sync/spin.h"

#define SLOTS 64
#define ZERO_SLOTS 16
#define ALL_SLOTS (SLOTS + ZERO_SLOTS)

struct depot {
    struct spin lock;
    frame_t batches;  // chain by next_batch; within a batch by next
    frame_t virgin, virgin_end;
    u64 count;  // (m: refill, freelist_count: no lock) frames in here, virgin ones included
} cacheline_aligned;

struct freelist {
    u32 top, zero_top;
    u64 epoch;
    frame_t slot[ALL_SLOTS];  // of any frames, then those of the zeroed ones
    struct depot depot;
} cacheline_aligned;

static struct freelist *lists;

usize freelist_bytes(u32 n) { return n * sizeof(struct freelist); }

void freelist_init(void *memory, u32 n) {
    lists = memory;
    for (u32 i = 0; i < n; i++) {
        lists[i] = (struct freelist){0};
        spin_init(&lists[i].depot.lock, RANK_FREELIST);
        harts[i]->freelist = &lists[i];
    }
}

// A move of frames begins: nothing that makes them disappear may be seen before the odd epoch.
static void move_begin(struct freelist *l) {
    atomic_store_relaxed(&l->epoch, l->epoch + 1);
#ifndef MUTANT_move_unfenced  // "move_end releases"
    atomic_fence_release();  // A2, pairs with the fence in take_slow
#endif
}

static void move_end(struct freelist *l) {
    atomic_store_release(&l->epoch, l->epoch + 1);  // A2, pairs with epoch_sum
}

// ---- fast path: the hart's own magazines ----

static always_inline frame_t slots_take(frame_t *slot, u32 *top) {
    for (u32 i = *top; i > 0;) {
        frame_t f = atomic_swap_acquire(&slot[--i], FRAME_NONE);  // a thief may have been here: A1
        if (likely(f)) {
            *top = i;
            return f;
        }
    }
    *top = 0;
    return FRAME_NONE;
}

static always_inline void slots_give(struct freelist *l, frame_t *slot, u32 *top, frame_t f) {
#ifdef MUTANT_give_relaxed  // "the epoch is released"
    atomic_store_relaxed(&slot[*top], f);
#else
    atomic_store_release(&slot[*top], f);            // A1
#endif
    *top += 1;                                       // L1
    atomic_store_release(&l->epoch, l->epoch + 2);   // A2: a give is complete at once
}

// ---- moving batches; the caller has made its own epoch odd ----

static void depot_push(struct depot *d, frame_t batch, u32 len) {
    frame_record(batch)->batch_len = len;
    spin_lock(&d->lock);
    frame_record(batch)->next_batch = d->batches;
    d->batches = batch;
    write_once(d->count, d->count + len);
    spin_unlock(&d->lock);
}

// Frames that were never used get their records now.
static frame_t virgin_carve(struct depot *d) {
    frame_t first = d->virgin;
    u32 len = MIN(FREELIST_BATCH, d->virgin_end - first);
    for (u32 i = 0; i < len; i++) { *frame_record(first + i) = (struct frame){.next = first + i + 1}; }
    frame_record(first + len - 1)->next = FRAME_NONE;
    frame_record(first)->batch_len = len;
    d->virgin += len;
    return first;
}

// One batch, as a chain, or FRAME_NONE.
static frame_t depot_pop(struct depot *d) {
    spin_lock(&d->lock);
    frame_t batch = d->batches;
    if (batch) {
        d->batches = frame_record(batch)->next_batch;
    } else if (d->virgin < d->virgin_end) {
        batch = virgin_carve(d);
    }
    if (batch) { write_once(d->count, d->count - frame_record(batch)->batch_len); }
    spin_unlock(&d->lock);
    return batch;
}

// Move the newest half of the magazine to the own depot.
static noinline void spill(struct freelist *l) {
    frame_t chain = FRAME_NONE;
    u32 len = 0;
    move_begin(l);
    while (len < FREELIST_BATCH && l->top > 0) {
        frame_t f = atomic_swap_acquire(&l->slot[--l->top], FRAME_NONE);  // A1
        if (f) {
            frame_record(f)->next = chain;
            chain = f;
            len++;
        }
    }
    if (chain) { depot_push(&l->depot, chain, len); }
    move_end(l);
    COUNT(spills);
}

// Fill the own, empty magazine with a chain, keeping the first frame for the caller.
static frame_t unload(struct freelist *l, frame_t chain) {
    for (frame_t f = frame_record(chain)->next, next; f; f = next) {
        next = frame_record(f)->next;  // as long as f is ours: a thief may take it out of its slot
        atomic_store_release(&l->slot[l->top++], f);  // A1
    }
    return chain;
}

// Take a batch from the depot of `from` into the own magazine. An empty depot costs no step of the
// epoch: harts that scan at the same time would make each other scan again, for ever.
static frame_t refill(struct freelist *l, struct freelist *from) {
    if (!read_once(from->depot.count)) { return FRAME_NONE; }
    move_begin(l);
#ifdef MUTANT_W17  // the thief keeps its own depot locked
    if (from != l) { spin_lock(&l->depot.lock); }
#endif
    frame_t f = depot_pop(&from->depot);
#ifdef MUTANT_W17
    if (from != l) { spin_unlock(&l->depot.lock); }
#endif
    RACE_POINT("freelist.refill");
    if (f) { f = unload(l, f); }
    move_end(l);
    return f;
}

// ---- slow path ----

static u64 epoch_sum(void) {
    u64 sum = 0;
    for (u32 i = 0; i < nharts; i++) {
        u64 e;
        while ((e = atomic_load_acquire(&lists[i].epoch)) & 1) {  // A2: a move is under way
            schedule_spin(&lists[i].epoch, i, "epoch");
            cpu_pause();
        }
        sum += e;
    }
    return sum;
}

static frame_t rob_magazines(frame_t *slot) {
    for (u32 i = 0; i < ALL_SLOTS; i++) {
        if (atomic_load_relaxed(&slot[i])) {
            frame_t f = atomic_swap_acquire(&slot[i], FRAME_NONE);  // A1
            if (f) { return f; }
        }
    }
    return FRAME_NONE;
}

static frame_t take_anywhere(struct freelist *l) {
    for (u32 i = 0; i < nharts; i++) {
        struct freelist *victim = &lists[(this_hart()->index + i) % nharts];
        RACE_POINT("freelist.scan");
        frame_t f = refill(l, victim);
        if (!f) { f = rob_magazines(victim->slot); }
        if (f) {
            if (victim != l) { COUNT(frame_steals); }
            return f;
        }
    }
    return FRAME_NONE;
}

// The own refills of a scan move frames, too, and leave the epoch even: their steps are taken off
// the sum by comparing only what others did.
static noinline frame_t take_slow(struct freelist *l) {
    COUNT(refills);
    frame_t f = refill(l, l);
    while (!f) {
        u64 before = epoch_sum() - l->epoch;
        f = take_anywhere(l);
        atomic_fence_full();  // A2: what we saw empty comes before the second sum
        if (!f && epoch_sum() - l->epoch == before) { break; }
    }
    return f;
}

// ---- interface ----

#ifdef SCHED
void freelist_settle(void) {
    struct freelist *l = this_hart()->freelist;
    while (l->top > 0) { spill(l); }
    while (l->top < SLOTS / 4) {
        frame_t f = refill(l, l);
        if (!f) { break; }
        slots_give(l, l->slot, &l->top, f);
    }
}
#endif

frame_t freelist_take(void) {
    struct freelist *l = this_hart()->freelist;
    frame_t f = slots_take(l->slot, &l->top);
    return likely(f) ? f : take_slow(l);
}

frame_t freelist_take_zeroed(void) {
    struct freelist *l = this_hart()->freelist;
    return slots_take(&l->slot[SLOTS], &l->zero_top);
}

void freelist_give(frame_t f) {
    struct freelist *l = this_hart()->freelist;
    if (unlikely(l->top == SLOTS)) { spill(l); }
    RACE_POINT_FRAME("freelist.give", f);
    slots_give(l, l->slot, &l->top, f);
}

void freelist_give_zeroed(frame_t f) {
    struct freelist *l = this_hart()->freelist;
    if (l->zero_top == ZERO_SLOTS) {
        freelist_give(f);
        return;
    }
    slots_give(l, &l->slot[SLOTS], &l->zero_top, f);
}

// Each hart gets a share. Of the first and largest range it stays virgin; later ones go to the depot.
void freelist_add_virgin(frame_t first, frame_t end) {
    u32 share = (end - first) / nharts;
    for (u32 i = 0; i < nharts; i++) {
        struct depot *d = &lists[i].depot;
        frame_t lo = first + i * share, hi = i + 1 == nharts ? end : lo + share;
        if (d->virgin == d->virgin_end) {
            d->virgin = lo;
            d->virgin_end = hi;
            d->count += hi - lo;
            continue;
        }
        for (frame_t f = lo; f < hi; f++) {
            *frame_record(f) = (struct frame){0};
            depot_push(d, f, 1);
        }
    }
}

u64 freelist_count(void) {
    u64 count = 0;
    for (u32 i = 0; i < nharts; i++) {
        count += read_once(lists[i].depot.count);
        for (u32 s = 0; s < ALL_SLOTS; s++) {
            count += atomic_load_relaxed(&lists[i].slot[s]) != FRAME_NONE;
        }
    }
    return count;
}

void freelist_each(void (*visit)(frame_t), void (*range)(frame_t, frame_t)) {
    for (u32 i = 0; i < nharts; i++) {
        struct freelist *l = &lists[i];
        for (u32 s = 0; s < ALL_SLOTS; s++) {
            if (l->slot[s]) { visit(l->slot[s]); }
        }
        for (frame_t b = l->depot.batches; b; b = frame_record(b)->next_batch) {
            for (frame_t f = b; f; f = frame_record(f)->next) { visit(f); }
        }
        if (l->depot.virgin < l->depot.virgin_end) {
            range(l->depot.virgin, l->depot.virgin_end);
        }
    }
}
