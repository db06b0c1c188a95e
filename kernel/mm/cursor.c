// SPDX-License-Identifier: MIT
// cursor.c - see cursor.h.
#include "mm/cursor.h"
#include "lib/errno.h"
#include "mm/refs.h"
#include "mm/swap.h"
#include "mm/tlb.h"

// Lock the lowest table on the way to va that OWNED entries lead to.
static frame_t lock_lowest(struct as *as, u64 va, int *level) {
    for (;;) {
        frame_t t = as->root;
        *level = PT_LEVELS - 1;
        u64 flags = irq_save();
        for (pte_t e; *level && (e = atomic_load_dependent(&pt_entries(t)[pt_index(va, *level)])) & PTE_V; --*level) {
            t = frame_of_pte(e);
        }
        bool got = wordlock_try(pt_lock_of(t));
        irq_restore(flags);
        if (got) {
            wordlock_got(pt_lock_of(t), pt_rank(*level));
            return t;
        }
        wordlock_wait(pt_lock_of(t));  // then all may be different
    }
}

int cursor_open(struct as *as, u64 va, bool make, pte_t **entry) {
    int level;
    frame_t t = lock_lowest(as, va, &level);
    int error = pt_descend(&t, &level, 0, va, make);
    if (error) {
        pt_unlock(t, level);
    } else {
        *entry = &pt_entries(t)[pt_index(va, 0)];
    }
    return error;
}

// Where the next entry of table t, at `level`, begins, if that for va is empty.
static u64 next_below(frame_t t, int level, u64 va) {
    u32 i = pt_index(va, level), next = pt_next(t, i + 1);
    return ALIGN_DOWN(va, pt_span(level)) + (next - i) * pt_span(level);
}

int cursor_next(struct as *as, u64 *va, u64 end, pte_t **entry) {
    while (*va < end) {
        frame_t t = as->root;
        int level = PT_LEVELS - 1;
        pt_lock(t, level);
        int error = pt_descend(&t, &level, 0, *va, false);
        if (!error) {
            *entry = &pt_entries(t)[pt_index(*va, 0)];
            return 1;
        }
        if (error == -ENOENT) { *va = next_below(t, level, *va); }
        pt_unlock(t, level);
        if (error != -ENOENT) { return error; }
    }
    return 0;
}

// Go down the way to va, however many share it, as far as it is there. The last table, locked, and its level; with how
// many others the tables on the way are shared.
static frame_t look_down(struct as *as, u64 va, int *level, u32 *others) {
    frame_t t = as->root;
    *level = PT_LEVELS - 1;
    *others = 0;
    pt_lock(t, *level);
    for (pte_t e; *level > 0 && (e = pt_entries(t)[pt_index(va, *level)]); --*level) {
        frame_t lower = frame_of_pte(e);
        pt_lock(lower, *level - 1);
        pt_unlock(t, *level);
        *others += frame_refs(lower) - 1;
        t = lower;
    }
    return t;
}

frame_t cursor_look(struct as *as, u64 *va, u64 end) {
    while (*va < end) {
        int level;
        u32 others;
        frame_t t = look_down(as, *va, &level, &others);
        if (level == 0) { return t; }
        *va = next_below(t, level, *va);
        pt_unlock(t, level);
    }
    return FRAME_NONE;
}

int cursor_own(struct as *as, u64 va, u64 end) {
    pte_t *e;
    int found;
    while ((found = cursor_next(as, &va, end, &e)) > 0) {
        cursor_close(e);
        va = pt_end(va, 1);
    }
    return found;
}

struct cursor_view cursor_view(struct as *as, u64 va) {
    struct cursor_view v = {0, 0};
    int level;
    frame_t t = look_down(as, va, &level, &v.sharers);
    if (level == 0) { v.entry = pt_entries(t)[pt_index(va, 0)]; }
    pt_unlock(t, level);
    if (!v.entry) { return (struct cursor_view){0, 0}; }
    if (swap_is(v.entry)) {
        v.sharers += swap_count(v.entry);
        return v;
    }
    if (v.entry & PTE_BORROWED) { v.sharers = 0; }
    if (v.sharers && v.entry & PTE_W) { v.entry ^= PTE_W | PTE_COW; }  // as it will be when one of them touches it
    v.sharers += frame_refs(frame_of_pte(v.entry));
    return v;
}
