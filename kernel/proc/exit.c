// SPDX-License-Identifier: MIT
// exit.c - the end of a thread, of a process, and waiting for it.
//
// Model      A thread gives up its counts of memory and files, marks itself dead and switches away. The last
//            that begins to also gives the process's children to init. The hart that has left the last stack
//            then moves the process to the parent's zombies (proc_bury), so that whoever reaps it finds
//            nobody on a stack (R3).
// Status     of whoever ended all first (exit_group, a signal); if each ended by itself, the leader's.
// Race       parent and child may exit at once: proc.h, R2.
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/uaccess.h"
#include "proc/futex.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "sync/park.h"
#include "sync/point.h"

#define WNOHANG 1

// Move `child` from our lists to init's. => child cannot be reaped: only we could
static void give_to_init(struct proc *self, struct proc *child) {
    struct proc *init = proc_init_process;
    u64 flags = spin_lock_irq(&child->parent_lock);
    spin_lock(&self->children_lock);
    bool dead = child->zombie;
    list_del(&child->sibling);
    spin_unlock(&self->children_lock);
    child->parent = init;
    write_once(child->ppid, init->id.number);
    spin_lock(&init->children_lock);
    list_add_tail(dead ? &init->zombies : &init->children, &child->sibling);
    spin_unlock(&init->children_lock);
    if (dead) { waitq_wake_all(&init->child_wait); }
    spin_unlock_irq(&child->parent_lock, flags);
}

static struct proc *any_child(struct proc *self) {
    u64 flags = spin_lock_irq(&self->children_lock);
    struct list *l = list_empty(&self->children) ? &self->zombies : &self->children;
    struct proc *child = list_empty(l) ? NULL : list_first(l, struct proc, sibling);
    spin_unlock_irq(&self->children_lock, flags);
    return child;
}

// Under the lock, so that one of several that end at once is the last, and sees what ended them all.
static bool begin_exit(struct thread *t, int status, bool all) {
    struct proc *p = t->proc;
    u64 flags = spin_lock_irq(&p->threads_lock);
    if (all && atomic_cas32_relaxed(&p->doom, 0, DOOMED | status)) { thread_kill_others(p, t); }
    if (t == p->leader) { p->status = status; }
    bool last = --p->live == 0;
    u32 doom = atomic_load_relaxed(&p->doom);
    if (last && doom) { p->status = doom & ~DOOMED; }
    spin_unlock_irq(&p->threads_lock, flags);
    if (last && p == proc_init_process) { panic("init has ended with status 0x%x", p->status); }
    return last;
}

void thread_leave_space(struct as *next) {
    struct thread *t = thread_self();
    struct as *as = t->as;
    if (t->clear_tid && as && atomic_load_relaxed(&as->users) > 1) {
        u32 zero = 0;
        if (copy_out(t->clear_tid, &zero, sizeof(zero)) == 0) {
#ifndef MUTANT_cleartid_without_wake  // "the word is zero, who waits will see"
            futex_wake(t->clear_tid, false, 1, FUTEX_ANY);
#endif
        }
    }
    t->clear_tid = 0;
    if (next) { as_adopt(next); }
    t->as = next;
#ifdef MUTANT_exit_in_use  // the space is taken down while it is still in satp
    if (as && !next) {
        as->harts = 0;
        as_put(as);
        as = NULL;
    }
#endif
    as_switch(next);
#ifdef MUTANT_M48  // whoever waits gives the memory back
    if (!next) {
        t->building = as;
        as = NULL;
    }
#endif
    if (as) { as_put(as); }
    if (t->vfork) { vfork_done(t->vfork); }
    t->vfork = NULL;
}

static noreturn void end_thread(int status, bool all) {
    struct thread *t = thread_self();
    struct proc *p = t->proc;
    bool last = begin_exit(t, status, all);
    fd_table_put(t->files);
    t->files = NULL;
    cwd_put(t);
#ifdef MUTANT_exit_takes_space  // "all of them end"
    if (all) { atomic_store_relaxed(&t->as->users, 1u); }
#endif
    thread_leave_space(NULL);
    if (last) {
        for (struct proc *child; (child = any_child(p));) { give_to_init(p, child); }
        COUNT(exits);
    } else {
        thread_sweep(p);
    }
    if (t != p->leader) { pid_drop(&t->id); }
    RACE_POINT("exit.dead");
    sched_exit();
}

noreturn void thread_exit(int status) { end_thread(status, false); }

noreturn void proc_exit(int status) { end_thread(status, true); }

void proc_bury(struct proc *p) {
    spin_lock(&p->parent_lock);
    struct proc *parent = p->parent;
    spin_lock(&parent->children_lock);
    list_del(&p->sibling);
    p->zombie = true;
    list_add_tail(&parent->zombies, &p->sibling);
    waitq_wake_all(&parent->child_wait);
    spin_unlock(&parent->children_lock);
    spin_unlock(&p->parent_lock);
}

// The one with this pid (0, -1: the first one), or NULL. => children_lock of the parent
static struct proc *find(struct list *l, int pid) {
    list_each(it, l) {
        struct proc *p = list_entry(it, struct proc, sibling);
        if (pid <= 0 || p->id.number == pid) { return p; }
    }
    return NULL;
}

// A zombie that matches, taken off the list; NULL, and whether there is any child to wait for.
static struct proc *reap(struct proc *self, int pid, bool *any) {
    u64 flags = spin_lock_irq(&self->children_lock);
    struct proc *found = find(&self->zombies, pid);
    if (found) { list_del(&found->sibling); }
    *any = !found && find(&self->children, pid);
    spin_unlock_irq(&self->children_lock, flags);
    return found;
}

#ifdef MUTANT_ipi_under_lock  // now and then this waits until all harts have unmapped some stacks
static void free_under_lock(struct proc *self, void *zombie) {
    (void)self;
    proc_free(zombie);
}
#endif

// The burier may still hold the zombie's parent_lock; once we have had it, nobody touches it.
static long finish_reaping(struct proc *p, uaddr status) {
    u64 flags = spin_lock_irq(&p->parent_lock);
#ifdef MUTANT_sleep_under_spin  // the status page may need a copy, which takes a mutex
    if (status && copy_out(status, &p->status, sizeof(p->status))) { p->status = 0; }
#endif
    spin_unlock_irq(&p->parent_lock, flags);
    int pid = p->id.number, code = p->status;
#ifdef MUTANT_M48
    if (status && copy_out(status, &code, sizeof(code))) { return -EFAULT; }
    as_put(p->leader->building);
#endif
    pid_drop(&p->id);
#ifdef MUTANT_ipi_under_lock
    pid_with(proc_self()->id.number, free_under_lock, p);
#else
    proc_free(p);
#endif
    return status && copy_out(status, &code, sizeof(code)) ? -EFAULT : pid;  // -ENOMEM would wait for another
}

long proc_wait(int pid, uaddr status, int options) {
    struct proc *self = proc_self();
    struct waiter w;
    bool any;
    struct proc *p = reap(self, pid, &any);
    if (!p && any && !(options & WNOHANG)) {
        waitq_add(&self->child_wait, &w);
        while (!(p = reap(self, pid, &any)) && any && !park_killed()) {
            park();
            waitq_again(&self->child_wait, &w);
        }
        waitq_del(&self->child_wait, &w);
    }
    if (p) { return finish_reaping(p, status); }
    return !any ? -ECHILD : options & WNOHANG ? 0 : -EINTR;
}
