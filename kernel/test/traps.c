// SPDX-License-Identifier: MIT
// traps.c - what entries of page tables must be, where a look from user mode shows nothing: docs/traps.md
// has the list that these belong to.
#include "test/test.h"

#ifdef TESTS
#include "mm/as.h"
#include "mm/kvm.h"
#include "mm/cursor.h"
#include "mm/refs.h"

#define AT 0x300000ul
#define ROOT_HALF 256  // entries of a root above this one are the kernel's

static struct as *as, *child;

// As it is in its leaf table, owned or not; and whether the space owns the way there.
static pte_t entry(struct as *of) { return cursor_view(of, AT).entry; }
static bool owned(struct as *of) { return pt_find(of->table, AT); }

static void start(void) {
    as = as_create();
    ASSERT(as && as_map_fixed(as, AT, PAGE_SIZE, PROT_READ | PROT_WRITE) == (long)AT && as_populate(as, AT),
           "no memory for %s", "a test");
}

static void fork(void) {
    child = as_fork(as, NULL, 0);
    ASSERT(child, "no memory for %s", "a child");
}

static void end_child(void) {
    struct as *was = child;
    child = NULL;
    if (was) { as_destroy(was); }
}

static void write(struct as *to) {
    int error = as_fault(to, AT, ACCESS_WRITE);
    ASSERT(!error, "a write ends with %d", error);
}

// The walker never writes an entry: so ours may change by other than atomic operations, where A is set.
static void expect_bits(struct as *of, u64 want) {
    const u64 all = PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_G | PTE_A | PTE_D | PTE_COW;
    pte_t e = entry(of);
    ASSERT((e & all) == (PTE_V | PTE_R | PTE_U | PTE_A | PTE_D | want), "the entry is %lx", e & all);
}

static void a_and_d_are_set_from_the_start(void *unused) {
    (void)unused;
    expect_bits(as, PTE_W);
    fork();
    ASSERT(!owned(as) && !owned(child), "fork has copied %s", "tables");
    expect_bits(as, PTE_COW);
    expect_bits(child, PTE_COW);
    write(child);
    expect_bits(child, PTE_W);
    expect_bits(as, PTE_COW);
    write(as);
    expect_bits(as, PTE_W);
}

static void a_fault_that_is_resolved_is_no_error(void *unused) {
    (void)unused;
    for (u32 i = 0; i < 2; i++) {
        pte_t before = entry(as);
        write(as);
        ASSERT(entry(as) == before && as_fault(as, AT, ACCESS_READ) == 0, "the entry was %lx", before);
        fork();
        write(as);
        end_child();
    }
}

static void fork_after_a_flip_marks_again(void *unused) {
    (void)unused;
    fork();
    end_child();
    write(as);
    expect_bits(as, PTE_W);
    fork();
    expect_bits(as, PTE_COW);
    ASSERT(entry(as) == entry(child) && cursor_view(as, AT).sharers == 2, "the entry is %lx", entry(as));
}

static void fork_leaves_the_kernels_half_alone(void *unused) {
    (void)unused;
    const pte_t *kernel = pa_to_kva(kvm_root_pa);
    fork();
    for (u32 i = ROOT_HALF; i < 512; i++) {
        ASSERT(as->table[i] == kernel[i] && child->table[i] == kernel[i], "entry %u is %lx, was %lx", i,
               child->table[i], kernel[i]);
        ASSERT(!(kernel[i] & (PTE_U | PTE_COW)), "entry %u is %lx", i, kernel[i]);
    }
}

static void what_failed_leaves_no_entry(void *unused) {
    (void)unused;
    ASSERT(as_fault(as, AT + PAGE_SIZE, ACCESS_WRITE) < 0, "a write behind %s is allowed", "the region");
    ASSERT(!(*pt_find(as->table, AT + PAGE_SIZE) & (PTE_V | PTE_COW)), "an entry without a page");
    fork();
    write(child);
    pte_t behind = *pt_find(child->table, AT + PAGE_SIZE);
    ASSERT(behind == 0, "fork has made %lx of nothing", behind);
}

static const struct {
    const char *name;
    void (*act)(void *);
} traps[] = {
    {"A and D are set from the start", a_and_d_are_set_from_the_start},
    {"a fault that is resolved is no error", a_fault_that_is_resolved_is_no_error},
    {"fork after a flip marks again", fork_after_a_flip_marks_again},
    {"fork leaves the kernel's half alone", fork_leaves_the_kernels_half_alone},
    {"what failed leaves no entry", what_failed_leaves_no_entry},
};

u32 test_traps(long number) {
    u32 failed = 0;
    if (number < 0) { return ARRAY_LEN(traps); }
    for (u32 i = 0; i < ARRAY_LEN(traps); i++) {
        start();
        failed += !test_judge("traps", ++number, traps[i].name, test_catch(traps[i].act, NULL), NULL);
        as_destroy(as);
        end_child();
    }
    return failed;
}
#endif
