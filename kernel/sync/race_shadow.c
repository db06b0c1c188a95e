// SPDX-License-Identifier: MIT
// race_shadow.c - the last accesses of every word, and the question whether a new one races with them.
//
// Shadow     four cells for each 8 bytes of memory that the kernel may use: the upper four fifths of
//            each range of memory are taken for it before anybody has them. The image has its own.
//            QEMU's memory is zero at power-on, and so are the cells.
// Cells      are read and written whole, without a lock: two harts at one word may lose a record.
// Stacks     of the kernel are mapped; their shadow is their frames', found through the page table.
#include "config.h"
#include "lib/print.h"
#include "mm/frame.h"
#include "mm/kvm.h"
#include "riscv/pte.h"
#include "sync/atomic.h"
#include "sync/race_internal.h"

#define PER_BYTE (CELLS * sizeof(u64) / 8)
#define WINDOWS 8

extern char __image_start[], __image_end[];

static struct {
    u64 base, bytes;  // physical
    u64 *cells;
} windows[WINDOWS];
static u32 nwindows;

static void window(u64 base, u64 bytes, u64 cells_pa) {
    windows[nwindows].base = base;
    windows[nwindows].bytes = bytes;
    windows[nwindows++].cells = pa_to_kva(cells_pa);
}

void race_reserve(struct mem_range *usable, u32 n) {
    u64 image = (u64)__image_start - IMAGE_BASE + IMAGE_PHYS, bytes = __image_end - __image_start;
    bool image_done = false;
    for (u32 i = 0; i < n && nwindows < WINDOWS - 1; i++) {
        struct mem_range *r = &usable[i];
        if (!image_done && r->end - r->base > bytes * (PER_BYTE + 1)) {
            image_done = true;
            r->end = ALIGN_DOWN(r->end - bytes * PER_BYTE, PAGE_SIZE);
            window(image, bytes, r->end);
        }
        u64 kept = ALIGN_DOWN((r->end - r->base) / (PER_BYTE + 1), PAGE_SIZE);
        r->end = MIN(r->base + kept, r->end);
        window(r->base, kept, r->base + kept);
    }
}

u64 race_shadow_bytes(void) {
    u64 bytes = 0;
    for (u32 i = 0; i < nwindows; i++) {
        bytes += windows[i].bytes * PER_BYTE;
    }
    return bytes;
}

// A kernel stack's address, by the page table; 0 if it is not mapped.
static u64 stack_pa(u64 va) {
    u64 e = kvm_root_pa >> 2;
    for (int level = 2; level >= 0; level--) {
        e = ((u64 *)pa_to_kva(pte_pa(e)))[pt_index(va, level)];
        if (!(e & PTE_V)) {
            return 0;
        }
    }
    return pte_pa(e) | (va & (PAGE_SIZE - 1));
}

static always_inline u64 *cells_of(u64 va) {
    u64 pa = va >= IMAGE_BASE ? va - IMAGE_BASE + IMAGE_PHYS : va >= KSTACK_BASE ? stack_pa(va) : va - DIRECT_BASE;
    for (u32 i = 0; i < nwindows; i++) {
        u64 offset = pa - windows[i].base;
        if (offset < windows[i].bytes) {
            return windows[i].cells + offset / 8 * CELLS;
        }
    }
    return NULL;
}

static bool races(const struct race_context *c, u64 old, u64 mine) {
    return (old | mine) & CELL_WRITE && !(old & mine & CELL_ATOMIC) &&
           c->now.at[cell_id(old)] < cell_epoch(old);
}

// Does remembering `mine` make `old` superfluous? If it covers it and is at least as likely to race.
static bool replaces(u64 mine, u64 old) {
    return !(cell_bytes(old) & ~cell_bytes(mine)) && !(old & CELL_WRITE & ~mine) && !(mine & CELL_ATOMIC & ~old);
}

// Into the cell of an older access that it replaces, else into an empty one, else into any.
static noinline void record(struct race_context *c, u64 va, u64 *cells, u64 mine, u64 pc) {
    if (c->on_foreign_stack && va - (u64)__builtin_frame_address(0) < KSTACK_SIZE) {
        return;  // a handler's own variables, where the interrupted thread has had and will have its own
    }
    u32 empty = CELLS, replaced = CELLS;
    mine |= race_stack_of(c->paths[MIN(c->depth, RACE_DEPTH - 1)], pc);
    for (u32 i = 0; i < CELLS; i++) {
        u64 old = read_once(cells[i]);
        if (!old) {
            empty = i;
        } else if (cell_bytes(old) & cell_bytes(mine)) {
            bool own = cell_id(old) == c->id;
            if (!own && races(c, old, mine)) {
                race_report(c, va, old, mine);
            } else if (replaces(mine, old) && (own || c->now.at[cell_id(old)] >= cell_epoch(old))) {
                replaced = i;
            }
        }
    }
    u32 any = (mine ^ va >> 3) % CELLS;
    write_once(cells[replaced < CELLS ? replaced : empty < CELLS ? empty : any], mine);
}

static always_inline void access_word(struct race_context *c, u64 va, u32 mask, u64 flags, u64 pc) {
    u64 *cells = cells_of(va);
    if (!cells) {
        return;
    }
    u64 mine = CELL_EPOCH(c->now.at[c->id]) | CELL_ID(c->id) | CELL_BYTES(mask) | flags;
    for (u32 i = 0; i < CELLS; i++) {
        if ((read_once(cells[i]) ^ mine) <= CELL_STACK) {
            return;  // the same in the same epoch
        }
    }
    record(c, va, cells, mine, pc);
}

void race_access(struct race_context *c, u64 va, u32 bytes, u64 flags, u64 pc) {
    u32 mask = ((1u << bytes) - 1) << (va & 7);
    access_word(c, va, mask & 255, flags, pc);
    if (unlikely(mask >> 8)) {
        access_word(c, (va | 7) + 1, mask >> 8, flags, pc);
    }
}

void race_range_at(const void *p, usize bytes, bool write, u64 pc) {
    struct race_context *c = this_hart()->race;
    if (!c) {
        return;
    }
    u64 va = (u64)p, end = va + bytes, step = bytes >= PAGE_SIZE ? PAGE_SIZE / 8 : 8;
    while (va < end) {
        u64 next = MIN(ALIGN_DOWN(va, step) + step, end);
        race_access(c, va, MIN(next - va, 8 - (va & 7)), write ? CELL_WRITE : 0, pc);
        va = next;
    }
}
