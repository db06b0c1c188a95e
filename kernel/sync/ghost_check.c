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

// The harts that may walk from this root. The tags of those that did owe.
static u64 users_of_root(u32 root) {
    u64 use = 0;
    const struct ghost_stale any = {.root = root, .when = ~0ul};
    for (u64 left = ghost_pages[root].harts; left; left &= left - 1) {
        const struct ghost_hart *h = &ghost_harts[bits_lowest(left)];
        for (u32 i = 0; i <= ASID_MAX; i++) {
            if (!ghost_under_tag(&h->tags[i], &any)) { continue; }
            if (i == h->asid) {
                use |= left & -left;
            } else {
                ghost_owe(bits_lowest(left), i);
            }
        }
    }
    return use;
}

// H1. What nobody holds any more is dropped, so that a free frame has no past.
void ghost_freed(u32 f) {
    struct ghost_page *p = &ghost_pages[f];
    while (!list_empty(&p->stale)) {
        struct ghost_stale *s = list_first(&p->stale, struct ghost_stale, by_frame);
        ghost_problem(pte_is_leaf(s->old) ? GHOST_LEAF : GHOST_TABLE, ghost_users(s), s->va, s);
        ghost_drop(s);
    }
    if (p->mapped) { ghost_problem(GHOST_MAPPED, ~0ul, 0, NULL); }
    if (p->root == f) { ghost_problem(GHOST_ROOT, users_of_root(f), 0, NULL); }
    p->root = 0;
    p->filled = 0;
}

// Has every hart that has been in the space fenced all of it since `when`?
static bool all_fenced_since(u32 root, u64 when) {
    const struct ghost_stale any = {.root = root, .when = when};
    for (u64 left = ghost_pages[root].harts; left; left &= left - 1) {
        if (ghost_held_except(&ghost_harts[bits_lowest(left)], &any, GHOST_NO_TAG)) { return false; }
    }
    return true;
}

// H2. Entry by entry only if somebody has not fenced all. (An entry may become SHARED without a shootdown: in a
// table that nobody walks to.)
void ghost_forked(u32 root) {
    if (all_fenced_since(root, ghost_pages[root].shared)) { return; }
    for (u32 i = 0; i < ghost_nstales; i++) {
        struct ghost_stale *s = &ghost_stales[i];
        if (s->harts && s->root == root && s->level > 0) { ghost_problem(GHOST_FORK, ghost_users(s), s->va, s); }
    }
}

// H7.
void ghost_leaves(const u64 *e) {
    struct ghost_page *p = &ghost_pages[frame_of_pte(*e)];
    if (*e & PTE_W) { ghost_problem(GHOST_OUT, ~0ul, 0, NULL); }
    list_each(it, &p->stale) {
        struct ghost_stale *s = list_entry(it, struct ghost_stale, by_frame);
        if (s->old & PTE_W) { ghost_problem(GHOST_OUT, ghost_users(s), s->va, s); }
    }
}

bool ghost_unfenced(void) {
    const struct ghost_hart *h = &ghost_harts[this_hart()->index];
    const struct ghost_tag *t = &h->tags[h->asid];
    return t->n != 1 || t->owes || ghost_pages[h->root].filled > h->text;
}

// H4, H6. The kernel's own root maps nothing for the user, and is not looked for.
void ghost_enters(u32 hart) {
    hart = ghost_self(hart);
    const struct ghost_hart *h = &ghost_harts[hart];
    const struct ghost_tag *t = &h->tags[h->asid];
    for (u32 i = 0; i < t->n; i++) { ghost_problem(GHOST_SPACE, (u64)(t->of[i].root != h->root) << hart, 0, NULL); }
    ghost_problem(GHOST_AWAY, (u64)t->owes << hart, 0, NULL);
    bool old_text = h->root != ghost_kernel_root && ghost_pages[h->root].filled > h->text;
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
