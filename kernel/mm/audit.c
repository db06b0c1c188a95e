// SPDX-License-Identifier: MIT
// audit.c - the judge: is every frame exactly where its record says?
//
// Checks     each frame is free exactly once or in use (F1); a user frame's count is the number of
//            entries that map it, or two if a file has it (F2, B1), and who borrows it may (B2); a page table's
//            count is the number of entries that point at it, and it counts its own (F3, T1, T2); a leaf entry is
//            empty, valid or a slot (P2), none has both W and COW (P1), or W with a count above one (S2), or W or
//            COW outside of writable regions (S1); frames of the kernel, tables in hand (T3) and slots (W1) add up
//            to what their owners say.
#include "mm/audit.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/freelist.h"
#include "mm/refs.h"
#include "mm/swap.h"
#include "sync/track.h"

static struct kine_audit *report;
static struct {
    frame_t first, end;
} virgin[HART_MAX];
static u32 nvirgin;

// About frame f, or FRAME_NONE: about none in particular.
static __attribute__((format(printf, 2, 3))) void error(frame_t f, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    if (!report->errors++) {
        track_suspect(f);
        vsnprintf(report->first, sizeof(report->first), format, ap);
    }
    va_end(ap);
}

static frame_t skip_virgin(frame_t f) {
    for (u32 i = 0; i < nvirgin; i++) {
        if (f >= virgin[i].first && f < virgin[i].end) {
            return skip_virgin(virgin[i].end);
        }
    }
    return f;
}

#define each_frame(f) (frame_t f = skip_virgin(1); f < frame_count; f = skip_virgin(f + 1))

static void note_range(frame_t first, frame_t end) {
    virgin[nvirgin].first = first;
    virgin[nvirgin++].end = end;
    report->frames += end - first;
    report->free += end - first;
}

static void visit_free(frame_t f) {
    struct frame *r = frame_record(f);
    report->free++;
    if (r->audit++) { error(f, "frame %u is on the free lists twice", f); }
    if (r->ref || r->class != FRAME_FREE) {
        error(f, "frame %u is on a free list with count %u, class %u", f, r->ref, r->class);
    }
}

void audit_begin(struct kine_audit *to) {
    report = to;
    memset(report, 0, sizeof(*report));
    nvirgin = 0;
    freelist_each(visit_free, note_range);
}

static void leaf(struct as *as, int pid, u64 va, pte_t e) {
    if (swap_is(e)) {
        if (!swap_visit(e)) {
            error(FRAME_NONE, "pid %d has %lx at %lx, neither empty, nor valid, nor a slot (P2)", pid, e, va);
        }
        return;
    }
    frame_t f = frame_of_pte(e);
    struct frame *r = frame_record(f);
    const struct region *in = as ? region_find(as, va) : NULL;
    bool borrowed = e & PTE_BORROWED;
    report->mappings++;
    r->audit += !borrowed;
    if (borrowed && !r->cached) { error(f, "pid %d borrows frame %u at %lx, which is no file's (B1)", pid, f, va); }
    if (r->class != FRAME_USER) {
        error(f, "pid %d maps frame %u of class %u at %lx", pid, f, r->class, va);
    }
    if ((e & (PTE_W | PTE_COW)) == (PTE_W | PTE_COW)) {
        error(f, "pid %d has W and COW at %lx (P1)", pid, va);
    }
    if (e & PTE_W && !borrowed && r->ref != 1) {
        error(f, "pid %d may write frame %u, count %u, at %lx (S2)", pid, f, r->ref, va);
    }
    bool changing = as && atomic_load_relaxed(&as->lock.state);  // unmap publishes the map first
    if (as && !changing && in && (borrowed ? !in->backing : in->shared)) {
        error(f, "pid %d maps frame %u at %lx, which its region does not (B2)", pid, f, va);
    }
    if (as && !changing && (!in || (e & (PTE_W | PTE_COW) && !(in->prot & PROT_WRITE)))) {
        error(f, "pid %d maps %lx with %lx outside of what its region allows (S1)", pid, va, e);
    }
}

// One more entry points at table t: `owned` is whether it says that it is the only one. What is below is looked
// at the first time.
static void table(struct as *as, int pid, frame_t t, int level, u64 va, bool owned) {
    const pte_t *entries = frame_kva(t);
    u32 live = 0, n = level == PT_LEVELS - 1 ? PT_ENTRIES / 2 : PT_ENTRIES;
    struct frame *r = frame_record(t);
    if (r->class != FRAME_TABLE || (owned && r->ref != 1 && !r->detached)) {
        error(t, "pid %d: table %u of class %u and count %u is pointed at as owned: %u (T2)", pid, t, r->class,
              r->ref, owned);
        return;
    }
    if (r->audit++) { return; }
    for (u32 i = 0; i < n; i++) {
        if (!entries[i]) { continue; }
        live++;
        u64 at = va + i * pt_span(level);
        if (level == 0) {
            leaf(as, pid, at, entries[i]);
        } else {
            table(as, pid, frame_of_pte(entries[i]), level - 1, at, entries[i] & PTE_V);
        }
    }
    if (live != r->live) {
        error(t, "pid %d: table %u has %u entries and counts %u (T1)", pid, t, live, r->live);
    }
}

void audit_address_space(struct as *as, int pid) { table(as, pid, as->root, PT_LEVELS - 1, 0, true); }

static void frame(frame_t f) {
    struct frame *r = frame_record(f);
    if (r->class != FRAME_FREE && !r->ref && !(r->class == FRAME_TABLE && r->detached)) {
        error(f, "frame %u of class %u has count 0 and was not freed (F1)", f, r->class);
    }
    switch (r->class) {
    case FRAME_FREE:
        if (!r->audit) { error(f, "frame %u is free and on no list", f); }
        break;
    case FRAME_USER:
        report->user += !r->cached;
        report->cached += r->cached;
        report->shared += r->ref > 1 && !r->cached;
        if (r->audit + (r->cached ? 2 : 0) != r->ref && !ref_is_saturated(r->ref)) {
            error(f, "frame %u has count %u and %u mappings (F2)", f, r->ref, r->audit);
        }
        break;
    case FRAME_TABLE:
        report->table++;
        if (r->audit != r->ref && !(r->detached && r->ref <= 1)) {
            error(f, "table %u has count %u and %u entries that point at it (F3)", f, r->ref, r->audit);
        }
        break;
    case FRAME_KERNEL:
        report->kernel++;
        break;
    }
    report->frames++;
}

// Tables that are about to be freed, and what they still map: nothing points at them.
static void detached_tables(void) {
    i64 found = 0, told = 0;
    for each_frame(f) {
        struct frame *r = frame_record(f);
        if (r->class != FRAME_TABLE || !r->detached) { continue; }
        found++;
        if (!r->audit) { table(NULL, 0, f, r->level, 0, true); }
    }
    for (u32 i = 0; i < nharts; i++) { told += harts[i]->tables_in_hand; }
    if (found != told) { error(FRAME_NONE, "%ld tables are in hand, harts know of %ld (T3)", found, told); }
}

static void swapped_pages(void) {
    u64 slot = 0, wrong = swap_compare(&slot);
    report->swapped = swap_used();
    if (wrong) { error(FRAME_NONE, "%lu slots have a wrong count, one is %lu (W1)", wrong, slot); }
}

void audit_end(u64 kernel_frames) {
    detached_tables();
    swapped_pages();
    for each_frame(f) {
        if (frame_record(f)->class != FRAME_RESERVED) { frame(f); }
        frame_record(f)->audit = 0;
    }
    if (report->kernel != kernel_frames) {
        error(FRAME_NONE, "%lu kernel frames, their owners know of %lu", report->kernel,
              kernel_frames);
    }
    if (report->frames != report->free + report->user + report->cached + report->table + report->kernel) {
        error(FRAME_NONE, "%lu frames are not the sum of %lu free, %lu user, %lu cached, %lu table, %lu kernel",
              report->frames, report->free, report->user, report->cached, report->table, report->kernel);
    }
}
