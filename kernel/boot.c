// SPDX-License-Identifier: MIT
// boot.c - bringing the machine up: device tree, memory, harts, init.
#include "dev/console.h"
#include "dev/disk.h"
#include "dev/diskfile.h"
#include "dev/fdt.h"
#include "dev/ipi.h"
#include "dev/plic.h"
#include "dev/power.h"
#include "dev/timer.h"
#include "fs/file.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/freelist.h"
#include "mm/kstack.h"
#include "mm/kvm.h"
#include "mm/refs.h"
#include "proc/proc.h"
#include "proc/runq.h"
#include "proc/sched.h"
#include "riscv/csr.h"
#include "riscv/sbi.h"
#include "sync/inject.h"
#include "sync/kasan.h"
#include "sync/parking.h"
#include "sync/track.h"
#include "syscall/syscall.h"

struct hart *harts[HART_MAX];
u32 nharts;

extern char __image_start[], __image_end[], _entry[], _secondary_entry[];

struct hart boot_hart;  // until the device tree says how many there are
static u32 online;
static struct mem_range usable[RANGES_MAX * 3];
static u32 nusable;

// Cut [base, end) out of the usable ranges.
static void reserve(u64 base, u64 end) {
    for (u32 i = 0; i < nusable; i++) {
        struct mem_range *r = &usable[i];
        if (end <= r->base || base >= r->end) { continue; }
        struct mem_range above = {MAX(end, r->base), r->end};
        r->end = MAX(MIN(base, r->end), r->base);
        if (above.base < above.end && nusable < ARRAY_LEN(usable)) {
            usable[nusable++] = above;
        }
    }
}

static struct mem_range *largest_usable(void) {
    struct mem_range *best = &usable[0];
    for (u32 i = 1; i < nusable; i++) {
        if (usable[i].end - usable[i].base > best->end - best->base) {
            best = &usable[i];
        }
    }
    return best;
}

static void find_usable_memory(void) {
    for (u32 i = 0; i < machine.nmemory; i++) { usable[nusable++] = machine.memory[i]; }
    for (u32 i = 0; i < machine.nreserved; i++) {
        reserve(ALIGN_DOWN(machine.reserved[i].base, PAGE_SIZE),
                ALIGN_UP(machine.reserved[i].end, PAGE_SIZE));
    }
    u64 start = (u64)__image_start - IMAGE_BASE + IMAGE_PHYS;
    reserve(start, ALIGN_UP((u64)__image_end, PAGE_SIZE) - IMAGE_BASE + IMAGE_PHYS);
    reserve(ALIGN_DOWN(machine.initrd, PAGE_SIZE), ALIGN_UP(machine.initrd_end, PAGE_SIZE));
    race_reserve(usable, nusable);
    kasan_reserve(usable, nusable);
    boot_alloc_from(largest_usable());
}

// Logical hart 0 is the one that boots.
static void number_harts(u64 hartid) {
    for (u32 i = 0; i < machine.nharts; i++) {
        if (machine.cpus[i].hartid == hartid) {
            struct cpu boots = machine.cpus[i];
            machine.cpus[i] = machine.cpus[0];
            machine.cpus[0] = boots;
        }
    }
    for (u32 i = 0; i < machine.nharts; i++) {
        struct hart *h = boot_alloc(sizeof(*h));
        h->index = i;
        h->hartid = machine.cpus[i].hartid;
        h->next_pid = i ? 1 : 0;  // the first pid of hart 0 is 1: init
        harts[i] = h;
    }
    nharts = machine.nharts;
}

static void init_frames(void) {
    u64 lo = ~0ul, hi = 0;
    for (u32 i = 0; i < machine.nmemory; i++) {
        lo = MIN(lo, machine.memory[i].base);
        hi = MAX(hi, machine.memory[i].end);
    }
#ifdef MUTANT_M26  // a record for every address from 0 on
    lo = 0;
#endif
    u32 count = (hi - lo) >> PAGE_SHIFT;
#ifdef MUTANT_M13  // room for 34 records less than there are frames
    frame_init(lo, count, boot_alloc((count - 34) * sizeof(struct frame)));
#else
    frame_init(lo, count, boot_alloc(count * sizeof(struct frame)));
#endif
    freelist_init(boot_alloc(freelist_bytes(nharts)), nharts);
}

// After the last boot_alloc: what is left belongs to the free lists, the rest is reserved.
static void release_memory(void) {
    for (frame_t f = 0; f < frame_count; f++) { frame_record(f)->class = FRAME_RESERVED; }
#ifdef MUTANT_M14  // up to the highest address, and it as well
    frame_record(frame_count)->class = FRAME_RESERVED;
#endif
    u64 frames = 0;
    for (u32 i = 0; i < nusable; i++) {
        struct mem_range *r = largest_usable();
        frame_t first = MAX(frame_from_pa(ALIGN_UP(r->base, PAGE_SIZE)), 1u);
        frame_t end = frame_from_pa(ALIGN_DOWN(r->end, PAGE_SIZE));
        if (r->base < r->end && first < end) {
            for (frame_t f = first; f < end; f++) { frame_record(f)->class = FRAME_FREE; }
            freelist_add_virgin(first, end);
            frames += end - first;
        }
        r->base = r->end;
    }
    kprintf("frames: %lu, metadata: %lu KiB\n", frames, frame_count * sizeof(struct frame) / 1024);
}

// A hart's idle thread is the stack on which it came up. (Hart 0 came up on the image's, and stays there.)
static void make_idle(struct hart *h) {
    h->idle = boot_alloc(sizeof(struct thread));
    h->idle->affinity = 1ul << h->index;
    h->idle->hart = h->index;
    h->current = h->idle;
    h->inject = &h->idle->inject;
    h->idle->stack = (u64)boot_alloc(2 * KSTACK_STRIDE);
    h->idle->stack = ALIGN_UP(h->idle->stack, KSTACK_STRIDE) + KSTACK_STRIDE;
    h->kernel_sp = h->idle->stack;
}

static u64 bootarg(const char *name) {
    u64 value = 0;
    fdt_bootarg(name, &value);
    return value;
}

#ifdef LOCKDEP
// lockmax=: no spinlock may be held for longer (instret: instructions if QEMU counts them, -icount);
// lockmax.FRAMES=: this one.
static void bound_locks(void) {
    u64 most = bootarg("lockmax=");
    for (u32 class = 0; class < RANK_COUNT; class++) {
        char name[32];
        snprintf(name, sizeof(name), "lockmax.%s=", lock_rank_name[class]);
        lockdep_classes[class].bound = most;
        fdt_bootarg(name, &lockdep_classes[class].bound);
    }
}
#endif

static void seed_from_bootargs(void) {
    u64 seed = bootarg("seed="), delay = bootarg("delay=");
    LOCKDEP_ONLY(bound_locks());
    harts_seed(seed);
    inject_boot(seed, bootarg("spurious="), bootarg("late="), bootarg("slow="), bootarg("nomem="));
    for (u32 i = 0; i < nharts; i++) { harts[i]->delay = delay; }
}

static void hart_online(void) {
    race_begin_hart(this_hart());
    csr_write(sie, SIE_SSIE | SIE_STIE | SIE_SEIE);
    csr_write(scounteren, 7);  // user mode may read cycle, time, instret
    csr_clear(sstatus, SSTATUS_FS);
    timer_init_hart();
    atomic_add_release(&online, 1u);  // pairs with start_others
    irq_enable();
}

noreturn void boot_secondary(struct hart *h) {
    kvm_activate();
    h->current = h->idle;
    hart_online();
    sched_idle();
}

static void start_others(void) {
    bool stale = fdt_bootarg("stale-start", NULL);  // what the firmware may do by mistake: entry.S
    u64 entry = (u64)(stale ? _entry : _secondary_entry) - IMAGE_BASE + IMAGE_PHYS;
    for (u32 i = 1; i < nharts; i++) {
        long error = sbi_hart_start(harts[i]->hartid, entry, stale ? 0 : (u64)harts[i]);
        if (error) {
            panic("hart %u does not start: SBI error %ld", harts[i]->hartid, error);
        }
    }
    u64 until = time_now() + machine.timebase * 20;
    while (atomic_load_acquire(&online) != nharts) {
        if (time_now() > until) { panic("%u of %u harts came up", online, nharts); }
    }
    kprintf("harts: %u online\n", nharts);
}

noreturn void boot_main(u64 hartid, u64 dtb_pa) {
    harts[0] = &boot_hart;
    print_set_sink(console_write);
    kprintf("\nKine " VERSION ": " KERNEL_NAME ", boot hart %lu\n", hartid);
    fdt_read(pa_to_kva(dtb_pa), dtb_pa);
    find_usable_memory();
    number_harts(hartid);
    hart_tp = harts[0];
    console_init();
    power_init();
    plic_init();
    virtio_init();
    ipi_init();
    kvm_init(machine.memory, machine.nmemory);
    kvm_activate();
    kprintf("memory: %lu MiB, timebase %lu Hz, timer %s, ipi %s, %u virtio slots\n",
            (machine.memory[0].end - machine.memory[0].base) >> 20, machine.timebase,
            machine.sstc ? "sstc" : "sbi", machine.sswi ? "sswi" : "sbi", machine.nvirtio);
    kprintf("bootargs: %s\n", machine.bootargs);
    init_frames();
    ghost_boot();
    kasan_boot();
    track_boot();
    kstack_init();
    parking_boot();
    as_init();
    proc_boot();
    file_boot();
    pipe_boot();
    memfd_boot();
    for (u32 i = 0; i < nharts; i++) {
        runq_init_hart(harts[i]);
        make_idle(harts[i]);
        harts[i]->emergency_sp = (u64)boot_alloc(PAGE_SIZE) + PAGE_SIZE;
        harts[i]->timers = timer_alloc();
    }
    race_boot();
    initramfs_boot(pa_to_kva(machine.initrd), machine.initrd_end - machine.initrd);
    procfs_boot();
    disk_init();
    diskfile_boot();
    seed_from_bootargs();
    release_memory();
    console_listen();
    hart_online();
    start_others();
    proc_start_init(machine.bootargs);
    sched_idle();
}
