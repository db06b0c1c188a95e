// SPDX-License-Identifier: MIT
// thread.c - threads of a process: made, told to end, buried, freed.
//
// Model      Whoever ends goes by itself, on its way to user mode or out of a sleep that a kill cuts short
//            (park_killed). The hart that has left its stack buries it. Its memory is given back by the next
//            sibling that ends, starts a thread or execs, or with the process: a stack's addresses cannot be
//            unmapped by a hart that is in the middle of a switch.
// Ordering   Q2 killed is set before the thread's state is looked at (full fence): it either sees the mark
//               before it parks, or is parking or parked and gets unparked, or runs and finds the work on its
//               way to user mode. Pairs with park_killed.
#include "mm/cache.h"
#include "mm/kstack.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "sync/park.h"

static struct cache thread_cache;

void thread_start(void);  // trap.S

void thread_boot(void) { cache_init(&thread_cache, "thread", sizeof(struct thread)); }

struct thread *thread_create(struct proc *p, void *(*start)(void *), void *arg) {
    struct thread *t = cache_alloc(&thread_cache);
    if (!t) { return NULL; }
    u64 stack = kstack_alloc();
    if (!stack) {
        cache_free(&thread_cache, t);
        return NULL;
    }
    t->context.ra = (u64)thread_start;
    t->context.sp = stack - TF_SIZE;
    t->context.s[1] = (u64)start;
    t->context.s[2] = (u64)arg;
    t->state = THREAD_READY;
    t->work = 0;
    t->proc = p;
    t->as = NULL;
    t->files = NULL;
    t->cwd = NULL;
    t->killed = false;
    t->clear_tid = 0;
    t->vfork = NULL;
    t->building = NULL;
    t->building_frame = 0;
    t->stack = stack;
    t->stack_hart = HART_MAX;
    t->hart = this_hart()->index;
    t->affinity = harts_all();
    t->inject = (struct inject){0};
    t->fp_used = false;
    LOCKDEP_ONLY(t->mutexes = (struct lockdep_list){0});
    race_thread_begin(t);
    return t;
}

void thread_free(struct thread *t) {
    race_thread_end(t);
#ifndef MUTANT_W08  // two pages for each child
    kstack_free(t->stack);
#endif
    cache_free(&thread_cache, t);
}

bool thread_join_group(struct thread *t) {
    struct proc *p = t->proc;
    u64 flags = spin_lock_irq(&p->threads_lock);
    bool ok = !read_once(thread_self()->killed);  // under the lock that kills take (G2)
    if (ok) {
        list_add_tail(&p->threads, &t->sibling);
        p->nthreads++;
        p->live++;
    }
    spin_unlock_irq(&p->threads_lock, flags);
    return ok;
}

void thread_kill(struct thread *t) {
    write_once(t->killed, true);
    atomic_or_relaxed(&t->work, WORK_KILL);
#ifndef MUTANT_kill_unfenced  // "the lock has both halves"
    atomic_fence_full();  // the mark before the look at its state: pairs with park_killed
#endif
    unpark(t);
    sched_ring(t);
}

void proc_kill(struct proc *p, int status) {
    if (!atomic_cas32_relaxed(&p->doom, 0, DOOMED | status)) { return; }
    u64 flags = spin_lock_irq(&p->threads_lock);
    thread_kill_others(p, NULL);
    spin_unlock_irq(&p->threads_lock, flags);
}

void thread_kill_others(struct proc *p, const struct thread *but) {
    list_each(it, &p->threads) {
        struct thread *t = list_entry(it, struct thread, sibling);
        if (t != but) { thread_kill(t); }
    }
}

static bool is_alone(struct proc *p) {
    u64 flags = spin_lock_irq(&p->threads_lock);
    bool alone = p->nthreads == 1;
    spin_unlock_irq(&p->threads_lock, flags);
    return alone;
}

// No sibling waits for us: so this ends although no kill can end it.
static void await_burials(struct proc *p) {
    struct waiter w;
    waitq_add(&p->alone, &w);
    while (!is_alone(p)) {
        park();
        waitq_again(&p->alone, &w);
    }
    waitq_del(&p->alone, &w);
}

bool thread_alone(void) {
    struct thread *t = thread_self();
    struct proc *p = t->proc;
    u64 flags = spin_lock_irq(&p->threads_lock);
    bool ok = !read_once(t->killed), wait = ok && p->nthreads > 1;  // under the lock that kills take
#ifdef MUTANT_second_exec_forgets  // "whether we wait"
    p->exec = wait;
#endif
    if (wait) {
        p->exec = true;  // and not false for one that comes second: it has been killed by the first
        thread_kill_others(p, t);
    }
    spin_unlock_irq(&p->threads_lock, flags);
#ifdef MUTANT_exec_with_siblings  // "they have been told"
    wait = false;
#endif
#ifdef MUTANT_exec_takes_space  // "so the space is ours"
    wait = false;
    atomic_store_relaxed(&t->as->users, 1u);
#endif
    if (wait) {
        await_burials(p);
        p->exec = false;  // nobody else is there to look
    }
    return ok;
}

// The last of them buries the process. => interrupts off
void thread_bury(struct thread *t) {
    struct proc *p = t->proc;
    spin_lock(&p->threads_lock);
    list_del(&t->sibling);
    list_add_tail(&p->dead, &t->sibling);
    bool last = --p->nthreads == 0;
    if (p->exec && p->nthreads == 1) { waitq_wake_all(&p->alone); }
    spin_unlock(&p->threads_lock);  // from here on p may be freed, unless this was the last one
    if (last) { proc_bury(p); }
}

static struct thread *take_buried(struct proc *p) {
    struct thread *found = NULL;
    u64 flags = spin_lock_irq(&p->threads_lock);
    list_each(it, &p->dead) {
        found = list_entry(it, struct thread, sibling);
        if (found != p->leader) { break; }
        found = NULL;
    }
    if (found) { list_del(&found->sibling); }
    spin_unlock_irq(&p->threads_lock, flags);
    return found;
}

void thread_sweep(struct proc *p) {
    for (struct thread *t; (t = take_buried(p));) { thread_free(t); }
}
