// SPDX-License-Identifier: MIT
// memfd.c - files without a name whose bytes are memory (memfd_create(2)): what processes that want to share
// memory pass on as a descriptor, and map.
//
// Model      An inode of its own, whose backing has all the bytes: zeros until they are written. The open file and
//            each region that maps it have a reference; the last one frees both.
// Locking    file->lock for the offset and for growing. There is one open file for each inode.
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/cache.h"
#include "mm/uaccess.h"
#include "proc/sched.h"

#define MEMFD_MAX (1l << 40)

static struct cache inode_cache;

void memfd_boot(void) { cache_init(&inode_cache, "inode", sizeof(struct inode)); }

// Nobody else writes the size: f->lock.
static void set_size(struct file *f, u64 size) { atomic_store_relaxed(&f->inode->backing.size, size); }

// One piece of a page, at f->offset. How long it was, or -errno. => f->lock
static long move_piece(struct file *f, uaddr buf, usize n, bool write) {
    u64 within = f->offset % PAGE_SIZE, was = inode_size(f->inode);
    usize step = MIN(n, PAGE_SIZE - within);
    frame_t page;
    if (write) { set_size(f, MAX(was, f->offset + step)); }  // there is no page beyond the end
    long error = backing_page(inode_backing(f->inode), f->offset / PAGE_SIZE, &page);
    if (!error) {
        char *at = (char *)frame_kva(page) + within;
        error = write ? copy_in(at, buf, step) : copy_out(buf, at, step);
    }
    if (error && write) { set_size(f, was); }
    return error ? error : (long)step;
}

// => f->lock
static long move(struct file *f, uaddr buf, usize n, bool write) {
    long step = 0;
    usize done = 0;
    while (done < n && sched_go_on()) {
        step = move_piece(f, buf + done, n - done, write);
        if (step < 0) { break; }
        done += step;
        f->offset += step;
    }
    return done || step >= 0 ? (long)done : step;
}

static long memfd_read(struct file *f, uaddr buf, usize n) {
    mutex_lock(&f->lock);
    u64 size = inode_size(f->inode);
    long done = move(f, buf, f->offset < size ? MIN(n, size - f->offset) : 0, false);
    mutex_unlock(&f->lock);
    return done;
}

static long memfd_write(struct file *f, uaddr buf, usize n) {
    mutex_lock(&f->lock);
    bool room = f->offset < MEMFD_MAX;
    long done = room || !n ? move(f, buf, MIN(n, MEMFD_MAX - f->offset), true) : -EFBIG;
    mutex_unlock(&f->lock);
    return done;
}

static void memfd_close(struct file *f) { backing_put(inode_backing(f->inode)); }

static void memfd_free(struct backing *b) { cache_free(&inode_cache, container_of(b, struct inode, backing)); }

static const struct file_ops memfd_ops = {.read = memfd_read, .write = memfd_write, .close = memfd_close};

long memfd_create(struct file **out) {
    static const struct backing_ops ops = {.free = memfd_free, .kind = "/memfd: (deleted)"};
    struct inode *i = cache_alloc(&inode_cache);
    if (!i) { return -ENOMEM; }
    memset(i, 0, sizeof(*i));
    i->mode = S_IFREG | 0600;
    i->ino = backing_number(&i->backing);
    backing_init(&i->backing, &ops, 0);
    *out = file_new(&memfd_ops, i, O_RDWR);
    if (!*out) { backing_put(&i->backing); }
    return *out ? 0 : -ENOMEM;
}

long memfd_resize(struct file *f, u64 size) {
    if (f->ops != &memfd_ops) { return -EINVAL; }
    if (size > MEMFD_MAX) { return -EFBIG; }
    mutex_lock(&f->lock);
    long error = size < inode_size(f->inode) ? -EPERM : 0;
    if (!error) { set_size(f, size); }
    mutex_unlock(&f->lock);
    return error;
}
