// SPDX-License-Identifier: MIT
// control.c - test control by kine_ctl: allocations that fail, a hoard of all free frames, delays at race
// points, crashes on demand, and what sync/inject.h injects.
//
// Locking    the hoard: its mutex, so that two who hoard at once do not share a chain.
#include "dev/fdt.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/refs.h"
#include "proc/proc.h"
#include "sync/inject.h"
#include "test/test.h"

static struct mutex hoard_lock = MUTEX_INIT(hoard_lock, AUDIT);
static frame_t hoard;
static u64 hoarded;

u64 test_hoarded(void) { return hoarded; }

static long hoard_all(void) {
    u64 n = 0;
    mutex_lock(&hoard_lock);
    for (frame_t f; (f = frame_alloc_raw(FRAME_KERNEL)); n++) {
        frame_record(f)->next = hoard;
        hoard = f;
    }
    hoarded += n;
    mutex_unlock(&hoard_lock);
    return n;
}

static long unhoard(u64 most) {
    long n = 0;
    mutex_lock(&hoard_lock);
    for (frame_t f; (f = hoard) && (!most || n < (long)most); n++) {
        hoard = frame_record(f)->next;
        frame_release(f);
    }
    hoarded -= n;
    mutex_unlock(&hoard_lock);
    return n;
}

static noinline u64 recurse(u64 depth) {
    u64 pad[32];
    write_once(pad[depth % 32], depth);
    return depth > 100000 ? 0 : recurse(depth + 1) + read_once(pad[depth % 32]);
}

static void lock_backwards(void) {
    static struct spin inner = SPIN_INIT(CONSOLE), outer = SPIN_INIT(PIDS);
    (void)!spin_lock_irq(&inner);
    spin_lock(&outer);
}

static long crash(u64 how) {
    if (!fdt_bootarg("crash", NULL)) { return -EPERM; }
    if (how == 1) { return recurse(0); }
    if (how == 2) { return read_once(*(u64 *)(DIRECT_BASE - 8)); }
    if (how == 3) {
        lock_backwards();  // CHECK builds do not return
    }
    panic("asked for, by pid %d", proc_self()->id.number);
}

static long set_delay(u64 seed, u64 strength) {
#ifdef CHECK
    harts_seed(seed);
    for (u32 i = 0; i < nharts; i++) {
        write_once(harts[i]->delay, MIN(strength, 1000000ul));
    }
    return 0;
#else
    (void)seed, (void)strength;
    return -ENOSYS;
#endif
}

static long fail_nth(u64 n) {
    struct inject *in = &thread_self()->inject;
    u64 seen = in->seen;
    *in = (struct inject){.fail_at = n};
    return seen;
}

long test_ctl(int op, u64 a, u64 b) {
    switch (op) {
    case KINE_FAIL_NTH:
        return fail_nth(a);
    case KINE_HOARD:
        return hoard_all();
    case KINE_UNHOARD:
        return unhoard(a);
    case KINE_SELFTEST:
        return fdt_bootarg("selftest", NULL) ? test_run_all() : -EPERM;
    case KINE_CRASH:
        return crash(a);
    case KINE_DELAY:
        return set_delay(a, b);
#ifdef CHECK
    case KINE_INJECT:
        return inject_set(a, b);
#endif
#ifdef SCHED
    case KINE_SCHEDULE:
        return test_schedule(a, b);
#endif
    case KINE_RACE:
        return test_race(a, b & 0xff, b >> 8 & 0xff, b >> 16 & 0xff);
    }
    return -EINVAL;
}
