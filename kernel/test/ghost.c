// SPDX-License-Identifier: MIT
// ghost.c - does the ghost TLB report what it must, and nothing else? Run by KINE_SELFTEST.
//
// Model      ghost_rows.h is the table, and says what its letters mean. The tables are real; the harts
//            that hold them are not there: the ghost is told what they do. No real hart walks these
//            spaces, so what mm itself shoots down reaches nobody, as if it had been forgotten.
// Between    cases, both harts fence everything and go back to the kernel's root.
#ifdef GHOST
#include "lib/print.h"
#include "mm/kstack.h"
#include "mm/cursor.h"
#include "mm/refs.h"
#include "proc/thread.h"
#include "proc/proc.h"
#include "sync/atomic.h"
#include "test/ghost_rows.h"
#include "test/test.h"

#define P 0x200000ul
#define Q (P + PAGE_SIZE)
#define FIRST_PLAYED 62  // => fewer real harts than that
#define STACKS 25  // more than a pool keeps, so that the last one is new
#define DATA (PTE_V | PTE_U | PTE_A | PTE_D | PTE_R | PTE_W)
#define TEXT (PTE_V | PTE_U | PTE_A | PTE_D | PTE_R | PTE_X)

static struct as *space[2], *child;
static frame_t page, table;  // unhooked and not yet freed
static u64 stacks[STACKS];
static u32 nstacks, hart, asid;

// P's entry, owned or not.
static pte_t *entry(void) {
    const pte_t *middle = table_at(space[0]->table[pt_index(P, 2)]);
    return &table_at(middle[pt_index(P, 1)])[pt_index(P, 0)];
}

static void put(u64 flags) {
    if (space[0]->table[pt_index(P, 2)] & PTE_SHARED_TABLE) {  // as nobody should
        frame_t f = frame_alloc(FRAME_USER);
        ASSERT(f, "no memory for a test");
        pt_set(entry(), pte_make(frame_pa(f), flags));
        return;
    }
    pte_t *e;
    frame_t f = frame_alloc(FRAME_USER);
    ASSERT(f && !cursor_open(space[0], P, true, &e), "no memory for a test");
    pt_set(e, pte_make(frame_pa(f), flags));
    cursor_close(e);
}

static void clear(void) {
    pte_t *e = entry();
    page = frame_of_pte(*e);
    ghost_change(e, *e = 0);
    frame_record(pt_table_of(e))->live--;
}

static void unhook_table(void) {
    pte_t *e = &table_at(space[0]->table[pt_index(P, 2)])[pt_index(P, 1)];
    table = frame_of_pte(*e);
    ghost_change(e, *e = 0);
    frame_record(pt_table_of(e))->live--;
}

static void flip(void) {
    pte_t *e = entry();
    ghost_change(e, atomic_xor_relaxed(e, PTE_W | PTE_COW));
}

static void share(void) {
    pte_t *e = &space[0]->table[pt_index(P, 2)];
    ghost_change(e, *e ^= PTE_V | PTE_SHARED_TABLE);
}

static void release_page(void) {
    if (page) { frame_release(page); }
    page = FRAME_NONE;
}

static void release_table(void) {
    if (table) { pt_free(table); }
    table = FRAME_NONE;
}

static void destroy(struct as **as) {
    if (*as) { as_destroy(*as); }
    *as = NULL;
}

static void make_stacks(void) {
    while (nstacks < STACKS) { stacks[nstacks++] = kstack_alloc(); }
}

static void free_stacks(void) {
    while (nstacks) { kstack_free(stacks[--nstacks]); }
}

static void fence(enum ghost_fence how, u64 va) {
    ghost_atomic((void)0, ghost_fenced(hart, how, va, asid));
}

static void walk(u32 root, u32 by) { ghost_atomic((void)0, ghost_walks(hart, root, by)); }

static void fence_stack(void) {
    for (u64 va = stacks[nstacks - 1] - KSTACK_SIZE; va < stacks[nstacks - 1]; va += PAGE_SIZE) {
        fence(FENCE_PAGE, va);
    }
}

static void step(char c) {
    switch (c) {
    case '1': hart = FIRST_PLAYED; break;
    case '2': hart = FIRST_PLAYED + 1; break;
    case '3': asid = 1; break;
    case '4': asid = 2; break;
    case 'A': walk(space[0]->root, asid); break;
    case 'B': walk(space[1]->root, asid); break;
    case 'K': walk(ghost_kernel_root, 0); break;
    case 'p': fence(FENCE_PAGE_OF, P); break;
    case 'q': fence(FENCE_PAGE_OF, Q); break;
    case 'j': fence(FENCE_PAGE, P); break;
    case 's': fence(FENCE_SPACE, 0); break;
    case 'a': fence(FENCE_ALL, 0); break;
    case 'i': fence(FENCE_TEXT, 0); break;
    case 'm': put(DATA); break;
    case 'x': put(TEXT); break;
    case 'w': flip(); break;
    case 'h': share(); break;
    case 'z': clear(); break;
    case 'f': release_page(); break;
    case 'y': ghost_free(frame_of_pte(*entry())); break;
    case 't': unhook_table(); break;
    case 'T': release_table(); break;
    case 'o': ghost_out(entry()); break;
    case 'F': ghost_fork(space[0]->root); break;
    case 'U': ghost_atomic((void)0, ghost_enters(hart)); break;
    case 'r': child = as_fork(space[0], NULL, 0); break;
    case 'd': destroy(&child); break;
    case 'c': ASSERT(as_fault(space[0], P, ACCESS_WRITE) == 0, "no page at P"); break;
    case 'v': ASSERT(as_unmap(space[0], P, PAGE_SIZE) == 0, "no unmapping of P"); break;
    case 'D': destroy(&space[0]); break;
    case 'M': make_stacks(); break;
    case 'P': fence_stack(); break;
    case 'S': ghost_atomic((void)0, ghost_uses(hart, stacks[nstacks - 1])); break;
    case 'R': free_stacks(); break;
    default: panic("ghost test: what is '%c'?", c);
    }
}

static void set_up(void) {
    for (u32 i = 0; i < 2; i++) {
        space[i] = as_create();
        long at = space[i] ? as_map_fixed(space[i], P, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE) : 0;
        ASSERT(at == P, "no memory for a test: %ld", at);
    }
    step('1');
    step('3');
}

static void tidy(void) {
    for (const char *c = "1aKa2aKa"; *c; c++) { step(*c); }
    destroy(&child);
    destroy(&space[0]);
    destroy(&space[1]);
    release_page();
    release_table();
    free_stacks();
    for (const char *c = "1a2a"; *c; c++) { step(*c); }
}

static bool judge(const char *run, u32 want) {
    (void)ghost_record(thread_self());
    set_up();
    for (const char *c = run; *c; c++) { step(*c); }
    u32 got = ghost_record(thread_self());
    tidy();
    (void)ghost_record(NULL);
    if (got != want) { kprintf("# %s: reports 0x%x, expected 0x%x\n", run, got, want); }
    return got == want;
}

u32 test_ghost(long number) {
    u32 failed = 0;
    if (number < 0) { return ARRAY_LEN(rows); }
    for (u32 i = 0; i < ARRAY_LEN(rows); i++) {
        bool ok = judge(rows[i].run, rows[i].want);
        kprintf("%sok %ld - ghost: %s%s\n", ok ? "" : "not ", ++number, rows[i].name,
                rows[i].want ? "" : ": silent");
        failed += !ok;
    }
    return failed;
}
#endif
