// SPDX-License-Identifier: MIT
// sys_kine.c - Kine's own calls (abi.h): the audit, counters, a look at page tables.
//
// With "auditpanic" in the bootargs an audit that is not exact panics: the backtraces and the memory
// are then of that moment. Without it the caller is told, and all goes on.
#include "dev/console.h"
#include "dev/fdt.h"
#include "dev/power.h"
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/audit.h"
#include "mm/cache.h"
#include "mm/freelist.h"
#include "mm/kstack.h"
#include "mm/cursor.h"
#include "mm/refs.h"
#include "mm/swap.h"
#include "mm/uaccess.h"
#include "proc/proc.h"
#include "proc/quiesce.h"
#include "proc/sched.h"
#include "sync/ghost.h"
#include "sync/track.h"
#include "syscall/syscall.h"
#include "test/test.h"

static struct mutex audit_lock = MUTEX_INIT(audit_lock, AUDIT);

static u32 audits;  // (audit_lock)

// Each space once, whoever has it.
static void audit_space(struct as *as, int pid) {
    if (as && as->audited != audits) {
        as->audited = audits;
        audit_address_space(as, pid);
    }
}

static void audit_threads(struct list *threads, u64 *frames) {
    list_each(it, threads) {
        struct thread *t = list_entry(it, struct thread, sibling);
        audit_space(t->as, t->tid);
        audit_space(t->building, t->tid);
        *frames += t->building_frame != 0;
    }
}

static void audit_proc(struct proc *p, void *frames) {
    audit_threads(&p->threads, frames);
    audit_threads(&p->dead, frames);
}

// A space that no thread has, but whoever takes pages away there.
static void audit_rest(struct as *as, void *unused) {
    (void)unused;
    if (!frame_record(as->root)->detached) { audit_space(as, 0); }
}

static void audit_all(void *report) {
    u64 frames = cache_frames() + kstack_frames() + pipe_frames() + test_hoarded() + swap_frames();
    audits++;
    audit_begin(report);
    pid_each(audit_proc, &frames);
    as_each(audit_rest, NULL);
    audit_end(frames);
}

long sys_kine_audit(uaddr to, usize len) {
    struct kine_audit report;
    mutex_lock(&audit_lock);
    quiesce_run(audit_all, &report);
    mutex_unlock(&audit_lock);
    if (report.errors) {
        kprintf("kine: audit: %lu errors, first: %s\n", report.errors, report.first);
        if (fdt_bootarg("auditpanic", NULL)) {
            panic("audit: %lu errors, first: %s", report.errors, report.first);
        }
        track_explain(kprintf);
    }
    long error = to ? copy_out(to, &report, MIN(len, sizeof(report))) : 0;
    return error ? error : (long)MIN(report.errors, 1ul << 30);
}

long sys_kine_counters(int hart, uaddr out, usize len) {
    struct kine_counters sum = {0};
    if (hart < -1 || hart >= (int)nharts) { return -EINVAL; }
    for (u32 i = 0; i < nharts; i++) {
        const u64 *from = (const u64 *)&harts[i]->count;
        for (u32 c = 0; (hart < 0 || hart == (int)i) && c < sizeof(sum) / 8; c++) {
            ((u64 *)&sum)[c] += read_once(from[c]);  // its hart goes on counting
        }
    }
    sum.faults = sum.cow_copies + sum.cow_flips + sum.zero_fills + sum.file_fills + sum.spurious +
                 sum.path_faults + sum.file_maps + sum.swap_ins - sum.cow_around;
    return copy_out(out, &sum, MIN(len, sizeof(sum)));
}

long sys_kine_ctl(int op, usize a, usize b) {
    switch (op) {
    case KINE_POWEROFF:
        lockdep_summary();
        console_write("", 0);  // behind what is queued
        power_off(a & 0xff);
    case KINE_NHARTS:
        return nharts;
    case KINE_RSS:
        return as_pages(as_self());
    case KINE_GHOST:
        return ghost_checked;
    case KINE_FREE:
        return freelist_count();
    }
    return test_ctl(op, a, b);
}

static u64 page_word(struct as *as, u64 va) {
    struct cursor_view v = va < USER_TOP ? cursor_view(as, va) : (struct cursor_view){0, 0};
    if (swap_is(v.entry)) { return KINE_PM_SWAP | (u64)MIN(v.sharers, 0xfffffu) << 12; }
    return (v.entry & (PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_COW | PTE_BORROWED)) |
           (u64)MIN(v.sharers, 0xfffffu) << 12 | (u64)(v.sharers ? frame_of_pte(v.entry) : 0) << 32;
}

long sys_kine_pagemap(uaddr va, usize n, uaddr out) {
    for (usize i = 0; i < n && (i % 512 || sched_go_on()); i++) {
        u64 word = page_word(as_self(), va + i * PAGE_SIZE);
        long error = copy_out(out + 8 * i, &word, 8);
        if (error) { return error; }
    }
    return 0;
}
