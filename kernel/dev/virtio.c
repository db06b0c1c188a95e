// SPDX-License-Identifier: MIT
// virtio.c - see virtio.h. Register offsets: VIRTIO 1.1, tables 4.1 and 4.3.
//
// Ordering   the device is the other side, and has the like of these orders by the specification (2.6.13):
//            V1  submit: descriptors, what they point at, and the entry of avail come before avail's index
//                (store release; the device loads it and then looks). ring: all that before the bell (fence_io).
//            V2  take: used's index (load acquire) before its entry, and whatever the device has written for it:
//                the device stores its index last.
//            V3  acknowledge: the register is written before used's index is loaded (fence_io): what becomes
//                done after that look has its interrupt still to come.
#include "dev/virtio.h"
#include "dev/fdt.h"
#include "mm/frame.h"
#include "mm/kvm.h"
#include "riscv/csr.h"
#include "sync/atomic.h"

enum { MAGIC = 0x00, REVISION = 0x04, TYPE = 0x08, FEATURES = 0x10, FEATURES_SEL = 0x14, AGREED = 0x20,
       AGREED_SEL = 0x24, LEGACY_PAGE_SIZE = 0x28, QUEUE_SEL = 0x30, QUEUE_MAX = 0x34, QUEUE_SIZE = 0x38,
       LEGACY_ALIGN = 0x3c, LEGACY_PFN = 0x40, QUEUE_READY = 0x44, NOTIFY = 0x50, IRQ_STATUS = 0x60, IRQ_ACK = 0x64,
       STATUS = 0x70, DESC = 0x80, AVAIL = 0x90, USED = 0xa0, CONFIG = 0x100 };
enum { ACKNOWLEDGED = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };
#define F_VERSION_1 (1ul << 32)
#define SLOT_BYTES 0x200

static u32 get(const struct virtio *v, u32 reg) { return v->regs[reg / 4]; }

static void set(struct virtio *v, u32 reg, u32 value) { v->regs[reg / 4] = value; }

static void set_address(struct virtio *v, u32 reg, const void *p) {
    set(v, reg, kva_to_pa(p));
    set(v, reg + 4, kva_to_pa(p) >> 32);
}

static void add_status(struct virtio *v, u32 bits) { set(v, STATUS, get(v, STATUS) | bits); }

static volatile u32 *slots[ARRAY_LEN(machine.virtio)];

void virtio_init(void) {
    for (u32 i = 0; i < machine.nvirtio; i++) { slots[i] = kvm_map_device(machine.virtio[i].base, SLOT_BYTES); }
}

bool virtio_find(struct virtio *v, u32 slot, u32 type) {
    *v = (struct virtio){.regs = slots[slot], .irq = machine.virtio[slot].irq};
    v->legacy = get(v, REVISION) == 1;
    return get(v, MAGIC) == 0x74726976 && get(v, REVISION) - 1 < 2 && get(v, TYPE) == type;
}

bool virtio_negotiate(struct virtio *v, u64 want, u64 *features) {
    virtio_stop(v);
    add_status(v, ACKNOWLEDGED);
    add_status(v, DRIVER);
    *features = 0;
    want |= v->legacy ? 0 : F_VERSION_1;
    for (u32 half = 0; half < (v->legacy ? 1 : 2); half++) {
        set(v, FEATURES_SEL, half);
        u32 both = get(v, FEATURES) & (u32)(want >> 32 * half);
        set(v, AGREED_SEL, half);
        set(v, AGREED, both);
        *features |= (u64)both << 32 * half;
    }
    if (v->legacy) { return true; }
    add_status(v, FEATURES_OK);
    return *features & F_VERSION_1 && get(v, STATUS) & FEATURES_OK;
}

// Legacy: descriptors and avail, then used on the next page (2.6.2). Good for both.
static void place(struct virtio *v) {
    usize used = ALIGN_UP(16ul * v->size + 6 + 2ul * v->size, PAGE_SIZE);
    char *p = (char *)ALIGN_UP((u64)boot_alloc(used + 6 + 8ul * v->size + PAGE_SIZE), PAGE_SIZE);
    v->desc = (struct virtio_desc *)p;
    v->avail = (struct virtio_avail *)(p + 16ul * v->size);
    v->used = (struct virtio_used *)(p + used);
}

bool virtio_queue(struct virtio *v, u32 most) {
    set(v, QUEUE_SEL, 0);
    v->size = MIN(get(v, QUEUE_MAX), most);
    if (!v->size || v->size & (v->size - 1)) { return false; }
    place(v);
    set(v, QUEUE_SIZE, v->size);
    if (v->legacy) {
        set(v, LEGACY_PAGE_SIZE, PAGE_SIZE);
        set(v, LEGACY_ALIGN, PAGE_SIZE);
        set(v, LEGACY_PFN, kva_to_pa(v->desc) >> PAGE_SHIFT);
    } else {
        set_address(v, DESC, v->desc);
        set_address(v, AVAIL, v->avail);
        set_address(v, USED, v->used);
        set(v, QUEUE_READY, 1);
    }
    return true;
}

void virtio_start(struct virtio *v) { add_status(v, DRIVER_OK); }

u32 virtio_config(const struct virtio *v, u32 offset) { return get(v, CONFIG + offset); }

void virtio_submit(struct virtio *v, u32 head) {
    v->avail->head[v->put++ % v->size] = head;
#ifdef MUTANT_avail_relaxed  // "the bell comes last anyway"
    atomic_store_relaxed(&v->avail->index, (u32)v->put << 16);
#else
    atomic_store_release(&v->avail->index, (u32)v->put << 16);  // V1: pairs with the device
#endif
}

void virtio_ring(struct virtio *v) {
    fence_io();
    set(v, NOTIFY, 0);
}

bool virtio_take(struct virtio *v, u32 *head) {
#ifdef MUTANT_used_relaxed  // the entry may be read before the index
    u16 index = atomic_load_relaxed(&v->used->index) >> 16;
#else
    u16 index = atomic_load_acquire(&v->used->index) >> 16;  // V2: pairs with the device
#endif
    if (index == v->taken) { return false; }
    *head = v->used->done[v->taken++ % v->size].head;
    return true;
}

void virtio_acknowledge(struct virtio *v) {
    set(v, IRQ_ACK, get(v, IRQ_STATUS));
    fence_io();  // V3
}

bool virtio_broken(const struct virtio *v) { return get(v, STATUS) & NEEDS_RESET; }

void virtio_stop(struct virtio *v) {
    fence_io();
    set(v, STATUS, 0);
    get(v, STATUS);  // the write has arrived
    fence_io();
}
