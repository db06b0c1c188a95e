// SPDX-License-Identifier: MIT
// frame.h - physical frames: one record each, and how to get and give one.
//
// Model      a frame is named by its number, counted from the lowest address of memory; 0 is the
//            firmware's and serves as "none". Its record is one cache line, so that the counters of
//            unrelated frames never share one by accident.
// Classes    KERNEL (slabs, stacks, pipes), TABLE (page tables), USER (mapped by processes), FREE.
// Count      `ref`, by value range:
//              0                        free, or on its way to a free list
//              1                        one owner: who may write it in place, if it owns the path there
//              2 .. 0x7fffffff          shared by that many entries
//              0x80000000 ..            saturated: counts no more, never freed (leaked, not wrapped)
//            Only mm/refs_*.h change it, but for the first reference (frame.c): see there for states,
//            owners and memory ordering.
// Invariants F1 a frame is on exactly one list, in one magazine or in a virgin range iff ref == 0
//               (or it is in the hands of one hart inside freelist_*).
//            F2 for a USER frame ref == number of leaf tables' entries that map it, when at rest; 2 if it is a file's
//               (backing.h, B1), however many borrow it.
//            F3 for a TABLE frame ref == number of upper tables' entries that point at it (a root: 1,
//               by its address space; a detached one: at most 1, by who has it in hand).
// Checked by mm/audit.c, after every test.
#pragma once
#include "config.h"
#include "lib/list.h"
#include "sync/wordlock.h"

typedef u32 frame_t;
#define FRAME_NONE 0u

enum frame_class { FRAME_FREE, FRAME_KERNEL, FRAME_TABLE, FRAME_USER, FRAME_RESERVED };

struct frame {
    u32 ref;      // (a) mm/refs_*.h
    frame_t next; // chain within a batch of a free list: whoever owns the batch
    frame_t next_batch;
    u16 batch_len;
    u8 class;
    bool detached;         // TABLE: nothing points at it, a thread has it in hand (its lock)
    struct wordlock lock;  // TABLE: of its entries; cached: of what is read; never set anew, so late waiters do no harm
    u32 live;              // TABLE: entries that are not empty (its lock)
    u32 audit;             // the auditor's count; 0 between audits
    u8 level;              // TABLE: 0 is a leaf table
    bool cached;           // USER: a page of a file (backing.h)
    union {
        u32 valid;  // (a) cached: it holds what the file does
        u64 lines;  // TABLE: bit i: there may be an entry that is not empty among 8 i .. 8 i + 7 (its lock)
        struct {    // KERNEL, slab
            void *objects;     // free ones in it (the owning hart's cache lock)
            u16 objects_free;
            u16 home;          // index of the owning hart
            struct list slab;  // the owning hart's list of frames with free objects, if there are any
        };
    };
} cacheline_aligned;
_Static_assert(sizeof(struct frame) == CACHE_LINE, "one record, one line");

// Constant since before the second hart started: unwatched.
extern struct frame *frame_table;
extern u64 frame_base;   // physical address of frame 0
extern u32 frame_count;  // frames from the lowest to the highest address of memory
extern u64 frame_records;  // where the record of the frame at address 0 of the kernel's would stand

static unwatched struct frame *frame_record(frame_t f) { return &frame_table[f]; }
// The record of the frame in which a kernel address of the direct map lies.
static unwatched struct frame *frame_record_of(const void *kva) {
    return (struct frame *)(frame_records + (u64)kva / PAGE_SIZE * sizeof(struct frame));
}
static unwatched u64 frame_pa(frame_t f) { return frame_base + ((u64)f << PAGE_SHIFT); }
static always_inline void *pa_to_kva(u64 pa) { return (void *)(pa + DIRECT_BASE); }
static always_inline u64 kva_to_pa(const void *kva) { return (u64)kva - DIRECT_BASE; }
static unwatched frame_t frame_from_pa(u64 pa) { return (pa - frame_base) >> PAGE_SHIFT; }
// The frame that a page table entry points at (its bits 53:10 are the physical page number).
static unwatched frame_t frame_of_pte(u64 e) {
    return (u32)(e >> 10) - (u32)(frame_base >> PAGE_SHIFT);
}
static always_inline void *frame_kva(frame_t f) { return pa_to_kva(frame_pa(f)); }
static always_inline frame_t frame_from_kva(const void *kva) {
    return frame_from_pa(kva_to_pa(kva));
}

// A frame of the given class with count 1, or FRAME_NONE if at some instant during the call no
// frame was free anywhere (or KINE_FAIL_NTH says so). The contents are whatever was there.
// => any thread context, spinlocks of rank below FREELIST may be held
frame_t frame_alloc(enum frame_class class) must_check;
// The same, filled with zeros.
frame_t frame_alloc_zeroed(enum frame_class class) must_check;
// Back to the free lists. => the caller was told by frame_put() that it was the last.
void frame_free(frame_t f);
// The same for a frame that is known to hold only zeros (a page table that was emptied).
void frame_free_zeroed(frame_t f);

// Should the allocation that is about to be made fail, because a test wants it to?
bool frame_inject_failure(void);
// Without the fault injection: for slabs, whose own interface counts.
frame_t frame_alloc_raw(enum frame_class class) must_check;

// Boot: memory [base, base + count pages) exists, records stand at `table`.
void frame_init(u64 base, u32 count, struct frame *table);
