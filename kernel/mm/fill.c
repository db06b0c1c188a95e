// SPDX-License-Identifier: MIT
// fill.c - see fill.h. A private page of a file is borrowed until it is written, and marked if it may be; one that is
// written at once, or shows the file in part only, is a copy from the start.
#include "mm/fill.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/refs.h"
#include "riscv/hart.h"
#include "sync/ghost.h"

static u64 leaf_flags(u32 prot) {
#ifdef MUTANT_ad_by_hardware  // the walker will set them
    u64 flags = PTE_V | PTE_U;
#else
    u64 flags = PTE_V | PTE_U | PTE_A | PTE_D;
#endif
    flags |= prot & (PROT_READ | PROT_WRITE) ? PTE_R : 0;  // W without R is reserved
    flags |= prot & PROT_WRITE ? PTE_W : 0;
    flags |= prot & PROT_EXEC ? PTE_X : 0;
    return flags;
}

static int own_page(frame_t f, u64 flags, pte_t *leaf, u64 *events) {
    if (!f) { return -ENOMEM; }
    ghost_text(f);
    *leaf = pte_make(frame_pa(f), flags);
    hart_count(events);
    return 0;
}

// The first n bytes of a page of a file, and zeros behind them.
static int copy_page(frame_t page, u64 n, u64 flags, pte_t *leaf) {
    frame_t copy = frame_copy(page);
    if (copy) { memset((char *)frame_kva(copy) + n, 0, PAGE_SIZE - n); }
    return own_page(copy, flags, leaf, &this_hart()->count.file_fills);
}

static int borrow_page(frame_t page, u64 flags, bool shared, pte_t *leaf) {
    if (flags & PTE_W && !shared) { flags ^= PTE_W | PTE_COW; }
    COUNT(file_maps);
    *leaf = pte_make(frame_pa(page), flags | PTE_BORROWED);
    return 0;
}

int fill_leaf(const struct region *r, u64 va, enum access access, pte_t *leaf) {
    u64 at = va - r->start, flags = leaf_flags(r->prot);
    if (!r->backing || at >= r->file_bytes) {
        return own_page(frame_alloc_zeroed(FRAME_USER), flags, leaf, &this_hart()->count.zero_fills);
    }
    frame_t page;
    int error = backing_page(r->backing, (r->file_off + at) >> PAGE_SHIFT, &page);
    if (error) { return error; }
    u64 n = MIN(r->file_bytes - at, PAGE_SIZE);
    bool copied = n < PAGE_SIZE || (access == ACCESS_WRITE && !r->shared);
    return copied ? copy_page(page, n, flags, leaf) : borrow_page(page, flags, r->shared, leaf);
}
