// SPDX-License-Identifier: MIT
// disk.h - disks: pages in and out, for swap, caches and device files (diskfile.c).
//
// A page is 8 sectors of 512 bytes. The last page of a disk may be short: what is beyond the end is neither
// read nor written. All of these sleep until it is done, however their process is killed meanwhile, and allocate
// nothing: swap writes when memory is short. => no spinlock held
#pragma once
#include "dev/virtio.h"
#include "mm/frame.h"
#include "sync/waitq.h"

#define SECTOR_SIZE 512u
#define PAGE_SECTORS (PAGE_SIZE / SECTOR_SIZE)

struct disk;

u32 disk_count(void);
struct disk *disk_get(u32 i);  // => i < disk_count()
u64 disk_sectors(const struct disk *d);
bool disk_readonly(const struct disk *d);
// n pages from `sector` on, each into or out of a frame. 0; -EIO (some may have been moved), -EROFS, -EINVAL: the
// last page begins beyond the end. => the frames stay the caller's, and nobody writes them meanwhile
long disk_read(struct disk *d, u64 sector, const frame_t *frames, u32 n) must_check;
long disk_write(struct disk *d, u64 sector, const frame_t *frames, u32 n) must_check;
// What has been written before is on the medium, if it says that it has a cache. 0 or -EIO.
long disk_flush(struct disk *d) must_check;

void disk_init(void);           // boot: find them
void disk_interrupt(u32 irq);
void disk_stop(void);           // the machine ends: no disk touches memory any more. Takes no lock

// ---- for disk.c and its test (kernel/test/disk.c) ----

enum { DISK_REQUESTS = 16, DISK_PAGES = 8, DISK_CHAIN = DISK_PAGES + 2 };
enum disk_state { REQUEST_FREE, REQUEST_OURS, REQUEST_SENT, REQUEST_DONE };

struct disk_request {
    struct {
        u32 type, zero;
        u64 sector;
    } header;
    u8 status;  // the device's answer
    enum disk_state state;  // (disk's lock)
    struct waitq done;
};

struct disk {
    struct spin lock;  // the queue, the states
    struct virtio virtio;
    u64 sectors;
    bool readonly, flushes;
    bool dead;  // (lock)
    u32 nrequests;
    struct waitq room;  // who waits for a request that is free
    struct disk_request requests[DISK_REQUESTS];
};

void disk_setup(struct disk *d);  // its requests. => its queue is there
void disk_look(struct disk *d);   // an interrupt has come
