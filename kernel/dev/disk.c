// SPDX-License-Identifier: MIT
// disk.c - virtio block devices (VIRTIO 1.1, 5.2).
//
// Model      a disk has some requests, each with a chain of descriptors of its own: header, up to DISK_PAGES
//            pages, status. All are made at boot. A caller takes a request that is free, sleeping while there is
//            none, fills it in, sends it, and sleeps until it is done: many callers, many requests in flight.
// States     FREE --take--> OURS --send--> SENT --interrupt--> DONE --give--> FREE
// Invariants D1 the device has the chain of a request, and may write to its pages, only while it is SENT.
//            D2 who sleeps in `room` is woken by the next that gives one back: no request stays with anybody.
//            D3 a disk that is dead has been reset, and has no request SENT: it touches no memory.
// Errors     a device that names a chain that it does not have, or says that it needs a reset, is given up: all
//            that is and will be asked of it is -EIO. One that never answers is waited for.
// Locking    the disk's lock (irq off): its queue and the states. What a request holds while it is OURS is its
//            taker's, who is the only one to wait for it.
// The end    a panic leaves disks alone: what they still write to is nobody else's. power.c stops them; what
//            was not flushed then is lost as it is with the power.
#include "dev/disk.h"
#include "dev/fdt.h"
#include "dev/plic.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "sync/park.h"
#include "sync/point.h"

enum { TYPE_READ = 0, TYPE_WRITE = 1, TYPE_FLUSH = 4, STATUS_OK = 0, STATUS_NONE = 0xff };
enum { HEADER_BYTES = 16, QUEUE_MOST = 256 };
#define F_READONLY (1ul << 5)
#define F_FLUSH (1ul << 9)
#define SECTORS_MOST (1ul << 50)  // so that bytes are a number of 63 bits, whatever the device says

static struct disk *disks[ARRAY_LEN(machine.virtio)];
static u32 ndisks;

u32 disk_count(void) { return ndisks; }
struct disk *disk_get(u32 i) { return disks[i]; }
u64 disk_sectors(const struct disk *d) { return d->sectors; }
bool disk_readonly(const struct disk *d) { return d->readonly; }

// ---- boot ----

static u64 capacity(const struct virtio *v) {
    u64 high = virtio_config(v, 4), low = virtio_config(v, 0);
    return MIN(high << 32 | low, SECTORS_MOST);
}

static void make_request(struct disk *d, u32 i) {
    struct disk_request *r = &d->requests[i];
    struct virtio_desc *chain = &d->virtio.desc[i * DISK_CHAIN];
    waitq_init(&r->done);
    chain[0] = (struct virtio_desc){kva_to_pa(&r->header), HEADER_BYTES, DESC_NEXT, 0};
    chain[DISK_CHAIN - 1] = (struct virtio_desc){kva_to_pa(&r->status), 1, DESC_DEVICE_WRITES, 0};
}

void disk_setup(struct disk *d) {
    spin_init(&d->lock, RANK_DISK);
    waitq_init(&d->room);
    d->nrequests = MIN(d->virtio.size / DISK_CHAIN, (u32)DISK_REQUESTS);
    for (u32 i = 0; i < d->nrequests; i++) { make_request(d, i); }
}

static bool set_up(struct disk *d) {
    struct virtio *v = &d->virtio;
    u64 features;
    if (!virtio_negotiate(v, F_READONLY | F_FLUSH, &features) || !virtio_queue(v, QUEUE_MOST)) { return false; }
    disk_setup(d);
    d->sectors = capacity(v);
    d->readonly = features & F_READONLY;
    d->flushes = features & F_FLUSH;
    virtio_start(v);
    return d->nrequests && plic_enable(v->irq);
}

void disk_init(void) {
    for (u32 slot = 0; slot < machine.nvirtio; slot++) {
        struct virtio v;
        if (!virtio_find(&v, slot, VIRTIO_BLOCK)) { continue; }
        struct disk *d = boot_alloc(sizeof(*d));
        d->virtio = v;
        if (set_up(d)) {
            disks[ndisks++] = d;
        } else {
            virtio_stop(&d->virtio);
            kprintf("disk: of no use: slot %u, queue of %u, interrupt %u\n", slot, d->virtio.size, v.irq);
        }
    }
    for (u32 i = 0; i < ndisks; i++) {
        struct disk *d = disks[i];
        kprintf("disk %u of %u: %lu sectors (%lu KiB), virtio %s%s%s\n", i + 1, ndisks, d->sectors,
                d->sectors / 2, d->virtio.legacy ? "legacy" : "modern", d->flushes ? ", flush" : "",
                d->readonly ? ", read-only" : "");
    }
}

void disk_stop(void) {
    for (u32 i = 0; i < ndisks; i++) { virtio_stop(&disks[i]->virtio); }
}

// ---- the device's answers: by interrupt ----

// => d->lock held
static void finish(struct disk_request *r) {
    r->state = REQUEST_DONE;
    waitq_wake_all(&r->done);
}

// => d->lock held
static void give_up(struct disk *d, const char *why, u32 head) {
    kprintf("disk: given up: %s (%u)\n", why, head);
    virtio_stop(&d->virtio);
    d->dead = true;
    for (u32 i = 0; i < d->nrequests; i++) {
        struct disk_request *r = &d->requests[i];
        if (r->state == REQUEST_SENT) {
            r->status = STATUS_NONE;
            finish(r);
        }
    }
}

// The request of a chain that the device may have (D1), else NULL. => d->lock held
static struct disk_request *request_of(struct disk *d, u32 head) {
#ifdef MUTANT_head_believed
    return &d->requests[head / DISK_CHAIN];
#endif
    struct disk_request *r = head / DISK_CHAIN < d->nrequests ? &d->requests[head / DISK_CHAIN] : NULL;
    return r && head % DISK_CHAIN == 0 && r->state == REQUEST_SENT ? r : NULL;
}

void disk_look(struct disk *d) {
    u32 head;
    u64 flags = spin_lock_irq(&d->lock);
    virtio_acknowledge(&d->virtio);
    if (!d->dead && virtio_broken(&d->virtio)) { give_up(d, "it needs a reset", 0); }
    while (!d->dead && virtio_take(&d->virtio, &head)) {
        struct disk_request *r = request_of(d, head);
        if (!r) {
            give_up(d, "no request is at this head", head);
        } else {
            finish(r);
        }
#ifdef MUTANT_one_an_interrupt  // "each has its own"
        break;
#endif
    }
    spin_unlock_irq(&d->lock, flags);
}

void disk_interrupt(u32 irq) {
    for (u32 i = 0; i < ndisks; i++) {
        if (disks[i]->virtio.irq == irq) { disk_look(disks[i]); }
    }
}

// ---- a caller's way ----

// A request that was free, or NULL.
static struct disk_request *try_take(struct disk *d) {
    struct disk_request *r = d->requests, *end = r + d->nrequests;
    u64 flags = spin_lock_irq(&d->lock);
    while (r < end && r->state != REQUEST_FREE) { r++; }
    if (r < end) { r->state = REQUEST_OURS; }
    spin_unlock_irq(&d->lock, flags);
    return r < end ? r : NULL;
}

static struct disk_request *take(struct disk *d) {
    struct disk_request *r;
    struct waiter w;
#ifdef MUTANT_full_is_eio  // "there is always room"
    return try_take(d);
#endif
    waitq_add(&d->room, &w);
    while (!(r = try_take(d))) {
        park();
        waitq_again(&d->room, &w);
    }
    waitq_del(&d->room, &w);
    return r;
}

static void give(struct disk *d, struct disk_request *r) {
    u64 flags = spin_lock_irq(&d->lock);
    r->state = REQUEST_FREE;
    spin_unlock_irq(&d->lock, flags);
    waitq_wake_one(&d->room);  // D2
}

// Link header, pages and status. => r is OURS, bytes <= n pages, all pages but the last are whole
static void fill(struct disk *d, struct disk_request *r, u32 type, u64 sector, const frame_t *frames, u64 bytes) {
    u32 head = (r - d->requests) * DISK_CHAIN, i = 0;
    struct virtio_desc *chain = &d->virtio.desc[head];
    u16 flags = DESC_NEXT | (type == TYPE_READ ? DESC_DEVICE_WRITES : 0);
    for (; bytes; i++, bytes -= MIN(bytes, PAGE_SIZE)) {
        chain[i].next = head + i + 1;
        chain[i + 1] = (struct virtio_desc){frame_pa(frames[i]), MIN(bytes, PAGE_SIZE), flags, 0};
    }
    chain[i].next = head + DISK_CHAIN - 1;
    r->header.type = type;
    r->header.sector = sector;
    r->status = STATUS_NONE;
}

static void send(struct disk *d, struct disk_request *r) {
#ifdef MUTANT_disk_irq_on  // a disk that is done now is waited for in vain
    u64 flags = 0;
    spin_lock(&d->lock);
#elif !defined(MUTANT_disk_unlocked)  // "a ring needs no lock"
    u64 flags = spin_lock_irq(&d->lock);
#endif
    if (d->dead) {
        r->state = REQUEST_DONE;
    } else {
        r->state = REQUEST_SENT;
        virtio_submit(&d->virtio, (r - d->requests) * DISK_CHAIN);
    }
#ifndef MUTANT_disk_unlocked
    spin_unlock_irq(&d->lock, flags);
#endif
    virtio_ring(&d->virtio);
}

static bool is_done(struct disk *d, struct disk_request *r) {
    u64 flags = spin_lock_irq(&d->lock);
    bool done = r->state == REQUEST_DONE;
    spin_unlock_irq(&d->lock, flags);
    return done;
}

// One request. A kill does not end the wait: the device has our pages until it is done.
static long perform(struct disk *d, u32 type, u64 sector, const frame_t *frames, u64 bytes) {
    struct disk_request *r = take(d);
    struct waiter w;
#ifdef MUTANT_full_is_eio
    if (!r) { return -EIO; }
#endif
    fill(d, r, type, sector, frames, bytes);
    send(d, r);
    RACE_POINT("disk.sent");
    waitq_add(&r->done, &w);
    while (!is_done(d, r)) {
        park();
        waitq_again(&r->done, &w);
    }
    waitq_del(&r->done, &w);
#ifdef MUTANT_eio_ignored
    long error = 0;
#else
    long error = r->status == STATUS_OK ? 0 : -EIO;
#endif
    give(d, r);
    return error;
}

static long transfer(struct disk *d, u32 type, u64 sector, const frame_t *frames, u32 n) {
    long error = 0;
    if (n && (sector >= d->sectors || (n - 1) * PAGE_SECTORS >= d->sectors - sector)) { return -EINVAL; }
    for (u32 step; n && !error; n -= step, frames += step, sector += step * PAGE_SECTORS) {
        step = MIN(n, (u32)DISK_PAGES);
        error = perform(d, type, sector, frames, MIN(step * PAGE_SECTORS, d->sectors - sector) * SECTOR_SIZE);
    }
    return error;
}

long disk_read(struct disk *d, u64 sector, const frame_t *frames, u32 n) {
    return transfer(d, TYPE_READ, sector, frames, n);
}

long disk_write(struct disk *d, u64 sector, const frame_t *frames, u32 n) {
#ifdef MUTANT_readonly_asked  // "it will say no"
    return transfer(d, TYPE_WRITE, sector, frames, n);
#endif
    return d->readonly ? -EROFS : transfer(d, TYPE_WRITE, sector, frames, n);
}

long disk_flush(struct disk *d) { return d->flushes ? perform(d, TYPE_FLUSH, 0, NULL, 0) : 0; }
