// SPDX-License-Identifier: MIT
// virtio.h - a device behind a virtio-mmio slot (VIRTIO 1.1, 4.2; legacy: 4.2.4), with one split queue (2.6).
//
// Model      the driver writes chains of descriptors and puts the number of a chain's first one, its head, into
//            the ring `avail`; the device performs it and puts the head into the ring `used`.
// Trust      what the device writes is its word alone: a head that comes back may be any number.
// Locking    whoever has the device: these functions take no lock, and all but virtio_ring and virtio_stop need it.
#pragma once
#include "lib/types.h"

enum { VIRTIO_BLOCK = 2 };  // types of devices (5)
enum { DESC_NEXT = 1, DESC_DEVICE_WRITES = 2 };

struct virtio_desc {
    u64 pa;
    u32 bytes;
    u16 flags, next;
};

struct virtio_avail {
    u32 index;  // (a) upper half: entries ever made; lower half: flags, zero
    u16 head[];
};

struct virtio_used {
    u32 index;  // (a) the same, by the device
    struct {
        u32 head, bytes;
    } done[];
};

struct virtio {
    volatile u32 *regs;
    u32 irq, size;  // entries of the queue, a power of two
    bool legacy;
    u16 put, taken;  // entries ever made in avail, ever taken from used
    struct virtio_desc *desc;
    struct virtio_avail *avail;
    struct virtio_used *used;
};

// Boot.
void virtio_init(void);  // map the slots. => before kvm_init
bool virtio_find(struct virtio *v, u32 slot, u32 type);  // is a device of this type there?
// Reset it and agree on those of the features `want` that it offers. False: no agreement.
bool virtio_negotiate(struct virtio *v, u64 want, u64 *features) must_check;
bool virtio_queue(struct virtio *v, u32 most) must_check;  // queue 0, of at most so many entries
void virtio_start(struct virtio *v);
u32 virtio_config(const struct virtio *v, u32 offset);  // a word of the type's own registers

void virtio_submit(struct virtio *v, u32 head);
void virtio_ring(struct virtio *v);  // after that; needs no lock, and takes a device its time
bool virtio_take(struct virtio *v, u32 *head) must_check;  // false: nothing more is done
void virtio_acknowledge(struct virtio *v);  // an interrupt. What is done after this interrupts again
bool virtio_broken(const struct virtio *v);  // it says that it needs a reset
void virtio_stop(struct virtio *v);  // reset: from here on it touches no memory. Any context
