// SPDX-License-Identifier: MIT
// frames.c - what the allocator and the audit say of frames, lists and tables that are wrong; and that
// they are silent when all is right.
//
// Model      A row does something (`act`), and is asked what was said: by the panic, or else by the audit.
//            `mend` puts right what the act has left. Every act starts with two pages of this process
//            at `at`, the first mapped by *e to frame f, whose record is r, and a free frame g that comes next.
#include "test/test.h"

#ifdef TESTS
#include "lib/print.h"
#include "lib/string.h"
#include "mm/cache.h"
#include "mm/freelist.h"
#include "mm/cursor.h"
#include "mm/refs.h"
#include "proc/proc.h"
#include "syscall/syscall.h"

static long at, book;  // pages of this process: the one to play with, and one for the audit's report
static pte_t *e, good, second;
static frame_t f, g, taken;
static struct frame *r, *table;
static struct region *region;
static struct kine_audit *report;  // the page at `book`

static const char *audit(void) {
    long errors = sys_kine_audit(book, sizeof(*report));
    return errors ? report->first : NULL;
}

static long new_pages(u32 n) {
    long va = as_map_anywhere(as_self(), 0, n * PAGE_SIZE, PROT_READ | PROT_WRITE);
    ASSERT(va > 0, "no place for %u pages", n);
    for (u32 i = 0; i < n; i++) {
        ASSERT(as_populate(as_self(), va + i * PAGE_SIZE), "no memory for page %u", i);
    }
    return va;
}

static void start(void) {
    at = new_pages(2);
    e = pt_find(as_self()->table, at);
    good = *e;
    second = e[1];
    f = frame_of_pte(good);
    r = frame_record(f);
    table = frame_record(pt_table_of(e));
    region = (struct region *)region_find(as_self(), at);
    taken = FRAME_NONE;
    g = frame_alloc(FRAME_KERNEL);
    ASSERT(g, "no memory for %s", "a test");
    frame_release(g);
}

#define ACT(name, ...) static void name(u64 arg) { (void)arg; __VA_ARGS__; }

// ---- freed, counted or taken wrongly
ACT(free_page, frame_free(f))
ACT(share, frame_get(f))
ACT(unshare, (void)!frame_put(f))
ACT(free_shared, frame_get(f); frame_free(f))
ACT(free_saturated, r->ref = REF_SATURATED; frame_free(f))
ACT(count_one, r->ref = 1)
ACT(free_table, pt_free(pt_table_of(e)))
ACT(free_zeroed_twice, frame_free_zeroed(g))
ACT(free_zeroed_counted, frame_free_zeroed(f))
ACT(free_records, frame_free(frame_from_kva(frame_table)))
ACT(uncount_records, frame_record(frame_from_kva(frame_table))->ref = 0)
ACT(put_records, (void)!frame_put(frame_from_kva(frame_table)))
ACT(get_records, frame_get(frame_from_kva(frame_table)))
ACT(get_unless_free_records, ASSERT(!frame_get_unless_free(frame_from_kva(frame_table)), "boot memory is %s", "taken"))
ACT(set_again, pt_set(e, good))

// ---- records of free frames
ACT(count_free, frame_record(g)->ref = arg)
ACT(class_free, frame_record(g)->class = arg)
ACT(take_unseen, taken = freelist_take())
ACT(give_taken, freelist_give(taken))

// ---- what comes next from a list
#ifndef KASAN  // there what was freed does not come next
ACT(take_counted, frame_record(g)->ref = 5; taken = frame_alloc(FRAME_KERNEL))
ACT(give_counted_back, frame_record(g)->ref = 0; freelist_give(g))
ACT(give_page, freelist_give(f))
ACT(take_back, taken = freelist_take(); ASSERT(taken == f || taken == g, "%u comes next", taken))
#ifdef REFS_CAS
ACT(give_again, freelist_give(g))
ACT(give_again_zeroed, freelist_give_zeroed(g))
ACT(take_zeroed_back, taken = freelist_take_zeroed(); ASSERT(taken == g, "%u comes next", taken))
#ifdef CHECK
// The list of zeroed frames is believed; CHECK=1 looks.
ACT(take_dirty, frame_t t = frame_alloc_zeroed(FRAME_TABLE); ASSERT(t, "no memory for %s", "a test");
    ((u64 *)frame_kva(t))[arg] = 1; (void)!frame_put(t); frame_free_zeroed(t); taken = t;
    (void)!frame_alloc_zeroed(FRAME_TABLE))
ACT(clean, ((u64 *)frame_kva(taken))[arg] = 0; freelist_give(taken))
#endif
#endif
#endif

// ---- frames in use
ACT(alloc, taken = frame_alloc_zeroed(arg); ASSERT(taken, "no memory for class %lu", arg))
ACT(release, frame_release(taken))
ACT(alloc_and_put, alloc(arg); (void)!frame_put(taken))
ACT(free_taken, frame_free(taken))
ACT(class_page, r->class = arg)
ACT(entry_bits, *e = good ^ arg)
ACT(entry_emptied, *e = 0)
ACT(entry_good, *e = good)
ACT(protect, region->prot = arg)
ACT(narrow, region->end -= arg * PAGE_SIZE)
ACT(widen, region->end += arg * PAGE_SIZE)
ACT(live, table->live += (u32)arg)
ACT(unlive, table->live -= (u32)arg)
ACT(class_table, table->class = arg)
ACT(count_table, table->ref = arg)
ACT(slab, region_cache.hart[0].frames += arg)
ACT(unslab, region_cache.hart[0].frames -= arg)
ACT(map_twice, e[1] = good)
ACT(map_once, e[1] = second)

// ---- all is right
ACT(nothing)

// Take n, each another one; give them back: so many are free as before.
static void take_and_give(u64 n) {
    u64 before = freelist_count();
    frame_t chain = FRAME_NONE;
    for (u64 i = 0; i < n; i++) {
        frame_t got = frame_alloc(FRAME_KERNEL);
        ASSERT(got && frame_record(got)->live == 0, "frame %u comes twice", got);
        frame_record(got)->live = 1;
        frame_record(got)->next = chain;
        chain = got;
    }
    ASSERT(freelist_count() == before - n, "%lu of %lu are free", freelist_count(), before - n);
    while (chain) {
        frame_t next = frame_record(chain)->next;
        frame_record(chain)->live = 0;
        frame_release(chain);
        chain = next;
    }
    ASSERT(freelist_count() == before, "%lu of %lu are free", freelist_count(), before);
}

static void dirty_then_zeroed(u64 class) {
    frame_t dirty = frame_alloc(FRAME_USER);
    ASSERT(dirty, "no memory for %s", "a test");
    memset(frame_kva(dirty), 0xa5, PAGE_SIZE);
    frame_release(dirty);
    alloc(class);
    for (u32 i = 0; i < PAGE_SIZE / 8; i++) {
        u64 word = ((u64 *)frame_kva(taken))[i];
        ASSERT(word == 0, "word %u is %lx", i, word);
    }
    frame_release(taken);
}

// Whatever any hart has: all of it, and then none.
static void take_all(u64 arg) {
    (void)arg;
    u64 before = freelist_count();
    ASSERT(test_ctl(KINE_HOARD, 0, 0) == (long)before, "of %lu free frames some stay", before);
    frame_t more = frame_alloc(FRAME_KERNEL), zero = frame_alloc_zeroed(FRAME_TABLE);
    ASSERT(!more && !zero && freelist_count() == 0, "then comes %u, %u", more, zero);
}
ACT(give_all, test_ctl(KINE_UNHOARD, 0, 0))


#ifdef KASAN
#define TWICE "kasan: double free"
#else
#define TWICE "is freed twice"
#endif

static const struct {
    const char *name;
    void (*act)(u64), (*mend)(u64);
    u64 arg;
    const char *says;
} rows[] = {
    {"free while mapped", free_page, nothing, 0, "is freed with count 1"},
    {"free while shared", free_shared, unshare, 0, "is freed with count 2"},
    {"free of a saturated frame", free_saturated, count_one, 0, "is freed with count"},
    {"free of a table in use", free_table, nothing, 0, "entries (T1)"},
    {"free of a free frame as a zeroed one", free_zeroed_twice, nothing, 0, TWICE},
    {"free of a mapped frame as a zeroed one", free_zeroed_counted, nothing, 0, "is freed with count 1"},
    {"free of boot memory", free_records, nothing, 0, "is freed twice"},
    {"put of boot memory", put_records, uncount_records, 0, "put on a count of 0"},
    {"get of boot memory", get_records, uncount_records, 0, "get on a count of 0"},
    {"get unless free of boot memory", get_unless_free_records, uncount_records, 0, NULL},
    {"an entry is set twice", set_again, nothing, 0, "is in use"},
    {"a free frame with a count", count_free, count_free, 1, "is on a free list with count 1"},
    {"a free frame of class table", class_free, class_free, FRAME_TABLE, "count 0, class 2"},
    {"a free frame of class user", class_free, class_free, FRAME_USER, "count 0, class 3"},
    {"a frame gone from its list", take_unseen, give_taken, 0, "is free and on no list"},
#ifndef KASAN  // there what was freed does not come next
    {"a counted frame comes from the list", take_counted, give_counted_back, 0, "has count 5 (F1)"},
    {"a mapped frame on the free list", give_page, take_back, 0, "is on a free list with count 1, class 3"},
#ifdef REFS_CAS
    {"a frame twice in a magazine", give_again, take_back, 0, "is on the free lists twice"},
    {"a frame in both magazines", give_again_zeroed, take_zeroed_back, 0, "is on the free lists twice"},
#ifdef CHECK
    {"a zeroed frame is dirty at its first word", take_dirty, clean, 0, "is said to be zeros"},
    {"a zeroed frame is dirty at its last word", take_dirty, clean, PAGE_SIZE / 8 - 1, "is said to be zeros"},
#endif
#endif
#endif
    {"a user frame that nobody maps", alloc, release, FRAME_USER, "has count 1 and 0 mappings (F2)"},
    {"a table that nobody points at", alloc, release, FRAME_TABLE, "and 0 entries that point at it (F3)"},
    {"a kernel frame without an owner", alloc, release, FRAME_KERNEL, "their owners know of"},
    {"a user frame put and not freed", alloc_and_put, free_taken, FRAME_USER, "was not freed (F1)"},
    {"a table put and not freed", alloc_and_put, free_taken, FRAME_TABLE, "was not freed (F1)"},
    {"a kernel frame put and not freed", alloc_and_put, free_taken, FRAME_KERNEL, "was not freed (F1)"},
    {"a mapped frame of class kernel", class_page, class_page, FRAME_KERNEL, "of class 1"},
    {"a mapped frame of class table", class_page, class_page, FRAME_TABLE, "of class 2"},
    {"a mapped frame of class free", class_page, class_page, FRAME_FREE, "of class 0"},
    {"a count above the mappings", share, unshare, 0, "(S2)"},
    {"W and COW", entry_bits, entry_good, PTE_COW, "has W and COW"},
    {"an entry that is not valid, nor empty", entry_bits, entry_good, PTE_V, "(P2)"},
    {"an entry too few for what the table counts", entry_emptied, entry_good, 0, "(T1)"},
    {"W where the region says no", protect, protect, PROT_READ, "(S1)"},
    {"a page behind the end of its region", narrow, widen, 1, "(S1)"},
    {"a table counts an entry too many", live, unlive, 1, "(T1)"},
    {"a table counts an entry too few", unlive, live, 1, "(T1)"},
    {"a table of class user", class_table, class_table, FRAME_USER, "(T2)"},
    {"a table with two counts", count_table, count_table, 2, "(T2)"},
    {"a cache counts a frame too many", slab, unslab, 1, "their owners know of"},
    {"a frame mapped twice, another not at all", map_twice, map_once, 0, "mappings (F2)"},
    {"nothing is wrong", nothing, nothing, 0, NULL},
    {"take none", take_and_give, nothing, 0, NULL},
    {"take and give one", take_and_give, nothing, 1, NULL},
    {"one less than a batch", take_and_give, nothing, FREELIST_BATCH - 1, NULL},
    {"a batch", take_and_give, nothing, FREELIST_BATCH, NULL},
    {"one more than a batch", take_and_give, nothing, FREELIST_BATCH + 1, NULL},
    {"one less than a magazine", take_and_give, nothing, 2 * FREELIST_BATCH - 1, NULL},
    {"a magazine", take_and_give, nothing, 2 * FREELIST_BATCH, NULL},
    {"one more than a magazine", take_and_give, nothing, 2 * FREELIST_BATCH + 1, NULL},
    {"a magazine and a batch", take_and_give, nothing, 3 * FREELIST_BATCH + 1, NULL},
    {"many batches", take_and_give, nothing, 1000, NULL},
    {"a table from a dirty frame", dirty_then_zeroed, nothing, FRAME_TABLE, NULL},
    {"a zeroed page from a dirty frame", dirty_then_zeroed, nothing, FRAME_USER, NULL},
    {"all frames of all harts, then none", take_all, give_all, 0, NULL},
};

static u32 row;

static void act(void *unused) {
    (void)unused;
    rows[row].act(rows[row].arg);
}

// What the row is undone with: the value it had, where a word was changed.
static u64 undone(void) {
    void (*m)(u64) = rows[row].mend;
    return m == class_page ? FRAME_USER : m == class_table ? FRAME_TABLE : m == class_free || m == count_free ? 0
         : m == count_table ? 1 : m == protect ? PROT_READ | PROT_WRITE : rows[row].arg;
}

static const char *run(void) {
    static char said[sizeof(((struct kine_audit *)0)->first)];
    const char *what = test_catch(act, NULL);
    if (!what && rows[row].act != take_all) { what = audit(); }
    snprintf(said, sizeof(said), "%s", what ? what : "");
    rows[row].mend(undone());
    return what ? said : NULL;
}

u32 test_frames(long number) {
    u32 failed = 0;
    if (number < 0) { return ARRAY_LEN(rows); }
    book = new_pages(1);
    report = as_populate(as_self(), book);
    for (row = 0; row < ARRAY_LEN(rows); row++) {
        start();
        failed += !test_judge("frames", ++number, rows[row].name, run(), rows[row].says);
        ASSERT(!audit(), "%s: not mended: %s", rows[row].name, audit());
        as_unmap(as_self(), at, 2 * PAGE_SIZE);
    }
    as_unmap(as_self(), book, PAGE_SIZE);
    return failed;
}
#endif
