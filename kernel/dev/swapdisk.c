// SPDX-License-Identifier: MIT
// swapdisk.c - see swapdisk.h.
#include "dev/swapdisk.h"
#include "dev/disk.h"
#include "lib/errno.h"
#include "mm/swap.h"
#include "sync/mutex.h"

static struct mutex one_at_a_time = MUTEX_INIT(one_at_a_time, SWAPON);
static struct disk *swap_disk;  // set once, before it is the swap device

static long read_pages(struct swap_device *d, u64 slot, const frame_t *frames, u32 n) {
    (void)d;
    return disk_read(swap_disk, slot * PAGE_SECTORS, frames, n);
}

static long write_pages(struct swap_device *d, u64 slot, const frame_t *frames, u32 n) {
    (void)d;
    return disk_write(swap_disk, slot * PAGE_SECTORS, frames, n);
}

long swapdisk_on(u32 unit) {
    static struct swap_device device = {read_pages, write_pages};
    struct disk *disk = disk_get(unit);
    if (disk_readonly(disk)) { return -EROFS; }
    mutex_lock(&one_at_a_time);
    long error = swap_is_on() ? -EBUSY : 0;
    if (!error) {
        swap_disk = disk;
        error = swap_on(&device, disk_sectors(disk) / PAGE_SECTORS);
    }
    mutex_unlock(&one_at_a_time);
    return error;
}
