// SPDX-License-Identifier: MIT
// sys_mem.c - the calls that shape a process's memory.
#include "lib/errno.h"
#include "proc/proc.h"
#include "syscall/syscall.h"

enum { MAP_PRIVATE = 2, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20, MAP_NORESERVE = 0x4000,
       MAP_POPULATE = 0x8000, MAP_STACK = 0x20000, MAP_FIXED_NOREPLACE = 0x100000 };
#define MAP_HINTS (MAP_NORESERVE | MAP_POPULATE | MAP_STACK)  // not needed, and allowed

long sys_brk(uaddr want) { return as_brk(as_self(), want); }

long sys_mmap(uaddr addr, usize len, int prot, int flags, int fd, long off) {
    (void)fd;
    if (prot & ~7 || flags & ~(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_HINTS) ||
        !(flags & MAP_PRIVATE) || off & (PAGE_SIZE - 1) || !len) {
        return -EINVAL;
    }
    if (!(flags & MAP_ANONYMOUS)) { return -ENODEV; }
    if (len > USER_TOP) { return -ENOMEM; }
    if ((prot & 6) == 6) { return -EACCES; }  // never writable and executable at once
    len = ALIGN_UP(len, PAGE_SIZE);
    if (flags & MAP_FIXED_NOREPLACE) {
        long error = as_map(as_self(), addr, len, prot, NULL, 0, 0);
        return error ? error : (long)addr;
    }
    return flags & MAP_FIXED ? as_map_fixed(as_self(), addr, len, prot)
                             : as_map_anywhere(as_self(), addr, len, prot);
}

// A range of whole pages within the user's half. `len` is rounded up.
static bool pages_ok(uaddr addr, usize *len) {
    *len = ALIGN_UP(*len, PAGE_SIZE);
    return addr < USER_TOP && *len <= USER_TOP - addr;
}

long sys_mprotect(uaddr addr, usize len, int prot) {
    if (addr & (PAGE_SIZE - 1) || prot & ~7) { return -EINVAL; }
    if (!len) { return 0; }
    if (len > USER_TOP || !pages_ok(addr, &len)) { return -ENOMEM; }
    if ((prot & 6) == 6) { return -EACCES; }  // as mmap
    return as_protect(as_self(), addr, len, prot);
}

enum { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE = 8 };

// What is free to be discarded is discarded at once.
long sys_madvise(uaddr addr, usize len, int advice) {
    bool discard = advice == MADV_DONTNEED || advice == MADV_FREE;
    if (addr & (PAGE_SIZE - 1) || (!discard && (advice < MADV_NORMAL || advice > MADV_WILLNEED))) { return -EINVAL; }
    if (!len) { return 0; }
    if (len > USER_TOP || !pages_ok(addr, &len)) { return -ENOMEM; }
    return discard ? as_discard(as_self(), addr, len) : 0;
}

long sys_munmap(uaddr addr, usize len) { return as_unmap(as_self(), addr, len); }
