// SPDX-License-Identifier: MIT
// ghost.c - the fake machine's memory, and what free frames hold.
//
// Arena      at a host address whose low 39 bits are those of the direct map, so that it takes the
//            same root entries. Its physical addresses are what DIRECT_BASE makes of that: no constant
//            of the kernel changes.
// Ghosts     the linker puts these functions between frame.c and the free lists (--wrap). A frame is
//            filled with junk when it is given and must hold only junk, or only zeros if it was given
//            as zeroed, when it is taken: a use through an old pointer or translation in between is
//            seen by its junk, by AddressSanitizer, or as a race by ThreadSanitizer.
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include "test/host/ghost.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/freelist.h"

#define ARENA 0x7ec000000000ul
#define JUNK 0xdbdbdbdbdbdbdbdbul
#define WORDS (PAGE_SIZE / sizeof(u64))
_Static_assert(((ARENA ^ DIRECT_BASE) & 0x7ffffffffful) == 0, "another root entry");

frame_t __real_freelist_take(void);
frame_t __real_freelist_take_zeroed(void);
void __real_freelist_give(frame_t f);
void __real_freelist_give_zeroed(frame_t f);
frame_t __wrap_freelist_take(void);
frame_t __wrap_freelist_take_zeroed(void);
void __wrap_freelist_give(frame_t f);
void __wrap_freelist_give_zeroed(frame_t f);

void *ghost_memory(usize bytes) {
    void *at = mmap((void *)ARENA, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (at != (void *)ARENA) { panic("no memory at %lx", ARENA); }
    return at;
}

// No race detection here: memset in ghost_lay is a write to every byte, and that is enough.
__attribute__((no_sanitize("thread"))) static bool holds_only(const u64 *page, u64 word) {
    for (usize i = 0; i < WORDS; i++) {
        if (page[i] != word) { return false; }
    }
    return true;
}

void ghost_lay(frame_t f) {
    memset(frame_kva(f), (u8)JUNK, PAGE_SIZE);
    ASAN_POISON_MEMORY_REGION(frame_kva(f), PAGE_SIZE);
}

static void ghost_lift(frame_t f) {
    const u64 *page = frame_kva(f);
    ASAN_UNPOISON_MEMORY_REGION(page, PAGE_SIZE);
    if (!holds_only(page, JUNK) && !holds_only(page, 0)) {
        panic("frame %u was written while it was free", f);
    }
}

frame_t __wrap_freelist_take(void) {
    frame_t f = __real_freelist_take();
    if (f) { ghost_lift(f); }
    return f;
}

frame_t __wrap_freelist_take_zeroed(void) {
    frame_t f = __real_freelist_take_zeroed();
    if (f) {
        ASAN_UNPOISON_MEMORY_REGION(frame_kva(f), PAGE_SIZE);
        if (!holds_only(frame_kva(f), 0)) { panic("frame %u is not all zeros", f); }
    }
    return f;
}

void __wrap_freelist_give(frame_t f) {
    ghost_lay(f);
    __real_freelist_give(f);
}

void __wrap_freelist_give_zeroed(frame_t f) {
    if (!holds_only(frame_kva(f), 0)) {
        panic("frame %u is given as zeroed and is not", f);
    }
    ASAN_POISON_MEMORY_REGION(frame_kva(f), PAGE_SIZE);
    __real_freelist_give_zeroed(f);
}
