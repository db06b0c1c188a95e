// SPDX-License-Identifier: MIT
// fork.c - a child that is a copy of the caller.
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "proc/proc.h"
#include "proc/fpu.h"
#include "proc/runq.h"
#include "proc/sched.h"

// The child's first steps: fork returns 0 there.
static void *child_start(void *arg) {
    struct trapframe *tf = arg;
    irq_disable();
    if (atomic_load_relaxed(&thread_self()->work)) { sched_user_work(); }
    ghost_user();
    return tf;
}

static void inherit(struct proc *child, struct proc *parent) {
    child->parent = parent;
    child->ppid = parent->pid;
    struct thread *from = parent->thread, *to = child->thread;
    if (from->fp_used) {
        fpu_update(from);
        memcpy(to->fp, from->fp, sizeof(to->fp));
        to->fp_used = true;
    }
    to->affinity = read_once(from->affinity);
    struct trapframe *tf = thread_trapframe(to);
    *tf = *thread_trapframe(from);
    tf->a[0] = 0;
    tf->sepc += 4;
    to->context.s[2] = (u64)tf;
    child->cwd = parent->cwd;
    memcpy(child->name, parent->name, sizeof(child->name));
}

long proc_fork(bool eagerly) {
    struct proc *parent = proc_self();
    struct proc *child = proc_create(child_start, NULL);
    if (!child) { return -ENOMEM; }
    child->files = fd_table_copy(parent->files);
    const struct trapframe *tf = thread_trapframe(parent->thread);
    const u64 soon[] = {tf->sepc, tf->sp};
    if (child->files) {
        child->as = eagerly ? as_fork_eagerly(parent->as) : as_fork(parent->as, soon, ARRAY_LEN(soon));
    }
    if (!child->as || !pid_assign(child)) {
        long error = child->as ? -EAGAIN : -ENOMEM;
#ifndef MUTANT_W02  // what was shared so far stays so
        if (child->as) { as_destroy(child->as); }
#endif
        if (child->files) { fd_table_free(child->files); }
        proc_free(child);
        return error;
    }
    as_adopt(child->as);
    inherit(child, parent);
    int pid = child->pid;  // the child may be gone when runq_add returns
    u64 flags = spin_lock_irq(&parent->children_lock);
    list_add_tail(&parent->children, &child->sibling);  // R1: from here on it can be waited for
    spin_unlock_irq(&parent->children_lock, flags);
    COUNT(forks);
    runq_add(child->thread);
    return pid;
}
