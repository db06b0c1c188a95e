// SPDX-License-Identifier: MIT
// ghost.h - the ghost TLB (GHOST=1): what each hart may still hold of page tables and of text, by the
// specification and not by QEMU, whose fences drop more than asked. (In other builds every hook is
// nothing.)
//
// Model      A hart may use any translation that was valid since its last fence that covers it, and
//            may look up any address at any time (Privileged spec 10.2.1). So when an entry loses its
//            value, each hart that may walk its table holds the old value: it is a stale entry, with
//            the set of those harts, until each of them has fenced:
//              page    leaf entries of one address, of one ASID, or of all and global; never non-leaf entries
//              space   all of one ASID that is not global
//              all     everything
//            What a hart holds has a tag: the ASID that stood in satp. A hart goes on holding what it has of
//            a space that it has left, under its tag, and makes use of what has the tag that stands in satp.
//            Under a tag it may hold entries of the roots that have stood in satp with it since its last fence
//            of that ASID, and of what lies below by valid entries and by stale ones that it holds. So who
//            holds a stale entry for a table may hold whatever is below. The kernel's half is global: every
//            hart may walk it.
//            A tag under which a hart that is away holds what H1 to H3, and H7, say nobody may, owes a fence of its
//            ASID.
// Invariants H1 a freed frame or table is pointed at by no entry, stale or valid, that a hart makes use
//               of, and stands in no satp.
//            H2 when fork ends, no hart makes use of an entry for a table that has become SHARED.
//            H3 an address gets another page, or fewer rights, only when nobody makes use of the old entry.
//            H4 user mode is entered with the entries of one space only, and after a fence.i that
//               follows the filling of all its text.
//            H6 user mode is entered under no tag that owes a fence.
//            H7 a page goes to a device when nobody makes use of an entry that lets it be written.
//            H5 a hart that uses a kernel stack has fenced its addresses since they were mapped: it may
//               hold them as invalid, too. (In the user's half a spurious fault mends that, so no
//               fence is asked for; nor for more rights on the same page.)
// Exactness  a change, a fence and a look are atomic here: each happens under one bare word, with what
//            is noted of it. An invalid entry counts as a leaf of each address below it. What changes at
//            boot only (direct map, image, the kernel's part of root tables) is not seen.
// Bounds     as many stale entries as memory has frames; if they do not suffice, that is reported. Under one tag
//            two roots are known, the one in satp and the last before it.
// Parts      ghost.c what is held · ghost_tag.c under which ASID · ghost_check.c the invariants ·
//            ghost_report.c what is said
#pragma once
#include "lib/print.h"

enum ghost_fence { FENCE_PAGE, FENCE_PAGE_OF, FENCE_SPACE, FENCE_ALL, FENCE_TEXT };

#ifdef GHOST
#include "config.h"
#include "lib/list.h"

struct thread;

// ---- hooks: the statement and the note of it, at once ----

#define ghost_atomic(statement, note)                                                              \
    do {                                                                                           \
        u64 ghost_flags_ = ghost_enter();                                                          \
        statement;                                                                                 \
        note;                                                                                      \
        ghost_leave(ghost_flags_);                                                                 \
    } while (0)
#define ghost_change(e, statement)  /* of the page table entry *e */                               \
    do {                                                                                           \
        u64 *ghost_e_ = (e), ghost_old_;                                                           \
        ghost_atomic(ghost_old_ = *ghost_e_; statement, ghost_changed(ghost_e_, ghost_old_));      \
    } while (0)
#define ghost_fence(how, va, asid, statement)  /* on this hart */                                  \
    ghost_atomic(statement, ghost_fenced(GHOST_HERE, how, va, asid))
#define ghost_satp(root, asid, statement) ghost_atomic(statement, ghost_walks(GHOST_HERE, root, asid))
#define ghost_text(f) ghost_atomic((void)0, ghost_filled(f))             // H4: filled
#define ghost_root(root) ghost_atomic((void)0, ghost_rooted(root))       // a root of a new space
#define ghost_free(f) ghost_if(ghost_has_past(f), ghost_freed(f))        // H1
#define ghost_fork(root) ghost_atomic((void)0, ghost_forked(root))       // H2: fork is about to unlock
#define ghost_out(e) ghost_atomic((void)0, ghost_leaves(e))              // H7: the page of *e is about to
#define ghost_user() ghost_if(ghost_unfenced(), ghost_enters(GHOST_HERE))  // H4, H6: about to enter user mode
#define ghost_stack(top) ghost_atomic((void)0, ghost_uses(GHOST_HERE, top))  // H5: about to use a stack

#define ghost_if(suspicion, note)  /* looks without the word: at what nobody else changes now */    \
    do {                                                                                           \
        if (suspicion) { ghost_atomic((void)0, note); }                                            \
    } while (0)

#define GHOST_HERE (~0u)  // this hart; the self-test plays harts that are not there

u64 ghost_enter(void);
void ghost_leave(u64 flags);
bool ghost_has_past(u32 f);  // entries pointed at it, or do; or it is a table
bool ghost_unfenced(void);   // this hart has work for ghost_enters. => interrupts off
// => inside ghost_atomic, of all
void ghost_changed(u64 *e, u64 old);
void ghost_fenced(u32 hart, enum ghost_fence how, u64 va, u32 asid);
void ghost_walks(u32 hart, u32 root, u32 asid);
void ghost_rooted(u32 root);
void ghost_filled(u32 f);
void ghost_freed(u32 f);
void ghost_forked(u32 root);
void ghost_leaves(const u64 *e);
void ghost_enters(u32 hart);
void ghost_uses(u32 hart, u64 top);

// ---- for boot, panic, counters and the self-test ----

#define GHOST_PROBLEMS(X)                                                                          \
    X(NONE, "nothing")                                                                             \
    X(LEAF, "a frame is freed and hart %u may hold an entry for it")                               \
    X(TABLE, "a page table is freed and hart %u may walk it")                                      \
    X(MAPPED, "a frame is freed while an entry points at it")                                      \
    X(ROOT, "a root is freed and hart %u may walk it")                                             \
    X(FORK, "fork ends and hart %u may walk a table that is shared now")                           \
    X(MAKE, "an address gets another page and hart %u may hold the old one")                       \
    X(OUT, "a page is written out and hart %u may write to it")                                    \
    X(SPACE, "hart %u enters user mode and may hold entries of another space")                     \
    X(AWAY, "hart %u enters user mode with what its space has lost while it was away")              \
    X(TEXT, "hart %u enters user mode without fence.i since text was filled")                      \
    X(STACK, "hart %u uses a stack and may hold its addresses as invalid")                         \
    X(FULL, "more stale entries than there is room for")

enum ghost_problem {
#define X(name, text) GHOST_##name,
    GHOST_PROBLEMS(X)
#undef X
};

void ghost_boot(void);                 // => frames can be named, boot_alloc works, satp has the kernel's root
void ghost_explain(print_say say);     // what is behind the report that has panicked
extern u64 ghost_checked;              // changes, fences and looks so far
// From now on this thread's reports are only recorded, and harts that are not there may act; NULL: no
// more. Returns what was recorded since the last call: bits of enum ghost_problem.
u32 ghost_record(struct thread *t);
extern u64 ghost_played;               // the harts that are not there

// ---- implementation: shared by ghost.c, ghost_check.c, ghost_report.c ----

#define GHOST_DEPTH 6
#define GHOST_ROOTS 2
#define GHOST_NO_TAG (~0u)

// A value that an entry had. Harts leave `harts` by a fence of the page; whether one of wider reach
// has come since is seen by the times.
struct ghost_stale {
    struct list by_va, by_frame;
    u64 harts, when, va, old;
    u32 root, level;
    u32 pc[GHOST_DEPTH];  // who changed it
};

// Of a frame: as what is pointed at, as a table, as a root.
struct ghost_page {
    struct list stale;  // entries that pointed at it
    u64 filled;         // when that was said, or it was mapped first; of a root: the latest of its text
    u64 va;             // a table's first address
    u64 harts;          // that have a tag with this root
    u64 shared;         // a root: when an entry last became SHARED
    u32 mapped;         // valid entries that point at it
    u32 root, level;    // a table's; root 0: it is none
    u32 up;             // the table whose entry points at this one, or did last
};

// Of what a hart holds under an ASID: from which roots, and since when.
struct ghost_tag {
    struct {
        u64 since;
        u32 root;
    } of[GHOST_ROOTS];
    u32 n;
    bool owes;
};

// When the hart last fenced, and what is in satp.
struct ghost_hart {
    u64 all, text;
    u32 root, asid;
    struct ghost_tag tags[ASID_MAX + 1];
};

extern struct ghost_page *ghost_pages;
extern struct ghost_hart ghost_harts[];
extern struct ghost_stale *ghost_stales;
extern u32 ghost_nstales, ghost_kernel_root;
extern u64 ghost_now;
u64 ghost_holders(const struct ghost_stale *s);         // harts that may hold it still
u64 ghost_users(const struct ghost_stale *s);           // those that make use of it; the tags of the others owe
bool ghost_under_tag(const struct ghost_tag *t, const struct ghost_stale *s);
bool ghost_held_except(const struct ghost_hart *h, const struct ghost_stale *s, u32 asid);  // under another tag
void ghost_walk(u32 hart, u32 asid, u32 root);          // no more than note it
void ghost_forget_tag(u32 hart, u32 asid);
void ghost_owe(u32 hart, u32 asid);
struct list *ghost_bucket(u64 va);                      // the stale entries of an address, and others
void ghost_drop(struct ghost_stale *s);                 // nobody holds it
u32 ghost_self(u32 hart);
// Of a hart out of `harts`, unless there is none. `stale` may be NULL.
void ghost_problem(enum ghost_problem what, u64 harts, u64 va, const struct ghost_stale *stale);
#else
#define ghost_change(e, statement) statement
#define ghost_fence(how, va, asid, statement) statement
#define ghost_satp(root, asid, statement) statement
#define ghost_text(f) ((void)0)
#define ghost_root(root) ((void)0)
#define ghost_free(f) ((void)0)
#define ghost_fork(root) ((void)0)
#define ghost_out(e) ((void)0)
#define ghost_user() ((void)0)
#define ghost_stack(top) ((void)0)
#define ghost_boot() ((void)0)
#define ghost_explain(say) ((void)0)
#define ghost_checked 0ul
#endif
