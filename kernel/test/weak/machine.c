// SPDX-License-Identifier: MIT
// machine.c - what the code under test wants from the rest of the kernel: harts, bells, sleep. All of it is
// relaxed, so that what orders anything is the code under test.
#include <stdarg.h>
#include <stdio.h>
#include "dev/ipi.h"
#include "lib/print.h"
#include "mm/freelist.h"
#include "mm/tlb.h"
#include "riscv/hart.h"
#include "sync/park.h"
#include "test/weak/weak.h"

enum { RUNNING, PARKING, PARKED };

struct thread {
    u32 state;
};

struct hart *harts[HART_MAX];
u32 nharts = PLAYERS;
__thread struct hart *host_hart;
static struct hart some[PLAYERS];
static struct thread threads[PLAYERS];
static struct inject none[PLAYERS];

void machine_begin(void) {
    for (u32 i = 0; i < PLAYERS; i++) {
        some[i].index = some[i].hartid = i;
        some[i].current = &threads[i];
        some[i].inject = &none[i];
        harts[i] = &some[i];
    }
    host_hart = harts[0];
}

noreturn void panic(const char *format, ...) {
    char text[200];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    fail("panic: %s", text);
}

u64 irq_save(void) { return 1; }
void irq_restore(u64 flags) { (void)flags; }
void ipi_send(struct hart *h) { (void)h; }
void cpu_pause(void) { wait_for_news(); }
void hart_poll(void) {}
void kprintf(const char *format, ...) { (void)format; }

struct thread *park_self(void) { return this_hart()->current; }
void park_announce(void) { park_self()->state = PARKING; }
void park_cancel(void) { park_self()->state = RUNNING; }

void park(void) {
    struct thread *self = park_self();
    if (self->state == PARKING) { self->state = PARKED; }
    while (self->state == PARKED) { wait_for_news(); }
}

void unpark(struct thread *t) {
    t->state = RUNNING;
    news();
}

bool park_killed(void) { return false; }
void park_poll_stop(void) {}

// Nothing is kept in a TLB here: a play walks each time.
u64 kvm_root_pa;
void host_write_satp(u64 satp) { (void)satp; }
u64 host_read_satp(void) { return 0; }
void sfence_all(void) {}
void sfence_page(u64 va) { (void)va; }
void sfence_page_of(u64 va, u64 asid) { (void)va, (void)asid; }
void sfence_space(u64 asid) { (void)asid; }
