// SPDX-License-Identifier: MIT
// ghost_check.c - where the invariants of ghost.h are looked at. (H3: in ghost.c, where an entry is made.)
#include "sync/ghost.h"

#ifdef GHOST
#include "mm/frame.h"
#include "riscv/hart.h"
#include "riscv/pte.h"

bool ghost_has_past(u32 f) {
    const struct ghost_page *p = &ghost_pages[f];
    return read_once(p->stale.next) != &p->stale || p->mapped || p->root;  // another hart sweeps
}

// H1. What nobody holds any more is dropped, so that a free frame has no past.
void ghost_freed(u32 f) {
    struct ghost_page *p = &ghost_pages[f];
    while (!list_empty(&p->stale)) {
        struct ghost_stale *s = list_first(&p->stale, struct ghost_stale, by_frame);
        ghost_problem(pte_is_leaf(s->old) ? GHOST_LEAF : GHOST_TABLE, ghost_holders(s), s->va, s);
        ghost_drop(s);
    }
    if (p->mapped) { ghost_problem(GHOST_MAPPED, ~0ul, 0, NULL); }
    ghost_problem(GHOST_ROOT, p->root == f ? p->harts : 0, 0, NULL);
    p->root = 0;
    p->filled = 0;
}

// Has every hart that may walk the root fenced all of it since `when`?
static bool all_fenced_since(u32 root, u64 when) {
    for (u64 left = ghost_pages[root].harts; left; left &= left - 1) {
        if (ghost_harts[bits_lowest(left)].space < when) { return false; }
    }
    return true;
}

// H2. Entry by entry only if somebody has not fenced all.
void ghost_forked(u32 root) {
    if (all_fenced_since(root, ghost_pages[root].shared)) { return; }
    for (u32 i = 0; i < ghost_nstales; i++) {
        struct ghost_stale *s = &ghost_stales[i];
        if (s->harts && s->root == root && s->level > 0) {
            ghost_problem(GHOST_FORK, ghost_holders(s), s->va, s);
        }
    }
}

bool ghost_unfenced(void) {
    const struct ghost_hart *h = &ghost_harts[this_hart()->index];
    return h->nroots != 1 || ghost_pages[h->roots[0]].filled > h->text;
}

// H4. The kernel's own root maps nothing for the user.
void ghost_enters(u32 hart) {
    hart = ghost_self(hart);
    const struct ghost_hart *h = &ghost_harts[hart];
    for (u32 i = 1; i < h->nroots; i++) {
        bool other = h->roots[i] != h->roots[0] && h->roots[i] != ghost_kernel_root;
        ghost_problem(GHOST_SPACE, (u64)other << hart, 0, NULL);
    }
    bool old_text = h->nroots && ghost_pages[h->roots[0]].filled > h->text;
    ghost_problem(GHOST_TEXT, (u64)old_text << hart, 0, NULL);
}

// H5.
void ghost_uses(u32 hart, u64 top) {
    hart = ghost_self(hart);
    for (u64 va = top - KSTACK_SIZE; va < top; va += PAGE_SIZE) {
        struct list *bucket = ghost_bucket(va);
        list_each(it, bucket) {
            struct ghost_stale *s = list_entry(it, struct ghost_stale, by_va);
            if (s->va == va && s->level == 0 && !(s->old & PTE_V)) {
                ghost_problem(GHOST_STACK, ghost_holders(s) & 1ul << hart, va, s);
            }
        }
    }
}
#endif
