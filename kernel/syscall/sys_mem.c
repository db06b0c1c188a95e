// SPDX-License-Identifier: MIT
// sys_mem.c - the calls that shape a process's memory.
#include "fs/file.h"
#include "lib/errno.h"
#include "mm/reclaim.h"
#include "proc/proc.h"
#include "syscall/syscall.h"

enum { MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_SHARED_VALIDATE = 3, MAP_TYPE = 15, MAP_FIXED = 0x10,
       MAP_ANONYMOUS = 0x20, MAP_NORESERVE = 0x4000, MAP_POPULATE = 0x8000, MAP_STACK = 0x20000,
       MAP_FIXED_NOREPLACE = 0x100000 };
#define MAP_HINTS (MAP_NORESERVE | MAP_POPULATE | MAP_STACK)  // not needed, and allowed

long sys_brk(uaddr want) { return as_brk(as_self(), want); }

// 0, or why the file cannot be mapped so.
static long refuse(const struct file *f, struct region *r) {
    if (!f) { return -EBADF; }
    if (!inode_is_file(f->inode) || f->inode->device) { return -ENODEV; }
    if ((f->flags & O_ACCMODE) == O_WRONLY) { return -EACCES; }
    if (r->shared && (f->flags & O_ACCMODE) != O_RDWR) { r->never = PROT_WRITE; }
    return r->prot & r->never ? -EACCES : 0;
}

// Find what the region shows, if that is not memory of its own. 0, with a reference to it, or -errno.
static long find_backing(struct region *r, bool anonymous, int fd) {
    if (anonymous) {
        if (r->shared) { r->backing = backing_create(r->file_bytes); }
        return r->shared && !r->backing ? -ENOMEM : 0;
    }
    struct fd f = fd_get(thread_self()->files, fd);
    long error = refuse(f.file, r);
    if (!error) {
        r->backing = inode_backing(f.file->inode);
        backing_get(r->backing);
    }
    fd_put(f);
    return error;
}

long sys_mmap(uaddr addr, usize len, int prot, int flags, int fd, long off) {
    int type = flags & MAP_TYPE;
    bool exact = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE), anonymous = flags & MAP_ANONYMOUS;
    if (prot & ~7 || flags & ~(MAP_TYPE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_HINTS) ||
        type < MAP_SHARED || type > MAP_SHARED_VALIDATE || off < 0 || off & (PAGE_SIZE - 1) || !len) {
        return -EINVAL;
    }
    if (len > USER_TOP || addr > USER_TOP || (u64)off > USER_TOP) { return -ENOMEM; }
    if ((prot & 6) == 6) { return -EACCES; }  // never writable and executable at once
    if (!exact) { addr = ALIGN_DOWN(addr, PAGE_SIZE); }
    len = ALIGN_UP(len, PAGE_SIZE);
    struct region r = {.start = addr, .end = addr + len, .prot = prot, .shared = type != MAP_PRIVATE};
    if (!anonymous || r.shared) {
        r.file_off = anonymous ? 0 : off;
        r.file_bytes = len;
    }
    long at = find_backing(&r, anonymous, fd);
    if (at) { return at; }
    at = as_map(as_self(), &r, flags & MAP_FIXED_NOREPLACE ? AS_VACANT : flags & MAP_FIXED ? AS_OVER : AS_HINT);
    backing_put(r.backing);
    return at;
}

// A range of whole pages within the user's half. `len` is rounded up.
static bool pages_ok(uaddr addr, usize *len) {
    if (*len > USER_TOP) { return false; }
    *len = ALIGN_UP(*len, PAGE_SIZE);
    return addr < USER_TOP && *len <= USER_TOP - addr;
}

long sys_mprotect(uaddr addr, usize len, int prot) {
    if (addr & (PAGE_SIZE - 1) || prot & ~7) { return -EINVAL; }
    if (!len) { return 0; }
    if (!pages_ok(addr, &len)) { return -ENOMEM; }
    if ((prot & 6) == 6) { return -EACCES; }  // as mmap
    return as_protect(as_self(), addr, len, prot);
}

enum { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE = 8, MADV_PAGEOUT = 21 };

// What is free to be discarded is discarded at once.
long sys_madvise(uaddr addr, usize len, int advice) {
    bool discard = advice == MADV_DONTNEED || advice == MADV_FREE;
    bool known = discard || advice == MADV_PAGEOUT || (advice >= MADV_NORMAL && advice <= MADV_WILLNEED);
    if (addr & (PAGE_SIZE - 1) || !known) { return -EINVAL; }
    if (!len) { return 0; }
    if (!pages_ok(addr, &len)) { return -ENOMEM; }
    if (advice == MADV_PAGEOUT) {
        long pages = reclaim_range(as_self(), addr, addr + len);
        return MIN(pages, 0l);
    }
    return discard ? as_discard(as_self(), addr, len, advice == MADV_FREE) : 0;
}

long sys_munmap(uaddr addr, usize len) { return as_unmap(as_self(), addr, len); }

enum { MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2 };

long sys_mremap(uaddr old, usize old_len, usize len, int flags, uaddr to) {
    bool fixed = flags & MREMAP_FIXED, may_move = flags & MREMAP_MAYMOVE;
    if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED) || (fixed && !may_move) || old & (PAGE_SIZE - 1) || !len || !old_len) {
        return -EINVAL;
    }
    if (len > USER_TOP || old_len > USER_TOP) { return -ENOMEM; }
    len = ALIGN_UP(len, PAGE_SIZE);
    if (!pages_ok(old, &old_len)) { return -EFAULT; }
    if (!fixed) { return as_remap(as_self(), old, old_len, len, may_move, 0); }
    bool apart = to + len <= old || old + old_len <= to;
    if (to & (PAGE_SIZE - 1) || to < USER_MIN || to > USER_LIMIT || len > USER_LIMIT - to || !apart) { return -EINVAL; }
    return as_remap(as_self(), old, old_len, len, true, to);
}
