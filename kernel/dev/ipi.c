// SPDX-License-Identifier: MIT
// ipi.c - supervisor software interrupts: by the ACLINT's SSWI registers where the device tree has
// them (ACLINT spec 4: one word per hart, writing 1 sets sip.SSIP), by SBI otherwise.
#include "dev/ipi.h"
#include "dev/fdt.h"
#include "riscv/csr.h"
#include "riscv/sbi.h"

static volatile u32 *sswi;

void ipi_init(void) {
    if (machine.sswi) { sswi = kvm_map_device(machine.sswi, HART_MAX * 4); }
}

void ipi_send(struct hart *h) {
    COUNT(ipis);
    fence_io();  // what the bell is about comes before the bell
    if (sswi) {
        sswi[h->hartid] = 1;
    } else {
        sbi_send_ipi(h->hartid);
    }
}

void ipi_send_others(void) {
    for (u32 i = 0; i < nharts; i++) {
        if (harts[i] != this_hart()) { ipi_send(harts[i]); }
    }
}

void ipi_clear(void) {
    csr_clear(sip, SIE_SSIE);
    fence_io();
}
