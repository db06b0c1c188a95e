// SPDX-License-Identifier: MIT
// proc.h - processes: groups of threads.
//
// Invariants R1 p is on exactly one list of its parent (children, or zombies when dead) until reaped.
//            R2 p->parent changes only under p->parent_lock; the parent cannot finish its exit
//               before it has taken that lock once for each child.
//            R3 a zombie has no address space and no files, and all its threads are off their stacks.
//            G1 a thread is on `threads` until its hart has left its stack, then on `dead` until it is freed.
//            G2 a thread joins only while the one that makes it is not killed, both under threads_lock: so who
//               marks all that are there has marked all that will ever be.
// Locking    parent_lock (own), then the parent's children_lock; threads_lock (own) by itself. No lock is
//            shared by unrelated processes. Fields: (c) constant, (l) children_lock, (t) threads_lock.
#pragma once
#include "mm/as.h"
#include "proc/thread.h"

struct inode;

struct proc {
    struct pid id;
    i32 ppid;  // written under parent_lock (m: getppid reads without it)
    struct thread *leader;   // its tid is the pid; changes in exec only. Freed with the process, at the earliest
    u32 doom;                // (a) 0, or DOOMED | the wait status with which all threads have to end
    i32 status;              // the leader's exit; once dead, the wait status
    struct spin threads_lock;
    u32 nthreads, live;      // (t) on `threads`; those of them that have not begun to exit
    bool exec;               // (t) a thread waits until it is the only one
    struct list threads, dead;  // (t)
    struct waitq alone;      // that thread
    struct spin parent_lock;
    struct proc *parent;
    bool zombie;  // (l) of the parent: on its zombies
    struct spin children_lock;
    struct list children, zombies;  // (l)
    struct list sibling;            // (l) of the parent
    struct waitq child_wait;
    char name[16];
} cacheline_aligned;

#define DOOMED (1u << 31)

static inline struct proc *proc_self(void) { return thread_self()->proc; }

// cwd.c: a thread's working directory. => t is the caller, or not yet started
void cwd_boot(void);
struct inode *cwd_of(struct thread *t);
bool cwd_share(struct thread *to, struct thread *from) must_check;  // false: no memory
void cwd_move(struct thread *t, struct inode *dir);
void cwd_put(struct thread *t);  // for ever

extern struct proc *proc_init_process;

void proc_boot(void);  // caches
// A process with a thread that will start at `start(arg)`; no pid, no parent yet. NULL: no memory.
struct proc *proc_create(void *(*start)(void *), void *arg) must_check;
void proc_free(struct proc *p);
void proc_start_init(const char *command_line);

// thread.c
void thread_boot(void);
struct thread *thread_create(struct proc *p, void *(*start)(void *), void *arg) must_check;
void thread_free(struct thread *t);  // => off its stack, on no list
bool thread_join_group(struct thread *t) must_check;  // false: whoever made it has been killed
bool thread_alone(void) must_check;  // all others of the process end; false: we have been told to
void thread_bury(struct thread *t);  // the scheduler has switched away from a dead thread
void thread_sweep(struct proc *p);   // free the buried, but for the leader
// Tell a thread to end. => threads_lock, t is on `threads`
void thread_kill(struct thread *t);
void thread_kill_others(struct proc *p, const struct thread *but);  // all of p but that one. => threads_lock

// clone.c, exec.c, exit.c: the system calls' bodies. -errno on failure.
struct clone {
    u64 flags;
    uaddr stack, ptid, ctid;
    u64 tls;
};
long proc_clone(const struct clone *how);
long proc_exec(uaddr path, uaddr argv, uaddr envp);
noreturn void thread_exit(int status);  // of this thread alone; the leader's counts if all end so
noreturn void proc_exit(int status);    // of all
void thread_leave_space(struct as *next);  // for another one, or for ever (NULL)
long proc_wait(int pid, uaddr status, int options);
void proc_bury(struct proc *p);  // its last thread is off its stack

// Tell all threads of a process to end; the first wait status counts, a signal's or an exit's.
void proc_kill(struct proc *p, int status);

// vfork.c: a thread waits until its child does not use its memory any more.
void vfork_boot(void);
struct vfork *vfork_create(void) must_check;  // two have it: the child and who waits
void vfork_wait(struct vfork *v);             // or until we are killed; gives up v
void vfork_done(struct vfork *v);             // the child's part; gives up v
void vfork_put(struct vfork *v);              // as if it had never been
