// SPDX-License-Identifier: MIT
// frame.c - the table of frame records, and allocation of any class. See frame.h for the model.
//
// Ordering   an allocated frame's count is stored with release after its record is set up; it pairs
//            with the acquire of frame_get_unless_free (refs_cas.h, O5).
#include "mm/frame.h"
#include "mm/freelist.h"
#include "mm/refs.h"
#include "riscv/hart.h"
#include "sync/ghost.h"
#include "sync/inject.h"
#include "sync/race.h"
#include "sync/spin.h"
#include "sync/track.h"

struct frame *frame_table;
u64 frame_base;
u32 frame_count;
u64 frame_records;

void frame_init(u64 base, u32 count, struct frame *table) {
    frame_base = base;
    frame_count = count;
    frame_table = table;
    frame_records = (u64)table - (DIRECT_BASE + base) / PAGE_SIZE * sizeof(struct frame);
}

bool frame_inject_failure(void) {
    struct inject *in = this_hart()->inject;
    inject_no_memory(in);
    return unlikely(++in->seen == in->fail_at);
}

static frame_t own(frame_t f, enum frame_class class) {
    if (likely(f)) {
        struct frame *r = frame_record(f);
        ASSERT(frame_refs(f) == 0, "frame %u from the free list has count %u (F1)", f, frame_refs(f));
        r->class = class;
        r->live = 0;
        r->detached = false;
        track_allocated(f);
#ifdef MUTANT_own_relaxed  // "it is ours alone"
        atomic_store_relaxed(&r->ref, 1u);
#else
        atomic_store_release(&r->ref, 1u);  // pairs with O5
#endif
        COUNT(frame_allocs);
    } else {
        this_hart()->inject->found_none = true;
    }
    return f;
}

frame_t frame_alloc_raw(enum frame_class class) { return own(freelist_take(), class); }

frame_t frame_alloc(enum frame_class class) {
    RACE_POINT_FRAME("frame.alloc", FRAME_NONE);
    return frame_inject_failure() ? FRAME_NONE : own(freelist_take(), class);
}

#ifdef CHECK
// A frame from the list of zeroed ones.
static frame_t believed(frame_t f) {
    for (u32 i = 0; f && i < PAGE_SIZE / 8; i++) {
        u64 word = ((u64 *)frame_kva(f))[i];
        ASSERT(word == 0, "frame %u is said to be zeros: word %u is %lx", f, i, word);
    }
    return f;
}
#else
#define believed(f) f
#endif

frame_t frame_alloc_zeroed(enum frame_class class) {
    if (frame_inject_failure()) { return FRAME_NONE; }
    frame_t f = class == FRAME_TABLE ? believed(freelist_take_zeroed()) : FRAME_NONE;
    if (!f) {
        f = freelist_take();
        if (f) { page_zero(frame_kva(f)); }
    }
    return own(f, class);
}

static void disown(frame_t f) {
    RACE_POINT_FRAME("frame.free", f);
    struct frame *r = frame_record(f);
    ASSERT(frame_refs(f) == 0, "frame %u is freed with count %u", f, frame_refs(f));
    ASSERT(r->class != FRAME_FREE && r->class != FRAME_RESERVED, "frame %u is freed twice", f);
    ghost_free(f);
    r->class = FRAME_FREE;
    race_forget(&r->ref);
    COUNT(frame_frees);
}

void frame_free(frame_t f) {
    disown(f);
    freelist_give(f);
}

void frame_free_zeroed(frame_t f) {
    disown(f);
    freelist_give_zeroed(f);
}

frame_t frame_copy(frame_t old) {
    frame_t f = frame_alloc(FRAME_USER);
#ifdef MUTANT_M30  // not looked at
    page_copy(frame_kva(f), frame_kva(old));
#endif
    if (f) {
        RACE_POINT_FRAME("frame.copy", old);
#ifdef MUTANT_M24  // one copy at a time
        static struct spin copying = SPIN_INIT(REFS);
        spin_lock(&copying);
#endif
        page_copy(frame_kva(f), frame_kva(old));
#ifdef MUTANT_M24
        spin_unlock(&copying);
#endif
    }
    return f;
}

void refs_misused(frame_t f, u32 ref, const char *what) {
    track_suspect(f);
    if (ref == 0) {
        panic("frame %u: %s on a count of 0 (class %u)", f, what, frame_record(f)->class);
    }
    atomic_store_relaxed(&frame_record(f)->ref, REF_SATURATED);
}
