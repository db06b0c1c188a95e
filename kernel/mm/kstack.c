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
#include "lib/print.h"
#include "mm/kvm.h"
#include "mm/refs.h"
#include "mm/tlb.h"
#include "riscv/pte.h"
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
    u64 recycled;  // chain of free slots; the link stands in `links`
    u32 *links;
} cacheline_aligned;

static u64 slots;  // per hart: no more than memory has room for

static u64 slot_top(u32 hart, u64 slot) {
    return KSTACK_BASE + hart * KSTACK_SPAN + (slot + 1) * KSTACK_STRIDE;
}

void kstack_init(void) {
    slots = MIN(KSTACK_SPAN / KSTACK_STRIDE, frame_count / STACK_PAGES);
    for (u32 i = 0; i < nharts; i++) {
        struct kstack_pool *p = boot_alloc(sizeof(*p));
        spin_init(&p->lock, RANK_KSTACK);
        p->links = boot_alloc(slots * sizeof(u32));
        harts[i]->kstacks = p;
    }
}

// A slot of this hart's span, 1-based, or 0.
static u64 slot_take(struct kstack_pool *p) {
    spin_lock(&p->lock);
    u64 slot = p->recycled;
    if (slot) {
        p->recycled = p->links[slot - 1];
    } else if (p->next < slots) {
        slot = ++p->next;
    }
    spin_unlock(&p->lock);
    return slot;
}

static void slot_give(u64 top) {
    u64 offset = top - KSTACK_STRIDE - KSTACK_BASE;
    struct kstack_pool *owner = harts[offset / KSTACK_SPAN]->kstacks;
    u64 slot = offset % KSTACK_SPAN / KSTACK_STRIDE + 1;
    spin_lock(&owner->lock);
    owner->links[slot - 1] = owner->recycled;
    owner->recycled = slot;
    spin_unlock(&owner->lock);
}

static u32 stack_unhook(u64 top, frame_t *frames) {
    u32 n = 0;
    for (u64 va = top - KSTACK_SIZE; va < top; va += PAGE_SIZE) {
        u64 *e = kvm_stack_entry(va, false);
        if (e && *e & PTE_V) {
            frames[n++] = frame_of_pte(*e);
            ghost_change(e, *e = 0);
        }
    }
    return n;
}

void kstack_fence(u64 top) {
    for (u64 va = top - KSTACK_SIZE; va < top; va += PAGE_SIZE) { sfence_page(va); }
}

// Map the stack of a new slot. The addresses were not valid since the last shootdown that covered
// them, so no hart holds an old translation.
static bool stack_map(struct kstack_pool *p, u64 top) {
    for (u64 va = top - KSTACK_SIZE; va < top; va += PAGE_SIZE) {
        p->tables += kvm_stack_entry(va, false) == NULL;
        u64 *e = kvm_stack_entry(va, true);
        p->tables -= e == NULL;
        frame_t f = e ? frame_alloc(FRAME_KERNEL) : FRAME_NONE;
        if (!f) {
            frame_t frames[STACK_PAGES];
            u32 n = stack_unhook(top, frames);
            if (n) {  // any hart may have looked them up already
                tlb_shootdown_kernel(top - KSTACK_SIZE, STACK_PAGES);
            }
            while (n) { frame_release(frames[--n]); }
            return false;
        }
#ifdef MUTANT_M04  // the kernel's mappings are counted as well
        frame_get(f);
#endif
        ghost_change(e, *e = pte_make(frame_pa(f), PTE_V | PTE_R | PTE_W | PTE_G | PTE_A | PTE_D));
    }
    p->stacks++;
    return true;
}

static u64 make_stack(struct kstack_pool *p) {
    u64 slot = slot_take(p);
    if (!slot) { return 0; }
    u64 top = slot_top(this_hart()->index, slot - 1);
    if (!stack_map(p, top)) {
        slot_give(top);
        return 0;
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

static noinline void unmap_batch(struct kstack_pool *p) {
    u64 tops[UNMAP_BATCH];
    frame_t frames[UNMAP_BATCH * STACK_PAGES];
    u32 n = 0;
    for (u32 i = 0; i < UNMAP_BATCH; i++) {
        tops[i] = p->loose[--p->nloose];
        n += stack_unhook(tops[i], frames + n);
        p->stacks--;
    }
#ifdef MUTANT_W06  // this hart only
    tlb_fence_all();
#else
    tlb_shootdown_kernel(0, 0);
#endif
    while (n) { frame_release(frames[--n]); }
    for (u32 i = 0; i < UNMAP_BATCH; i++) { slot_give(tops[i]); }
}

void kstack_free(u64 top) {
    struct kstack_pool *p = this_hart()->kstacks;
    if (p->nloose == LOOSE_MAX) { unmap_batch(p); }
    p->loose[p->nloose++] = top;
}

u64 kstack_frames(void) {
    u64 n = 0;
    for (u32 i = 0; i < nharts; i++) {
        n += harts[i]->kstacks->stacks * STACK_PAGES + harts[i]->kstacks->tables;
    }
    return n;
}
