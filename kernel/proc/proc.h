// SPDX-License-Identifier: MIT
// proc.h - processes.
//
// Invariants R1 p is on exactly one list of its parent (children, or zombies when dead) until reaped.
//            R2 p->parent changes only under p->parent_lock; the parent cannot finish its exit
//               before it has taken that lock once for each child.
//            R3 a zombie has no address space, no files and is off its stack.
// Locking    parent_lock (own), then the parent's children_lock. No lock is shared by unrelated
//            processes. Fields: (c) constant, (o) the process itself, (l) children_lock.
#pragma once
#include "mm/as.h"
#include "proc/thread.h"

struct inode;
struct fd_table;

struct proc {
    i32 pid;  // (c)
    i32 ppid;  // written under parent_lock (m: getppid reads without it)
    struct thread *thread;
    struct as *as;           // (o)
    struct fd_table *files;  // (o)
    struct inode *cwd;       // (o)
    i32 kill_signal;         // (a) (m: proc_kill, at any time) 0, or why the process has to die
    i32 status;              // (o) wait status, once dead
    struct spin parent_lock;
    struct proc *parent;
    bool dead;  // (l) of the parent: on its zombies
    struct spin children_lock;
    struct list children, zombies;  // (l)
    struct list sibling;            // (l) of the parent
    struct waitq child_wait;
    struct list pid_link;
    char name[16];
} cacheline_aligned;

static inline struct proc *proc_self(void) { return thread_self()->proc; }

extern struct proc *proc_init_process;

void proc_boot(void);  // caches
// A process with a thread that will start at `start(arg)`; no pid, no parent yet. NULL: no memory.
struct proc *proc_create(void *(*start)(void *), void *arg) must_check;
void proc_free(struct proc *p);
void proc_start_init(const char *command_line);

// fork.c, exec.c, exit.c, wait.c: the system calls' bodies. -errno on failure.
long proc_fork(bool eagerly);
long proc_exec(uaddr path, uaddr argv, uaddr envp);
noreturn void proc_exit(int status);
long proc_wait(int pid, uaddr status, int options);
void proc_bury(struct thread *t);  // the scheduler has switched away from a dead thread

// Tell a process to die by `signal`; the first one counts.
void proc_kill(struct proc *p, int signal);

// pid.c
void pid_boot(void);
bool pid_assign(struct proc *p) must_check;
void pid_drop(struct proc *p);
// Call fn(p, arg) with p kept alive; false if there is no such process.
bool pid_with(int pid, void (*fn)(struct proc *p, void *arg), void *arg);
void pid_each(void (*fn)(struct proc *p, void *arg), void *arg);  // in bucket order
