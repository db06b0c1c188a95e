// SPDX-License-Identifier: MIT
// mmu.c - a fake hart's translation: satp, a page table walker, and a TLB as unkind as the
// specification allows (Privileged spec 10.2.1).
//
// TLB        keeps what a walk found, invalid entries included, under the ASID in satp (the kernel's half: as
//            global), until a fence drops it or another page takes its place. Nothing is dropped for being
//            old, nor for a write to satp: what has the ASID is used, whatever root it came from.
// Walks      where leaf tables lie is kept apart, and survives a fence of one page: that orders leaf
//            entries only.
// Access     translation and access are one instruction: no interrupt comes between them, but time
//            may pass.
// Ordering   the walker loads entries with acquire: it stands for the address dependency of the
//            hardware's walk, and pairs with the release of pagetable.c and fault.c.
#include <sched.h>
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/cursor.h"
#include "mm/uaccess.h"
#include "riscv/csr.h"
#include "sync/atomic.h"
#include "test/host/host.h"

#define KEPT 1024  // more than a test maps, so that little is displaced
#define FAULTS_MAX 10000
#define GLOBAL 0xffffu  // in the place of an ASID

struct translation {
    u64 page;  // its number + 1; 0: unused
    u32 asid;
    pte_t leaf;
};

struct walk {
    u64 table;  // number of the 2 MiB that the leaf table maps, + 1
    u32 asid;
    const pte_t *entries;
};

u64 mmu_asids = 7;
static __thread struct {
    u64 satp, root;
    u32 asid;
    struct translation kept[KEPT];
    struct walk walks[KEPT];
} mmu;

void host_write_satp(u64 satp) {
    mmu.satp = satp & ~((SATP_ASIDS & ~mmu_asids) << SATP_ASID_SHIFT);
    mmu.root = (satp & ((1ul << 44) - 1)) << PAGE_SHIFT;
    mmu.asid = mmu.satp >> SATP_ASID_SHIFT & SATP_ASIDS;
}

u64 host_read_satp(void) { return mmu.satp; }

// Under which ASID the hart has what it finds now.
static u32 tag_of(u64 va) { return va < USER_TOP ? mmu.asid : GLOBAL; }

static struct translation *place(u64 va, u32 asid) { return &mmu.kept[((va >> PAGE_SHIFT) + asid * 61ul) % KEPT]; }

void sfence_page_of(u64 va, u64 asid) {
    struct translation *t = place(va, asid);
    if (t->page == (va >> PAGE_SHIFT) + 1 && t->asid == asid) { t->page = 0; }
}

void sfence_page(u64 va) {
    for (u64 asid = 0; asid <= mmu_asids; asid++) { sfence_page_of(va, asid); }
    sfence_page_of(va, GLOBAL);
}

// Its own hart only: nothing to race with.
__attribute__((no_sanitize("thread"))) static void forget(u64 asid, bool all) {
    for (u32 i = 0; i < KEPT; i++) {
        struct translation *t = &mmu.kept[i];
        struct walk *w = &mmu.walks[i];
        t->page = all || t->asid == asid ? 0 : t->page;
        w->table = all || w->asid == asid ? 0 : w->table;
    }
}

void sfence_space(u64 asid) { forget(asid, false); }

void sfence_all(void) { forget(0, true); }

u64 translations_kept(void) {
    u64 n = 0;
    for (u32 i = 0; i < KEPT; i++) { n += mmu.kept[i].page && mmu.kept[i].asid == mmu.asid; }
    return n;
}

static const pte_t *leaf_table(u64 va) {
    u32 asid = tag_of(va);
    struct walk *w = &mmu.walks[((va >> 21) + asid * 61ul) % KEPT];
    if (w->table == (va >> 21) + 1 && w->asid == asid) { return w->entries; }
    u64 table = mmu.root;
    for (int level = PT_LEVELS - 1; level > 0; level--) {
        pte_t e = atomic_load_acquire(&((pte_t *)pa_to_kva(table))[pt_index(va, level)]);
        if (!(e & PTE_V)) { return NULL; }
        table = pte_pa(e);
    }
    *w = (struct walk){(va >> 21) + 1, asid, pa_to_kva(table)};
    return w->entries;
}

static pte_t translate(u64 va) {
    u32 asid = tag_of(va);
    struct translation *t = place(va, asid);
    if (t->page != (va >> PAGE_SHIFT) + 1 || t->asid != asid) {
        const pte_t *table = leaf_table(va);
        t->leaf = table ? atomic_load_acquire(&table[pt_index(va, 0)]) : 0;
        t->page = (va >> PAGE_SHIFT) + 1;
        t->asid = asid;
    }
    return t->leaf;
}

bool kernel_reaches(u64 va) {
    pte_t e = translate(va);
    return e & PTE_V && e & PTE_R && e & PTE_W && !(e & PTE_U);
}

// Where va lies for one access now, after as many faults as it takes.
static int resolve(u64 va, enum access access, void **at) {
    u64 need = PTE_V | PTE_U | (access == ACCESS_WRITE ? PTE_W : PTE_R);
    for (u32 i = 0; i < FAULTS_MAX; i++) {
        hart_poll();
        pte_t e = translate(va);
        if ((e & need) == need) {
            *at = (char *)pa_to_kva(pte_pa(e)) + va % PAGE_SIZE;
            if (hart_random() % 64 == 0) { sched_yield(); }
            return 0;
        }
        int error = as_fault(this_hart()->active_as, va, access);
        if (error) { return error; }
    }
    panic("%lx: no end of faults", va);
}

int user_load(u64 va, u64 *value) {
    void *at;
    int error = resolve(va, ACCESS_READ, &at);
    if (!error) { *value = atomic_load_relaxed((u64 *)at); }
    return error;
}

int user_store(u64 va, u64 value) {
    void *at;
    int error = resolve(va, ACCESS_WRITE, &at);
    if (!error) { atomic_store_relaxed((u64 *)at, value); }
    return error;
}

u64 user_get(u64 va) {
    u64 value = 0;
    EXPECT(user_load(va, &value) == 0);
    return value;
}

void user_put(u64 va, u64 value) { EXPECT(user_store(va, value) == 0); }

// ---- uaccess.S's part ----

char uaccess_begin[2], uaccess_failed[1], uaccess_peek_begin[2];
extern char uaccess_end[], uaccess_peek_end[];
__asm__(".globl uaccess_end\n.set uaccess_end, uaccess_begin + 1");
__asm__(".globl uaccess_peek_end\n.set uaccess_peek_end, uaccess_peek_begin + 1");
int uaccess_peek(u32 *d, uaddr s);
int uaccess_copy(void *d, const void *s, usize n);

// One of the two is user memory; a byte at a time, as uaccess.S does where words do not fit.
int uaccess_copy(void *d, const void *s, usize n) {
    bool out = (u64)d < USER_TOP;
    for (usize i = 0; i < n; i++) {
        void *at;
        int error = resolve((out ? (u64)d : (u64)s) + i, out ? ACCESS_WRITE : ACCESS_READ, &at);
        if (error) { return error; }
        if (out) {
            atomic_store_relaxed((u8 *)at, ((const u8 *)s)[i]);
        } else {
            ((u8 *)d)[i] = atomic_load_relaxed((u8 *)at);
        }
    }
    return 0;
}

// A word that the hardware would find: nobody resolves anything.
int uaccess_peek(u32 *d, uaddr s) {
    pte_t e = translate(s);
    if ((e & (PTE_V | PTE_U | PTE_R)) != (PTE_V | PTE_U | PTE_R)) { return -EFAULT; }
    *d = atomic_load_relaxed((u32 *)((char *)pa_to_kva(pte_pa(e)) + s % PAGE_SIZE));
    return 0;
}
