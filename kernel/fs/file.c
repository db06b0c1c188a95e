// SPDX-License-Identifier: MIT
// file.c - open files and descriptor tables. See file.h.
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/cache.h"
#include "sync/refcount.h"

struct fd_table {
    struct spin lock;  // of all, while there are several users
    u32 users;         // (a) threads
    u32 top;  // descriptors at and above are closed
    u64 cloexec[FD_MAX / 64];
    struct file *file[FD_MAX];
};

static struct cache file_cache, table_cache;

void file_boot(void) {
    cache_init(&file_cache, "file", sizeof(struct file));
    cache_init(&table_cache, "files", sizeof(struct fd_table));
}

struct file *file_new(const struct file_ops *ops, struct inode *inode, u32 flags) {
    struct file *f = cache_alloc(&file_cache);
    if (f) {
        *f = (struct file){.refs = 1, .flags = flags, .ops = ops, .inode = inode};
        mutex_init(&f->lock, RANK_FILE);
    }
    return f;
}

void file_get(struct file *f) {
    refcount_get(&f->refs);
}

void file_put(struct file *f) {
    if (!refcount_put(&f->refs)) { return; }
    if (f->ops->close) { f->ops->close(f); }
    cache_free(&file_cache, f);
}

static void table_init(struct fd_table *t) {
    spin_init(&t->lock, RANK_FILES);
    t->users = 1;
}

struct fd_table *fd_table_create(void) {
    struct fd_table *t = cache_alloc(&table_cache);
    if (t) {
        memset(t, 0, sizeof(*t));
        table_init(t);
    }
    return t;
}

// ---- tables of several threads ----

bool fd_table_shared(struct fd_table *t) {
    return atomic_load_acquire(&t->users) != 1;  // pairs with refcount_put: what those who have left did
}

// True, and locked, if it is shared.
static bool enter(struct fd_table *t) {
    bool shared = fd_table_shared(t);
    if (unlikely(shared)) { spin_lock(&t->lock); }
    return shared;
}

static void leave(struct fd_table *t, bool shared) {
    if (unlikely(shared)) { spin_unlock(&t->lock); }
}

void fd_table_get(struct fd_table *t) { refcount_get(&t->users); }

void fd_table_put(struct fd_table *t) {
    if (!refcount_put(&t->users)) { return; }  // pairs with fd_table_shared, too
    for (u32 i = 0; i < t->top; i++) {
        if (t->file[i]) { file_put(t->file[i]); }
    }
    cache_free(&table_cache, t);
}

struct fd_table *fd_table_copy(struct fd_table *from) {
    struct fd_table *t = cache_alloc(&table_cache);
    if (!t) { return NULL; }
    table_init(t);
    bool shared = enter(from);
    t->top = from->top;
    memcpy(t->cloexec, from->cloexec, sizeof(t->cloexec));
    for (u32 i = 0; i < t->top; i++) {
        t->file[i] = from->file[i];
        if (t->file[i]) { file_get(t->file[i]); }
    }
    leave(from, shared);
    return t;
}

void fd_table_close_on_exec(struct fd_table *t) {
    for (u32 i = 0; i < t->top; i++) {
        if (t->cloexec[i / 64] >> i % 64 & 1) { fd_close(t, i); }
    }
}

// ---- descriptors ----

// => entered
static struct file *look_up(struct fd_table *t, int fd) {
    return (u32)fd < t->top ? t->file[fd] : NULL;
}

struct fd fd_get(struct fd_table *t, int fd) {
    bool shared = enter(t);
    struct file *f = look_up(t, fd);
#ifdef MUTANT_fd_uncounted  // "it is open, or it would not be here"
    leave(t, shared);
    return (struct fd){f, false};
#endif
    if (unlikely(shared) && f) { file_get(f); }
    leave(t, shared);
    return (struct fd){f, shared && f};
}

// => entered
static void set(struct fd_table *t, u32 fd, struct file *f, bool cloexec) {
    while (t->top <= fd) { t->file[t->top++] = NULL; }
    t->file[fd] = f;
#ifdef MUTANT_M37  // a bit of an int
    t->cloexec[fd / 64] |= cloexec << fd % 64;
#endif
    t->cloexec[fd / 64] = (t->cloexec[fd / 64] & ~(1ul << fd % 64)) | (u64)cloexec << fd % 64;
}

// => entered
static long install(struct fd_table *t, struct file *f, bool cloexec) {
#ifdef MUTANT_one_too_many
    const u32 last = FD_MAX;
#else
    const u32 last = FD_MAX - 1;
#endif
    for (u32 fd = 0; fd <= last; fd++) {
        if (fd >= t->top || !t->file[fd]) {
            set(t, fd, f, cloexec);
            return fd;
        }
    }
    return -EMFILE;
}

long fd_install(struct fd_table *t, struct file *f, bool cloexec) {
    bool shared = enter(t);
    long fd = install(t, f, cloexec);
    leave(t, shared);
    if (fd < 0) { file_put(f); }
    return fd;
}

long fd_close(struct fd_table *t, int fd) {
    bool shared = enter(t);
    struct file *f = look_up(t, fd);
    if (f) {
        set(t, fd, NULL, false);
        while (t->top && !t->file[t->top - 1]) { t->top--; }
    }
    leave(t, shared);
    if (!f) { return -EBADF; }
    file_put(f);  // may sleep
    return 0;
}

long fd_dup(struct fd_table *t, int fd) {
    bool shared = enter(t);
    struct file *f = look_up(t, fd);
    long result = -EBADF;
#ifndef MUTANT_dup_of_nothing
    if (f)
#endif
    {
        result = install(t, f, false);
        if (result >= 0) { file_get(f); }
    }
    leave(t, shared);
    return result;
}

long fd_dup_to(struct fd_table *t, int from, int to, bool cloexec) {
    if (from == to) { return -EINVAL; }
#ifdef MUTANT_signed_fd  // -1 is below 128
    if (to >= FD_MAX) {
#else
    if ((u32)to >= FD_MAX) {
#endif
        return -EBADF;
    }
    bool shared = enter(t);
    struct file *f = look_up(t, from), *old = look_up(t, to);
    if (f) {
        file_get(f);
        set(t, to, f, cloexec);
    }
    leave(t, shared);
    if (f && old) { file_put(old); }
    return f ? to : -EBADF;
}

void file_open_console(struct fd_table *t) {
    struct inode *i;
    struct file *f;
    if (inode_find(inode_root(), "/dev/console", &i) || inode_open(i, O_RDWR, &f) ||
        fd_install(t, f, false) != 0 || fd_dup(t, 0) != 1 || fd_dup(t, 0) != 2) {
        panic("/dev/console cannot be opened");
    }
}
