// SPDX-License-Identifier: MIT
// ghost.c - what each hart may hold: stale entries come with changes and go with fences. See ghost.h.
//
// Time       counts changes and fences. A stale entry is held by those of its harts that have its root
//            under some tag since before, so a fence of a space or of all costs nothing but the time.
// Found      by address (for a fence of a page, and for what is put there next) and by the frame that
//            is pointed at (when that is freed). What nobody holds is dropped on the way.
// Locking    one bare word, with interrupts off: the hooks stand where no other lock may be taken.
#include "sync/ghost.h"

#ifdef GHOST
#include "lib/print.h"
#include "mm/frame.h"
#include "mm/kvm.h"
#include "riscv/csr.h"
#include "riscv/hart.h"
#include "riscv/pte.h"
#include "riscv/stack.h"
#include "sync/atomic.h"
#include "sync/park.h"

#define BUCKETS 4096

struct ghost_page *ghost_pages;
struct ghost_hart ghost_harts[HART_MAX];
struct ghost_stale *ghost_stales;
u32 ghost_nstales, ghost_kernel_root;
u64 ghost_played, ghost_checked, ghost_now;

static u32 word;  // (a) 1: somebody is inside
static struct list buckets[BUCKETS], unused = LIST_INIT(unused);

u64 ghost_enter(void) {
    u64 flags = irq_save();
    while (atomic_swap_acquire(&word, 1u)) {  // pairs with ghost_leave
        cpu_pause();
        park_poll_stop();
    }
    ghost_checked++;
    return flags;
}

void ghost_leave(u64 flags) {
    atomic_store_release(&word, 0u);
    irq_restore(flags);
}

u32 ghost_self(u32 hart) { return hart == GHOST_HERE ? this_hart()->index : hart; }

struct list *ghost_bucket(u64 va) {
    return &buckets[(va >> PAGE_SHIFT ^ va >> 21 ^ va >> 30) % BUCKETS];
}

// ---- stale entries ----

void ghost_drop(struct ghost_stale *s) {
    list_del(&s->by_va);
    list_del(&s->by_frame);
    s->harts = 0;
    list_add(&unused, &s->by_va);
}

static void sweep(struct list *bucket) {
    for (struct list *it = bucket->next, *next; it != bucket; it = next) {
        struct ghost_stale *s = list_entry(it, struct ghost_stale, by_va);
        next = it->next;
        if (!ghost_holders(s)) { ghost_drop(s); }
    }
}

static struct ghost_stale *take(void) {
    for (u32 i = 0; list_empty(&unused) && i < BUCKETS; i++) { sweep(&buckets[i]); }
    if (list_empty(&unused)) {
        ghost_problem(GHOST_FULL, ~0ul, 0, NULL);
        return NULL;
    }
    struct ghost_stale *s = list_first(&unused, struct ghost_stale, by_va);
    list_del(&s->by_va);
    return s;
}

// Table t's entry for va had the value `old`: the harts may hold it.
static void go_stale(const struct ghost_page *t, u64 va, u64 old, u64 harts) {
    struct list *bucket = ghost_bucket(va);
    sweep(bucket);
    struct ghost_stale *s = harts ? take() : NULL;
    if (!s) { return; }
    *s = (struct ghost_stale){
        .harts = harts, .when = ++ghost_now, .va = va, .old = old, .root = t->root, .level = t->level};
    stack_take(s->pc, GHOST_DEPTH, (u64)__builtin_frame_address(0));
    list_add(bucket, &s->by_va);
    list_init(&s->by_frame);
    if (old & PTE_V) { list_add(&ghost_pages[frame_of_pte(old)].stale, &s->by_frame); }
}

// ---- changes ----

#define RIGHTS (PTE_R | PTE_W | PTE_X | PTE_U)

// Does whoever goes on using `old` do no more than `e` allows?
static bool within(u64 old, u64 e) {
    return e & PTE_V && old >> 10 == e >> 10 && !(old & RIGHTS & ~e);
}

// The harts that may walk table t: those that may walk a table that points at it, or hold an entry that did.
static u64 walkers(const struct ghost_page *t) {
    if (t->root == ghost_kernel_root) { return harts_all() | ghost_played; }
    if (t == &ghost_pages[t->root]) { return t->harts; }
    u64 harts = t->mapped ? walkers(&ghost_pages[t->up]) : 0;
    list_each(it, &t->stale) { harts |= ghost_holders(list_entry(it, struct ghost_stale, by_frame)); }
    return harts;
}

// H3.
static void check_make(const struct ghost_page *t, u64 va, u64 e) {
    struct list *bucket = ghost_bucket(va);
    list_each(it, bucket) {
        struct ghost_stale *s = list_entry(it, struct ghost_stale, by_va);
        bool same = s->va == va && s->root == t->root && s->level == t->level;
        if (same && s->old & PTE_V && !within(s->old, e)) {
            ghost_problem(GHOST_MAKE, ghost_users(s), va, s);
        }
    }
}

// An entry of a leaf table may have no rights. (A table that is being filled is known by its record only.)
static bool is_leaf(u32 t, u64 e) {
    const struct frame *r = frame_record(t);
    return pte_is_leaf(e) || (r->class == FRAME_TABLE && r->level == 0);
}

// What table t points at by entry e is below t's root now.
static void adopt(u32 t, u64 va, u64 e) {
    struct ghost_page *at = &ghost_pages[t], *p = &ghost_pages[frame_of_pte(e)], *root = &ghost_pages[at->root];
    if (is_leaf(t, e)) {
        if (e & PTE_X) { root->filled = MAX(root->filled, p->filled); }
        return;
    }
    p->root = at->root;
    p->level = at->level - 1;
    p->va = va;
    p->up = t;
    const pte_t *entries = pa_to_kva(pte_pa(e));
    for (u64 i = 0; i < PT_ENTRIES; i++) {
        if (entries[i] & PTE_V) { adopt(frame_of_pte(e), va + (i << (PAGE_SHIFT + 9 * p->level)), entries[i]); }
    }
}

static void came(u32 t, u64 va, u64 e) {
    struct ghost_page *p = &ghost_pages[frame_of_pte(e)];
    p->mapped++;
    if (!p->filled) { p->filled = ++ghost_now; }
    adopt(t, va, e);
}

void ghost_changed(u64 *at, u64 old) {
    const struct ghost_page *t = &ghost_pages[frame_from_kva(at)];
    u64 e = *at, va = t->va + ((u64)at % PAGE_SIZE / sizeof(u64) << (PAGE_SHIFT + 9 * t->level));
    if (old & PTE_V) {
        struct ghost_page *p = &ghost_pages[frame_of_pte(old)];
        if (!--p->mapped && !frame_record(frame_of_pte(old))->cached) { p->filled = 0; }  // else it may come again
        if (!within(old, e)) { go_stale(t, va, old, walkers(t)); }
        if (!(e & PTE_V) && e && t->level > 0) { ghost_pages[t->root].shared = ghost_now; }
    } else if (t->root == ghost_kernel_root) {
        go_stale(t, va, 0, walkers(t));  // H5
    }
    if (e & PTE_V) {
        if (!(old & PTE_V) && walkers(t)) { check_make(t, va, e); }
        came(frame_from_kva(at), va, e);
    }
}

void ghost_filled(u32 f) { ghost_pages[f].filled = ++ghost_now; }

// ---- what harts do ----

// Under this tag, or (GHOST_NO_TAG) under all and as global.
static void forget_page(u64 hart, u32 asid, u64 va) {
    struct list *bucket = ghost_bucket(va);
    list_each(it, bucket) {
        struct ghost_stale *s = list_entry(it, struct ghost_stale, by_va);
        bool kept = asid != GHOST_NO_TAG && ghost_held_except(&ghost_harts[hart], s, asid);
        if (s->va == va && s->level == 0 && !kept) { s->harts &= ~(1ul << hart); }
    }
    sweep(bucket);
}

void ghost_fenced(u32 hart, enum ghost_fence how, u64 va, u32 asid) {
    hart = ghost_self(hart);
    struct ghost_hart *h = &ghost_harts[hart];
    if (how == FENCE_TEXT) {
        h->text = ++ghost_now;
    } else if (ghost_pages && (how == FENCE_PAGE || how == FENCE_PAGE_OF)) {
        forget_page(hart, how == FENCE_PAGE ? GHOST_NO_TAG : asid, ALIGN_DOWN(va, PAGE_SIZE));
    } else if (ghost_pages && how == FENCE_SPACE) {
        ghost_forget_tag(hart, asid);
    } else if (ghost_pages) {
        h->all = ++ghost_now;
        for (u32 i = 0; i <= ASID_MAX; i++) { ghost_forget_tag(hart, i); }
    }
}

void ghost_walks(u32 hart, u32 root, u32 asid) {
    hart = ghost_self(hart);
    struct ghost_hart *h = &ghost_harts[hart];
    if (!ghost_pages) { return; }
    h->root = root;
    h->asid = asid;
    if (root != ghost_kernel_root) { ghost_walk(hart, asid, root); }
}

// ---- tables ----

void ghost_rooted(u32 root) {
    struct ghost_page *p = &ghost_pages[root];
    p->root = root;
    p->level = PT_LEVELS - 1;
    p->va = p->filled = p->shared = 0;
}

static void know_kernel(void) {
    ghost_kernel_root = frame_from_pa(kvm_root_pa);
    const pte_t *root = pa_to_kva(kvm_root_pa);
    for (u32 i = 0; i < nharts; i++) {
        u64 va = KSTACK_BASE + i * KSTACK_SPAN;
        struct ghost_page *p = &ghost_pages[frame_of_pte(root[pt_index(va, 2)])];
        *p = (struct ghost_page){.stale = p->stale, .root = ghost_kernel_root, .level = 1, .va = va};
    }
}

void ghost_boot(void) {
    ghost_nstales = frame_count;
    ghost_stales = boot_alloc(ghost_nstales * sizeof(struct ghost_stale));
    for (u32 i = 0; i < ghost_nstales; i++) {
        list_init(&ghost_stales[i].by_frame);
        list_add_tail(&unused, &ghost_stales[i].by_va);
    }
    for (u32 i = 0; i < BUCKETS; i++) { list_init(&buckets[i]); }
    struct ghost_page *pages = boot_alloc(frame_count * sizeof(*pages));
    for (u32 i = 0; i < frame_count; i++) { list_init(&pages[i].stale); }
    ghost_pages = pages;
    know_kernel();
    for (u32 i = 0; i < HART_MAX; i++) { ghost_harts[i].root = ghost_kernel_root; }
}
#endif
