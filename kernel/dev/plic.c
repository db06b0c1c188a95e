// SPDX-License-Identifier: MIT
// plic.c - see plic.h. Offsets: PLIC spec ch. 3.
#include "dev/plic.h"
#include "dev/fdt.h"

static volatile u32 *plic;
static u32 context;

void plic_init(void) {
    if (machine.plic && machine.cpus[0].plic_context) {
        plic = kvm_map_device(machine.plic, machine.plic_size);
        context = machine.cpus[0].plic_context - 1;
        plic[(0x200000 + context * 0x1000) / 4] = 0;  // threshold: let everything through
    }
}

bool plic_enable(u32 irq) {
    if (!plic || !irq) { return false; }
    plic[irq] = 1;  // priority
    plic[(0x2000 + context * 0x80) / 4 + irq / 32] |= 1u << irq % 32;
    return true;
}

u32 plic_claim(void) { return plic ? plic[(0x200004 + context * 0x1000) / 4] : 0; }

void plic_complete(u32 irq) { plic[(0x200004 + context * 0x1000) / 4] = irq; }
