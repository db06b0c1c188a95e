// SPDX-License-Identifier: MIT
// clone.c - a new thread, in a process of its own (fork) or in the caller's. clone(2) of Linux says what
// each flag means, and which need which.
//
// Order      All that can fail comes first; then the child gets its number, is written down where it will be
//            looked for, and starts. From its start on nothing of it is touched: it may be gone.
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/uaccess.h"
#include "proc/clone_flags.h"
#include "proc/fpu.h"
#include "proc/proc.h"
#include "proc/runq.h"
#include "proc/sched.h"

// The child's first steps: clone returns 0 there.
static void *child_start(void *arg) {
    struct trapframe *tf = arg;
    struct thread *t = thread_self();
    // Only the child is sure to be in its own memory. As in Linux, a bad address is its own loss.
    if (t->set_tid && copy_out(t->set_tid, &t->tid, sizeof(t->tid))) { t->set_tid = 0; }
    irq_disable();
    if (atomic_load_relaxed(&t->work)) { sched_user_work(); }
    ghost_user();
    return tf;
}

static bool valid(const struct clone *how) {
    u64 signal = how->flags & CLONE_SIGNAL, f = how->flags & ~(u64)CLONE_SIGNAL;
    return !(f & ~(CLONE_KNOWN | KINE_CLONE_EAGER)) && (signal == 0 || signal == SIGCHLD) &&
           (!(f & CLONE_THREAD) || f & CLONE_SIGHAND) && (!(f & CLONE_SIGHAND) || f & CLONE_VM);
}

static void copy_registers(struct thread *to, struct thread *from, const struct clone *how) {
    if (from->fp_used) {
        fpu_update(from);
        memcpy(to->fp, from->fp, sizeof(to->fp));
        to->fp_used = true;
    }
    struct trapframe *tf = thread_trapframe(to);
    *tf = *thread_trapframe(from);
    tf->a[0] = 0;
    tf->sepc += 4;
    if (how->stack) { tf->sp = how->stack; }
    if (how->flags & CLONE_SETTLS) { tf->tp = how->tls; }
    to->context.s[2] = (u64)tf;
}

static struct as *share_space(struct thread *from, const struct clone *how) {
    if (how->flags & CLONE_VM) {
        as_get(from->as);
        return from->as;
    }
    const struct trapframe *tf = thread_trapframe(from);
    const u64 soon[] = {tf->sepc, how->stack ? how->stack : tf->sp};
    return how->flags & KINE_CLONE_EAGER ? as_fork_eagerly(from->as) : as_fork(from->as, soon, ARRAY_LEN(soon));
}

static struct fd_table *share_files(struct thread *from, u64 flags) {
    if (!(flags & CLONE_FILES)) { return fd_table_copy(from->files); }
    fd_table_get(from->files);
    return from->files;
}

// What a new thread shares or copies. 0 or -ENOMEM; drop takes it back either way.
static long inherit(struct thread *to, struct thread *from, const struct clone *how) {
    to->affinity = read_once(from->affinity);
    to->set_tid = how->flags & CLONE_CHILD_SETTID ? how->ctid : 0;
    to->clear_tid = how->flags & CLONE_CHILD_CLEARTID ? how->ctid : 0;
    to->dir = cwd_of(from);
    if (how->flags & CLONE_FS && !cwd_share(to, from)) { return -ENOMEM; }
    to->files = share_files(from, how->flags);
    to->as = to->files ? share_space(from, how) : NULL;
    if (to->as && how->flags & CLONE_VFORK) { to->vfork = vfork_create(); }
    return to->as && (to->vfork || !(how->flags & CLONE_VFORK)) ? 0 : -ENOMEM;
}

static void drop(struct thread *t) {
    if (t->vfork) {
        vfork_put(t->vfork);
        vfork_put(t->vfork);
    }
    if (t->as) { as_put(t->as); }
    if (t->files) { fd_table_put(t->files); }
    cwd_put(t);
}

// Off it goes. Returns its number.
static long start(struct thread *t) {
    int tid = t->tid;
    struct vfork *vfork = t->vfork;
    runq_add(t);  // t may be gone when this returns
    if (vfork) { vfork_wait(vfork); }
    return tid;
}

static void tell_parent(const struct clone *how, int tid) {
    bool asked = how->flags & CLONE_PARENT_SETTID;
    if (asked && copy_out(how->ptid, &tid, sizeof(tid))) { return; }  // as in Linux, the caller's loss
}

static long new_process(struct thread *self, const struct clone *how) {
    struct proc *parent = self->proc, *child = proc_create(child_start, NULL);
    if (!child) { return -ENOMEM; }
    struct thread *t = child->leader;
    long error = inherit(t, self, how);
    if (!error && !pid_assign(&child->id, child, NULL)) { error = -EAGAIN; }
    if (error) {
        drop(t);
        proc_free(child);
        return error;
    }
    if (!(how->flags & CLONE_VM)) { as_adopt(t->as); }
    t->tid = child->id.number;
    copy_registers(t, self, how);
    child->parent = parent;
    child->ppid = parent->id.number;
    memcpy(child->name, parent->name, sizeof(child->name));
    tell_parent(how, t->tid);
    u64 flags = spin_lock_irq(&parent->children_lock);
    COUNT(forks);
    list_add_tail(&parent->children, &child->sibling);  // R1: from here on it can be waited for
    spin_unlock_irq(&parent->children_lock, flags);
    return start(t);
}

static long new_thread(struct thread *self, const struct clone *how) {
    struct proc *p = self->proc;
    thread_sweep(p);
    struct thread *t = thread_create(p, child_start, NULL);
    if (!t) { return -ENOMEM; }
    long error = inherit(t, self, how);
    if (!error && !pid_assign(&t->id, p, t)) { error = -EAGAIN; }
    if (!error) {
        t->tid = t->id.number;
        copy_registers(t, self, how);
        tell_parent(how, t->tid);
        if (thread_join_group(t)) { return start(t); }
        pid_drop(&t->id);
        error = -EINTR;
    }
    drop(t);
    thread_free(t);
    return error;
}

long proc_clone(const struct clone *how) {
    if (!valid(how)) { return -EINVAL; }
    struct thread *self = thread_self();
    return how->flags & CLONE_THREAD ? new_thread(self, how) : new_process(self, how);
}
