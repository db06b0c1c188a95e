// SPDX-License-Identifier: MIT
// stack.h - the callers' addresses, taken down quickly for a later report.
//
// At fp-8 stands the return address, at fp-16 the caller's fp (psABI). Nothing is looked up: what lies
// outside this stack's slot (config.h, KSTACK_STRIDE), or goes downwards, ends the walk.
#pragma once
#include "config.h"
#include "lib/types.h"

// The image lies in the topmost 2 GiB, so an address of code is its low half, sign-extended.
static inline u64 stack_pc(u32 low) { return (u64)(i64)(i32)low; }

// Return addresses from the frame `fp` outwards into pc[n]; a 0 behind the last if there are fewer.
static always_inline void stack_take(u32 *pc, u32 n, u64 fp) {
    u64 end = ALIGN_UP(fp, KSTACK_STRIDE), next;
    __asm__ volatile("" ::: "ra");  // so that a function that calls nobody has saved it, too
#pragma GCC unroll 8
    for (u32 i = 0; i < n; i++, fp = next) {
        pc[i] = *(u64 *)(fp - 8);
        next = *(u64 *)(fp - 16) & ~7ul;
        if (unlikely(next - fp - 1 >= end - fp)) {  // not in (fp, end]
            if (i + 1 < n) { pc[i + 1] = 0; }
            break;
        }
    }
}
