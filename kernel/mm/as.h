// SPDX-License-Identifier: MIT
// as.h - address spaces: a map of regions, and the page tables that cache what has been populated.
//
// Invariants S1 a valid leaf lies in a region; W or COW only if the region is writable; never both.
//            S2 W only if the frame's count is 1, or it is borrowed and the region shared.
//            S3 as->harts has the bit of every hart whose satp may hold this space. (Of what TLBs hold of it
//               beside that nobody makes use: tlb.h.)
// Locking    as->lock (rank AS, a mutex) for the map and for changes of more than one table: fork, unmap.
//            A fault takes it only to wait, where something is being changed (as_busy). It holds the lock of one
//            leaf table (cursor.h), on a path that is owned, which is what makes frame_sole() trustworthy there.
#pragma once
#include "mm/frame.h"
#include "mm/region.h"
#include "riscv/pte.h"
#include "sync/mutex.h"

#define AS_HOMELESS 0xffffu

struct as {
    // Read by every fault.
    frame_t root;
    pte_t *table;        // the root, where the kernel sees it
    struct region_node *map;  // (a) written under the lock
    u64 busy;            // (a) a range of pages, first << 32 | end: see as_busy; written under the lock
    u64 harts;           // (a) bit i: hart i may make use of translations
    u32 users;           // (a) threads, and whoever builds it: as_put
    u32 audited;         // the last audit that has seen it
    // (lock)
    cacheline_aligned struct mutex lock;
    u64 brk_start, brk;
    u64 hand;            // where reclaim looks next
    struct region_node *old_maps[8];  // versions that a fault on another hart may be looking at
    u32 nold_maps;
    // (the lock of the list: see as_pick)
    struct list link;    // in that of the hart that made it
    u16 home;            // the hart whose list that is, or AS_HOMELESS: not adopted
    // What harts keep of it when they leave (tlb.h).
    cacheline_aligned u64 generation;  // (a) raised by each change that takes away what a hart may hold
    u64 id;              // no other space has it, nor will have it
    u8 asid[HART_MAX];   // [i]: which ASID of hart i it had last; written there
} cacheline_aligned;

void as_init(void);  // boot: the caches
struct as *as_create(void) must_check;  // empty; NULL: no memory. For audits it is the caller's, until ...
void as_adopt(struct as *as);           // ... it is a process's from now on
void as_destroy(struct as *as);         // => no hart uses it (S3: harts == 0), nor does a process
void as_get(struct as *as);             // one user more. => the caller is one, or has it from one
// The last one's destroys it. => the caller's thread has left it (as_switch) if it was ever in it
void as_put(struct as *as);
// Spaces that are adopted are in lists, one of each hart's, so that reclaim and audits find them: what is being built,
// copied or given up again belongs to one thread, which relies on that. How many hart h has adopted, about; one
// of them with a count for the caller, which is the last one to be picked again (NULL: there is none).
u32 as_population(u32 h);
struct as *as_pick(u32 h) must_check;
void as_each(void (*fn)(struct as *, void *), void *arg);  // => all harts stand still
// Make `as` (NULL: none, the kernel's own root) the one that this hart translates by. (asid.c)
void as_switch(struct as *as);

// Where a region comes to lie: at its addresses if nothing is there; over what is there; there if nothing is, or
// else anywhere (it may begin at 0 then).
enum as_where { AS_VACANT, AS_OVER, AS_HINT };
// Its address, or -EEXIST, -EINVAL, -ENOMEM.
long as_map(struct as *as, const struct region *r, enum as_where where);
// Private memory: the same.
static inline long as_map_memory(struct as *as, u64 start, u64 len, u32 prot, enum as_where where) {
    struct region r = {.start = start, .end = start + len, .prot = prot};
    return as_map(as, &r, where);
}
static inline long as_map_fixed(struct as *as, u64 start, u64 len, u32 prot) {
    return as_map_memory(as, start, len, prot, AS_OVER);
}
static inline long as_map_anywhere(struct as *as, u64 hint, u64 len, u32 prot) {
    return as_map_memory(as, ALIGN_DOWN(hint, PAGE_SIZE), len, prot, AS_HINT);
}

long as_unmap_locked(struct as *as, u64 start, u64 end);  // => as->lock
// All return 0 or -errno, take the lock themselves, and want whole pages of the user's half; but as_unmap judges for
// itself what it is given, as munmap(2).
long as_unmap(struct as *as, u64 start, u64 len);
// mremap(2): [old, old + old_len) gets another length, and another place: `to`, over what is there, or anywhere if it
// may move, and has to. The address; -EFAULT: it is not all of one region. (remap.c)
long as_remap(struct as *as, u64 old, u64 old_len, u64 len, bool may_move, u64 to);
long as_protect(struct as *as, u64 start, u64 len, u32 prot);       // (protect.c)
// The pages; the addresses stay, and are as new. `own`: -EINVAL where a file or shared memory is shown.
long as_discard(struct as *as, u64 start, u64 len, bool own);
u64 as_brk(struct as *as, u64 want);  // Linux's brk: the break that holds afterwards

u64 as_pages(struct as *as);  // that it has, in memory or not

// Pages of [start, end) that are not there must not be made, although the map says so, or will: what was there before
// is still to be taken away, or to be moved. Who faults waits for the lock. => as->lock; before the map is published
static inline void as_busy(struct as *as, u64 start, u64 end) {
    atomic_store_relaxed(&as->busy, start >> PAGE_SHIFT << 32 | end >> PAGE_SHIFT);
}
static inline void as_idle(struct as *as) { atomic_store_relaxed(&as->busy, 0ul); }
static inline bool as_is_busy(struct as *as, u64 va) {
    u64 busy = atomic_load_relaxed(&as->busy), page = va >> PAGE_SHIFT;
    return unlikely(busy) && page >= busy >> 32 && page < (u32)busy;
}

// The map has got a new version: drop the old one when nobody looks at it any more. => as->lock
void as_retire_map(struct as *as, struct region_node *old);
void as_forget_maps(struct as *as);  // => nobody looks

// Copy-on-write copy of `parent`. NULL: no memory, and the parent as good as before. Both own the ways to the `n`
// addresses at `soon`, which they will use at once: not for want of a table will they end there. (fork.c)
struct as *as_fork(struct as *parent, const u64 *soon, u32 n) must_check;
struct as *as_fork_eagerly(struct as *parent) must_check;  // the same by copying all

enum access { ACCESS_READ = PROT_READ, ACCESS_WRITE = PROT_WRITE, ACCESS_EXEC = PROT_EXEC };

// Resolve a fault at va. 0: try again; -EFAULT: not allowed; -ENOMEM. (fault.c)
int as_fault(struct as *as, u64 va, enum access access);
// The kernel address of a page of `as`, populated for writing, or NULL: for exec, which fills in a
// stack that nobody runs on yet.
void *as_populate(struct as *as, u64 va) must_check;
