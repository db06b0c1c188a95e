// SPDX-License-Identifier: MIT
// race_shadow.c - the last accesses of every word, and the question whether a new one races with them.
//
// Shadow     four cells for each 8 bytes of memory that the kernel may use: the upper four fifths of
//            each range of memory are taken for it before anybody has them. The image has its own.
//            QEMU's memory is zero at power-on, and so are the cells.
// Cells      of a word: the latest access first, zeros last. They are read and written whole, without a
//            lock: two harts at one word may lose a record.
// Stacks     of the kernel are mapped; their shadow is their frames', found through the page table.
#include "config.h"
#include "lib/print.h"
#include "mm/frame.h"
#include "mm/kvm.h"
#include "riscv/pte.h"
#include "sync/atomic.h"
#include "sync/race_access.h"

#define PER_BYTE (CELLS * sizeof(u64) / 8)
#define WINDOWS 8

extern char __image_start[], __image_end[];

static struct race_window windows[WINDOWS];  // by physical addresses; the largest first
static u32 nwindows;
static u64 unmapped;  // (a) how often stacks have been

static void window(u64 base, u64 bytes, u64 cells_pa) {
    u32 i = nwindows++;
    for (; i > 0 && windows[i - 1].bytes < bytes; i--) { windows[i] = windows[i - 1]; }
    windows[i] = (struct race_window){base, bytes, pa_to_kva(cells_pa)};
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

// Not for interrupts, whose own variables may be there: on the stack of an idle loop.
void race_shadow_begin(struct race_context *c) {
    c->window = windows[0];
    c->window.base += DIRECT_BASE;
}

u64 race_shadow_bytes(void) {
    u64 bytes = 0;
    for (u32 i = 0; i < nwindows; i++) { bytes += windows[i].bytes * PER_BYTE; }
    return bytes;
}

void race_stack_unmapped(void) { atomic_add_relaxed(&unmapped, 1ul); }

// A kernel stack's address, by the page table; 0 if it is not mapped.
static u64 stack_pa(u64 va) {
    u64 e = kvm_root_pa >> 2;
#pragma GCC unroll 3
    for (int level = 2; level >= 0; level--) {
        e = ((u64 *)pa_to_kva(pte_pa(e)))[pt_index(va, level)];
        if (!(e & PTE_V)) { return 0; }
    }
    return pte_pa(e) | (va & (PAGE_SIZE - 1));
}

static u64 *cells_of_pa(u64 pa) {
    for (u32 i = 0; i < nwindows; i++) {
        u64 offset = pa - windows[i].base;
        if (offset < windows[i].bytes) { return windows[i].cells + offset / 8 * CELLS; }
    }
    return NULL;
}

static always_inline u64 stack_pointer(void) {
    u64 sp;
    __asm__ volatile("mv %0, sp" : "=r"(sp));
    return sp;
}

// May the shadow of this page be noted? All pages stay where they are, but of the stacks only the own
// one is known to live as long as its context. A handler notes none: in each it may have its own variables.
// (One page of another's is noted apart, in `other`.)
static bool stays(const struct race_context *c, u64 va) {
    if (va >= KSTACK_BASE && va < IMAGE_BASE) {
        return !c->handler_bytes && (va ^ stack_pointer()) < KSTACK_STRIDE;
    }
    return (va ^ c->idle_stack) >= KSTACK_STRIDE;
}

// A stack's page is found again by where it is in the direct map: that stays.
static u64 *cells_of_page(struct race_context *c, u64 page) {
    bool stack = page >= KSTACK_BASE && page < IMAGE_BASE;
    u64 before = atomic_load_relaxed(&unmapped);
    u64 direct = stack ? DIRECT_BASE + stack_pa(page) : page;
    struct race_view *v = race_view_of(c, direct);
    if (v->page != direct) {
        bool image = direct >= IMAGE_BASE;
        u64 *cells = cells_of_pa(image ? page - IMAGE_BASE + IMAGE_PHYS : direct - DIRECT_BASE);
        if (!cells || !stays(c, direct)) { return cells; }
        *v = (struct race_view){direct, cells};
    }
    struct race_view found = {page, v->cells};
    if (stack && stays(c, page)) {
        *race_view_of(c, page) = found;
    } else if (stack) {
        c->other = found;
        c->unmapped = before;
    }
    return found.cells;
}

// Does an access of kind a race with whatever one of kind b races with?
static always_inline bool covers(u64 a, u64 b) { return !(b & ~a & CELL_KIND); }

static always_inline bool conflict(u64 a, u64 b) {
    return cell_bytes(a) & cell_bytes(b) && (a | b) & CELL_WRITE && (a | b) & CELL_PLAIN;
}

// To the front, without what it covers and what is ordered before it; of too many the oldest is lost.
// Behind an own access that covers it nothing is left to judge: who is there was judged then.
static noinline void judge(u64 va, struct race_context *c, u64 mine, u64 *cells) {
    u64 carry = mine, racing = 0, old, *to = cells, *from = cells, *end = cells + CELLS;
    bool judged = false;
    for (; from < end && (old = read_once(*from)); from++) {
        bool own = cell_id(old) == cell_id(mine), ordered = own || c->now.at[cell_id(old)] >= cell_epoch(old);
        judged |= own && covers(old, mine);
        if (!ordered && !judged && conflict(old, mine)) { racing = old; }
        if (!ordered || !covers(mine, old)) {
            write_once(*to++, carry);
            carry = old;
        } else if (judged && to == from) {
            break;  // in the place of `old`; all behind it may stay
        }
    }
    if (to < end) { write_once(*to++, carry); }
    for (; to < from; to++) { write_once(*to, 0); }
    if (unlikely(racing)) { race_report(c, va, racing, mine); }
}

// The same where nothing is to be judged: all that is there happened before.
noinline void race_record_more(u64 va, struct race_context *c, u64 mine, u64 *cells) {
    u64 old[CELLS], carry = mine, kept = ~mine & CELL_KIND, *to = cells;
#pragma GCC unroll 4
    for (u32 i = 0; i < CELLS; i++) {
        old[i] = read_once(cells[i]);
        if (unlikely(!race_before(c, old[i]))) {
            judge(va, c, mine, cells);
            return;
        }
    }
#pragma GCC unroll 4
    for (u32 i = 0; i < CELLS; i++) {
        if (old[i] & kept) {
            write_once(*to++, carry);
            carry = old[i];
        }
    }
    if (to < cells + CELLS) { write_once(*to++, carry); }
    for (; to < cells + CELLS && read_once(*to); to++) { write_once(*to, 0); }
}

noinline void race_record_new(u64 va, struct race_context *c, u64 mine, u64 *cells, u64 pair) {
    judge(va, c, mine | race_stack_search(c, pair), cells);
}

noinline void race_access_elsewhere(u64 va, struct race_context *c, u64 kind, u64 pc) {
    if (va - c->handler_base < c->handler_bytes) {
        return;  // a handler's own variables, where the interrupted thread has had and will have its own
    }
    u64 page = ALIGN_DOWN(va, PAGE_SIZE);
    bool known = page == c->other.page && c->unmapped == atomic_load_relaxed(&unmapped);
    u64 *cells = known ? c->other.cells : cells_of_page(c, page);
    if (cells) {
        struct race_rest rest;
        race_go_on(va, c, race_try_cells(c, kind, pc, cells + (va - page) / 8 * CELLS, &rest), &rest);
    }
}

static noinline void access_split(struct race_context *c, u64 va, u32 bytes, u64 kind, u64 pc) {
    u32 mask = ((1u << bytes) - 1) << (va & 7);
    race_access_word(va, c, CELL_BYTES(mask & 255) | kind, pc);
    race_access_word((va | 7) + 1, c, CELL_BYTES(mask >> 8) | kind, pc);
}

static always_inline void access(struct race_context *c, u64 va, u32 bytes, u64 kind, u64 pc) {
    if (likely((va & 7) + bytes <= 8)) {
        race_access_word(va, c, CELL_BYTES(((1u << bytes) - 1) << (va & 7)) | kind, pc);
    } else {
        access_split(c, va, bytes, kind, pc);
    }
}

void race_range_at(const void *p, usize bytes, bool write, u64 pc) {
    struct race_context *c = this_hart()->race;
    if (!c) { return; }
    u64 va = (u64)p, end = va + bytes, step = bytes >= PAGE_SIZE ? PAGE_SIZE / 8 : 8;
    u64 kind = CELL_PLAIN | (write ? CELL_WRITE : 0);
    while (va < end) {
        u64 next = MIN(ALIGN_DOWN(va, step) + step, end);
        if (likely(!(va & 7) && next - va >= 8)) {
            race_access_word(va, c, CELL_BYTES(255) | kind, pc);
        } else {
            access(c, va, MIN(next - va, 8 - (va & 7)), kind, pc);
        }
        va = next;
    }
}

// What the compiler calls before an access. volatile ones come by names of their own (--param
// tsan-distinguish-volatile=1): they are the marked ones, atomic without order. Only those that are called
// unaligned may lie in two words.
#define ACCESS(name, bytes, kind)                                                                  \
    void __tsan_##name##bytes(void *p) {                                                           \
        u64 pc = race_return_address(), mask = (1ul << bytes) - 1;                                      \
        struct race_context *c = this_hart()->race;                                                \
        if (likely(c)) {                                                                           \
            race_access_word((u64)p, c, CELL_BYTES(mask << ((u64)p & (8 - bytes))) | (kind), pc);  \
        }                                                                                          \
    }                                                                                              \
    void __tsan_unaligned_##name##bytes(void *p) {                                                 \
        struct race_context *c = this_hart()->race;                                                \
        if (likely(c)) {                                                                           \
            access(c, (u64)p, bytes, kind, CALLER);                                                \
        }                                                                                          \
    }
#define ACCESSES(bytes)                                                                            \
    ACCESS(read, bytes, CELL_PLAIN)                                                                \
    ACCESS(write, bytes, CELL_PLAIN | CELL_WRITE)                                                  \
    ACCESS(volatile_read, bytes, 0)                                                                \
    ACCESS(volatile_write, bytes, CELL_WRITE)
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)

void __tsan_read16(void *p) { race_range_at(p, 16, false, CALLER); }
void __tsan_write16(void *p) { race_range_at(p, 16, true, CALLER); }
void __tsan_read_range(void *p, usize n) { race_range_at(p, n, false, CALLER); }
void __tsan_write_range(void *p, usize n) { race_range_at(p, n, true, CALLER); }
