// SPDX-License-Identifier: MIT
// as.h - address spaces: regions, and the page tables that cache what has been populated.
//
// Invariants S1 a valid leaf lies in a region; W or COW only if the region is writable; never both.
//            S2 W only if the frame's count is 1 (all user memory is private, so far).
//            S3 as->harts has the bit of every hart whose satp or TLB may hold this space.
// Locking    as->lock (rank AS, a mutex) for regions, tables and every change of an entry. Whoever
//            holds it keeps fork of this space out: that is what makes frame_sole() trustworthy.
#pragma once
#include "mm/frame.h"
#include "mm/region.h"
#include "riscv/pte.h"
#include "sync/mutex.h"

struct as {
    struct mutex lock;
    frame_t root;
    pte_t *table;  // the root, where the kernel sees it
    u64 harts;  // (a) bit i: hart i may hold translations
    u32 users;    // (a) threads, and whoever builds it: as_put
    u32 audited;  // the last audit that has seen it
    struct list regions;
    struct region *hint;
    u64 brk_start, brk;
    u64 rss;  // user frames mapped
} cacheline_aligned;

void as_init(void);  // boot: the caches
struct as *as_create(void) must_check;  // empty; NULL: no memory
void as_destroy(struct as *as);         // => no hart uses it (S3: harts == 0)
void as_get(struct as *as);             // one user more. => the caller is one, or has it from one
// The last one's destroys it. => the caller's thread has left it (as_switch) if it was ever in it
void as_put(struct as *as);
// Make `as` (NULL: none, the kernel's own root) the one that this hart translates by.
void as_switch(struct as *as);

// All return 0 or -errno, take the lock themselves, and want page-aligned addresses.
long as_map(struct as *as, u64 start, u64 len, u32 prot, struct backing *b, u64 off, u64 bytes);
long as_map_anywhere(struct as *as, u64 hint, u64 len, u32 prot);  // the address or -errno
long as_map_fixed(struct as *as, u64 start, u64 len, u32 prot);    // over whatever is there
long as_unmap(struct as *as, u64 start, u64 len);
u64 as_brk(struct as *as, u64 want);  // Linux's brk: the break that holds afterwards

// Copy-on-write copy of `parent`. NULL: no memory, and the parent as good as before. (fork.c)
struct as *as_fork(struct as *parent) must_check;

enum access { ACCESS_READ = PROT_READ, ACCESS_WRITE = PROT_WRITE, ACCESS_EXEC = PROT_EXEC };

// Resolve a fault at va. 0: try again; -EFAULT: not allowed; -ENOMEM. (fault.c)
int as_fault(struct as *as, u64 va, enum access access);
// The kernel address of a page of `as`, populated for writing, or NULL: for exec, which fills in a
// stack that nobody runs on yet.
void *as_populate(struct as *as, u64 va) must_check;
