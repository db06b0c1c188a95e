// SPDX-License-Identifier: MIT
// kasan_report.c - what is said: the access, what it hit, and who allocated and freed that.
#include "lib/print.h"
#include "mm/cache.h"
#include "riscv/hart.h"
#include "symbols.h"
#include "sync/atomic.h"
#include "sync/kasan.h"
#include "sync/park.h"

static u32 claimed;                       // (a) somebody tells
static const struct kasan_stack *stacks;  // of what was hit: allocated, freed; NULL: nothing is known

// "16 bytes behind", "at byte 8 of": where `va` is, seen from an object.
static usize place(char *text, usize n, u64 va, u64 object, usize bytes, const char *name) {
    if (va < object) {
        return snprintf(text, n, "%lu bytes before a %s of %lu bytes", object - va, name, bytes);
    }
    if (va >= object + bytes) {
        return snprintf(text, n, "%lu bytes behind a %s of %lu bytes", va - object - bytes, name, bytes);
    }
    return snprintf(text, n, "byte %lu of a %s of %lu bytes", va - object, name, bytes);
}

static void describe(char *text, usize n, u64 va) {
    usize bytes;
    u64 offset;
    struct kasan_header *h = kasan_header_of(va, &bytes);
    struct kasan_owner *o = kasan_owner_of(va);
    const u8 *s = kasan_shadow(va);
    u8 why = s ? *s : 0;
    stacks = NULL;
    if (h && why != FRAME_IS_FREE) {
        stacks = &h->allocated;
        place(text, n, va, (u64)(h + 1), bytes, o->cache->name);
    } else if (o && (why == FRAME_IS_FREE || why == 0)) {
        stacks = &o->allocated;
        snprintf(text, n, "byte %lu of frame %u", va % PAGE_SIZE, frame_from_kva((void *)va));
    } else if (va >= IMAGE_BASE) {
        const char *name = symbol_of(va, &offset);
        snprintf(text, n, "byte %lu of %s", offset, name);
    } else {
        snprintf(text, n, "%s", why == BOOT_REDZONE ? "behind a piece of boot memory" : "nobody's memory");
    }
}

static const char *kind(u64 va) {
    const u8 *s = kasan_shadow(va);
    switch (s ? *s : NOBODYS) {
    case FRAME_IS_FREE:
    case OBJECT_IS_FREE:
        return "use after free";
    case NOBODYS:
        return "wild access";
    default:
        return "out of bounds";
    }
}

static void claim(void) {
    while (atomic_swap_acquire(&claimed, 1u)) {
        park_poll_stop();  // somebody else speaks
    }
}

void kasan_report_access(u64 va, u64 bad, usize bytes, bool write) {
    char what[96];
    claim();
    describe(what, sizeof(what), bad);
    panic("kasan: %s: %s of %lu bytes at %p: %s", kind(bad), write ? "write" : "read", bytes, (void *)va,
          what);
}

void kasan_report_free(const char *wrong, const void *p) {
    char what[96];
    claim();
    describe(what, sizeof(what), (u64)p);
    panic("kasan: %s: %p: %s", wrong, p, what);
}

void kasan_explain(print_say say) {
    if (atomic_load_relaxed(&claimed) && stacks) {
        say("-- kasan --\n");
        symbol_say_stack(say, "allocated by", stacks[0].pc, KASAN_DEPTH);
        symbol_say_stack(say, "freed by", stacks[1].pc, KASAN_DEPTH);
    }
    atomic_store_release(&claimed, 0u);
}
