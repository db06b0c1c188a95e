// SPDX-License-Identifier: MIT
// reclaim.c - see reclaim.h.
//
// Choice     second chance (Corbato's clock): one hand in each space, spaces in turn. A page whose A is set loses it
//            and is passed by; the hardware, or a fault, sets it again. After two laps without one, any that one
//            table maps alone; then any.
// Protocol   of a batch of one leaf table, whose lock is held throughout:
//              W becomes COW, shoot down      from here on nobody writes, all may read
//              write to the device            asleep; an audit finds all where it was
//              entries name their slots, shoot down, and only then drop the frames
//            Who wants to write waits for the table's lock, and finds COW, or the slot.
// Reach      a table is written to under the lock of ONE space that leads to it, which is shot down whether or not
//            its path is OWNED; others that share it cannot come to own it meanwhile: this space's map of tables
//            stays (as->lock), so a table between has a count of two, and the leaf table's lock is ours. And a
//            space is found only when it is adopted: after the shootdown of the fork that has made it.
// Locking    as->lock, of others by trying: so nobody who waits for memory waits for somebody who does.
#include "mm/reclaim.h"
#include "lib/errno.h"
#include "mm/cursor.h"
#include "mm/refs.h"
#include "mm/swap.h"
#include "mm/tlb.h"

struct batch {
    struct as *as;
    u64 lo, hi;
    u32 n;
    pte_t *entries[SWAP_BATCH];
    pte_t leaves[SWAP_BATCH];
    frame_t frames[SWAP_BATCH];
};

static void shoot_batch(const struct batch *b) { tlb_shootdown(b->as, b->lo, (b->hi - b->lo) >> PAGE_SHIFT); }

static void forbid_writes(struct batch *b) {
    bool any = false;
    for (u32 i = 0; i < b->n; i++) {
        pte_t *e = b->entries[i];
        if (!(*e & PTE_W)) { continue; }
        any = true;
        ghost_change(e, atomic_xor_relaxed(e, PTE_W | PTE_COW));
    }
#ifdef MUTANT_reclaim_unfenced  // "it has not been touched for long"
    any = false;
#endif
    if (any) { shoot_batch(b); }
    for (u32 i = 0; i < b->n; i++) {
        ghost_out(b->entries[i]);
        b->leaves[i] = *b->entries[i];
    }
}

// How many pages have gone, or -errno. => the table's lock
static long write_out(struct batch *b) {
    pte_t swapped[SWAP_BATCH];
    if (!b->n) { return 0; }
    forbid_writes(b);
    long error = swap_write(b->frames, b->leaves, swapped, b->n);
    if (error) { return error; }
    for (u32 i = 0; i < b->n; i++) {
        ghost_change(b->entries[i], atomic_store_relaxed(b->entries[i], swapped[i]));
        COUNT(swap_outs);
    }
    swap_written(b->n);
    shoot_batch(b);
    for (u32 i = 0; i < b->n; i++) { frame_release(b->frames[i]); }
    return b->n;
}

static bool chosen(pte_t e, enum reclaim_choice choice) {
    if (!(e & PTE_V) || e & PTE_BORROWED || (choice == RECLAIM_OLD && e & PTE_A)) { return false; }
    return choice == RECLAIM_ANY || frame_refs(frame_of_pte(e)) == 1;
}

static void add(struct batch *b, pte_t *e, u64 va) {
    if (!b->n) { b->lo = va; }
    b->hi = va + PAGE_SIZE;
    b->entries[b->n] = e;
    b->frames[b->n++] = frame_of_pte(*e);
}

// Of one locked table, from va on to its end or `end`, up to `want` pages; *va moves on. How many, or -errno.
static long scan_table(struct as *as, frame_t table, u64 *va, u64 end, enum reclaim_choice choice, long want) {
    struct batch b;
    long done = 0, n = 0;
    bool aged = false;
    b.as = as;
    b.n = 0;
    end = MIN(end, pt_end(*va, 1));
    for (; *va < end && done + b.n < want && n >= 0; *va += PAGE_SIZE) {
        pte_t *e = &pt_entries(table)[pt_index(*va, 0)];
        if (chosen(*e, choice)) {
            add(&b, e, *va);
        } else if (choice == RECLAIM_OLD && (*e & (PTE_V | PTE_A)) == (PTE_V | PTE_A)) {
            atomic_and_relaxed(e, ~PTE_A);
            aged = true;
        }
        if (b.n == SWAP_BATCH) {
            n = write_out(&b);
            done += MAX(n, 0l);
            b.n = 0;
        }
    }
    if (n >= 0) { n = write_out(&b); }
    if (aged) { tlb_shootdown(as, 0, 0); }  // who holds the entry would not set A again
    done += MAX(n, 0l);
    return done ? done : n;
}

// => as->lock
static long scan(struct as *as, u64 *va, u64 end, enum reclaim_choice choice, long want) {
    long done = 0, n = 0;
    while (done < want && n >= 0) {
        frame_t table = cursor_look(as, va, end);
        if (!table) { break; }
        n = scan_table(as, table, va, end, choice, want - done);
        pt_unlock(table, 0);
        done += MAX(n, 0l);
    }
    return done ? done : n;
}

// One lap of the hand at most.
static long scan_space(struct as *as, enum reclaim_choice choice, long want) {
    if (!mutex_try(&as->lock)) { return -EAGAIN; }
    u64 from = as->hand, va = from;
    long done = scan(as, &va, USER_TOP, choice, want), rest = 0;
    if (done >= 0 && done < want) {
        va = 0;
        rest = scan(as, &va, from, choice, want - done);
    }
    as->hand = va;
    mutex_unlock(&as->lock);
    return done < 0 ? done : done + MAX(rest, 0l);
}

// Each space once, the one that was looked at longest ago first.
static long round_of_spaces(enum reclaim_choice choice, long want) {
    long done = 0, error = 0;
    for (u32 i = 0; i < nharts && done < want; i++) {
        u32 of = (this_hart()->index + i) % nharts;
        for (u32 left = as_population(of); left && done < want; left--) {
            struct as *as = as_pick(of);
            if (!as) { break; }
            long n = scan_space(as, choice, want - done);
            as_put(as);
            done += MAX(n, 0l);
            if (n == -EAGAIN) { error = n; }
        }
    }
    return done ? done : error;
}

long reclaim(u32 want) {
    static const enum reclaim_choice laps[] = {RECLAIM_OLD, RECLAIM_OLD, RECLAIM_SOLE, RECLAIM_ANY};
    long done = 0, error = 0;
    for (u32 lap = 0; swap_is_on() && lap < ARRAY_LEN(laps) && !done; lap++) {
        long n = round_of_spaces(laps[lap], want);
        done += MAX(n, 0l);
        error = MIN(n, error);
    }
    return done ? done : error;
}

long reclaim_range(struct as *as, u64 start, u64 end) {
    if (!swap_is_on()) { return 0; }
    mutex_lock(&as->lock);
    long done = scan(as, &start, end, RECLAIM_SOLE, (end - start) >> PAGE_SHIFT);
    mutex_unlock(&as->lock);
    return done;
}
