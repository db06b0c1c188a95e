// SPDX-License-Identifier: MIT
// diskfile.c - disks as files: any number of bytes at any place, page by page through a bounce page.
//
// Model      a disk's page p has one bounce page, p modulo their number, all made at boot. Reading fills it and
//            copies out; writing copies in and writes it, and fills it before if the piece is not the whole page.
//            Nothing is kept: every access is one of the disk.
// Locking    file->lock over a call: the offset. The bounce page's lock over a piece: two who write parts of
//            one page do not undo each other. User memory is touched under both, so both are outside of AS.
#include "dev/diskfile.h"
#include "dev/disk.h"
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/kvm.h"
#include "mm/uaccess.h"
#include "proc/sched.h"
#include "sync/mutex.h"

#define BOUNCES 32

static struct bounce {
    struct mutex lock;
    char *page;  // (lock)
} *bounces[26];  // by the file's unit

// The piece of one page that begins at f->offset: how long it is, of n bytes.
static usize piece(struct file *f, usize n) {
    u64 at = f->offset, size = inode_size(f->inode);
    return at < size ? MIN(MIN(n, size - at), PAGE_SIZE - at % PAGE_SIZE) : 0;
}

// => b->lock held
static long read_piece(struct disk *d, struct bounce *b, u64 at, uaddr buf, usize n) {
    frame_t f = frame_from_kva(b->page);
    long error = disk_read(d, at / PAGE_SIZE * PAGE_SECTORS, &f, 1);
    return error ? error : copy_out(buf, b->page + at % PAGE_SIZE, n);
}

// => b->lock held
static long write_piece(struct disk *d, struct bounce *b, u64 at, uaddr buf, usize n, bool whole) {
    frame_t f = frame_from_kva(b->page);
    u64 sector = at / PAGE_SIZE * PAGE_SECTORS;
    long error = whole ? 0 : disk_read(d, sector, &f, 1);
    error = error ? error : copy_in(b->page + at % PAGE_SIZE, buf, n);
    return error ? error : disk_write(d, sector, &f, 1);
}

static long move_piece(struct file *f, uaddr buf, usize n, bool write) {
    u64 at = f->offset;
    struct disk *d = disk_get(f->inode->unit);
    struct bounce *b = &bounces[f->inode->unit][at / PAGE_SIZE % BOUNCES];
    bool whole = at % PAGE_SIZE == 0 && (n == PAGE_SIZE || at + n == inode_size(f->inode));
#ifdef MUTANT_bounce_early  // "the disk orders its requests"
    mutex_lock(&b->lock);
    mutex_unlock(&b->lock);
    return write ? write_piece(d, b, at, buf, n, whole) : read_piece(d, b, at, buf, n);
#endif
    mutex_lock(&b->lock);
    long error = write ? write_piece(d, b, at, buf, n, whole) : read_piece(d, b, at, buf, n);
    mutex_unlock(&b->lock);
    return error;
}

static long move(struct file *f, uaddr buf, usize n, bool write) {
    long error = 0;
    usize done = 0, step;
    mutex_lock(&f->lock);
    while (!error && (step = piece(f, n - done)) && sched_go_on()) {
        error = move_piece(f, buf + done, step, write);
        if (!error) {
            f->offset += step;
            done += step;
        }
    }
    mutex_unlock(&f->lock);
    return done ? (long)done : error;
}

static long diskfile_read(struct file *f, uaddr buf, usize n) { return move(f, buf, n, false); }

static long diskfile_write(struct file *f, uaddr buf, usize n) {
    long done = move(f, buf, n, true);
    return n && done == 0 ? -ENOSPC : done;
}

static long diskfile_sync(struct file *f) { return disk_flush(disk_get(f->inode->unit)); }

static void make(u32 unit) {
    static const struct file_ops ops = {.read = diskfile_read, .write = diskfile_write, .sync = diskfile_sync};
    char path[] = "dev/vda", *pages = boot_alloc((BOUNCES + 1) * PAGE_SIZE);
    path[strlen(path) - 1] += unit;
    struct inode *i = inode_make_device(path, S_IFBLK | 0666, &ops);
    i->unit = unit;
    i->backing.size = disk_sectors(disk_get(unit)) * SECTOR_SIZE;
    bounces[unit] = boot_alloc(BOUNCES * sizeof(struct bounce));
    pages = (char *)ALIGN_UP((u64)pages, PAGE_SIZE);
    for (u32 b = 0; b < BOUNCES; b++) {
        mutex_init(&bounces[unit][b].lock, RANK_BOUNCE);
        bounces[unit][b].page = pages + b * PAGE_SIZE;
    }
}

void diskfile_boot(void) {
    for (u32 unit = 0; unit < disk_count(); unit++) { make(unit); }
}
