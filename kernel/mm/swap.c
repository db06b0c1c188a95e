// SPDX-License-Identifier: MIT
// swap.c - see swap.h. Counts stand in frames of their own; a slot is free if its count is 0, and found by
// looking at one after the other, from where the last one was.
#include "mm/swap.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/refs.h"
#include "riscv/hart.h"
#include "sync/atomic.h"
#include "sync/ghost.h"

#define PER_FRAME (PAGE_SIZE / sizeof(struct slot))
#define FRAMES_MAX 2048

struct slot {
    u32 count;  // (a)
    u32 audit;  // entries found; 0 between audits
};

static struct {
    struct swap_device *device;  // (a) set when all else is
    u64 slots;
    u32 frames;
    u64 hand;  // (a) where to look for a free one
    struct slot *counts[FRAMES_MAX];
} swap;

bool swap_is_on(void) {
    return atomic_load_acquire(&swap.device);  // pairs with swap_on
}

static u64 number_of(pte_t e) { return e >> 10; }
static struct slot *slot_at(u64 n) { return &swap.counts[n / PER_FRAME][n % PER_FRAME]; }

// ---- on. => one at a time (the caller's lock) ----

static void free_counts(void) {
    while (swap.frames) { frame_release(frame_from_kva(swap.counts[--swap.frames])); }
}

long swap_on(struct swap_device *d, u64 pages) {
    if (swap_is_on()) { return -EBUSY; }
    if (!pages) { return -EINVAL; }
    swap.slots = MIN(pages, FRAMES_MAX * PER_FRAME);
    while (swap.frames * PER_FRAME < swap.slots) {
        frame_t f = frame_alloc_zeroed(FRAME_KERNEL);
        if (!f) {
            free_counts();
            return -ENOMEM;
        }
        swap.counts[swap.frames++] = frame_kva(f);
    }
    atomic_store_release(&swap.device, d);
    return 0;
}

// ---- slots ----

static u64 take(void) {
    for (u64 tries = 0; tries < swap.slots; tries++) {
        u64 n = atomic_add_relaxed(&swap.hand, 1ul) % swap.slots;
        struct slot *s = slot_at(n);
        bool free = atomic_load_relaxed(&s->count) == 0;
        if (free && atomic_cas32_acquire(&s->count, 0, 1)) { return n; }  // pairs with swap_put
    }
    return ~0ul;
}

void swap_get(pte_t swapped) { atomic_add_relaxed(&slot_at(number_of(swapped))->count, 1u); }

void swap_put(pte_t swapped) {
#ifndef MUTANT_slot_kept  // the page is in memory again, and nobody thinks of the slot
#ifdef MUTANT_slot_relaxed  // "only a number"
    u32 old = atomic_sub_relaxed(&slot_at(number_of(swapped))->count, 1u);
#else
    u32 old = atomic_sub_release(&slot_at(number_of(swapped))->count, 1u);  // pairs with take
#endif
    ASSERT(old, "slot %lu has no count", number_of(swapped));
    (void)old;
#endif
}

u32 swap_count(pte_t swapped) { return atomic_load_relaxed(&slot_at(number_of(swapped))->count); }

// ---- out ----

static pte_t name(u64 slot, pte_t leaf) {
    return slot << 10 | (leaf & (PTE_R | PTE_X | PTE_U)) | (leaf & (PTE_COW | PTE_W) ? PTE_W : 0);
}

// Of slots that follow each other, the longest piece from i on.
static u32 run(const pte_t *swapped, u32 i, u32 n) {
    u32 end = i + 1;
    while (end < n && number_of(swapped[end]) == number_of(swapped[end - 1]) + 1) { end++; }
    return end - i;
}

static long write_runs(const frame_t *frames, const pte_t *swapped, u32 n) {
    long error = 0;
    for (u32 i = 0, step; i < n && !error; i += step) {
        step = run(swapped, i, n);
        error = swap.device->write(swap.device, number_of(swapped[i]), &frames[i], step);
    }
    return error;
}

void swap_written(u32 n) { this_hart()->slots_in_hand -= n; }

long swap_write(const frame_t *frames, const pte_t *leaves, pte_t *swapped, u32 n) {
    long error = 0;
    u32 taken = 0;
    for (u64 slot; taken < n && !error; taken += !error) {
        slot = take();
        error = slot == ~0ul ? -ENOSPC : 0;
        if (!error) { swapped[taken] = name(slot, leaves[taken]); }
    }
    this_hart()->slots_in_hand += taken;
    if (!error) { error = write_runs(frames, swapped, n); }
    if (error) {
        for (u32 i = 0; i < taken; i++) { swap_put(swapped[i]); }
        swap_written(taken);
    }
    return error;
}

// ---- in ----

long swap_read(pte_t swapped, pte_t *leaf) {
    frame_t f = frame_alloc(FRAME_KERNEL);  // nobody maps it while we may sleep
    if (!f) { return -ENOMEM; }
    this_hart()->frames_in_hand++;
    long error = swap.device->read(swap.device, number_of(swapped), &f, 1);
    this_hart()->frames_in_hand--;
    if (error) {
        frame_release(f);
        return error;
    }
    frame_record(f)->class = FRAME_USER;
    ghost_text(f);
    *leaf = pte_make(frame_pa(f), (swapped & (PTE_LEAF | PTE_U)) | PTE_V | PTE_A | PTE_D);
    COUNT(swap_ins);
    return 0;
}

// ---- audits ----

bool swap_visit(pte_t swapped) {
    bool there = swap_is_on() && number_of(swapped) < swap.slots;
    if (there) { slot_at(number_of(swapped))->audit++; }
    return there;
}

u64 swap_compare(u64 *slot) {
    u64 wrong = 0;
    i64 more = 0;
    for (u64 n = 0; swap_is_on() && n < swap.slots; n++) {
        struct slot *s = slot_at(n);
        if (s->count != s->audit) {
            *slot = n;
            more += (i64)s->count - s->audit;
            wrong += s->count != s->audit + 1;  // whoever writes it has it in hand
        }
        s->audit = 0;
    }
    for (u32 i = 0; i < nharts; i++) { more -= harts[i]->slots_in_hand; }
    return wrong + (more != 0);
}

u64 swap_used(void) {
    u64 used = 0;
    for (u64 n = 0; swap_is_on() && n < swap.slots; n++) { used += atomic_load_relaxed(&slot_at(n)->count) != 0; }
    return used;
}

u64 swap_frames(void) {
    u64 n = swap.frames;
    for (u32 i = 0; i < nharts; i++) { n += harts[i]->frames_in_hand; }
    return n;
}
