// SPDX-License-Identifier: MIT
// exit.c - the end of a process, and waiting for it.
//
// Model      A process frees its memory and files, gives its children to init, marks its thread dead
//            and switches away. The hart that has left its stack then moves it to the parent's zombies
//            (proc_bury), so that whoever reaps it finds nobody on the stack (R3).
// Race       parent and child may exit at once: proc.h, R2.
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/uaccess.h"
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
    bool dead = child->dead;
    list_del(&child->sibling);
    spin_unlock(&self->children_lock);
    child->parent = init;
    write_once(child->ppid, init->pid);
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

noreturn void proc_exit(int status) {
    struct proc *p = proc_self();
    if (p == proc_init_process) { panic("init has ended with status 0x%x", status); }
    fd_table_free(p->files);
    p->files = NULL;
    struct as *as = p->as;
    p->as = NULL;
#ifdef MUTANT_exit_in_use  // the space is taken down while it is still in satp
    if (as) {
        as->harts = 0;
        as_destroy(as);
        as = NULL;
    }
#endif
    as_switch(NULL);
#ifdef MUTANT_M48  // whoever waits gives the memory back
    p->as = as;
    as = NULL;
#endif
    if (as) { as_destroy(as); }
    for (struct proc *child; (child = any_child(p));) { give_to_init(p, child); }
    p->status = status;
    COUNT(exits);
    RACE_POINT("exit.dead");
    sched_exit();
}

void proc_bury(struct thread *t) {
    struct proc *p = t->proc;
    spin_lock(&p->parent_lock);
    struct proc *parent = p->parent;
    spin_lock(&parent->children_lock);
    list_del(&p->sibling);
    p->dead = true;
    list_add_tail(&parent->zombies, &p->sibling);
    waitq_wake_all(&parent->child_wait);
    spin_unlock(&parent->children_lock);
    spin_unlock(&p->parent_lock);
}

// The one with this pid (0, -1: the first one), or NULL. => children_lock of the parent
static struct proc *find(struct list *l, int pid) {
    list_each(it, l) {
        struct proc *p = list_entry(it, struct proc, sibling);
        if (pid <= 0 || p->pid == pid) { return p; }
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
    int pid = p->pid, code = p->status;
#ifdef MUTANT_M48
    if (status && copy_out(status, &code, sizeof(code))) { return -EFAULT; }
    as_destroy(p->as);
#endif
    pid_drop(p);
#ifdef MUTANT_ipi_under_lock
    pid_with(proc_self()->pid, free_under_lock, p);
#else
    proc_free(p);
#endif
    int error = status ? copy_out(status, &code, sizeof(code)) : 0;
    return error ? error : pid;
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
