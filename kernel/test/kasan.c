// SPDX-License-Identifier: MIT
// kasan.c - is every access that may not be reported, and nothing else?
//
// Model      rows: a target, places at its edges, accesses; each combination is a case. What the
//            report says is the row's. acts: frees that are wrong, movers of memory one byte too
//            long, and how memory comes back into use.
// Places     A from its first byte · Y up to its last · B up to the byte before · Z from the one behind
// Accesses   r w and a width, s memset, c memcpy out of it, d memcpy into it, and a length (one digit)
#ifdef KASAN
#include "lib/print.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/cache.h"
#include "mm/freelist.h"
#include "mm/refs.h"
#include "mm/uaccess.h"
#include "riscv/hart.h"
#include "sync/kasan.h"
#include "test/test.h"

#define ALL "r1 r2 r4 r8 w1 w2 w4 w8 s7 c9 d5"

enum target { OBJECT, FREED_OBJECT, FRAME, FREED_FRAME, GLOBAL, BOOT, NONE, FIRMWARE, USER };
static const char *const targets[] = {"object", "freed object", "frame", "freed frame", "global",
                                      "boot memory", "null", "firmware", "user memory"};

static const struct row {
    enum target target;
    const char *places, *accesses, *says;
} rows[] = {
    {OBJECT, "AY", ALL, NULL},
    {OBJECT, "BZ", ALL, "out of bounds"},
    {FREED_OBJECT, "AY", ALL, "use after free"},
    {FREED_OBJECT, "BZ", "r1 w8", "out of bounds"},
    {FRAME, "AY", ALL, NULL},
    {FREED_FRAME, "AY", ALL, "use after free"},
    {GLOBAL, "AY", ALL, NULL},
    {GLOBAL, "Z", ALL, "out of bounds"},
    {BOOT, "Z", ALL, "out of bounds"},
    {NONE, "A", ALL, "wild access"},
    {FIRMWARE, "AY", ALL, "wild access"},
    {USER, "A", "r1 w8", "wild access"},
};

static u8 global[27], buffer[64];

struct extent {
    u64 at, bytes;
};

// Bring the target about; `undo` it after the access.
static struct extent target_of(enum target t, bool undo) {
    static void *object;
    static frame_t f;
    switch (t) {
    case OBJECT:
    case FREED_OBJECT:
        object = undo ? object : cache_alloc(&region_cache);
        if (undo == (t == OBJECT)) { cache_free(&region_cache, object); }
        return (struct extent){(u64)object, sizeof(struct region_node)};
    case FRAME:
    case FREED_FRAME:
        f = undo ? f : frame_alloc(FRAME_KERNEL);
        if (undo == (t == FRAME)) { frame_release(f); }
        return (struct extent){(u64)frame_kva(f), PAGE_SIZE};
    case GLOBAL:
        return (struct extent){(u64)global, sizeof(global)};
    case BOOT:
        return (struct extent){(u64)this_hart(), sizeof(struct hart)};
    case FIRMWARE:
        return (struct extent){(u64)frame_kva(FRAME_NONE), PAGE_SIZE};
    default:
        return (struct extent){t == USER ? USER_MIN : 8, 64};
    }
}

struct touch {
    char how;
    u32 bytes;
    u64 at;
};

#define TOUCH(bytes, type)                                                                         \
    case bytes:                                                                                    \
        if (write) {                                                                               \
            write_once(*(type *)at, 0x5a);                                                         \
        } else {                                                                                   \
            (void)read_once(*(type *)at);                                                          \
        }                                                                                          \
        break

// Where it is not aligned, that is not what is tested.
__attribute__((no_sanitize("alignment"))) static void load_or_store(u64 at, u32 bytes, bool write) {
    switch (bytes) {
        TOUCH(1, u8);
        TOUCH(2, u16);
        TOUCH(4, u32);
        TOUCH(8, u64);
    }
}

static void perform(void *arg) {
    struct touch *a = arg;
    switch (a->how) {
    case 's': memset((void *)a->at, 0, a->bytes); break;
    case 'c': memcpy(buffer, (void *)a->at, a->bytes); break;
    case 'd': memcpy((void *)a->at, buffer, a->bytes); break;
    default: load_or_store(a->at, a->bytes, a->how == 'w');
    }
}

static const char *run(const struct row *r, char place, const char *access) {
    struct touch a = {access[0], access[1] - '0', 0};
    struct extent e = target_of(r->target, false);
    a.at = place == 'A' ? e.at : place == 'Y' ? e.at + e.bytes - a.bytes
         : place == 'B' ? e.at - a.bytes : e.at + e.bytes;
    const char *said = test_catch(perform, &a);
    target_of(r->target, true);
    return said;
}

// ---- acts ----

static struct region_node *object;
static frame_t f, g;

#define ACT(name) static void name(void *unused)
#define PREPARE                                                                                    \
    (void)unused;                                                                                  \
    object = cache_alloc(&region_cache);                                                           \
    f = frame_alloc(FRAME_KERNEL);                                                                 \
    g = frame_alloc(FRAME_KERNEL);                                                                 \
    ASSERT(object && f && g, "no memory for %s", "a test")

// Give back what an act has left.
static void tidy(void) {
    frame_t frames[] = {f, g};
    if (!*kasan_shadow((u64)object)) { cache_free(&region_cache, object); }
    for (u32 i = 0; i < ARRAY_LEN(frames); i++) {
        if (frame_refs(frames[i])) {
            frame_release(frames[i]);
        } else if (frame_record(frames[i])->class != FRAME_FREE) {
            frame_free(frames[i]);
        }
    }
}

ACT(object_freed_twice) {
    PREPARE;
    cache_free(&region_cache, object);
    cache_free(&region_cache, object);
}
ACT(object_freed_twice_later) {
    PREPARE;
    cache_free(&region_cache, object);
    for (u32 i = 0; i < 20; i++) {
        void *other = cache_alloc(&region_cache);
        ASSERT(other != object, "object %p is used again at once", other);
        cache_free(&region_cache, other);
    }
    cache_free(&region_cache, object);
}
ACT(object_freed_inside) {
    PREPARE;
    cache_free(&region_cache, (u8 *)object + 16);
}
ACT(object_freed_to_another_cache) {
    PREPARE;
    cache_free(&as_cache, object);
}
ACT(frame_freed_as_object) {
    PREPARE;
    cache_free(&region_cache, frame_kva(f));
}
ACT(global_freed_as_object) {
    PREPARE;
    cache_free(&region_cache, global);
}
ACT(frame_freed_twice) {
    PREPARE;
    frame_release(f);
    frame_free(f);
}
ACT(frame_freed_as_zeroed_and_dirty) {
    PREPARE;
    memset(frame_kva(f), 0, PAGE_SIZE);
    ((u64 *)frame_kva(f))[511] = 1;
    ASSERT(frame_put(f), "the only count of %u", f);
    frame_free_zeroed(f);
}
ACT(frame_freed_as_zeroed) {
    PREPARE;
    page_zero(frame_kva(f));
    ASSERT(frame_put(f), "the only count of %u", f);
    frame_free_zeroed(f);
}
ACT(copy_of_a_freed_page) {
    PREPARE;
    frame_release(f);
    page_copy(frame_kva(g), frame_kva(f));
}
ACT(copy_to_a_freed_page) {
    PREPARE;
    frame_release(f);
    page_copy(frame_kva(f), frame_kva(g));
}
ACT(zeros_to_a_freed_page) {
    PREPARE;
    frame_release(f);
    page_zero(frame_kva(f));
}
ACT(set_one_too_long) {
    PREPARE;
    memset(object, 0, sizeof(*object) + 1);
}
ACT(set_as_long_as_it_is) {
    PREPARE;
    memset(object, 0, sizeof(*object));
}
ACT(copy_one_too_long) {
    PREPARE;
    memcpy(frame_kva(f), object, sizeof(*object) + 1);
}
ACT(copy_one_too_far) {
    PREPARE;
    memcpy((u8 *)object + 1, frame_kva(f), sizeof(*object));
}
ACT(copy_as_long_as_it_is) {
    PREPARE;
    memcpy(frame_kva(f), object, sizeof(*object));
}
ACT(structure_of_a_freed_object) {
    PREPARE;
    cache_free(&region_cache, object);
    *(struct region_node *)frame_kva(f) = *object;
}
ACT(nothing_at_the_end) {
    PREPARE;
    memset(object + 1, 0, 0);
    memcpy(buffer, object + 1, 0);
}
ACT(from_user_one_too_long) {
    PREPARE;
    (void)!copy_in(object, 64, sizeof(*object) + 1);
}
ACT(to_user_from_freed) {
    PREPARE;
    cache_free(&region_cache, object);
    (void)!copy_out(64, object, 8);
}
ACT(to_user) {
    PREPARE;
    (void)!copy_out(64, object, sizeof(*object));
}
ACT(objects_used_again) {
    PREPARE;
    for (u32 i = 0; i < 2000; i++) {
        struct region_node *r = cache_alloc(&region_cache);
        memset(r, i, sizeof(*r));
        cache_free(&region_cache, r);
    }
}
ACT(frames_used_again) {
    PREPARE;
    for (u32 i = 0; i < frame_count / 8; i++) {
        frame_t again = frame_alloc(FRAME_KERNEL);
        ASSERT(again != f && again != g, "frame %u is used twice", again);
        write_once(*(u32 *)frame_kva(again), i);
        frame_release(again);
    }
}
ACT(frame_not_used_again_at_once) {
    PREPARE;
    frame_release(f);
    frame_t next = frame_alloc(FRAME_KERNEL);
    frame_release(next);
    ASSERT(next != f, "frame %u is used again at once", next);
}
ACT(line_is_counted_as_free) {
    PREPARE;
    u64 before = freelist_count();
    frame_release(f);
    ASSERT(freelist_count() == before + 1, "%lu free, then %lu", before, freelist_count());
}
ACT(another_object_of_the_frame) {
    PREPARE;
    struct region_node *other = cache_alloc(&region_cache);
    cache_free(&region_cache, object);
    memset(other, 0, sizeof(*other));
    cache_free(&region_cache, other);
}

// What the report of a use after free tells of the object's past.
static noinline void freed_here(void) {
    cache_free(&region_cache, object);
    __asm__ volatile("");  // not a tail call
}
ACT(write_to_an_object_freed_here) {
    PREPARE;
    freed_here();
    write_once(object->region.prot, 1);
}
ACT(and_who_did_it_is_told) {
    PREPARE;
    const char *s = test_explained();
    const char *allocated = strstr(s, "allocated by: write_to_an_object_freed_here+");
    ASSERT(allocated && strstr(allocated, "freed by: freed_here+"), "%s", s);
}

static const struct {
    const char *name;
    void (*act)(void *);
    const char *says;
} acts[] = {
#define SAYS(name, says) {#name, name, says}
#define SILENT(name) {#name, name, NULL}
    SAYS(object_freed_twice, "kasan: double free"),
    SAYS(object_freed_twice_later, "kasan: double free"),
    SAYS(object_freed_inside, "free of an interior pointer"),
    SAYS(object_freed_to_another_cache, "free to the wrong cache"),
    SAYS(frame_freed_as_object, "free of what is no object"),
    SAYS(global_freed_as_object, "free of what is no object"),
    SAYS(frame_freed_twice, "kasan: double free"),
    SAYS(frame_freed_as_zeroed_and_dirty, "is freed as zeroed, and word 511 is 1"),
    SILENT(frame_freed_as_zeroed),
    SAYS(copy_of_a_freed_page, "use after free: read of 4096"),
    SAYS(copy_to_a_freed_page, "use after free: write of 4096"),
    SAYS(zeros_to_a_freed_page, "use after free: write of 4096"),
    SAYS(set_one_too_long, "0 bytes behind a region of 112"),
    SILENT(set_as_long_as_it_is),
    SAYS(copy_one_too_long, "out of bounds: read of 113"),
    SAYS(copy_one_too_far, "out of bounds: write of 112"),
    SILENT(copy_as_long_as_it_is),
    SAYS(structure_of_a_freed_object, "use after free"),
    SILENT(nothing_at_the_end),
    SAYS(from_user_one_too_long, "out of bounds: write of 113"),
    SAYS(to_user_from_freed, "use after free: read of 8"),
    SILENT(to_user), SILENT(objects_used_again), SILENT(frames_used_again),
    SILENT(frame_not_used_again_at_once), SILENT(line_is_counted_as_free),
    SILENT(another_object_of_the_frame),
    SAYS(write_to_an_object_freed_here, "use after free: write of 4"), SILENT(and_who_did_it_is_told),
};

static u32 test_rows(long *number) {
    u32 failed = 0;
    char name[64];
    for (u32 i = 0; i < ARRAY_LEN(rows); i++) {
        for (const char *place = rows[i].places; *place; place++) {
            for (const char *a = rows[i].accesses; *a; a += strspn(a, " ")) {
                int len = strcspn(a, " ");
                const char *said = run(&rows[i], *place, a);
                snprintf(name, sizeof(name), "%s %c %.*s", targets[rows[i].target], *place, len, a);
                failed += !test_judge("kasan", ++*number, name, said, rows[i].says);
                a += len;
            }
        }
    }
    return failed;
}

static u32 count(void) {
    u32 n = ARRAY_LEN(acts);
    for (u32 i = 0; i < ARRAY_LEN(rows); i++) {
        u32 words = 1;
        for (const char *a = rows[i].accesses; *a; a++) { words += *a == ' '; }
        n += words * strlen(rows[i].places);
    }
    return n;
}

u32 test_kasan(long number) {
    if (number < 0) { return count(); }
    u32 failed = test_rows(&number);
    for (u32 i = 0; i < ARRAY_LEN(acts); i++) {
        const char *said = test_catch(acts[i].act, NULL);
        tidy();
        failed += !test_judge("kasan", ++number, acts[i].name, said, acts[i].says);
    }
    return failed;
}
#endif
