// SPDX-License-Identifier: MIT
// tables.pml - page tables that a fork shares: own the path, then test the frame.
//
// Model      One page, under LEVELS levels of tables. P has a thread on hart 0, which forks, then stores,
//            unmaps or maps, and one on hart 1, which only stores, at any time; the child Q, on hart 2, stores or
//            unmaps, and may exit. An elder space, no more than a reference, may share the page's frame.
//            A slot is a non-leaf entry: OWNED (valid), or SHARED (not valid, but it keeps the table's number).
//            Slots 0 and 1 stand in the roots of P and Q, IN(t) in table t; the lock of a table is its slot's.
//            A table's count: the slots that name it; a frame's: the leaf tables that name it.
// Ghost TLB  walked[h]: tables that hart h may have a pointer to (walk caches); may_r, may_w[h]: frames that it
//            may have a translation to. Whatever was reachable at any moment since its fence is in there.
// Contents   a frame has a value, a store counts it up; want[space] is what the space should see.
// Invariants T1 what a live space's tables or its harts' TLBs name is a used frame with the value that the
//               space should see: no store is lost, none is seen elsewhere, a snapshot stays.
//            T2 and it is mapped there: nothing is installed where the space maps nothing.
//            T3 a freed table or frame is in no TLB; nothing is written into a freed table.
//            T4 an OWNED table's count is one; so is that of the frame of a writable entry.
//            T5 nobody reads a freed version of a region map.
//            T6 at the end all counts are exact, and nothing is left over. Nobody waits for ever.
// Stale      A fork takes no leaf lock: a thread may hold a leaf table that meanwhile became SHARED. Then
//            - who makes a leaf table OWNED, privatizes or destroys it does so under its lock (and waits);
//            - munmap owns all tables above the leaf table first, so that none above changes hands as a whole;
//            - an empty entry is filled only if in one window without interrupts the whole path is OWNED and the
//              region map says "mapped": a fork that had returned would have needed this hart's fence.
//            Flips and copies need no such test: they change no contents, in tables no hardware can reach.
// Shootdown  here: each target fences at some moment when its interrupts are on. shootdown.pml is about how.
#ifndef LEVELS
#define LEVELS 2
#endif
// NARROW: hart 0 forks and unmaps (with three levels: all below the root's slot), the child stores or exits,
// the elder never leaves. START: the ways in which it may begin (see init), as a set.
#ifndef START
#define START 31
#endif
#ifndef STORES
#define STORES 1   // of hart 1
#endif
#if LEVELS == 2
#define TABLES 4
#else
#define TABLES 7
#endif
#define FRAMES 5
#define NONE 7
#define VERSIONS 3
#define P 0
#define Q 1
#define IN(t) (2 + (t))
#define IS(set, i) (((set) >> (i)) & 1)
#define AS(h) ((h) / 2)

byte child[2 + TABLES] = NONE; bool owned[2 + TABLES];   // slots
bool locked[2 + TABLES];
byte count[TABLES]; bool used[TABLES];
byte frame[TABLES] = NONE; bool w[TABLES];               // leaf entries
byte ref[FRAMES], value[FRAMES];
byte want[2], walked[3], may_r[3], may_w[3];
bool masked[3];                                          // interrupts off
bool live[2], forking, elder;
bool map[2 * VERSIONS]; byte current[2], freed[2];       // region maps: is the page mapped?
bool unmapping[2];
hidden byte x, y;
hidden short good;

#define MAPPED(a) map[(a) * VERSIONS + current[a]]
#if LEVELS == 2
#define LEAF(a) child[a]
#define OWNED(a) owned[a]
#else
#define LEAF(a) (child[a] == NONE -> NONE : child[IN(child[a])])
#define OWNED(a) (owned[a] && owned[IN(child[a])])
#endif

inline audit_space(a) {
    good = 0;
    for (y : 0 .. FRAMES - 1) {
        if
        :: ref[y] > 0 && value[y] == want[a] && (MAPPED(a) || unmapping[a]) -> good = good | (1 << y)
        :: else
        fi
    }
    if
    :: a == P -> assert(((may_r[0] | may_w[0] | may_r[1] | may_w[1]) & ~good) == 0)            // T1, T2
    :: else -> assert(((may_r[2] | may_w[2]) & ~good) == 0)
    fi;
    if
    :: LEAF(a) != NONE -> y = LEAF(a); assert(frame[y] == NONE || IS(good, frame[y]))          // T1, T2
    :: else
    fi
}
inline audit() {
    audit_space(P);
    if :: live[Q] -> audit_space(Q) :: else fi;
    for (y : 0 .. 1 + TABLES) { assert(!owned[y] || count[child[y]] == 1 || (y == P && forking)) }  // T4
    for (y : 0 .. TABLES - 1) { assert(!w[y] || ref[frame[y]] == 1) }                               // T4
    assert(!elder || value[0] == 1 || value[0] == 100)                                              // T1
}
inline walk(h) {
    if :: live[AS(h)] && owned[AS(h)] -> walked[h] = walked[h] | (1 << child[AS(h)]) :: else fi;
#if LEVELS > 2
    for (y : 0 .. TABLES - 1) {
        if :: IS(walked[h], y) && owned[IN(y)] -> walked[h] = walked[h] | (1 << child[IN(y)]) :: else fi
    }
#endif
    for (y : 0 .. TABLES - 1) {
        if
        :: IS(walked[h], y) && frame[y] != NONE ->
            if :: w[y] -> may_w[h] = may_w[h] | (1 << frame[y]) :: else -> may_r[h] = may_r[h] | (1 << frame[y]) fi
        :: else
        fi
    }
    y = 0
}
inline look() { walk(0); walk(1); walk(2); audit() }
inline fence_page(h) { d_step { may_r[h] = 0; may_w[h] = 0; walk(h) } }
inline fence_all(h) { d_step { walked[h] = 0; may_r[h] = 0; may_w[h] = 0; walk(h) } }
inline entry(t, f, writable) { d_step { assert(used[t]); frame[t] = f; w[t] = writable; look() } }  // T3
inline slot(s, t, own) { d_step { child[s] = t; owned[s] = own; look() } }
inline lock(s) { atomic { !locked[s] -> locked[s] = true } }
inline unlock(s) { locked[s] = false }

// ---- frames and tables ----

inline alloc(f, content) {
    d_step {
        f = 0;
        do :: ref[f] > 0 -> f++ :: else -> break od;
        assert(f < FRAMES); ref[f] = 1; value[f] = content
    }
}
inline put(f) {
    d_step {
        assert(ref[f] > 0); ref[f]--;
        if
        :: ref[f] == 0 ->
            value[f] = 0;
            assert(!IS(may_r[0] | may_w[0] | may_r[1] | may_w[1] | may_r[2] | may_w[2], f))    // T3
        :: else
        fi
    }
}
inline table_alloc(t) {
    d_step {
        t = 0;
        do :: used[t] -> t++ :: else -> break od;
        assert(t < TABLES); used[t] = true; count[t] = 1
    }
}
inline table_free(t) { d_step { assert(!IS(walked[0] | walked[1] | walked[2], t)); used[t] = false } }   // T3
// The last reference of t is gone: its own of what is below, c or a frame, go with it.
inline destroy(t) {
#ifdef MUTANT_DESTROY_UNLOCKED
    d_step { c = child[IN(t)]; f = frame[t]; child[IN(t)] = NONE; owned[IN(t)] = false; frame[t] = NONE; w[t] = false }
    if :: f != NONE -> put(f) :: else fi;
    table_free(t)
#else
    lock(IN(t));
    d_step { c = child[IN(t)]; f = frame[t]; child[IN(t)] = NONE; owned[IN(t)] = false; frame[t] = NONE; w[t] = false }
    if :: f != NONE -> put(f) :: else fi;
    atomic { table_free(t); unlock(IN(t)) }
#endif
}
inline table_put(t) {
    do
    :: t != NONE ->
        d_step { assert(used[t] && count[t] > 0); count[t]--; last = count[t] == 0 }
        if :: last -> destroy(t); t = c :: else -> t = NONE fi
    :: t == NONE -> break
    od;
    t = 0;
    d_step { c = 0; f = 0; last = false }
}

// ---- shootdown ----

// Own translations first, then the other hart of P's.
inline shoot(h, a) {
    fence_all(h);
    if :: a == P -> atomic { !masked[1 - h] -> fence_all(1 - h) } :: else fi
}
inline shoot_page(h, a) {
    fence_page(h);
    if :: a == P -> atomic { !masked[1 - h] -> fence_page(1 - h) } :: else fi
}

// ---- own the path ----

// Slot s shares table t with others: gives it a copy of its own, t from now on, locked.
inline privatize(s) {
#ifdef MUTANT_PRIVATE_DROPS_EARLY
    d_step { count[t]--; last = count[t] == 0 }
    if :: last -> destroy(t) :: else fi;
#endif
    atomic {
        table_alloc(t2);
        d_step {
            c = child[IN(t)];
            if
            :: c != NONE -> count[c]++; child[IN(t2)] = c;
#ifndef MUTANT_PRIVATE_KEEPS_OWNED
                owned[IN(t)] = false
#endif
            :: else
            fi;
            f = frame[t];
#ifndef MUTANT_PRIVATE_KEEPS_W
            w[t] = false;
#endif
            if :: f != NONE -> assert(ref[f] > 0); ref[f]++; frame[t2] = f :: else fi;
            look()
        }
#ifndef MUTANT_PRIVATE_UNLOCKED
        unlock(IN(t))
#endif
    }
    slot(s, t2, true);
#ifndef MUTANT_PRIVATE_DROPS_EARLY
    table_put(t);
#endif
    d_step { t = t2; t2 = 0; f = 0; c = 0; last = false }
    lock(IN(t))
}
#ifdef MUTANT_FRAME_ONLY
#define SOLE(t) (frame[t] == NONE || ref[frame[t]] == 1)
#elif defined(MUTANT_OWN_SHARED)
#define SOLE(t) true
#else
#define SOLE(t) (count[t] == 1)
#endif
// The slow way: slot s of a locked table owns table t, which is locked in turn.
inline own_slot(s) {
    t = child[s];
    if
    :: t == NONE -> atomic { table_alloc(t); slot(s, t, true) } lock(IN(t))
    :: t != NONE && owned[s] -> lock(IN(t))
#ifdef MUTANT_OWN_UNLOCKED
    :: t != NONE && !owned[s] && SOLE(t) -> slot(s, t, true); lock(IN(t))
    :: t != NONE && !owned[s] && !SOLE(t) -> lock(IN(t)); privatize(s)
#elif defined(MUTANT_PRIVATE_UNLOCKED)
    :: t != NONE && !owned[s] && SOLE(t) -> lock(IN(t)); slot(s, t, true)
    :: t != NONE && !owned[s] && !SOLE(t) -> privatize(s)
#else
    :: t != NONE && !owned[s] ->
        atomic { lock(IN(t)); if :: SOLE(t) -> slot(s, t, true) :: else -> skip fi }
        if :: owned[s] :: else -> privatize(s) fi
#endif
    fi
}
// Owns so many levels; s is then the slot at the end, its table is locked.
inline own(a, levels) {
    d_step { s = a; n = 0 }
    lock(s);
    do
    :: n < levels -> own_slot(s); atomic { unlock(s); s = IN(t); n++ }
    :: n == levels -> break
    od;
    n = 0; t = 0
}

// ---- fault ----

#ifdef MUTANT_FAST_NO_WINDOW
#define MASK(h) masked[h] = false
#else
#define MASK(h) masked[h] = true
#endif
// t: the leaf table, locked, and owned - until a fork comes.
inline find(h, a) {
    do
    :: d_step { MASK(h); t = (OWNED(a) -> LEAF(a) : NONE) }
        if
        :: t == NONE -> masked[h] = false; own(a, LEVELS - 1); t = s - 2; break
        :: atomic { t != NONE && !locked[IN(t)] -> locked[IN(t)] = true; masked[h] = false } break
        :: atomic { t != NONE && locked[IN(t)] -> masked[h] = false }
#ifdef MUTANT_WAITER_STAYS
            lock(IN(t)); break
#else
            !locked[IN(t)]                      // sleeps, and begins again
#endif
        fi
    od;
    s = 0
}
inline break_shared(h, a) {
#ifdef MUTANT_BREAK_DROPS_EARLY
    alloc(copy, value[f]); entry(t, NONE, false); put(f); shoot_page(h, a); entry(t, copy, true);
#elif defined(MUTANT_BREAK_NO_SHOOTDOWN)
    alloc(copy, value[f]); entry(t, NONE, false); entry(t, copy, true); put(f);
#else
    atomic { alloc(copy, value[f]); entry(t, NONE, false) }
    shoot_page(h, a);
    entry(t, copy, true);
    put(f);
#endif
    copy = 0
}
inline region(h, a) {
    d_step {
#ifndef MUTANT_LOOKUP_UNMASKED
        masked[h] = true;
#endif
#ifdef MUTANT_LOOKUP_STALE
        path = true
#else
        path = OWNED(a) && LEAF(a) == t
#endif
    }
    version = current[a];
    d_step { assert(!IS(freed[a], version)); mapped = map[a * VERSIONS + version]; version = 0; masked[h] = false }  // T5
}
inline populate(h, a) {
#ifndef MUTANT_LOOKUP_EARLY
    region(h, a);
#endif
    if
    :: path && mapped -> atomic { alloc(f, 0); entry(t, f, true) }
    :: path && !mapped -> segv = true
    :: !path                                    // begins again
    fi
}
inline fault(h, a) {
#ifdef MUTANT_LOOKUP_EARLY
    region(h, a);
#endif
    find(h, a);
#ifdef MUTANT_LOOKUP_EARLY
    path = true;
#endif
    f = frame[t];
    if
    :: f != NONE && w[t] -> fence_page(h)
    :: f != NONE && !w[t] ->
        if
        :: ref[f] == 1 -> atomic { entry(t, f, true); fence_page(h) }
        :: else -> break_shared(h, a)
        fi
    :: f == NONE -> populate(h, a)
    fi;
    d_step { unlock(IN(t)); t = 0; f = 0; path = false; mapped = false }
}
// May the hardware find no permission?
#define MISSES(h, a) (may_w[h] == 0 || may_r[h] != 0 || !OWNED(a) || !w[LEAF(a)])
inline store(h, a) {
    do
    :: atomic { may_w[h] != 0 ->
            d_step {
                f = 0;
                do :: !IS(may_w[h], f) -> f++ :: else -> break od;  // of two, T1 fails with either
                value[f]++; want[a]++; f = 0; audit()
            }
        } break
    :: MISSES(h, a) && !segv -> fault(h, a)
    :: segv -> break
    od;
    segv = false
}

// ---- fork, map, unmap, exit ----

inline share() {
    d_step {
        if :: child[P] != NONE -> count[child[P]]++; forking = true :: else fi;
        owned[P] = false; child[Q] = child[P]; owned[Q] = false;
        look()
    }
}
inline fork() {
#ifdef MUTANT_FORK_NO_SHOOTDOWN
    lock(P); share();
#elif defined(MUTANT_FORK_SHOOT_EARLY)
    lock(P); shoot(0, P); share();
#elif defined(MUTANT_FORK_UNLOCK_EARLY)
    lock(P); share(); unlock(P); shoot(0, P);
#else
    atomic { lock(P); share() }
    shoot(0, P);
#endif
    d_step {
        forking = false; live[Q] = true; map[Q * VERSIONS] = MAPPED(P); want[Q] = want[P];
#ifndef MUTANT_FORK_UNLOCK_EARLY
        unlock(P);
#endif
        audit()
    }
}
inline publish(a, yes) { d_step { map[a * VERSIONS + current[a] + 1] = yes; current[a]++; audit() } }
inline mmap(a) {
    d_step { if :: !MAPPED(a) -> want[a] = 0 :: else fi; publish(a, true) }
}
inline unmap_begin(a) {
    unmapping[a] = true;
#ifndef MUTANT_UNMAP_PUBLISH_LATE
    publish(a, false)
#endif
}
inline unmap_end(a) {
#ifdef MUTANT_UNMAP_PUBLISH_LATE
    publish(a, false);
#else
    freed[a] = freed[a] | (1 << (current[a] - 1));
#endif
}
// The whole range below a slot of level `levels`; all above are owned first.
inline unmap_slot(h, a, levels) {
    unmap_begin(a);
    own(a, levels);
    t = child[s];
    slot(s, NONE, false);
    unlock(s);
#ifdef MUTANT_UNMAP_FREES_EARLY
    table_put(t); shoot(h, a); unmap_end(a);
#else
    shoot(h, a);
    unmap_end(a);
    table_put(t);
#endif
    d_step { s = 0; unmapping[a] = false; audit() }
}
inline unmap_all(h, a) {
#if LEVELS == 2
    unmap_slot(h, a, 0)
#else
    if
#ifndef NARROW
    :: unmap_slot(h, a, 1)
#endif
    :: true ->
#ifndef MUTANT_UNMAP_TOP_SHARED
        own(a, 1); unlock(s);
#endif
        unmap_slot(h, a, 0)
    fi
#endif
}
inline unmap_page(h, a) {
    own(a, LEVELS - 1);
    unlock(s);
    unmap_begin(a);
    lock(s);
    d_step { t = s - 2; f = frame[t]; entry(t, NONE, false) }
    unlock(s);
    shoot_page(h, a);
    unmap_end(a);
    if :: f != NONE -> put(f) :: else fi;
    d_step { f = 0; t = 0; s = 0; unmapping[a] = false; audit() }
}
inline exit() {
    d_step { t = child[Q]; live[Q] = false; child[Q] = NONE; owned[Q] = false; fence_all(2); audit() }
#ifdef MUTANT_EXIT_DESTROYS
    if :: t != NONE -> count[t]--; destroy(t) :: else fi
#else
    table_put(t)
#endif
}

// ---- who does what ----

#define LOCALS byte s, t, t2, c, f, copy, n, version; bool path, last, mapped, segv
proctype forker() {
    LOCALS;
#ifndef NARROW
    if :: store(0, P) :: skip fi;
#endif
    fork();
    if
#ifndef NARROW
    :: store(0, P)
    :: unmap_page(0, P)
    :: mmap(P)
    :: skip
    :: unmap_all(0, P); if :: mmap(P) :: skip fi
#else
    :: unmap_all(0, P)
#endif
    fi
}
proctype sibling() {
    LOCALS;
    byte stores;
    do
    :: stores < STORES -> stores++; store(1, P)
    :: stores == STORES -> break
    od
}
proctype offspring() {
    LOCALS;
    live[Q];
    if
    :: store(2, Q)
#ifndef NARROW
    :: unmap_page(2, Q)
    :: unmap_all(2, Q)
#endif
    :: skip
    fi;
    if
    :: exit()
    :: skip
    fi
}
proctype older() {
    if
#ifndef NARROW
    :: atomic { elder -> elder = false; put(0) }
#endif
    :: elder && ref[0] == 1 -> d_step { value[0] = 100; audit() }
    :: skip
    fi
}
#define FIRST d_step { frame[LEAF(P)] = 0; ref[0] = 1; value[0] = 1; want[P] = 1 }
byte k, m;
init {
    d_step {
        live[P] = true; used[0] = true; count[0] = 1; child[P] = 0; owned[P] = true;
#if LEVELS > 2
        used[1] = true; count[1] = 1; child[IN(0)] = 1; owned[IN(0)] = true;
#endif
        map[0] = true
    }
    if
#if START & 1
    :: map[0] = false                           // not mapped
#endif
#if START & 2
    :: skip                                     // never touched
#endif
#if START & 4
    :: FIRST; w[LEAF(P)] = true
#endif
#if START & 8
    :: FIRST                                    // an earlier child has left it COW
#endif
#if START & 16
    :: FIRST; d_step { ref[0]++; elder = true }
#endif
    fi;
    d_step { look() }
    atomic { if :: elder -> run older() :: else fi; run offspring(); run sibling(); run forker() }
    _nr_pr == 1;
    d_step {
        audit();
        for (k : 0 .. FRAMES - 1) {
            m = (elder && k == 0);
            for (x : 0 .. TABLES - 1) { if :: frame[x] == k -> m++ :: else fi }
            assert(ref[k] == m)                                                                // T6
        }
        for (k : 0 .. TABLES - 1) {
            m = 0;
            for (x : 0 .. 1 + TABLES) { if :: child[x] == k -> m++ :: else fi }
            assert(used[k] == (m > 0) && count[k] == m && !locked[IN(k)])                      // T6
            assert(used[k] || (frame[k] == NONE && child[IN(k)] == NONE))
        }
        k = 0; m = 0; x = 0
    }
}
