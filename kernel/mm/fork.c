// SPDX-License-Identifier: MIT
// fork.c - the copy-on-write copy of an address space.
//
// Protocol   under the parent's lock, for each populated page: turn W into COW in the parent's entry
//            (an AMO), raise the frame's count, give the child the same entry. Then one shootdown
//            for the whole space, still under the lock: a hart of the parent that went on writing
//            through an old translation would write into the child's snapshot. Only then unlock.
// Failure    the child built so far is destroyed like any other. Pages of the parent that are COW with a
//            count of one again become writable by a flip at their next write.
#include "lib/errno.h"
#include "mm/cache.h"
#include "mm/pagetable.h"
#include "mm/refs.h"
#include "mm/tlb.h"
#include "sync/park.h"

// Share n leaves of one pair of leaf tables. true: a W was taken away.
static bool share_leaves(pte_t *from, pte_t *to, u32 n) {
    bool downgraded = false;
    u32 copied = 0;
    for (u32 i = 0; i < n; i++) {
        pte_t e = from[i];
#ifdef MUTANT_M10  // the mark for every entry, whether there is a page or not
        if (!(e & PTE_V)) { to[i] = from[i] = PTE_COW; }
#endif
        if (!(e & PTE_V)) { continue; }
#ifdef MUTANT_M33  // fork by copying, as if sharing had been switched off
        frame_t own = e & PTE_W ? frame_copy(frame_of_pte(e)) : FRAME_NONE;
        if (own) {
            to[i] = pte_make(frame_pa(own), e & PTE_FLAGS);
            copied++;
            continue;
        }
#endif
#ifdef MUTANT_M19  // what was read-only is marked, too, and then written
        if (!(e & (PTE_W | PTE_COW))) {
            atomic_or_relaxed(&from[i], PTE_COW);
            e |= PTE_COW;
        }
#endif
#ifdef MUTANT_W03  // marked by an earlier fork: not writable, so read-only
        e &= ~PTE_COW;
#endif
#ifdef MUTANT_M16  // both may go on writing
        if (e & PTE_W) {
            downgraded = true;
        } else
#endif
        if (e & PTE_W) {
            ghost_change(&from[i], atomic_xor_relaxed(&from[i], PTE_W | PTE_COW));
            e ^= PTE_W | PTE_COW;
            downgraded = true;
        }
        RACE_POINT_FRAME("fork.get", frame_of_pte(e));
#ifdef MUTANT_W04  // a child of the dying need not be counted
        if (park_killed()) {
            to[i] = e;
            copied++;
            continue;
        }
#endif
        frame_get(frame_of_pte(e));
        ghost_change(&to[i], to[i] = e);
        copied++;
    }
    frame_record(pt_table_of(to))->live += copied;
    return downgraded;
}

static int share_region(struct as *parent, struct as *child, const struct region *r, bool *downgraded) {
    for (u64 va = r->start, next; va < r->end; va = next) {
        next = MIN(ALIGN_DOWN(va, pt_span(1)) + pt_span(1), r->end);
        pte_t *from = pt_find(parent, va);
        if (!from) { continue; }
        pte_t *to = pt_make(child, va);
        if (!to) {
#ifdef MUTANT_M31  // "there is always one more"
            panic("no table for a child");
#endif
#ifdef MUTANT_M12  // gives back what it has not counted
            if (*from & PTE_V) { frame_release(frame_of_pte(*from)); }
#endif
#ifdef MUTANT_M20  // counts first, and does not take that back
            if (*from & PTE_V) { frame_get(frame_of_pte(*from)); }
#endif
            return -ENOMEM;
        }
        *downgraded |= share_leaves(from, to, (next - va) >> PAGE_SHIFT);
    }
    return 0;
}

static int share_all(struct as *parent, struct as *child, bool *downgraded) {
    int error = 0;
    child->map = region_get(parent->map);
    child->brk_start = parent->brk_start;
    child->brk = parent->brk;
    for (const struct region *r = region_first(parent, 0); r && !error; r = region_first(parent, r->end)) {
        error = share_region(parent, child, r, downgraded);
#ifdef MUTANT_M32  // what cannot be shared is left out
        error = 0;
#endif
    }
    return error;
}

struct as *as_fork(struct as *parent) {
    struct as *child = as_create();
    if (!child) { return NULL; }
    bool downgraded = false;
    mutex_lock(&parent->lock);
    int error = share_all(parent, child, &downgraded);
#if !defined(MUTANT_fork_unfenced) && !defined(MUTANT_fork_fences_late)
    if (downgraded) {
        RACE_POINT("fork.shootdown");
        tlb_shootdown(parent, 0, 0);
    }
#endif
    ghost_fork(parent->root);
    mutex_unlock(&parent->lock);
#ifdef MUTANT_fork_fences_late
    tlb_shootdown(parent, 0, 0);
#endif
    if (error) {
#ifndef MUTANT_W02  // what was shared so far stays so
        as_destroy(child);
#endif
        return NULL;
    }
    return child;
}
