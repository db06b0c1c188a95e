// SPDX-License-Identifier: MIT
// pipe.c - pipes: one frame of buffer, a mutex, and a queue of sleepers for each end.
//
// POSIX      write(2): at most PIPE_BUF (4096) bytes go in as one piece. A write with no reader left
//            raises SIGPIPE and gives EPIPE; a read with no writer left gives 0.
// Locking    pipe->lock is held while user memory is touched (it is a mutex, outside the AS lock).
#include "fs/file.h"
#include "lib/errno.h"
#include "mm/cache.h"
#include "mm/refs.h"
#include "mm/uaccess.h"
#include "proc/proc.h"
#include "sync/park.h"
#include "sync/refcount.h"

#define SIGPIPE 13
#define PIPE_BYTES PAGE_SIZE

struct pipe {
    struct mutex lock;
    struct waitq readers, writers;
    u64 head, tail;  // bytes ever written, ever read
    bool read_open, write_open;
    u32 ends;  // (a) ends that may still touch this: the last one frees it
    frame_t frame;
};

static struct cache pipe_cache;
static u64 frames;  // (a)

void pipe_boot(void) { cache_init(&pipe_cache, "pipe", sizeof(struct pipe)); }

u64 pipe_frames(void) { return atomic_load_relaxed(&frames); }

static usize room(struct pipe *p) { return PIPE_BYTES - (p->head - p->tail); }

// Sleep until somebody wakes q; false: we shall die. => lock held, and again
static bool doze(struct pipe *p, struct waitq *q) {
    struct waiter w;
    waitq_add(q, &w);  // under the lock: nothing has changed since the caller looked
    if (!park_killed()) {
        mutex_unlock(&p->lock);
        park();
        mutex_lock(&p->lock);
    }
    waitq_del(q, &w);
    return !park_killed();
}

// Wait until there is something to read; false: never again, or we die. => lock held, and again
static bool await_data(struct pipe *p) {
    while (p->head == p->tail) {
        if (!p->write_open || !doze(p, &p->readers)) { return false; }
    }
    return true;
}

static bool await_room(struct pipe *p, usize need) {
    while (p->read_open && room(p) < need) {
        if (!doze(p, &p->writers)) { return false; }
    }
    return p->read_open;
}

static long pipe_read(struct file *f, uaddr buf, usize n) {
    struct pipe *p = f->data;
    char *bytes = frame_kva(p->frame);
    long done = 0, error = 0;
#ifdef MUTANT_abba_pipe  // the address space first, "so that buf cannot go away"
    mutex_lock(&as_self()->lock);
    mutex_lock(&p->lock);
    mutex_unlock(&p->lock);
    mutex_unlock(&as_self()->lock);
#endif
#ifdef MUTANT_W21  // looked up once, kept while it sleeps, and written by its physical address
    void *pinned = as_populate(as_self(), buf);
    if (pinned && n <= PAGE_SIZE - buf % PAGE_SIZE) {
        mutex_lock(&p->lock);
        for (bool some = await_data(p); some && (usize)done < n && p->tail != p->head; done++) {
            ((char *)pinned)[done] = bytes[p->tail++ % PIPE_BYTES];
        }
        waitq_wake_all(&p->writers);
        mutex_unlock(&p->lock);
        return done;
    }
#endif
    mutex_lock(&p->lock);
    if (n && await_data(p)) {
        while (!error && (usize)done < n && p->tail != p->head) {
            u64 at = p->tail % PIPE_BYTES;
            usize step = MIN(MIN(p->head - p->tail, PIPE_BYTES - at), n - done);
            error = copy_out(buf + done, bytes + at, step);
            if (!error) {
                p->tail += step;
                done += step;
            }
        }
        waitq_wake_all(&p->writers);
    } else if (park_killed()) {
        error = -EINTR;
    }
    mutex_unlock(&p->lock);
    return done ? done : error;
}

static long pipe_write(struct file *f, uaddr buf, usize n) {
    struct pipe *p = f->data;
    char *bytes = frame_kva(p->frame);
    long done = 0, error = 0;
    mutex_lock(&p->lock);
    while (!error && (usize)done < n) {
        if (!await_room(p, n <= PIPE_BYTES ? n - done : 1)) {
            error = p->read_open ? -EINTR : -EPIPE;
            break;
        }
        u64 at = p->head % PIPE_BYTES;
        usize step = MIN(MIN(room(p), PIPE_BYTES - at), n - done);
        error = copy_in(bytes + at, buf + done, step);
        if (!error) {
            p->head += step;
            done += step;
            waitq_wake_all(&p->readers);
        }
    }
    mutex_unlock(&p->lock);
    if (error == -EPIPE) { proc_kill(proc_self(), SIGPIPE); }
    return done ? done : error;
}

static void pipe_close(struct file *f) {
    struct pipe *p = f->data;
    if (!p) { return; }  // pipe_create lacked something
    mutex_lock(&p->lock);
    if (f->flags == O_RDONLY) {
        p->read_open = false;
    } else {
        p->write_open = false;
    }
    waitq_wake_all(&p->readers);
    waitq_wake_all(&p->writers);
    mutex_unlock(&p->lock);
    if (refcount_put(&p->ends)) {  // the other end's mutex_unlock is over, too
        atomic_sub_relaxed(&frames, 1ul);
        frame_release(p->frame);
        cache_free(&pipe_cache, p);
    }
}

long pipe_create(struct file **r, struct file **w) {
    static const struct file_ops ops = {.read = pipe_read, .write = pipe_write, .close = pipe_close};
    static struct inode inode = {.mode = S_IFIFO | 0600};  // of all pipes
    struct pipe *p = cache_alloc(&pipe_cache);
    frame_t frame = frame_alloc(FRAME_KERNEL);
    *r = file_new(&ops, &inode, O_RDONLY);
    *w = file_new(&ops, &inode, O_WRONLY);
    if (!p || !frame || !*r || !*w) {
        if (p) { cache_free(&pipe_cache, p); }
        if (frame) { frame_release(frame); }
        if (*r) { file_put(*r); }
        if (*w) { file_put(*w); }
        return -ENOMEM;
    }
    *p = (struct pipe){.read_open = true, .write_open = true, .ends = 2, .frame = frame};
    mutex_init(&p->lock, RANK_PIPE);
    waitq_init(&p->readers);
    waitq_init(&p->writers);
    (*r)->data = (*w)->data = p;
    atomic_add_relaxed(&frames, 1ul);
    return 0;
}
