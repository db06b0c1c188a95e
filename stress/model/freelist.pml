// SPDX-License-Identifier: MIT
// freelist.pml - per-hart magazines and depots, theft, and when "no memory" is the truth.
//
// Model      Each hart has a magazine of SLOTS slots and a depot, from which BATCH frames move at a
//            time. Harts take and give frames; a starving one looks everywhere. A frame is free from
//            the moment its give is complete until somebody takes it; on a move it stays free.
// Invariants L1 what is stored goes into an empty slot.
//            L4 a frame has one owner at most.
//            L5 an allocation fails only if at some moment of the call no frame was free.
//            L6 no frame is lost.
// Left out   the zeroed magazine and virgin frames: more of the same. Memory order: protocols.py.
#define HARTS 3
#define SLOTS 1
#define BATCH 2
#define FRAMES 3
#ifndef OPS
#define OPS 2      // of hart 0; the others do one thing
#endif
#define SLOT(h, i) slot[(h) * SLOTS + (i)]

byte slot[HARTS * SLOTS], top[HARTS], epoch[HARTS];
byte depot[HARTS], count[HARTS];  // a set of frames, and how many
bool locked[HARTS];
// ghosts
byte owner[FRAMES + 1];           // hart + 1
bool is_free[FRAMES + 1];
byte nfree, giving[HARTS];        // a frame in a slot whose give is not complete
bool calling[HARTS], none_free[HARTS];

inline noted() { if :: nfree == 0 -> none_free[0] = true; none_free[1] = true; none_free[2] = true :: else fi }
inline taken(h, f) {
    assert(owner[f] == 0);                                                                // L4
    owner[f] = h + 1;
    if
    :: is_free[f] -> is_free[f] = false; nfree--; noted()
    :: else ->
        assert(giving[0] == f || giving[1] == f || giving[2] == f);
        if :: giving[0] == f -> giving[0] = 0 :: giving[1] == f -> giving[1] = 0 :: else -> giving[2] = 0 fi
    fi
}
inline complete(h) { if :: giving[h] -> is_free[giving[h]] = true; nfree++; giving[h] = 0 :: else fi }
inline swap_out(x, y, to) { to = SLOT(x, y); SLOT(x, y) = 0 }
inline put_in(x, y, what) { assert(SLOT(x, y) == 0); SLOT(x, y) = what }                  // L1

// ---- moves ----

#if defined(MUTANT_MOVE_SILENT)
#define MOVE_BEGIN(h) skip
#define MOVE_END(h) skip
#elif defined(MUTANT_MOVE_ONE_STEP)
#define MOVE_BEGIN(h) skip
#define MOVE_END(h) epoch[h] = epoch[h] + 2
#else
#define MOVE_BEGIN(h) epoch[h] = epoch[h] + 1    // @ move_begin: atomic_store_relaxed(&l->epoch, l->epoch + 1)
#define MOVE_END(h) epoch[h] = epoch[h] + 1      // @ move_end: atomic_store_release(&l->epoch, l->epoch + 1)
#endif

inline lock(d) { atomic { !locked[d] -> locked[d] = true } }
inline unlock(d) { locked[d] = false }

// The lowest frame of a depot, 0 if there is none.
inline lift(d, f) {
    f = 1;
    do :: f <= FRAMES && !(depot[d] & (1 << f)) -> f++ :: else -> break od;
    if :: f > FRAMES -> f = 0 :: else -> depot[d] = depot[d] & ~(1 << f) fi
}
inline spill(h) {
    MOVE_BEGIN(h);                                   // @ spill: move_begin(l)
    n = 0; chain = 0;
    do
    :: n < BATCH && top[h] > 0 ->
        top[h]--;
#ifdef MUTANT_SPILL_TORN
        g = SLOT(h, top[h]); SLOT(h, top[h]) = 0;
#else
        d_step { swap_out(h, top[h], g) }            // @ spill: atomic_swap_acquire(&l->slot[--l->top], FRAME_NONE)
#endif
        d_step { if :: g -> chain = chain | (1 << g); n++ :: else fi }
    :: else -> break
    od;
    if
    :: chain ->
        lock(h);
        depot[h] = depot[h] | chain;                 // @ depot_push: d->batches = batch
#ifndef MUTANT_PUSH_UNCOUNTED
        count[h] = count[h] + n;                     // @ depot_push: write_once(d->count, d->count + len)
#endif
        unlock(h)
    :: else
    fi;
    d_step { chain = 0; n = 0; g = 0 }
    MOVE_END(h)                                      // @ spill: move_end(l)
}
inline depot_pop(me, d) {  // f for the caller, g for the magazine
#ifdef MUTANT_POP_UNLOCKED
    f = 1; do :: f <= FRAMES && !(depot[d] & (1 << f)) -> f++ :: else -> break od;
    if :: f <= FRAMES -> depot[d] = depot[d] & ~(1 << f); d_step { taken(me, f) } :: else -> f = 0 fi;
    count[d] = count[d] - (f != 0)
#else
    lock(d);
    d_step { lift(d, f); lift(d, g); if :: f -> taken(me, f) :: else fi }  // @ depot_pop: d->batches = frame_record(batch)->next_batch
    count[d] = count[d] - (f != 0) - (g != 0);       // @ depot_pop: write_once(d->count, d->count - frame_record(batch)->batch_len)
    unlock(d)
#endif
}
inline move_in(me, d) {
#ifdef MUTANT_REFILL_ODD_LATE
    depot_pop(me, d); MOVE_BEGIN(me)
#else
    MOVE_BEGIN(me);                                  // @ refill: move_begin(l)
    depot_pop(me, d);                                // @ refill: depot_pop(&from->depot)
#endif
    if
    :: g -> d_step { put_in(me, top[me], g); top[me]++; g = 0 }  // @ unload: atomic_store_release(&l->slot[l->top++], f)
    :: else
    fi;
    MOVE_END(me)                                     // @ refill: move_end(l)
}
inline refill(me, d) {
#ifdef MUTANT_REFILL_ALWAYS_STEPS
    move_in(me, d); assert(epoch[me] < 40)           // it never ends
#else
    if :: count[d] -> move_in(me, d) :: else fi      // @ refill: read_once(from->depot.count)
#endif
}

// ---- take ----

inline own_slots(h) {
    i = top[h];
    do
    :: i > 0 && !f ->
        i--;
#ifdef MUTANT_TAKE_TORN
        f = SLOT(h, i); d_step { SLOT(h, i) = 0; if :: f -> taken(h, f); top[h] = i :: else fi }
#else
        d_step { swap_out(h, i, f); if :: f -> taken(h, f); top[h] = i :: else fi }  // @ slots_take: atomic_swap_acquire(&slot[--i], FRAME_NONE)
#endif
    :: else -> break
    od;
    if :: !f -> top[h] = 0 :: else fi
}
inline epoch_sum(h, sum) {
    sum = 0;
    for (i : 0 .. HARTS - 1) {
        if
        :: i == h                                    // @ take_slow: epoch_sum() - l->epoch
#ifdef MUTANT_SCAN_TAKES_ODD
        :: i != h -> sum = sum + epoch[i]
#else
        :: atomic { i != h && epoch[i] % 2 == 0 -> sum = sum + epoch[i] }  // @ epoch_sum: atomic_load_acquire(&lists[i].epoch)) & 1
#endif
        fi
    }
}
inline rob(h, from) {
    for (i : 0 .. SLOTS - 1) {
        d_step { if :: !f -> swap_out(from, i, f); if :: f -> taken(h, f) :: else fi :: else fi }  // @ rob_magazines: atomic_swap_acquire(&slot[i], FRAME_NONE)
    }
}
inline take_anywhere(h) {
    for (v : 0 .. HARTS - 1) {
        victim = (h + v) % HARTS;
        if :: !f -> refill(h, victim) :: else fi;    // @ take_anywhere: refill(l, victim)
#ifndef MUTANT_SCAN_SPARES_MAGAZINES
        if :: !f -> rob(h, victim) :: else fi        // @ take_anywhere: rob_magazines(victim->slot)
#endif
    }
}
inline take(h) {
    d_step { f = 0; none_free[h] = (nfree == 0); calling[h] = true }
    own_slots(h);                                    // @ freelist_take: slots_take(l->slot, &l->top)
    if :: !f -> refill(h, h) :: else fi;             // @ take_slow: refill(l, l)
    do
    :: f -> break
    :: !f ->
        epoch_sum(h, before);                        // @ take_slow: epoch_sum() - l->epoch
        take_anywhere(h);                            // @ take_slow: take_anywhere(l)
#ifndef MUTANT_SCAN_ONCE
        if :: !f -> epoch_sum(h, after) :: else fi;  // @ take_slow: epoch_sum() - l->epoch == before
#else
        after = before;
#endif
        if :: !f && before == after -> assert(none_free[h]); break :: else fi             // L5
    od;
    atomic { before = 0; after = 0; i = 0; v = 0; victim = 0; calling[h] = false; none_free[h] = false }
}

// ---- give ----

inline give(h) {
    if :: top[h] == SLOTS -> spill(h) :: else fi;    // @ freelist_give: spill(l)
#ifdef MUTANT_GIVE_EPOCH_EARLY
    d_step { epoch[h] = epoch[h] + 2; owner[f] = 0; is_free[f] = true; nfree++ }
    d_step { put_in(h, top[h], f); top[h]++ }
#else
    d_step { owner[f] = 0; giving[h] = f; put_in(h, top[h], f) }  // @ slots_give: atomic_store_release(&slot[*top], f)
    top[h]++;                                        // @ slots_give: *top += 1
#ifdef MUTANT_GIVE_SILENT
    d_step { complete(h) }
#else
    d_step { epoch[h] = epoch[h] + 2; complete(h) }  // @ slots_give: atomic_store_release(&l->epoch, l->epoch + 2)
#endif
#endif
}

inline find(h) {  // a frame that this hart owns
    f = 1;
    do :: f <= FRAMES && owner[f] != h + 1 -> f++ :: else -> break od;
    f = (f > FRAMES -> 0 : f)
}
proctype hart(byte h) {
    byte f, g, i, v, victim, n, chain, before, after, ops;
    do
    :: ops < (h == 0 -> OPS : 1) ->
        ops++;
        d_step { find(h) }
        if :: take(h) :: f != 0 -> give(h) fi;
        d_step { f = 0; g = 0 }
    :: else -> break
    od
}
init {
    byte f, i, places;
    atomic {  // one frame in hart 0's depot or with hart 1, one in a slot or with hart 2, one with either
        if :: depot[0] = 2; count[0] = 1; is_free[1] = true; nfree++ :: owner[1] = 2 fi;
        if :: slot[0] = 2; top[0] = 1; is_free[2] = true; nfree++ :: owner[2] = 3 fi;
        if :: owner[3] = 1 :: owner[3] = 2 fi
    }
    atomic { run hart(0); run hart(1); run hart(2) }
    _nr_pr == 1;
    d_step {
        for (f : 1 .. FRAMES) {
            places = (owner[f] != 0) + ((depot[0] >> f) & 1) + ((depot[1] >> f) & 1) + ((depot[2] >> f) & 1);
            for (i : 0 .. HARTS * SLOTS - 1) { places = places + (slot[i] == f) }
            assert(places == 1)                                                           // L6
        }
    }
}
