// SPDX-License-Identifier: MIT
// kstack.c - see kstack.h.
//
// Model      Hart i owns the addresses [KSTACK_BASE + i GiB, + 1 GiB), cut into slots; a stack fills
//            the upper half of its slot. A freed stack stays mapped in the pool of the hart that freed
//            it. When a pool is full, a batch is unmapped: entries cleared, one shootdown of the
//            kernel's half on all harts, frames freed; the addresses go back to their owner.
// Fences     A hart may keep an entry that was invalid when it looked (Privileged spec 10.2.1), and a
//            fault on a kernel stack is the end. So whoever gets a stack fences its addresses
//            (kstack_alloc), and so does each hart that begins to run on it (sched.c).
// Locking    a pool's loose stacks are its hart's own; the free addresses are under the lock.
#include "mm/kstack.h"
#include "mm/kvm.h"
#include "mm/refs.h"
#include "mm/tlb.h"
#include "riscv/pte.h"
#include "sync/race.h"
#include "sync/spin.h"

#define LOOSE_MAX 24
#define UNMAP_BATCH 12
#define STACK_PAGES (KSTACK_SIZE / PAGE_SIZE)

struct kstack_pool {
    u64 loose[LOOSE_MAX];
    u32 nloose;
    u64 stacks;  // made less unmapped, by this hart
    u64 tables;
    struct spin lock;
    u64 next;    // addresses never used start here
    u64 recycled;  // chain of free slots, 0: none; the link stands in `links`
    u32 *links;
} cacheline_aligned;

static u64 slots;  // per hart: no more than memory has room for

void kstack_init(void) {
    slots = MIN(KSTACK_SPAN / KSTACK_STRIDE, frame_count / STACK_PAGES);
    for (u32 i = 0; i < nharts; i++) {
        struct kstack_pool *p = boot_alloc(sizeof(*p));
        spin_init(&p->lock, RANK_KSTACK);
        p->links = boot_alloc((slots + 1) * sizeof(u32));
        harts[i]->kstacks = p;
    }
}

// The top of a slot of this hart's span, or 0.
static u64 slot_take(struct kstack_pool *p) {
    spin_lock(&p->lock);
    u64 slot = p->recycled;
    if (slot) {
        p->recycled = p->links[slot];
    } else if (p->next < slots) {
        slot = ++p->next;
    }
    spin_unlock(&p->lock);
    return slot ? KSTACK_BASE + this_hart()->index * KSTACK_SPAN + slot * KSTACK_STRIDE : 0;
}

static void slot_give(u64 top) {
    u64 offset = top - KSTACK_STRIDE - KSTACK_BASE;
    struct kstack_pool *owner = harts[offset / KSTACK_SPAN]->kstacks;
    u64 slot = offset % KSTACK_SPAN / KSTACK_STRIDE + 1;
    spin_lock(&owner->lock);
    owner->links[slot] = owner->recycled;
    owner->recycled = slot;
    spin_unlock(&owner->lock);
}

// Unmap n stacks, of which any hart may have looked up any address, and give their slots back.
static noinline void unmap(struct kstack_pool *p, const u64 *tops, u32 n) {
    frame_t frames[UNMAP_BATCH * STACK_PAGES];
    u32 nframes = 0;
    for (u32 i = 0; i < n; i++) {
        for (u64 va = tops[i] - KSTACK_SIZE; va < tops[i]; va += PAGE_SIZE) {
            u64 *e = kvm_stack_entry(va, false);
            if (!e || !(*e & PTE_V)) { continue; }
            frames[nframes++] = frame_of_pte(*e);
            ghost_change(e, *e = 0);
        }
    }
#ifdef MUTANT_W06  // this hart only
    tlb_fence_all();
#else
    if (nframes) { tlb_shootdown_kernel(0, 0); }
#endif
    race_stack_unmapped();
    while (nframes) { frame_release(frames[--nframes]); }
    for (u32 i = 0; i < n; i++) { slot_give(tops[i]); }
    p->stacks -= n;
}

void kstack_fence(u64 top) {
    for (u64 va = top - KSTACK_SIZE; va < top; va += PAGE_SIZE) { sfence_page(va); }
}

// A stack in a new slot. The addresses were not valid since the last shootdown that covered them, so
// no hart holds an old translation.
static u64 make_stack(struct kstack_pool *p) {
    u64 top = slot_take(p);
    if (!top) { return 0; }
    p->stacks++;
    for (u64 va = top - KSTACK_SIZE; va < top; va += PAGE_SIZE) {
        p->tables += kvm_stack_entry(va, false) == NULL;
        u64 *e = kvm_stack_entry(va, true);
        p->tables -= e == NULL;
        frame_t f = e ? frame_alloc(FRAME_KERNEL) : FRAME_NONE;
        if (!f) {
            unmap(p, &top, 1);
            return 0;
        }
#ifdef MUTANT_M04  // the kernel's mappings are counted as well
        frame_get(f);
#endif
        ghost_change(e, *e = pte_make(frame_pa(f), PTE_V | PTE_R | PTE_W | PTE_G | PTE_A | PTE_D));
    }
    return top;
}

u64 kstack_alloc(void) {
    struct kstack_pool *p = this_hart()->kstacks;
    if (p->nloose && frame_inject_failure()) { return 0; }
    u64 top = p->nloose ? p->loose[--p->nloose] : make_stack(p);
    if (top) {
#ifndef MUTANT_kstack_unfenced
        kstack_fence(top);
#endif
        ghost_stack(top);
    }
    return top;
}

void kstack_free(u64 top) {
    struct kstack_pool *p = this_hart()->kstacks;
    if (p->nloose == LOOSE_MAX) {
        p->nloose -= UNMAP_BATCH;
        unmap(p, &p->loose[p->nloose], UNMAP_BATCH);
    }
    p->loose[p->nloose++] = top;
}

u64 kstack_frames(void) {
    u64 n = 0;
    for (u32 i = 0; i < nharts; i++) {
        n += harts[i]->kstacks->stacks * STACK_PAGES + harts[i]->kstacks->tables;
    }
    return n;
}
