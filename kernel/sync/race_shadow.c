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
#include "sync/race_internal.h"

#define PER_BYTE (CELLS * sizeof(u64) / 8)
#define WINDOWS 8

extern char __image_start[], __image_end[];

static struct window {
    u64 base, bytes;
    u64 *cells;
} windows[WINDOWS], direct;  // direct: the largest, by its address in the kernel
static u32 nwindows;
static u64 *image_cells;

static void window(u64 base, u64 bytes, u64 cells_pa) {
    windows[nwindows++] = (struct window){base, bytes, pa_to_kva(cells_pa)};
    if (bytes > direct.bytes) {
        direct = (struct window){base + DIRECT_BASE, bytes, pa_to_kva(cells_pa)};
    }
}

void race_reserve(struct mem_range *usable, u32 n) {
    u64 image = (u64)__image_start - IMAGE_BASE + IMAGE_PHYS, bytes = __image_end - __image_start;
    bool image_done = false;
    for (u32 i = 0; i < n && nwindows < WINDOWS - 1; i++) {
        struct mem_range *r = &usable[i];
        if (!image_done && r->end - r->base > bytes * (PER_BYTE + 1)) {
            image_done = true;
            r->end = ALIGN_DOWN(r->end - bytes * PER_BYTE, PAGE_SIZE);
            image_cells = pa_to_kva(r->end);
            window(image, bytes, r->end);
        }
        u64 kept = ALIGN_DOWN((r->end - r->base) / (PER_BYTE + 1), PAGE_SIZE);
        r->end = MIN(r->base + kept, r->end);
        window(r->base, kept, r->base + kept);
    }
}

u64 race_shadow_bytes(void) {
    u64 bytes = 0;
    for (u32 i = 0; i < nwindows; i++) { bytes += windows[i].bytes * PER_BYTE; }
    return bytes;
}

// A kernel stack's address, by the page table; 0 if it is not mapped.
static u64 stack_pa(u64 va) {
    u64 e = kvm_root_pa >> 2;
    for (int level = 2; level >= 0; level--) {
        e = ((u64 *)pa_to_kva(pte_pa(e)))[pt_index(va, level)];
        if (!(e & PTE_V)) { return 0; }
    }
    return pte_pa(e) | (va & (PAGE_SIZE - 1));
}

static struct race_view *view_of(struct race_context *c, u64 va) {
    return &c->views[va >> PAGE_SHIFT & (RACE_VIEWS - 1)];
}

static u64 *cells_of_pa(u64 pa) {
    for (u32 i = 0; i < nwindows; i++) {
        u64 offset = pa - windows[i].base;
        if (offset < windows[i].bytes) { return windows[i].cells + offset / 8 * CELLS; }
    }
    return NULL;
}

// May the shadow of this page be noted? All pages stay where they are, but of the stacks only the own
// one is known to live as long as its context.
static bool stays(const struct race_context *c, u64 va) {
    return va < KSTACK_BASE || va >= IMAGE_BASE ||
           (!c->handler_bytes && (va ^ (u64)__builtin_frame_address(0)) < KSTACK_STRIDE);
}

static u64 *cells_of_page(struct race_context *c, u64 page) {
    u64 offset = page - (u64)__image_start;
    u64 *cells = offset < (u64)(__image_end - __image_start) ? image_cells + offset / 8 * CELLS
                 : page < KSTACK_BASE                        ? cells_of_pa(page - DIRECT_BASE)
                                                             : cells_of_pa(stack_pa(page));
    if (cells && stays(c, page)) { *view_of(c, page) = (struct race_view){page, cells}; }
    return cells;
}

// Whose shadow is at hand: the pages that this context has used last, and the largest window.
static always_inline u64 *cells_at_hand(struct race_context *c, u64 va) {
    struct race_view *v = view_of(c, va);
    u64 offset = va - v->page;
    if (offset < PAGE_SIZE) { return v->cells + offset / 8 * CELLS; }
    offset = va - direct.base;
    return likely(offset < direct.bytes) ? direct.cells + offset / 8 * CELLS : NULL;
}

// Does an access of kind a race with whatever one of kind b races with?
static always_inline bool covers(u64 a, u64 b) { return !(b & ~a & CELL_KIND); }

static always_inline bool conflict(u64 a, u64 b) {
    return cell_bytes(a) & cell_bytes(b) && (a | b) & CELL_WRITE && (a | b) & CELL_PLAIN;
}

// To the front, without what it covers and what is ordered before it; of too many the oldest is lost.
// Behind an own access that covers it nothing is left to judge: who is there was judged then.
static noinline void record(struct race_context *c, u64 va, u64 *cells, u64 mine) {
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

static noinline void record_at(struct race_context *c, u64 va, u64 *cells, u64 mine, u64 pair) {
    record(c, va, cells, mine | race_stack_search(c, pair));
}

// Three frequent cases by themselves: the last access was by the same context, and either covers this
// one, in the same epoch, or was of its kind, or the last but one was, by the same context, too.
static always_inline void access_cells(struct race_context *c, u64 va, u64 *cells, u64 kind, u64 pc) {
    u64 mine = c->stamp | kind, last = read_once(cells[0]), differs = last ^ mine;
    if (!(mine & ~last) && !(differs >> CELL_ID_SHIFT)) { return; }
    if (unlikely(va - c->handler_base < c->handler_bytes)) {
        return;  // a handler's own variables, where the interrupted thread has had and will have its own
    }
    u64 pair = race_stack_pair(c, pc), stack = race_stack_place(c, pair);
    if (unlikely(c->stacks[stack] != pair)) {
        record_at(c, va, cells, mine, pair);
    } else if (!(differs & CELL_SAME)) {
        write_once(cells[0], mine | stack);
    } else if (!(differs & CELL_ID(127)) && !((read_once(cells[1]) ^ mine) & CELL_SAME)) {
        write_once(cells[1], last);
        write_once(cells[0], mine | stack);
    } else {
        record(c, va, cells, mine | stack);
    }
}

static noinline void access_elsewhere(struct race_context *c, u64 va, u64 kind, u64 pc) {
    u64 page = ALIGN_DOWN(va, PAGE_SIZE), *cells = cells_of_page(c, page);
    if (cells) { access_cells(c, va, cells + (va - page) / 8 * CELLS, kind, pc); }
}

static always_inline void access_word(struct race_context *c, u64 va, u64 kind, u64 pc) {
    u64 *cells = cells_at_hand(c, va);
    if (likely(cells)) {
        access_cells(c, va, cells, kind, pc);
    } else {
        access_elsewhere(c, va, kind, pc);
    }
}

void race_access_word(struct race_context *c, u64 va, u64 kind, u64 pc) {
    access_word(c, va, kind, pc);
}

static noinline void access_split(struct race_context *c, u64 va, u32 bytes, u64 kind, u64 pc) {
    u32 mask = ((1u << bytes) - 1) << (va & 7);
    race_access_word(c, va, CELL_BYTES(mask & 255) | kind, pc);
    race_access_word(c, (va | 7) + 1, CELL_BYTES(mask >> 8) | kind, pc);
}

static always_inline void access(struct race_context *c, u64 va, u32 bytes, u64 kind, u64 pc) {
    if (likely((va & 7) + bytes <= 8)) {
        access_word(c, va, CELL_BYTES(((1u << bytes) - 1) << (va & 7)) | kind, pc);
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
        access(c, va, MIN(next - va, 8 - (va & 7)), kind, pc);
        va = next;
    }
}

// Where the function that has just been entered will return to. With __builtin_return_address the
// compiler would save ra, which a function that calls nothing but in its last act need not do.
static always_inline u64 return_address(void) {
    u64 ra;
    __asm__ volatile("mv %0, ra" : "=r"(ra));
    return ra;
}

// What the compiler calls before an access. volatile ones come by names of their own (--param
// tsan-distinguish-volatile=1): they are the marked ones, atomic without order. Only those that are called
// unaligned may lie in two words.
#define ACCESS(name, bytes, kind)                                                                  \
    void __tsan_##name##bytes(void *p) {                                                           \
        u64 pc = return_address(), mask = (1ul << bytes) - 1;                                      \
        struct race_context *c = this_hart()->race;                                                \
        if (likely(c)) {                                                                           \
            access_word(c, (u64)p, CELL_BYTES(mask << ((u64)p & (8 - bytes))) | (kind), pc);       \
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
