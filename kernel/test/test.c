// SPDX-License-Identifier: MIT
// test.c - unit tests of counts, free lists, caches, regions and the audit, and the suites of other
// files, as far as their tool is built in: run by KINE_SELFTEST.
#include "test/test.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/cache.h"
#include "mm/freelist.h"
#include "mm/cursor.h"
#include "mm/refs.h"
#include "proc/proc.h"
#include "syscall/syscall.h"

#ifdef TESTS
#define EXPECT(cond)                                                                               \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            kprintf("# line %u: not true: %s\n", __LINE__, #cond);                                 \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

static bool count_starts_at_one(void) {
    frame_t f = frame_alloc(FRAME_KERNEL);
    EXPECT(f && frame_refs(f) == 1 && frame_sole(f));
    frame_release(f);
    return true;
}

static bool last_put_is_told_once(void) {
    frame_t f = frame_alloc(FRAME_KERNEL);
    frame_get(f);
    EXPECT(frame_refs(f) == 2 && !frame_sole(f));
    EXPECT(!frame_put(f));
    EXPECT(frame_sole(f));
    EXPECT(frame_put(f));
    EXPECT(frame_refs(f) == 0);
    frame_free(f);
    return true;
}

static bool get_unless_free_refuses_free(void) {
    frame_t f = frame_alloc(FRAME_KERNEL);
    EXPECT(frame_get_unless_free(f) && frame_refs(f) == 2);
    EXPECT(!frame_put(f));
    EXPECT(frame_put(f));
    EXPECT(!frame_get_unless_free(f));
    frame_free(f);
    return true;
}

static bool count_saturates(void) {
    frame_t f = frame_alloc(FRAME_KERNEL);
    struct frame *r = frame_record(f);
    r->ref = 0x7fffffff;
    frame_get(f);
    EXPECT(ref_is_saturated(r->ref));
    EXPECT(!frame_put(f) && ref_is_saturated(r->ref));
    frame_get(f);
    EXPECT(ref_is_saturated(r->ref));
    EXPECT(frame_get_unless_free(f) && ref_is_saturated(r->ref));
    EXPECT(!frame_sole(f));
    r->ref = 1;
    frame_release(f);
    return true;
}

static bool zeroed_frames_are_zero(void) {
    frame_t f = frame_alloc(FRAME_USER);
    memset(frame_kva(f), 0xa5, PAGE_SIZE);
    frame_release(f);
    for (int i = 0; i < 100; i++) {
        f = frame_alloc_zeroed(i & 1 ? FRAME_USER : FRAME_TABLE);
        const u64 *p = frame_kva(f);
        for (u32 k = 0; k < 512; k++) { EXPECT(p[k] == 0); }
        frame_release(f);
    }
    return true;
}

static bool frames_are_conserved(void) {
    frame_t chain = FRAME_NONE;
    u64 before = freelist_count();
    for (u32 n = 0; n < 300; n++) {
        frame_t f = frame_alloc(FRAME_KERNEL);
        EXPECT(f);
        frame_record(f)->next = chain;
        chain = f;
    }
    EXPECT(freelist_count() == before - 300);
    while (chain) {
        frame_t f = chain;
        chain = frame_record(f)->next;
        frame_release(f);
    }
    EXPECT(freelist_count() == before);
    return true;
}

static bool caches_give_distinct_objects(void) {
    enum { N = 70 };
    void *o[N];
    for (int i = 0; i < N; i++) {
        o[i] = cache_alloc(&region_cache);
        EXPECT(o[i]);
        memset(o[i], i, sizeof(struct region_node));
    }
    for (int i = 0; i < N; i++) {
        EXPECT(*(u8 *)o[i] == i);
        cache_free(&region_cache, o[i]);
    }
    return true;
}

static bool regions_split_and_merge(void) {
    struct as *as = as_create();
    EXPECT(as);
    EXPECT(as_map_fixed(as, 0x100000, 0x10000, PROT_READ | PROT_WRITE) == 0x100000);
    EXPECT(as_populate(as, 0x104000));
    EXPECT(as_unmap(as, 0x103000, 0x1000) == 0);
    EXPECT(region_find(as, 0x102fff) && !region_find(as, 0x103000) && region_find(as, 0x104000));
    EXPECT(as_pages(as) == 1);
    EXPECT(as_map_fixed(as, 0x103000, 0x1000, PROT_READ | PROT_WRITE) == 0x103000);
    EXPECT(as_unmap(as, 0x100000, 0x10000) == 0);
    EXPECT(as_pages(as) == 0 && !as->map);
    as_destroy(as);
    return true;
}

static bool fork_shares_and_flips(void) {
    struct as *as = as_create();
    EXPECT(as_map_fixed(as, 0x200000, 0x4000, PROT_READ | PROT_WRITE) == 0x200000);
    *(u64 *)as_populate(as, 0x201000) = 42;
    struct as *child = as_fork(as, NULL, 0);
    EXPECT(child && as_pages(child) == 1);
    EXPECT(as_fault(child, 0x201000, ACCESS_WRITE) == 0);  // copy
    u64 *theirs = as_populate(child, 0x201000), *ours = as_populate(as, 0x201000);
    EXPECT(theirs != ours && *theirs == 42);
    as_destroy(child);
    EXPECT(as_fault(as, 0x201000, ACCESS_WRITE) == 0);  // flip
    EXPECT(as_populate(as, 0x201000) == ours);
    EXPECT(as_fault(as, 0x205000, ACCESS_WRITE) == -EFAULT);
    as_destroy(as);
    return true;
}

// How many errors the audit finds.
static long audit(void) { return sys_kine_audit(0, 0); }

static bool audit_misses_no_frame(void) {
    EXPECT(audit() == 0);
    frame_t user = frame_alloc(FRAME_USER), kernel = frame_alloc(FRAME_KERNEL);
    EXPECT(audit() == 2);  // one mapped nowhere, one whose owner does not know of it
    frame_release(user);
    EXPECT(audit() == 1);
    frame_release(kernel);
    EXPECT(audit() == 0);
    user = frame_alloc(FRAME_USER);
    EXPECT(frame_put(user) && audit() == 1);  // the last count has gone, and nobody freed it
    frame_free(user);
    EXPECT(audit() == 0);
    return true;
}

static bool audit_sees_wrong_counts_and_entries(void) {
    struct as *as = as_self();
    long at = as_map_anywhere(as, 0, PAGE_SIZE, PROT_READ | PROT_WRITE);
    EXPECT(at > 0 && as_populate(as, at) && audit() == 0);
    pte_t *e = pt_find(as->table, at), good = *e;
    frame_t f = frame_of_pte(good);
    frame_get(f);
    EXPECT(audit() == 2);  // a count above the mappings; W with a count of two
    EXPECT(!frame_put(f));
    *e = good | PTE_COW;
    EXPECT(audit() == 1);  // W and COW
    *e = good;
    frame_record(pt_table_of(e))->live++;
    EXPECT(audit() == 1);
    frame_record(pt_table_of(e))->live--;
    EXPECT(as_unmap(as, at, PAGE_SIZE) == 0 && audit() == 0);
    return true;
}

static const struct {
    const char *name;
    bool (*run)(void);
} tests[] = {
#define T(name) {#name, name}
    T(count_starts_at_one), T(last_put_is_told_once), T(get_unless_free_refuses_free),
    T(count_saturates), T(zeroed_frames_are_zero), T(frames_are_conserved),
    T(caches_give_distinct_objects), T(regions_split_and_merge), T(fork_shares_and_flips),
    T(audit_misses_no_frame), T(audit_sees_wrong_counts_and_entries),
};

static test_suite *const suites[] = {
    test_refs,
    test_traps,
    test_frames,
    test_disk,
#ifdef LOCKDEP
    test_lockdep,
#endif
#ifdef GHOST
    test_ghost,
#endif
#ifdef KASAN
    test_kasan,
#endif
#ifdef UBSAN
    test_ubsan,
#endif
};

long test_run_all(void) {
    long failed = 0, number = ARRAY_LEN(tests), all = number;
    for (u32 i = 0; i < ARRAY_LEN(suites); i++) { all += suites[i](-1); }
    kprintf("KTAP version 1\n1..%ld\n", all);
    for (u32 i = 0; i < ARRAY_LEN(tests); i++) {
        bool ok = tests[i].run();
        kprintf("%sok %u - kernel: %s\n", ok ? "" : "not ", i + 1, tests[i].name);
        failed += !ok;
    }
    for (u32 i = 0; i < ARRAY_LEN(suites); i++) {
        failed += suites[i](number);
        number += suites[i](-1);
    }
    return failed;
}
#else
long test_run_all(void) { return -ENOSYS; }
#endif
