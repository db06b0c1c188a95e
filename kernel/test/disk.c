// SPDX-License-Identifier: MIT
// disk.c - what dev/disk.c makes of a device that says what no device should: its registers and rings are
// words of ours, and what stands there was written here.
#include "test/test.h"

#ifdef TESTS
#include "dev/disk.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"

enum { SIZE = 256, STATUS = 0x70 / 4, IRQ_STATUS = 0x60 / 4, IRQ_ACK = 0x64 / 4, NEEDS_RESET = 64, RUNS = 15 };

static u32 regs[128];
static struct virtio_desc desc[SIZE];
static u32 avail[1 + SIZE / 2], used[1 + 2 * SIZE];
static struct disk d;

static void start(void) {
    memset(regs, 0, sizeof(regs));
    memset(avail, 0, sizeof(avail));
    memset(used, 0, sizeof(used));
    memset(&d, 0, sizeof(d));
    regs[STATUS] = RUNS;
    d.virtio = (struct virtio){.regs = regs, .size = SIZE, .desc = desc, .avail = (struct virtio_avail *)avail,
                               .used = (struct virtio_used *)used};
    d.sectors = 20;
    d.flushes = true;
    disk_setup(&d);
}

static void sent(u32 i) { d.requests[i].state = REQUEST_SENT; }

static void answer(u32 head) {
    u32 index = used[0] >> 16;
    used[1 + 2 * (index % SIZE)] = head;
    used[0] = (index + 1) << 16;
}

// An interrupt; then, how many requests are in this state?
static u32 look(enum disk_state state) {
    u32 n = 0;
    regs[IRQ_STATUS] = 1;
    disk_look(&d);
    for (u32 i = 0; i < d.nrequests; i++) { n += d.requests[i].state == state; }
    return n;
}

static bool dead(void) { return d.dead && regs[STATUS] == 0; }

static bool two_are_done_at_once(void) {
    for (u32 i = 0; i < 3; i++) { sent(i); }
    answer(2 * DISK_CHAIN);
    answer(0);
    return look(REQUEST_DONE) == 2 && d.requests[1].state == REQUEST_SENT && !d.dead && regs[IRQ_ACK] == 1;
}

static bool all_are_done_many_times(void) {
    bool good = d.nrequests == DISK_REQUESTS;
    for (u32 i = 0; i < 5000 && good; i++) {
        sent(i % DISK_REQUESTS);
        answer(i % DISK_REQUESTS * DISK_CHAIN);
        good = look(REQUEST_DONE) == MIN(i + 1, (u32)DISK_REQUESTS) && !d.dead;
    }
    return good;
}

static bool none_is_done(void) {
    sent(0);
    return look(REQUEST_SENT) == 1 && look(REQUEST_SENT) == 1 && !d.dead && regs[STATUS] == RUNS;
}

// This head comes when requests 0 and 1 have been sent: both end, and the device touches nothing more.
static bool gives_up(u32 head) {
    sent(0);
    sent(1);
    answer(head);
    return look(REQUEST_DONE) == 2 && dead() && d.requests[0].status && d.requests[1].status;
}

static bool head_without_end(void) { return gives_up(~0u); }
static bool head_behind_the_last(void) { return gives_up(DISK_REQUESTS * DISK_CHAIN); }
static bool head_far_away(void) { return gives_up(1u << 24); }
static bool head_within_a_chain(void) { return gives_up(DISK_CHAIN + 1); }
static bool head_that_was_not_sent(void) { return gives_up(2 * DISK_CHAIN); }

static bool head_that_comes_twice(void) {
    sent(0);
    sent(1);
    answer(0);
    answer(0);
    return look(REQUEST_DONE) == 2 && dead() && d.requests[1].status;
}

static bool index_that_jumps(void) {
    sent(0);
    used[0] = 1000u << 16;
    return look(REQUEST_DONE) == 1 && dead();
}

static bool device_in_need_of_a_reset(void) {
    sent(5);
    regs[STATUS] |= NEEDS_RESET;
    return look(REQUEST_DONE) == 1 && dead();
}

static bool dead_disk_is_eio(void) {
    frame_t frames[DISK_PAGES + 2] = {1, 2, 3};
    answer(7);
    look(REQUEST_DONE);
    for (u32 i = 0; i < 100; i++) {
        if (disk_read(&d, 0, frames, 3) != -EIO || disk_write(&d, 8, frames, 1) != -EIO || disk_flush(&d) != -EIO) {
            return false;
        }
    }
    return avail[0] == 0 && look(REQUEST_FREE) == DISK_REQUESTS;
}

static bool refused(void) {
    frame_t frames[4] = {1, 2, 3, 4};
    bool beyond = disk_read(&d, 20, frames, 1) == -EINVAL && disk_read(&d, 8, frames, 3) == -EINVAL &&
                  disk_read(&d, ~0ul, frames, 1) == -EINVAL && disk_write(&d, 0, frames, 4) == -EINVAL &&
                  disk_read(&d, 20, frames, 0) == 0;
    d.readonly = true;
    d.flushes = false;
    return beyond && disk_write(&d, 0, frames, 1) == -EROFS && disk_flush(&d) == 0 && avail[0] == 0;
}

// What the device would have seen: a disk that is dead is asked nothing, but the chain is there.
static bool chain(bool write) {
    frame_t frames[3] = {7, 9, 8};
    const u32 bytes[] = {16, 4096, 4096, 2048, 1}, next[] = {1, 2, 3, DISK_CHAIN - 1, 0};
    bool good = (write ? disk_write : disk_read)(&d, 0, frames, 3) == -EIO;
    for (u32 i = 0, at = 0; i < 5 && good; at = next[i++]) {
        u32 flags = (i < 4 ? DESC_NEXT : 0) | (i == 4 || (!write && i > 0) ? DESC_DEVICE_WRITES : 0);
        good = desc[at].bytes == bytes[i] && desc[at].flags == flags && (i == 4 || desc[at].next == next[i]) &&
               (i == 0 || i == 4 || desc[at].pa == frame_pa(frames[i - 1]));
    }
    return good;
}

static bool chain_is_right(void) {
    d.dead = true;
    return chain(true) && chain(false) && disk_flush(&d) == -EIO && desc[0].next == DISK_CHAIN - 1 && chain(false);
}

static const struct {
    const char *name;
    bool (*run)(void);
} rows[] = {
    {"two requests done at once", two_are_done_at_once},
    {"all requests, many times around the ring", all_are_done_many_times},
    {"an interrupt with nothing done", none_is_done},
    {"a head of all ones", head_without_end},
    {"a head behind the last", head_behind_the_last},
    {"a head far away", head_far_away},
    {"a head within a chain", head_within_a_chain},
    {"a head that was not sent", head_that_was_not_sent},
    {"a head that comes twice", head_that_comes_twice},
    {"an index that jumps", index_that_jumps},
    {"a device in need of a reset", device_in_need_of_a_reset},
    {"all is EIO that is asked of a dead disk", dead_disk_is_eio},
    {"beyond the end, read-only, no flush", refused},
    {"a chain of three pages, and of none", chain_is_right},
};

u32 test_disk(long number) {
    u32 failed = 0;
    if (number < 0) { return ARRAY_LEN(rows); }
    for (u32 i = 0; i < ARRAY_LEN(rows); i++) {
        start();
        bool ok = rows[i].run();
        kprintf("%sok %ld - disk: %s\n", ok ? "" : "not ", ++number, rows[i].name);
        failed += !ok;
    }
    return failed;
}
#endif
