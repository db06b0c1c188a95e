// SPDX-License-Identifier: MIT
// cwd.c - working directories. A thread that shares its own with nobody has it in its record; those that
// share one (CLONE_FS) count an object, which is made when the first of them does.
//
// Locking    none: the directory is one word, and inodes of the initramfs are there for ever.
#include "mm/cache.h"
#include "proc/proc.h"
#include "sync/refcount.h"

struct cwd {
    u32 users;  // (a)
    struct inode *dir;  // (m: other users look at any time)
};

static struct cache cwd_cache;

void cwd_boot(void) { cache_init(&cwd_cache, "cwd", sizeof(struct cwd)); }

struct inode *cwd_of(struct thread *t) { return t->cwd ? read_once(t->cwd->dir) : t->dir; }

bool cwd_share(struct thread *to, struct thread *from) {
    struct cwd *c = from->cwd;
    if (!c) {
        c = cache_alloc(&cwd_cache);
        if (!c) { return false; }
        *c = (struct cwd){1, from->dir};
        from->cwd = c;
    }
    refcount_get(&c->users);
    to->cwd = c;
    return true;
}

void cwd_move(struct thread *t, struct inode *dir) {
    if (t->cwd) {
        write_once(t->cwd->dir, dir);
    } else {
        t->dir = dir;
    }
}

void cwd_put(struct thread *t) {
    struct cwd *c = t->cwd;
    t->cwd = NULL;
    if (c && refcount_put(&c->users)) { cache_free(&cwd_cache, c); }
}
