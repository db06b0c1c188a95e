// SPDX-License-Identifier: MIT
// refs.c - counts misused: what each operation does with each kind of count, whichever REFS counts.
//
// Model      A row starts a frame with a count, does one operation, and tells what it must return and
//            leave, or say in its panic. The acts behind it are sequences that callers get wrong.
#include "test/test.h"

#ifdef TESTS
#include "lib/print.h"
#include "lib/string.h"
#include "mm/cursor.h"
#include "mm/refs.h"
#include "proc/proc.h"
#include "syscall/syscall.h"

#define MOST 0x7fffffffu
#define SATURATED REF_SATURATED

enum op { GET, PUT, GET_UNLESS_FREE, SOLE, BREAK };
static const char *const op_names[] = {"get", "put", "get unless free", "sole", "break"};

static const struct row {
    enum op op;
    u32 before, told, after;
    const char *panics;
} rows[] = {
    {GET, 0, 0, 0, "get on a count of 0"},
    {GET, 1, 0, 2, NULL},
    {GET, 255, 0, 256, NULL},
    {GET, 65535, 0, 65536, NULL},
    {GET, MOST - 1, 0, MOST, NULL},
    {GET, MOST, 0, SATURATED, NULL},
    {GET, MOST + 1, 0, SATURATED, NULL},
    {GET, SATURATED, 0, SATURATED, NULL},
    {GET, ~0u, 0, SATURATED, NULL},
    {PUT, 0, 0, 0, "put on a count of 0"},
    {PUT, 1, true, 0, NULL},
    {PUT, 2, false, 1, NULL},
    {PUT, 256, false, 255, NULL},
    {PUT, MOST, false, MOST - 1, NULL},
    {PUT, MOST + 1, false, SATURATED, NULL},
    {PUT, SATURATED, false, SATURATED, NULL},
    {PUT, ~0u, false, SATURATED, NULL},
    {GET_UNLESS_FREE, 0, false, 0, NULL},
    {GET_UNLESS_FREE, 1, true, 2, NULL},
    {GET_UNLESS_FREE, 255, true, 256, NULL},
    {GET_UNLESS_FREE, MOST - 1, true, MOST, NULL},
    {GET_UNLESS_FREE, MOST, true, MOST, NULL},
    {GET_UNLESS_FREE, SATURATED, true, SATURATED, NULL},
    {SOLE, 0, false, 0, NULL},
    {SOLE, 1, true, 1, NULL},
    {SOLE, 2, false, 2, NULL},
    {SOLE, 257, false, 257, NULL},
    {SOLE, MOST, false, MOST, NULL},
    {SOLE, SATURATED, false, SATURATED, NULL},
    {BREAK, 1, BREAK_SOLE, 1, NULL},
    {BREAK, 2, BREAK_COPIED, 2, NULL},
    {BREAK, 257, BREAK_COPIED, 257, NULL},
    {BREAK, SATURATED, BREAK_COPIED, SATURATED, NULL},
};

static frame_t f;
static u32 told;

static u32 break_and_compare(void) {
    frame_t copy;
    u32 how = frame_break(f, &copy);
    if (how == BREAK_COPIED) {
        ASSERT(!memcmp(frame_kva(copy), frame_kva(f), PAGE_SIZE), "frame %u is no copy of %u", copy, f);
        frame_release(copy);
    }
    return how;
}

static void perform(void *arg) {
    const struct row *r = arg;
    switch (r->op) {
    case GET: frame_get(f); break;
    case PUT: told = frame_put(f); break;
    case GET_UNLESS_FREE: told = frame_get_unless_free(f); break;
    case SOLE: told = frame_sole(f); break;
    case BREAK: told = break_and_compare(); break;
    }
}

// Its own words, or what is wrong with what it left.
static const char *run(const struct row *r) {
    static char wrong[64];
    f = frame_alloc_zeroed(FRAME_KERNEL);
    ASSERT(f, "no memory for %s", "a test");
    told = 0;
    frame_record(f)->ref = r->before;
    const char *said = test_catch(perform, (void *)r);
    u32 after = frame_refs(f);
    if (!said && (told != r->told || after != r->after)) {
        snprintf(wrong, sizeof(wrong), "returns %u, leaves %x", told, after);
        said = wrong;
    }
    frame_record(f)->ref = 1;
    frame_release(f);
    return said;
}

// ---- sequences ----

// The act fails half-way; so the frame is put right by what comes next.
static void alloc(void) {
    f = frame_alloc(FRAME_KERNEL);
    ASSERT(f, "no memory for %s", "a test");
}

static void put_twice(void *unused) {
    (void)unused;
    alloc();
    frame_release(f);
    frame_release(f);
}
static void get_after_free(void *unused) {
    (void)unused;
    alloc();
    frame_release(f);
    frame_get(f);
}
static void get_unless_free_after_free(void *unused) {
    (void)unused;
    alloc();
    frame_release(f);
    ASSERT(!frame_get_unless_free(f), "frame %u is free", f);
}
static void free_while_counted(void *unused) {
    (void)unused;
    alloc();
    frame_free(f);
}
static void free_after_somebody_freed(void *unused) {
    (void)unused;
    alloc();
    frame_release(f);
    frame_free(f);
}
static void free_reserved(void *unused) {
    (void)unused;
    frame_free(FRAME_NONE);
}
static void get_and_put_and_free(void *unused) {
    (void)unused;
    alloc();
    for (u32 i = 0; i < 1000; i++) { frame_get(f); }
    for (u32 i = 0; i < 1000; i++) { ASSERT(!frame_put(f), "%u of 1000", i); }
    frame_release(f);
}

// What the audit says of a page whose count is off by `by` for a moment.
static void miscount(void *by) {
    struct as *as = as_self();
    long at = as_map_anywhere(as, 0, PAGE_SIZE, PROT_READ | PROT_WRITE);
    ASSERT(at > 0 && as_populate(as, at), "no memory for %s", "a test");
    struct frame *r = frame_record(frame_of_pte(*pt_find(as->table, at)));
    r->ref += (long)by;
    long errors = sys_kine_audit(0, 0);
    r->ref -= (long)by;
    as_unmap(as, at, PAGE_SIZE);
    ASSERT(errors == 0, "the audit finds %ld errors", errors);
}

static const struct {
    const char *name;
    void (*act)(void *);
    void *arg;
    const char *panics;
    u32 after;  // to be undone before the frame is used again
} acts[] = {
    {"put twice", put_twice, NULL, "put on a count of 0", 0},
    {"get after free", get_after_free, NULL, "get on a count of 0", 0},
    {"get unless free after free", get_unless_free_after_free, NULL, NULL, 0},
    {"free while counted", free_while_counted, NULL, "is freed with count 1", 1},
#ifdef KASAN
    {"free after somebody freed", free_after_somebody_freed, NULL, "kasan: double free", 0},
#else
    {"free after somebody freed", free_after_somebody_freed, NULL, "is freed twice", 0},
#endif
    {"free of a reserved frame", free_reserved, NULL, "is freed twice", 0},
    {"a thousand gets and puts", get_and_put_and_free, NULL, NULL, 0},
    {"put while mapped, as the audit sees it", miscount, (void *)-1l, "the audit finds 3", 0},
    {"get without a mapping, as the audit sees it", miscount, (void *)1l, "the audit finds 2", 0},
    {"a mapping and its count, as the audit sees it", miscount, NULL, NULL, 0},
};

static const char *run_act(u32 i) {
    f = FRAME_NONE;
    const char *said = test_catch(acts[i].act, acts[i].arg);
    if (f && acts[i].after) {
        frame_release(f);
    } else if (f && said) {
        frame_record(f)->ref = 0;
    }
    return said;
}

u32 test_refs(long number) {
    u32 failed = 0;
    char name[64];
    if (number < 0) { return ARRAY_LEN(rows) + ARRAY_LEN(acts); }
    for (u32 i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(name, sizeof(name), "%s at %x", op_names[rows[i].op], rows[i].before);
        failed += !test_judge("refs", ++number, name, run(&rows[i]), rows[i].panics);
    }
    for (u32 i = 0; i < ARRAY_LEN(acts); i++) {
        failed += !test_judge("refs", ++number, acts[i].name, run_act(i), acts[i].panics);
    }
    return failed;
}
#endif
