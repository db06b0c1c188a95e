// SPDX-License-Identifier: MIT
// test_kstack.c - kernel stacks: mapped, apart, unmapped in batches on every hart, and fenced where a
// hart may have kept an invalid entry.
#include "mm/freelist.h"
#include "mm/kstack.h"
#include "mm/kvm.h"
#include "riscv/pte.h"
#include "sync/atomic.h"
#include "test/host/host.h"

enum { N = 60 };
static u64 stack[N];

static bool reaches_all_of(u64 top) {
    bool all = true;
    for (u64 va = top - KSTACK_SIZE; va < top; va += PAGE_SIZE) {
        all &= kernel_reaches(va);
    }
    return all;
}

static bool is_mapped(u64 top) {
    u64 *e = kvm_stack_entry(top - PAGE_SIZE, false);
    return e && *e & PTE_V;
}

TEST(stack_is_mapped_and_nothing_below_it) {
    u64 top = kstack_alloc();
    EXPECT(top % KSTACK_STRIDE == 0 && reaches_all_of(top));
    EXPECT(!kernel_reaches(top - KSTACK_SIZE - PAGE_SIZE) && !kernel_reaches(top - KSTACK_STRIDE));
    kstack_free(top);
    EXPECT(kstack_alloc() == top);  // it stayed mapped, in the pool
    kstack_free(top);
}

static void take_n(void) {
    for (u32 i = 0; i < N; i++) {
        stack[i] = kstack_alloc();
        EXPECT(stack[i] && reaches_all_of(stack[i]));
        for (u32 k = 0; k < i; k++) { EXPECT(stack[k] != stack[i]); }
    }
}

static void give_n(void) {
    for (u32 i = 0; i < N; i++) { kstack_free(stack[i]); }
}

TEST(a_full_pool_unmaps_and_the_addresses_come_back) {
    take_n();
    u64 highest = 0, most = kstack_frames(), mapped = 0;
    for (u32 i = 0; i < N; i++) { highest = MAX(highest, stack[i]); }
    give_n();
    for (u32 i = 0; i < N; i++) {
        mapped += is_mapped(stack[i]);
        EXPECT(reaches_all_of(stack[i]) == is_mapped(stack[i]));
    }
    EXPECT(mapped < N && kstack_frames() < most);
    take_n();
    for (u32 i = 0; i < N; i++) { EXPECT(stack[i] <= highest); }
    give_n();
}

static void see_them_go(void *arg) {
    u32 *seen = arg;
    if (this_hart()->index == 0) { take_n(); }
    rendezvous(2);
    for (u32 i = 0; i < N; i++) {
        kstack_fence(stack[i]);
        EXPECT(reaches_all_of(stack[i]));
    }
    rendezvous(2);
    if (this_hart()->index == 0) { give_n(); }
    rendezvous(2);
    for (u32 i = 0; i < N; i++) {
        if (this_hart()->index) { *seen += !is_mapped(stack[i]); }
        EXPECT(kernel_reaches(stack[i] - PAGE_SIZE) == is_mapped(stack[i]));
    }
}

TEST(unmapping_reaches_every_hart) {
    u32 gone = 0;
    on_harts(2, see_them_go, &gone);
    EXPECT(gone > 0);
}

// A hart that looked while the address was not mapped has kept that, until it fences.
static void look_too_early(void *arg) {
    u64 top = *(u64 *)arg;
    if (this_hart()->index == 1) { EXPECT(!kernel_reaches(top - PAGE_SIZE)); }
    rendezvous(2);
    if (this_hart()->index == 0) {
        EXPECT(!kernel_reaches(top - PAGE_SIZE));
        take_n();  // all unmapped addresses of this hart are in use again
        EXPECT(is_mapped(top));
    }
    rendezvous(2);
    if (this_hart()->index == 1) {
        EXPECT(!kernel_reaches(top - PAGE_SIZE));  // the fake machine is as unkind as it says
        kstack_fence(top);
        EXPECT(reaches_all_of(top));
    }
}

TEST(who_begins_to_run_on_a_stack_fences_it) {
    take_n();
    give_n();
    u64 gone = 0;
    for (u32 i = 0; i < N; i++) { gone = is_mapped(stack[i]) ? gone : stack[i]; }
    EXPECT(gone);
    on_harts(2, look_too_early, &gone);
    give_n();
}

static u64 traded[32];  // (a)

static void trade(void *arg) {
    for (u32 i = 0; i < *(u32 *)arg; i++) {
        u64 mine = kstack_alloc();
        EXPECT(mine && reaches_all_of(mine));
        u64 other = atomic_swap_acq_rel(&traded[pick(ARRAY_LEN(traded))], mine);
        if (other) {
            kstack_fence(other);
            EXPECT(reaches_all_of(other));
            kstack_free(other);
        }
    }
}

TEST(stacks_are_freed_by_other_harts) {
    u32 rounds = 400;
    on_harts(HARTS, trade, &rounds);
    for (u32 i = 0; i < ARRAY_LEN(traded); i++) {
        if (traded[i]) {
            kstack_free(traded[i]);
            traded[i] = 0;
        }
    }
}

// A failed attempt leaves its frames where they were; a table that it made stays, and is counted.
TEST(every_failing_allocation_is_undone) {
    for (u32 i = 0; i < N; i++) {
        u64 all = freelist_count() + kstack_frames(), n = 0;
        do {
            fail_allocation(++n);
            stack[i] = kstack_alloc();
            EXPECT(freelist_count() + kstack_frames() == all);
        } while (!stack[i] && n < 20);
        EXPECT(stack[i] && n >= 2);
    }
    fail_allocation(0);
    give_n();
}
