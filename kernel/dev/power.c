// SPDX-License-Identifier: MIT
// power.c - "sifive,test0": 0x5555 passes, status << 16 | 0x3333 fails, 0x7777 resets. QEMU exits with
// the status. Without the device, SBI shuts down.
#include "dev/power.h"
#include "dev/console.h"
#include "dev/disk.h"
#include "dev/fdt.h"
#include "mm/frame.h"
#include "riscv/csr.h"
#include "riscv/sbi.h"
#include "sync/race.h"

static volatile u32 *test;

void power_init(void) {
    if (machine.test) { test = kvm_map_device(machine.test, 4); }
}

// Before power_init the first map has all of the physical addresses at their usual place.
static noreturn void finish(u32 command, bool failed) {
    disk_stop();
    console_await_idle();
    if (machine.test) {
        *(test ? test : (volatile u32 *)pa_to_kva(machine.test)) = command;
        fence_io();
    }
    sbi_shutdown(failed);
}

noreturn void power_off(u32 status) {
    status = status ? status : race_reports() ? RACE_STATUS : 0;
    finish(status ? status << 16 | 0x3333 : 0x5555, status != 0);
}

noreturn void power_reset(void) { finish(0x7777, false); }
