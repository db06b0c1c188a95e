// SPDX-License-Identifier: MIT
// machine.c - fake harts: each is a thread of the host that runs one kernel thread.
//
// Interrupts a pending flag, looked at wherever a hart waits (cpu_pause), turns interrupts on, touches
//            user memory or sleeps. All that an interrupt does here is tlb_serve().
// Sleeping   park() and idle harts doze on a futex, the hart's bell; interrupts ring it as well.
// Ordering   everything that stands for hardware or the scheduler is relaxed, so that ThreadSanitizer
//            sees the order that the kernel's own operations make, and no more.
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "dev/ipi.h"
#include "lib/print.h"
#include "mm/freelist.h"
#include "mm/kstack.h"
#include "mm/kvm.h"
#include "mm/tlb.h"
#include "lib/string.h"
#include "sync/parking.h"
#include "sync/atomic.h"
#include "sync/park.h"
#include "test/host/ghost.h"
#include "test/host/host.h"

enum { RUNNING, PARKING, PARKED };

struct thread {
    u32 state;  // (a)
};

struct core {  // what a fake hart has beside its struct hart
    struct thread thread;
    struct inject inject;
    u32 bell;     // (a) rings so far; the futex
    u32 pending;  // (a) sip.SSIP
    bool irqs_off;
    u64 taken;    // (a) interrupts
} cacheline_aligned;

struct hart *harts[HART_MAX];
u32 nharts = HARTS;
u64 managed_frames;
__thread struct hart *host_hart;
static struct core cores[HARTS];
static struct {
    void (*fn)(void *);
    void *arg;
    u32 n;
    u32 number;   // (a) of jobs so far
    u32 running;  // (a) harts that are still at it
    u32 left;     // (a) 0 less the arrivals at rendezvous
} job;

// The kernel's image has no pages in the fake machine.
char __image_start[1] __attribute__((aligned(4096)));
__asm__(".globl __text_end, __rodata_end, __image_end\n"
        ".set __text_end, __image_start\n.set __rodata_end, __image_start\n"
        ".set __image_end, __image_start");

static struct core *core(void) { return &cores[this_hart()->index]; }

static void ring(u32 i) {
    atomic_add_relaxed(&cores[i].bell, 1u);
    syscall(SYS_futex, &cores[i].bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void doze(u32 rings) {
    syscall(SYS_futex, &core()->bell, FUTEX_WAIT_PRIVATE, rings, NULL, NULL, 0);
}

// ---- interrupts ----

void ipi_send(struct hart *h) {
    COUNT(ipis);
    atomic_store_relaxed(&cores[h->index].pending, 1u);
    ring(h->index);
}

void hart_poll(void) {
    struct core *c = core();
    if (!c->irqs_off && atomic_load_relaxed(&c->pending)) {
        c->irqs_off = true;
        atomic_swap_relaxed(&c->pending, 0u);
        tlb_serve();
        atomic_add_relaxed(&c->taken, 1ul);
        c->irqs_off = false;
    }
}

u64 interrupts_taken(u32 hart) { return atomic_load_relaxed(&cores[hart].taken); }

u64 irq_save(void) {
    bool off = core()->irqs_off;
    core()->irqs_off = true;
    return !off;
}

// Where interrupts come on, one may take its time.
void irq_restore(u64 flags) {
    core()->irqs_off &= !flags;
    hart_poll();
    if (flags && hart_random() % 16 == 0) { sched_yield(); }
}

void cpu_pause(void) {
    hart_poll();
    sched_yield();
}

// ---- sleeping (sync/park.h) ----

struct thread *park_self(void) { return this_hart()->current; }

void park_announce(void) { atomic_store_relaxed(&park_self()->state, (u32)PARKING); }

void park_cancel(void) { atomic_store_relaxed(&park_self()->state, (u32)RUNNING); }

void park(void) {
    struct thread *self = park_self();
    atomic_cas32_relaxed(&self->state, PARKING, PARKED);
    for (;;) {
        u32 rings = atomic_load_relaxed(&core()->bell);
        hart_poll();
        if (atomic_load_relaxed(&self->state) != PARKED) { return; }
        doze(rings);
    }
}

void unpark(struct thread *t) {
    if (!atomic_cas32_relaxed(&t->state, PARKING, RUNNING) &&
        atomic_cas32_relaxed(&t->state, PARKED, RUNNING)) {
        ring(container_of(t, struct core, thread) - cores);
    }
}

bool park_killed(void) { return false; }

void park_poll_stop(void) {
}

bool hart_parked(u32 hart) {
    return atomic_load_relaxed(&cores[hart].thread.state) == PARKED;
}

// ---- jobs ----

static void *hart_main(void *hart) {
    host_hart = hart;
    kvm_activate();
    for (u32 done = 0;;) {
        u32 rings = atomic_load_relaxed(&core()->bell);
        hart_poll();
        u32 number = atomic_load_acquire(&job.number);
        if (number == done) {
            doze(rings);
            continue;
        }
        done = number;
        if (this_hart()->index < job.n) { job.fn(job.arg); }
        atomic_sub_release(&job.running, 1u);
    }
    return NULL;
}

void on_harts(u32 n, void (*fn)(void *), void *arg) {
    job.fn = fn;
    job.arg = arg;
    job.n = n;
    atomic_store_relaxed(&job.running, nharts - 1);
    atomic_store_relaxed(&job.left, 0u);
    atomic_store_release(&job.number, job.number + 1);
    for (u32 i = 1; i < nharts; i++) { ring(i); }
    fn(arg);
    while (atomic_load_acquire(&job.running)) { cpu_pause(); }
}

void rendezvous(u32 n) {
    u32 round = -atomic_sub_release(&job.left, 1u) / n;
    while (-atomic_load_acquire(&job.left) < (round + 1) * n) { cpu_pause(); }
}

// ---- boot ----

static void make_harts(void) {
    for (u32 i = 0; i < nharts; i++) {
        struct hart *h = boot_alloc(sizeof(*h));
        h->index = h->hartid = i;
        h->current = &cores[i].thread;
        h->inject = &cores[i].inject;
        harts[i] = h;
    }
    host_hart = harts[0];
}

static void make_frames(u64 base) {
    frame_init(base, FRAMES, boot_alloc(FRAMES * sizeof(struct frame)));
    freelist_init(boot_alloc(freelist_bytes(nharts)), nharts);
}

// What boot_alloc has left goes to the free lists.
static void release_memory(struct mem_range *memory) {
    frame_t first = frame_from_pa(ALIGN_UP(memory->base, PAGE_SIZE));
    for (frame_t f = 0; f < frame_count; f++) {
        frame_record(f)->class = f < first ? FRAME_RESERVED : FRAME_FREE;
    }
    for (frame_t f = first; f < frame_count; f++) { ghost_lay(f); }
    freelist_add_virgin(first, frame_count);
    managed_frames = frame_count - first;
}

void machine_start(void) {
    static struct mem_range memory;
    u64 pa = kva_to_pa(ghost_memory(FRAMES * PAGE_SIZE));
    memory = (struct mem_range){pa, pa + FRAMES * PAGE_SIZE};
    struct mem_range all = memory;
    boot_alloc_from(&memory);
    make_harts();
    make_frames(all.base);
    kvm_init(&all, 1);
    parking_boot();
    as_init();
    kstack_init();
    release_memory(&memory);
    kvm_activate();
    for (u32 i = 1; i < nharts; i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, hart_main, harts[i])) {
            panic("no thread for hart %u", i);
        }
        pthread_detach(t);
    }
}

void machine_seed(u64 seed) {
    harts_seed(seed);
    for (u32 i = 0; i < nharts; i++) { harts[i]->delay = 20; }
}

// ---- race points ----

static __thread const char *point_name;
static __thread void (*point_fn)(void);

void at_point(const char *name, void (*fn)(void)) {
    point_name = name;
    point_fn = fn;
}

#ifdef CHECK
void __real_point_pass(const char *name);
void __wrap_point_pass(const char *name);
void __wrap_point_pass(const char *name) {
    if (point_name && strcmp(name, point_name) == 0) {
        point_name = NULL;
        point_fn();
    }
    __real_point_pass(name);
}
#endif
