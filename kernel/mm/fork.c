// SPDX-License-Identifier: MIT
// fork.c - the copy-on-write copy of an address space, whose cost does not depend on how much there is.
//
// Protocol   under the parent's lock and that of its root table: each entry of the root becomes SHARED, in the
//            parent and in the child (pagetable.h). Then one shootdown for the whole space, still under both
//            locks: a hart that went on writing by an old translation would write into the child's snapshot,
//            and a thread of the parent that copied a page meanwhile would lose what others write to
//            the old one. Only then unlock.
//            Then the child takes the ways to where it will begin, which is what it needs memory for: from
//            there the parent, when it comes, finds its own tables as they were.
// Failure    of the first memory: nothing has been shared. Later: the child is destroyed like any other, and the
//            parent takes back what it has shared.
#include "lib/errno.h"
#include "mm/cursor.h"
#include "mm/tlb.h"
#include "sync/point.h"

static void inherit_map(struct as *child, const struct as *parent) {
    child->map = region_get(parent->map);
    child->brk_start = parent->brk_start;
    child->brk = parent->brk;
}

static void share_all(struct as *parent, struct as *child) {
    inherit_map(child, parent);
    bool shared = pt_share_root(parent->root, child->root);
#if !defined(MUTANT_fork_unfenced) && !defined(MUTANT_fork_fences_late)
    if (shared) {
        RACE_POINT("fork.shootdown");
        tlb_shootdown(parent, 0, 0);
    }
#endif
    (void)shared;
    ghost_fork(parent->root);
}

static struct as *share(struct as *parent) {
    mutex_lock(&parent->lock);
    pt_lock(parent->root, PT_LEVELS - 1);
    struct as *child = as_create();
    if (child) { share_all(parent, child); }
    pt_unlock(parent->root, PT_LEVELS - 1);
    mutex_unlock(&parent->lock);
#ifdef MUTANT_fork_fences_late
    tlb_shootdown(parent, 0, 0);
#endif
    return child;
}

static int own_ways(struct as *as, const u64 *soon, u32 n) {
    pte_t *e;
    for (u32 i = 0; i < n; i++) {
        if (soon[i] >= USER_TOP) { continue; }
        int error = cursor_open(as, soon[i], false, &e);
        if (error == -ENOMEM) { return error; }
        if (!error) { cursor_close(e); }
    }
    return 0;
}

// As a kernel without copy-on-write does it: all pages, now. What other threads write meanwhile is in it or not.
struct as *as_fork_eagerly(struct as *parent) {
    mutex_lock(&parent->lock);
    struct as *child = as_create();
    bool copied = false;
    if (child) {
        inherit_map(child, parent);
        copied = pt_copy(parent->root, child->root, PT_LEVELS - 1);
    }
    mutex_unlock(&parent->lock);
    if (child && !copied) {
        as_destroy(child);
        return NULL;
    }
    return child;
}

struct as *as_fork(struct as *parent, const u64 *soon, u32 n) {
#ifdef MUTANT_M33  // as if sharing had been switched off
    return as_fork_eagerly(parent);
#endif
    struct as *child = share(parent);
    if (child && (own_ways(child, soon, n) || own_ways(parent, soon, n))) {
#ifndef MUTANT_W02  // what was shared so far stays so
        as_destroy(child);
#endif
        return NULL;
    }
    RACE_POINT("fork.done");
    return child;
}
