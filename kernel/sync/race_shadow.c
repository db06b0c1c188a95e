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

static struct window {
    u64 base, bytes;  // physical
    u64 *cells;
} windows[WINDOWS];  // the largest first
static u32 nwindows;
static u64 *image_cells;

static void window(u64 base, u64 bytes, u64 cells_pa) {
    u32 at = nwindows++;
    for (; at && windows[at - 1].bytes < bytes; at--) {
        windows[at] = windows[at - 1];
    }
    windows[at] = (struct window){base, bytes, pa_to_kva(cells_pa)};
}

void race_reserve(struct mem_range *usable, u32 n) {
    u64 image = (u64)__image_start - IMAGE_BASE + IMAGE_PHYS, bytes = __image_end - __image_start;
    bool image_done = false;
    for (u32 i = 0; i < n && nwindows < WINDOWS - 1; i++) {
        struct mem_range *r = &usable[i];
        if (!image_done && r->end - r->base > bytes * (PER_BYTE + 1)) {
            image_done = true;
            image_cells = pa_to_kva(ALIGN_DOWN(r->end - bytes * PER_BYTE, PAGE_SIZE));
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

static u64 *cells_of_pa(u64 pa) {
    for (u32 i = 0; i < nwindows; i++) {
        u64 offset = pa - windows[i].base;
        if (offset < windows[i].bytes) {
            return windows[i].cells + offset / 8 * CELLS;
        }
    }
    return NULL;
}

// A page of the own stack stays where it is while its context lives.
static u64 *cells_of_stack(struct race_context *c, u64 va) {
    u64 page = ALIGN_DOWN(va, PAGE_SIZE), pa = stack_pa(page);
    u64 *cells = pa ? cells_of_pa(pa) : NULL;
    if (cells && !c->on_foreign_stack && (va ^ (u64)__builtin_frame_address(0)) < KSTACK_STRIDE) {
        c->stack_page = page;
        c->stack_cells = cells;
    }
    return cells ? cells + (va - page) / 8 * CELLS : NULL;
}

static noinline u64 *cells_elsewhere(struct race_context *c, u64 va) {
    u64 offset = va - (u64)__image_start;
    if (offset < (u64)(__image_end - __image_start)) {
        return image_cells + offset / 8 * CELLS;
    }
    return va >= KSTACK_BASE ? cells_of_stack(c, va) : cells_of_pa(va - DIRECT_BASE);
}

static always_inline u64 *cells_of(struct race_context *c, u64 va) {
    u64 offset = va - DIRECT_BASE - windows[0].base;
    if (likely(offset < windows[0].bytes)) {
        return windows[0].cells + offset / 8 * CELLS;
    }
    offset = va - DIRECT_BASE - windows[1].base;
    if (likely(offset < windows[1].bytes)) {
        return windows[1].cells + offset / 8 * CELLS;
    }
    offset = va - c->stack_page;
    return offset < PAGE_SIZE ? c->stack_cells + offset / 8 * CELLS : cells_elsewhere(c, va);
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
    for (u32 i = 0; i < CELLS; i++) {
        u64 old = read_once(cells[i]);
        if (!((old ^ mine) & CELL_SAME)) {
            replaced = i;  // as before, in an earlier epoch
        } else if (!old) {
            empty = i;
        } else if (cell_bytes(old) & cell_bytes(mine)) {
            bool own = cell_id(old) == c->id;
            if (!own && races(c, old, mine)) {
                race_report(c, va, old, mine | race_stack_of(race_path(c), pc));
            } else if (replaces(mine, old) && (own || c->now.at[cell_id(old)] >= cell_epoch(old))) {
                replaced = i;
            }
        }
    }
    u32 any = c->turn++ % CELLS;
    mine |= race_stack_of(race_path(c), pc);
    write_once(cells[replaced < CELLS ? replaced : empty < CELLS ? empty : any], mine);
}

static always_inline void access_word(struct race_context *c, u64 va, u32 mask, u64 flags, u64 pc) {
    u64 *cells = cells_of(c, va);
    if (unlikely(!cells)) {
        return;
    }
    u64 mine = c->stamp | CELL_BYTES(mask) | flags;
    for (u32 i = 0; i < CELLS; i++) {
        if ((read_once(cells[i]) ^ mine) <= CELL_STACK) {
            return;  // the same in the same epoch
        }
    }
    record(c, va, cells, mine, pc);
}

static noinline void access_split(struct race_context *c, u64 va, u32 bytes, u64 flags, u64 pc) {
    u32 mask = ((1u << bytes) - 1) << (va & 7);
    access_word(c, va, mask & 255, flags, pc);
    access_word(c, (va | 7) + 1, mask >> 8, flags, pc);
}

static always_inline void access(struct race_context *c, u64 va, u32 bytes, u64 flags, u64 pc) {
    if (likely((va & 7) + bytes <= 8)) {
        access_word(c, va, ((1u << bytes) - 1) << (va & 7), flags, pc);
    } else {
        access_split(c, va, bytes, flags, pc);
    }
}

void race_atomic_access(struct race_context *c, u64 va, u32 bytes, u64 flags, u64 pc) {
    access(c, va, bytes, flags, pc);
}

void race_range_at(const void *p, usize bytes, bool write, u64 pc) {
    struct race_context *c = this_hart()->race;
    if (!c) {
        return;
    }
    u64 va = (u64)p, end = va + bytes, step = bytes >= PAGE_SIZE ? PAGE_SIZE / 8 : 8;
    while (va < end) {
        u64 next = MIN(ALIGN_DOWN(va, step) + step, end);
        access(c, va, MIN(next - va, 8 - (va & 7)), write ? CELL_WRITE : 0, pc);
        va = next;
    }
}

// What the compiler calls before an access. volatile ones come by names of their own (--param
// tsan-distinguish-volatile=1): they are the marked ones, atomic without order.
#define ACCESS(name, bytes, flags)                                                                 \
    void __tsan_##name##bytes(void *p) {                                                           \
        struct race_context *c = this_hart()->race;                                                \
        if (c) {                                                                                   \
            access(c, (u64)p, bytes, flags, CALLER);                                          \
        }                                                                                          \
    }
#define ACCESSES(bytes)                                                                            \
    ACCESS(read, bytes, 0)                                                                         \
    ACCESS(write, bytes, CELL_WRITE)                                                               \
    ACCESS(unaligned_read, bytes, 0)                                                               \
    ACCESS(unaligned_write, bytes, CELL_WRITE)                                                     \
    ACCESS(volatile_read, bytes, CELL_ATOMIC)                                                      \
    ACCESS(volatile_write, bytes, CELL_ATOMIC | CELL_WRITE)
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)

void __tsan_read16(void *p) { race_range_at(p, 16, false, CALLER); }
void __tsan_write16(void *p) { race_range_at(p, 16, true, CALLER); }
void __tsan_read_range(void *p, usize n) { race_range_at(p, n, false, CALLER); }
void __tsan_write_range(void *p, usize n) { race_range_at(p, n, true, CALLER); }
