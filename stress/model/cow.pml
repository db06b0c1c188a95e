// SPDX-License-Identifier: MIT
// cow.pml - copy-on-write with translations that linger: fork, fault, unmap, exit, put.
//
// Model      One page in two address spaces: P (harts 0, 1, 2) and its child Q (hart 3). An entry is
//            valid or not, names a frame, is writable or not (then it is COW).
//            Sharing is one step: fork marks the page at once, as if both sides had touched it and copied the
//            tables above. How these are shared, and unshared later: tables.pml.
// Ghost TLB  may_r, may_w: every translation that a hart could hold, as sets of frames: whatever its
//            entry has said since its last fence. User code may use any of them, at any moment.
// Invariants C1 count = entries that name the frame + references in flight, at every step.
//            C2 a writable entry means a count of one.
//            C3 a freed frame is in no hart's TLB.
//            C4 no store goes to a frame that another live space maps, or that is being copied.
//            C5 nobody uses a frame that its space has replaced (break before make).
//            C6 at the end nothing is in flight, and what is in use is mapped.
// Shootdown  here: each target fences at some moment before the initiator goes on. shootdown.pml is
//            about how. Behind an at sign: the line of the C that a step stands for (mapping.py).
#ifndef OPS
#define OPS 1       // what each hart of P does, and Q
#endif
#ifndef AT_FIRST
#define AT_FIRST OPS  // what hart 0 does
#endif
#ifndef FORKS
#define FORKS 1
#endif
#define FRAMES 3
#define NONE FRAMES
#define IS(set, i) (((set) >> (i)) & 1)
#define P 0
#define Q 1

byte ref[FRAMES], flight[FRAMES];   // ref is the kernel's, flight a ghost, as are:
bool used[FRAMES];
byte may_r[4], may_w[4];
byte source[2] = NONE;              // the frame that is being copied
bool live[2];                       // user code may run in it
bool valid[2], writable[2];         // the entries
byte frame[2];
bool locked[2];
byte mask[2];                       // as->harts
byte space[4] = 2;                  // what satp says: P, Q or 2 for none
bool exists;                        // Q, from the fork to the end of its exit
byte forks;

inline lock(a) { atomic { !locked[a] -> locked[a] = true } }
inline unlock(a) { locked[a] = false }

#define MAPS(f) ((valid[P] && frame[P] == f) + (valid[Q] && frame[Q] == f))
#define COUNTED(f) assert(ref[f] == MAPS(f) + flight[f] && used[f] == (ref[f] > 0))   /* C1 */
#define SOLE(a) assert(!(valid[a] && writable[a] && ref[frame[a]] > 1))               /* C2 */
inline audit() { COUNTED(0); COUNTED(1); COUNTED(2); SOLE(P); SOLE(Q) }

// Hart h may look its space's entry up now.
inline walk(h) {
    if
    :: space[h] < 2 && valid[space[h]] ->
        if
        :: writable[space[h]] -> may_w[h] = may_w[h] | (1 << frame[space[h]])
        :: else -> may_r[h] = may_r[h] | (1 << frame[space[h]])
        fi
    :: else
    fi
}
inline flush(h) { d_step { may_r[h] = 0; may_w[h] = 0; walk(h) } }
inline entry(a, v, f, w) {
    d_step {
        if :: valid[a] -> flight[frame[a]]++ :: else fi;
        valid[a] = v; frame[a] = (v -> f : 0); writable[a] = w;
        if :: v -> flight[f]-- :: else fi;
        walk(0); walk(1); walk(2); walk(3); audit()
    }
}

// A writable entry becomes COW or the other way round; the frame stays.
inline permit(a, w) { d_step { writable[a] = w; walk(0); walk(1); walk(2); walk(3); audit() } }

// ---- counts ----

inline lowest(f) {
    d_step {
        f = 0;
        do :: f < NONE && used[f] -> f++ :: else -> break od;
        if :: f < NONE -> used[f] = true; ref[f] = 1; flight[f]++ :: else fi
    }
}
inline alloc(f) {  // NONE: no memory
#ifdef FAILURES
    if :: lowest(f) :: f = NONE fi
#else
    lowest(f)
#endif
}
inline get(f) { d_step { ref[f]++; flight[f]++; audit() } }          // @ frame_get: atomic_add_relaxed
inline freed(f) { assert(!IS(may_r[0] | may_w[0] | may_r[1] | may_w[1] | may_r[2] | may_w[2] |
                             may_r[3] | may_w[3], f)); used[f] = false }                 // C3
inline put(f) {
#ifdef MUTANT_PUT_TORN
    n = ref[f];
    d_step { assert(ref[f] > 0); ref[f] = n - 1; flight[f]--; if :: n == 1 -> freed(f) :: else fi; audit() }
#else
    d_step {
        assert(ref[f] > 0);
        ref[f]--; flight[f]--;                                          // @ frame_put: atomic_sub_release
        if :: ref[f] == 0 -> freed(f) :: else fi; audit()               // @ frame_put: old == 1
    }
#endif
}

// ---- shootdown, and which hart is where ----

inline shoot(a) {
    todo = mask[a];                            // @ tlb_shootdown: atomic_load_acquire(&as->harts)
    do
    :: IS(todo, 0) -> flush(0); todo = todo & 14
    :: IS(todo, 1) -> flush(1); todo = todo & 13
    :: IS(todo, 2) -> flush(2); todo = todo & 11
    :: IS(todo, 3) -> flush(3); todo = todo & 7
    :: todo == 0 -> break
    od
}
inline enter(h, a) {
#ifdef MUTANT_ENTER_MASK_LATE
    d_step { space[h] = a; walk(h) } mask[a] = mask[a] | (1 << h);
#else
    mask[a] = mask[a] | (1 << h);              // @ enter: atomic_or_relaxed(&as->harts, 1ul << h->index)
    d_step { space[h] = a; walk(h) }           // @ as_switch: csr_write(satp
#endif
}
inline leave(h, a) {
#ifdef MUTANT_LEAVE_MASK_EARLY
    space[h] = 2; mask[a] = mask[a] & ~(1 << h); flush(h);
#else
    space[h] = 2;                              // @ as_switch: csr_write(satp
    flush(h);                                  // what is held stays, but is not used again: shootdown.pml
    mask[a] = mask[a] & ~(1 << h);             // @ as_switch: atomic_and_release(&old->harts, ~(1ul << h->index))
#endif
}

// ---- fault.c ----

inline break_shared(a, f, copy) {
    source[a] = f;
    d_step { assert(valid[a] && frame[a] == f) }
#ifdef MUTANT_BREAK_MASK_EARLY
    todo = mask[a]; entry(a, false, 0, false);
    do :: todo & 1 -> flush(0); todo = todo & 14 :: todo & 2 -> flush(1); todo = todo & 13
       :: todo & 4 -> flush(2); todo = todo & 11 :: todo & 8 -> flush(3); todo = todo & 7
       :: todo == 0 -> break od;
    entry(a, true, copy, true); source[a] = NONE; put(f)
#elif defined(MUTANT_BREAK_MAKE_EARLY)
    entry(a, true, copy, true); shoot(a); source[a] = NONE; put(f)
#elif defined(MUTANT_BREAK_DROP_EARLY)
    entry(a, false, 0, false); put(f); shoot(a); entry(a, true, copy, true); source[a] = NONE
#elif defined(MUTANT_BREAK_NO_SHOOTDOWN)
    entry(a, false, 0, false); entry(a, true, copy, true); source[a] = NONE; put(f)
#else
    entry(a, false, 0, false);                 // @ break_shared: atomic_swap_relaxed(e, 0ul)
    shoot(a);                                  // @ break_shared: tlb_shootdown(as, va, 1)
    entry(a, true, copy, true);                // @ break_shared: atomic_store_release(e, pte_make(
    source[a] = NONE;
#ifndef MUTANT_BREAK_NO_DROP
    put(f)                                     // @ break_shared: pt_release(old)
#endif
#endif
}

inline break_cow(h, a) {
    f = frame[a];                              // @ break_cow: frame_of_pte(*e)
    if
#ifdef MUTANT_FLIP_SHARED
    :: true -> d_step { writable[a] = true; walk(h) } flush(h)
#endif
    :: ref[f] == 1 ->                          // @ frame_break: frame_sole(f)
        permit(a, true);                       // @ flip: atomic_xor_relaxed(e, PTE_W | PTE_COW)
        flush(h)                               // @ flip: tlb_fence_page(va)
    :: else ->
        alloc(copy);                           // @ frame_break: frame_copy(f)
        if
        :: copy != NONE -> break_shared(a, f, copy)
        :: else -> failed = true
        fi
    fi
}

inline fault(h, a) {
#ifdef MUTANT_FLIP_UNLOCKED
    if :: valid[a] && !writable[a] && ref[frame[a]] == 1 -> sole = true :: else -> sole = false fi;
#endif
    lock(a);                                   // @ cursor_try: wordlock_try(&table->lock)
    if
#ifdef MUTANT_FLIP_UNLOCKED
    :: valid[a] && !writable[a] && sole -> permit(a, true); flush(h)
#endif
    :: !valid[a] ->                            // @ fault_locked: populate(as, e, va, access)
        alloc(copy);                           // @ fill_leaf: frame_alloc_zeroed(FRAME_USER)
        if
        :: copy != NONE -> entry(a, true, copy, true)  // @ populate: pt_set(e, 
        :: else -> failed = true
        fi
    :: valid[a] && writable[a] -> flush(h)     // @ fault_locked: permits(*e, access)
    :: valid[a] && !writable[a] -> break_cow(h, a)  // @ fault_locked: break_cow(as, e, va) : -EFAULT
    fi;
    unlock(a)                                  // @ cursor_close: wordlock_unlock(
}

// ---- user code ----

inline check_use(a, f) { assert(used[f] && (!valid[a] || frame[a] == f)) }               // C3, C5
inline check_store(a, f) {
    check_use(a, f);
    assert(source[a] != f && source[1 - a] != f);                                         // C4
    assert(!(live[1 - a] && valid[1 - a] && frame[1 - a] == f))
}
inline load(h, a) {
    d_step {
        if :: IS(may_r[h] | may_w[h], 0) -> check_use(a, 0) :: else fi;
        if :: IS(may_r[h] | may_w[h], 1) -> check_use(a, 1) :: else fi;
        if :: IS(may_r[h] | may_w[h], 2) -> check_use(a, 2) :: else fi
    }
}
inline store(h, a) {
    failed = false;
    do
    :: d_step { IS(may_w[h], 0) -> check_store(a, 0) } break
    :: d_step { IS(may_w[h], 1) -> check_store(a, 1) } break
    :: d_step { IS(may_w[h], 2) -> check_store(a, 2) } break
    :: may_w[h] == 0 || may_r[h] != 0 -> fault(h, a)
    :: failed -> break
    od
}

// ---- fork.c, as.c ----

inline clear(a, quiet) {
    if
    :: valid[a] ->
        f = frame[a];
        entry(a, false, 0, false);             // @ clear_leaves: atomic_store_relaxed(&entries[i], 0ul)
#ifdef MUTANT_UNMAP_DROP_EARLY
        put(f); if :: !quiet -> shoot(a) :: else fi
#else
        if :: !quiet -> shoot(a) :: else fi;   // @ gather_flush: tlb_shootdown(g->as
        put(f)                                 // @ gather_flush: frame_release(g->frames[i])
#endif
    :: else
    fi
}
inline share() {
    f = frame[P];
#ifndef MUTANT_FORK_KEEPS_W
    if :: writable[P] -> permit(P, false); downgraded = true :: else fi;  // @ share_leaf: e ^= PTE_W | PTE_COW
#endif
#ifdef MUTANT_FORK_GET_LATE
    entry(Q, true, f, false); get(f)
#else
    get(f);                                    // @ share_leaf: frame_get(frame_of_pte(e))
    entry(Q, true, f, false)                   // @ copy_shared: to[i] = e
#endif
}
inline fork() {
    downgraded = false; failed = false;
    lock(P);                                   // @ share: pt_lock(parent->root, PT_LEVELS - 1)
    if :: valid[P] -> share() :: else fi;      // @ share: share_all(parent, child)
    if :: failed = true :: skip fi;            // no memory for more tables
#ifdef MUTANT_FORK_UNLOCK_EARLY
    unlock(P); if :: downgraded -> shoot(P) :: else fi;
#else
#ifndef MUTANT_FORK_NO_SHOOTDOWN
    if :: downgraded -> shoot(P) :: else fi;   // @ share_all: tlb_shootdown(parent, 0, 0)
#endif
    unlock(P);                                 // @ share: pt_unlock(parent->root, PT_LEVELS - 1)
#endif
    if
#ifndef MUTANT_FORK_FAILS_DIRTY
    :: failed -> clear(Q, true); exists = false  // @ as_fork: as_destroy(child)
#else
    :: failed -> exists = false
#endif
    :: else -> live[Q] = true
    fi
}
inline exit() {
    live[Q] = false;
#ifndef MUTANT_EXIT_STAYS
    leave(3, Q);                               // @ thread_leave_space: as_switch(next)
    assert(mask[Q] == 0);                      // @ as_destroy: atomic_load_acquire(&as->harts) == 0
#endif
    clear(Q, true);                            // @ as_destroy: pt_empty_root(as->root)
    exists = false
}

// ---- who does what ----

#define LOCALS byte f, copy, todo, n, ops; bool failed, downgraded, sole
inline forget() { d_step { f = 0; copy = 0; n = 0; failed = false; downgraded = false; sole = false } }
proctype parent(byte h) {
    LOCALS;
    do
    :: ops < (h == 0 -> AT_FIRST : OPS) -> ops++;
        if
        :: store(h, P)
        :: load(h, P)
        :: atomic { h == 0 && forks < FORKS && !exists -> forks++; exists = true } fork()
        :: h == 1 -> lock(P); clear(P, false); unlock(P)
        :: h == 2 -> leave(h, P); enter(h, P)
        fi;
        forget()
    :: ops == (h == 0 -> AT_FIRST : OPS) -> break
    od
}
proctype child() {
    LOCALS;
    do
    :: live[Q] -> enter(3, Q);
        ops = 0;
        do
        :: ops < OPS -> ops++; if :: store(3, Q) :: load(3, Q) fi; forget()
        :: break
        od;
        exit(); ops = 0; forget()
    :: _nr_pr == 2 && !live[Q] -> break
    od
}
init {
    d_step {
        used[0] = true; ref[0] = 1; valid[P] = true; live[P] = true; mask[P] = 7;
        if :: writable[P] = true :: skip fi    // skip: an earlier child has left it COW
        space[0] = P; space[1] = P; space[2] = P; walk(0); walk(1); walk(2)
    }
    atomic { run child(); run parent(0); run parent(1); run parent(2) }  // the youngest end first
    _nr_pr == 1;
    audit(); assert(flight[0] + flight[1] + flight[2] == 0 && !valid[Q] && !exists)       // C6
}
