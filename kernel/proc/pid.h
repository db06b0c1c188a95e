// SPDX-License-Identifier: MIT
// pid.h - numbers of processes and threads: one space of them, one hash.
//
// Model      a process's node stands for it and for its leader, the thread with the same number; each other
//            thread has a node of its own. Who is found is kept alive by the bucket's lock: it leaves the hash
//            before it is freed.
#pragma once
#include "lib/list.h"
#include "lib/types.h"

struct proc;
struct thread;

struct pid {
    i32 number;  // (c) once assigned
    struct proc *proc;
    struct thread *thread;  // NULL: this is the process's node
    struct list link;
};

void pid_boot(void);
bool pid_assign(struct pid *id, struct proc *p, struct thread *t) must_check;
void pid_drop(struct pid *id);
// The thread t takes over its process's number; its own is free again. => t is the only one
void pid_take_over(struct thread *t);
// Call fn with p (t) kept alive; false if there is no such process (thread).
bool pid_with(int pid, void (*fn)(struct proc *p, void *arg), void *arg);
bool pid_with_thread(int tid, void (*fn)(struct thread *t, void *arg), void *arg);
void pid_each(void (*fn)(struct proc *p, void *arg), void *arg);  // in bucket order
