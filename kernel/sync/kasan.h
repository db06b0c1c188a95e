// SPDX-License-Identifier: MIT
// kasan.h - addresses that nobody may use (KASAN=1): after free, out of bounds, freed twice.
//
// Model      One shadow byte for each 8 bytes of memory: 0 all may be used, 1..7 only the first so
//            many, else none, and why. The compiler calls before each access (kasan.c); functions
//            that move memory are seen at their door (--wrap). A bad access panics before it is made.
// Allocators are wrapped by the linker, too (kasan_heap.c): mm/ does not know that it is watched.
//              frames   what is free is poisoned and waits in a line before it can be used again
//              objects  lie between a header (stacks of allocation and free) and a redzone, and wait
//                       in a ring when they are freed
//              boot     each piece of boot_alloc() has a redzone behind it, as has each global
// The line   belongs to the free frames: they are counted and audited, and an allocation fails only
//            when it is empty, too. An object in the ring still fills its frame, like a loose one.
// Differs    from other builds: an eighth of memory is shadow; emptied page tables come back as any
//            frame (but were zero, which is checked); slabs have fewer objects.
// Limits     Stacks have guard slots but no redzones; user mode and assembly are not seen, except
//            uaccess_copy's side of the kernel. A page that lies behind a used one is no redzone.
#pragma once
#include "lib/print.h"

#ifdef KASAN
struct mem_range;
struct cache;

void kasan_reserve(struct mem_range *usable, u32 n);  // take memory away before anybody has it
void kasan_boot(void);                                // => frame_table is there; checks from now on
void kasan_stop(void);                                // and no more: the end has come
void kasan_explain(print_say say);  // the stacks behind the report that has panicked

// ---- implementation ----

enum kasan_why { FRAME_IS_FREE = 0xff, OBJECT_IS_FREE = 0xfe, OBJECT_REDZONE = 0xfd,
                 GLOBAL_REDZONE = 0xfc, BOOT_REDZONE = 0xfb, NOBODYS = 0xfa };

#define KASAN_DEPTH 7
struct kasan_stack {
    u32 pc[KASAN_DEPTH];
};

// What stands in a slot before the object. The cache links free slots through the first word.
struct kasan_header {
    void *link;
    struct kasan_stack allocated, freed;
};
_Static_assert(sizeof(struct kasan_header) == 64, "objects stay aligned to cache lines");

// What is known of a frame.
struct kasan_owner {
    struct cache *cache;  // whose objects lie in it, or NULL
    struct kasan_stack allocated, freed;
};

void kasan_begin(void);  // to check
u8 *kasan_shadow(u64 va);  // NULL: this address has none
void kasan_poison(const void *p, usize bytes, enum kasan_why why);  // whole granules, from p's on
void kasan_allow(const void *p, usize bytes);
void kasan_check(u64 va, usize bytes, bool write);
struct kasan_owner *kasan_owner_of(u64 va);  // of the frame; NULL: there is none
struct kasan_header *kasan_header_of(u64 va, usize *bytes);  // of the object whose slot this is in
void kasan_report_access(u64 va, u64 bad, usize bytes, bool write);
void kasan_report_free(const char *what, const void *p);
#else
#define kasan_reserve(usable, n) ((void)0)
#define kasan_boot() ((void)0)
#define kasan_stop() ((void)0)
#define kasan_explain(say) ((void)(say))
#endif
