// SPDX-License-Identifier: MIT
// refcount.h - counts of references to objects other than frames (those: mm/refs.h): who drops the last
// one frees the object.
//
// Ordering   put releases, so that all that was done with the object comes before it, and the last put
//            acquires before the object goes. get is relaxed: the caller has a reference already.
#pragma once
#include "sync/atomic.h"

static inline void refcount_get(u32 *refs) { atomic_add_relaxed(refs, 1u); }

// One more, unless nobody has one: the object is about to go. => it cannot be freed meanwhile
static inline bool must_check refcount_get_unless_zero(u32 *refs) {
    u32 old;
    do {
        old = atomic_load_relaxed(refs);
        if (!old) { return false; }
    } while (!atomic_cas32_relaxed(refs, old, old + 1));
    return true;
}

// True for exactly one caller: the last.
static inline bool must_check refcount_put(u32 *refs) {
#ifdef MUTANT_refcount_relaxed  // "only a number"
    if (atomic_sub_relaxed(refs, 1u) != 1) { return false; }
#else
    if (atomic_sub_release(refs, 1u) != 1) { return false; }  // pairs with the fence of the last one
#endif
    atomic_fence_acquire_of(refs);
    return true;
}
