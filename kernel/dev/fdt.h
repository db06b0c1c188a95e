// SPDX-License-Identifier: MIT
// fdt.h - the machine, as the flattened device tree describes it (Devicetree spec 0.4).
#pragma once
#include "config.h"
#include "mm/kvm.h"

#define RANGES_MAX 16

struct cpu {
    u64 hartid;
    u32 intc;          // phandle of its interrupt controller
    u32 plic_context;  // its supervisor context + 1; 0 = none
};

struct machine {
    struct mem_range memory[RANGES_MAX], reserved[RANGES_MAX];
    u32 nmemory, nreserved;
    struct cpu cpus[HART_MAX];
    u32 nharts;
    bool sstc;
    u64 timebase;  // ticks of the time CSR per second
    u64 initrd, initrd_end;
    char bootargs[1024];
    u64 uart, plic, plic_size, test, sswi;  // physical; 0 = not there
    u32 uart_irq;
    struct virtio_slot {
        u64 base;
        u32 irq;
    } virtio[16];  // by address; most of them empty
    u32 nvirtio;
};

extern struct machine machine;

// => dtb: kernel address. Panics with the reason when the tree is of no use.
void fdt_read(const void *dtb, u64 dtb_pa);
// Is there a boot argument, before the command, that begins with `word`? And the number behind it.
bool fdt_bootarg(const char *word, u64 *number);
