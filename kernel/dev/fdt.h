// SPDX-License-Identifier: MIT
// fdt.h - the machine, as the flattened device tree describes it (Devicetree spec 0.4).
#pragma once
#include "config.h"
#include "mm/kvm.h"

#define RANGES_MAX 16

struct machine {
    struct mem_range memory[RANGES_MAX], reserved[RANGES_MAX];
    u32 nmemory, nreserved;
    u64 hartids[HART_MAX];
    u32 cpu_intc[HART_MAX];  // phandle of the hart's interrupt controller
    u32 nharts;
    bool sstc;
    u64 timebase;  // ticks of the time CSR per second
    u64 initrd, initrd_end;
    char bootargs[1024];
    u64 uart, plic, plic_size, test, sswi;  // physical; 0 = not there
    u32 uart_irq;
    u32 plic_context[HART_MAX];  // supervisor context of hart i + 1; 0 = none
    u32 nvirtio;
    u64 virtio[16];
};

extern struct machine machine;

// => dtb: kernel address. Panics with the reason when the tree is of no use.
void fdt_read(const void *dtb, u64 dtb_pa);
// Is there a boot argument, before the command, that begins with `word`? And the number behind it.
bool fdt_bootarg(const char *word, u64 *number);
