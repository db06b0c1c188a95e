// SPDX-License-Identifier: MIT
// kvm.h - the kernel's half of every address space (map: config.h), built once at boot.
#pragma once
#include "lib/types.h"

struct mem_range {
    u64 base, end;  // physical
};

extern u64 kvm_root_pa;  // a root with nothing but the kernel's half

// Physical address for satp of the first map, made with the MMU off. (called by entry.S)
u64 boot_early_map(void);

// Memory that is never given back, zeroed; at boot only. Panics when there is none.
void *boot_alloc(usize bytes);
void boot_alloc_from(struct mem_range *range);  // cuts from its start

// The lasting map: image with W^X, all memory, the devices asked for before; then turn it on.
void kvm_init(const struct mem_range *memory, u32 n);
void kvm_activate(void);  // every hart

// Map a device's registers. Returns where. => before kvm_activate on other harts
void *kvm_map_device(u64 pa, usize bytes);
// One page of a kernel stack; the tables are made at boot or with frames (kstack.c).
u64 *kvm_stack_entry(u64 va, bool make);

void kvm_copy_root(u64 *root);   // put the kernel's half into a new root
void kvm_clear_root(u64 *root);  // and out again, so that it is all zeros
// True if `va` may be read by the kernel, for backtraces.
bool kvm_readable(u64 va);
