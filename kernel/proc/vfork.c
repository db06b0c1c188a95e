// SPDX-License-Identifier: MIT
// vfork.c - a parent that sleeps until its child has another address space, or none (CLONE_VFORK).
//
// Model      A small object that both have: either may be gone first, since the parent wakes when it is killed.
//            The second of them frees it.
// Ordering   the count's is refcount.h's. `done` is stored with release and loaded with acquire; the parent looks
//            again after each announcement (waitq.h).
#include "mm/cache.h"
#include "proc/proc.h"
#include "sync/park.h"
#include "sync/refcount.h"
#include "sync/waitq.h"

struct vfork {
    u32 users;  // (a)
    u32 done;   // (a)
    struct waitq waiting;
};

static struct cache vfork_cache;

void vfork_boot(void) { cache_init(&vfork_cache, "vfork", sizeof(struct vfork)); }

struct vfork *vfork_create(void) {
    struct vfork *v = cache_alloc(&vfork_cache);
    if (!v) { return NULL; }
    *v = (struct vfork){.users = 2};
    waitq_init(&v->waiting);
    return v;
}

void vfork_put(struct vfork *v) {
    if (refcount_put(&v->users)) { cache_free(&vfork_cache, v); }
}

void vfork_wait(struct vfork *v) {
    struct waiter w;
    waitq_add(&v->waiting, &w);
    while (!atomic_load_acquire(&v->done) && !park_killed()) {  // pairs with vfork_done
        park();
        waitq_again(&v->waiting, &w);
    }
    waitq_del(&v->waiting, &w);
    vfork_put(v);
}

void vfork_done(struct vfork *v) {
    atomic_store_release(&v->done, 1u);  // what we did to the memory comes before; pairs with vfork_wait
#ifndef MUTANT_vfork_unwoken  // "it will look"
    waitq_wake_all(&v->waiting);
#endif
    vfork_put(v);
}
