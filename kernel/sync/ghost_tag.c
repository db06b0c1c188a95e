// SPDX-License-Identifier: MIT
// ghost_tag.c - what a hart holds under its ASIDs: see ghost.h. Who walks from a root has it under the tag in satp
// until that ASID is fenced; what is held of an entry follows from when the root came there.
#include "sync/ghost.h"

#ifdef GHOST
#include "riscv/hart.h"

bool ghost_under_tag(const struct ghost_tag *t, const struct ghost_stale *s) {
    bool held = false;
    for (u32 i = 0; i < t->n; i++) { held |= t->of[i].root == s->root && t->of[i].since < s->when; }
    return held;
}

// Under another tag than this one.
bool ghost_held_except(const struct ghost_hart *h, const struct ghost_stale *s, u32 asid) {
    if (s->root == ghost_kernel_root) { return h->all < s->when; }
    bool held = false;
    for (u32 i = 0; i <= ASID_MAX; i++) { held |= i != asid && ghost_under_tag(&h->tags[i], s); }
    return held;
}

u64 ghost_holders(const struct ghost_stale *s) {
    u64 held = 0;
    for (u64 left = s->harts; left; left &= left - 1) {
        held |= ghost_held_except(&ghost_harts[bits_lowest(left)], s, GHOST_NO_TAG) ? left & -left : 0;
    }
    return held;
}

u64 ghost_users(const struct ghost_stale *s) {
    u64 use = 0;
    for (u64 left = s->harts; left; left &= left - 1) {
        struct ghost_hart *h = &ghost_harts[bits_lowest(left)];
        bool kernel = s->root == ghost_kernel_root;
        bool used = kernel ? ghost_held_except(h, s, GHOST_NO_TAG) : ghost_under_tag(&h->tags[h->asid], s);
        use |= used ? left & -left : 0;
        for (u32 i = 0; i <= ASID_MAX && !kernel; i++) {
            if (i != h->asid && ghost_under_tag(&h->tags[i], s)) { ghost_owe(bits_lowest(left), i); }
        }
    }
    return use;
}

// The hart has nothing of this root under any tag, or has.
static void look_for_root(u32 hart, u32 root) {
    const struct ghost_hart *h = &ghost_harts[hart];
    bool has = false;
    for (u32 i = 0; i <= ASID_MAX; i++) {
        for (u32 k = 0; k < h->tags[i].n; k++) { has |= h->tags[i].of[k].root == root; }
    }
    u64 bit = 1ul << hart;
    ghost_pages[root].harts = has ? ghost_pages[root].harts | bit : ghost_pages[root].harts & ~bit;
}

static void empty_tag(u32 hart, u32 asid) {
    struct ghost_tag *t = &ghost_harts[hart].tags[asid];
    while (t->n) { look_for_root(hart, t->of[--t->n].root); }
}

void ghost_walk(u32 hart, u32 asid, u32 root) {
    struct ghost_tag *t = &ghost_harts[hart].tags[asid];
    for (u32 i = 0; i < t->n; i++) {
        if (t->of[i].root == root) { return; }
    }
    if (t->n == GHOST_ROOTS) {
        u32 lost = t->of[0].root;
        t->of[0] = t->of[--t->n];
        look_for_root(hart, lost);
    }
    t->of[t->n].root = root;
    t->of[t->n++].since = ++ghost_now;
    ghost_pages[root].harts |= 1ul << hart;
}

void ghost_forget_tag(u32 hart, u32 asid) {
    const struct ghost_hart *h = &ghost_harts[hart];
    if (!h->tags[asid].n && !h->tags[asid].owes) { return; }
    empty_tag(hart, asid);
    ghost_harts[hart].tags[asid].owes = false;
    if (asid == h->asid && h->root != ghost_kernel_root) { ghost_walk(hart, asid, h->root); }
}

// What is under the tag need not be known any more: it must not be used.
void ghost_owe(u32 hart, u32 asid) {
    empty_tag(hart, asid);
    ghost_harts[hart].tags[asid].owes = true;
}
#endif
