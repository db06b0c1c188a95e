// SPDX-License-Identifier: MIT
// oom.c - see oom.h.
//
// Policy     first pages go to the swap device. If none can, for it is full, the process with the most pages is
//            killed, in memory or not; who asks waits until it has gone, and tries again. If that is init, who asks
//            does without. One at a time: while a victim still has its space nobody else is chosen.
#include "proc/oom.h"
#include "dev/fdt.h"
#include "dev/timer.h"
#include "lib/print.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "riscv/csr.h"
#include "sync/park.h"

enum { WANT = 32, SIGKILL = 9 };

struct choice {
    const struct as *as;
    bool done, init;
};

// The space with the most pages, counted.
static struct as *largest(void) {
    struct as *found = NULL;
    u64 most = 0;
    for (u32 h = 0; h < nharts; h++) {
        for (u32 left = as_population(h); left; left--) {
            struct as *as = as_pick(h);
            if (!as) { break; }
            u64 pages = as_pages(as);
            struct as *less = pages > most ? found : as;
            if (pages > most) {
                most = pages;
                found = as;
            }
            if (less) { as_put(less); }
        }
    }
    return found;
}

static bool lives_in(struct proc *p, const struct as *as) {
    bool found = false;
    spin_lock(&p->threads_lock);
    list_each(it, &p->threads) { found |= list_entry(it, struct thread, sibling)->as == as; }
    spin_unlock(&p->threads_lock);
    return found;
}

static void look(struct proc *p, void *arg) {
    struct choice *c = arg;
    if (c->done || !lives_in(p, c->as)) { return; }
    c->init = p == proc_init_process;
    if (c->init || atomic_load_relaxed(&p->doom)) { return; }
    c->done = true;
    kprintf("kine: pid %d (%s): out of memory, and it has the most\n", p->id.number, p->name);
    COUNT(ooms);
    proc_kill(p, SIGKILL);
}

// False: that would be init.
static bool kill_largest(void) {
    struct as *as = largest();
    struct choice c = {.as = as};
    if (as) {
        pid_each(look, &c);
        as_put(as);
    }
    return !c.init;
}

// Somebody's memory will come: of a victim, or of whoever is about to end.
static bool wait_for_victim(void) {
    timer_sleep_until(time_now() + machine.timebase / 1000);
    return !park_killed();
}

bool oom_was_short(void) {
    bool was = this_hart()->inject->found_none;
    this_hart()->inject->found_none = false;
    return was;
}

bool oom_relieve(void) {
    (void)oom_was_short();
    if (!swap_is_on() || park_killed()) { return false; }
    long gone = reclaim(WANT);
    if (gone > 0) { return true; }
    return (gone != 0 || kill_largest()) && wait_for_victim();
}
