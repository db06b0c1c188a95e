// SPDX-License-Identifier: MIT
// thread.h - threads of one process, and what they wait on, by clone and futex. Shaped like pthreads: all
// return 0 or an error number.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct thread;

// Run fn(arg) in a new thread: a stack of 64 KiB above a page without access, and thread-local variables of its own.
int thread_create(struct thread **thread, void *(*fn)(void *), void *arg);
int thread_join(struct thread *thread, void **result);  // wait for its end and free it
void thread_exit(void *result) __attribute__((noreturn));
int thread_tid(const struct thread *thread);  // its number; 0: it has ended

struct mutex {
    uint32_t state;  // 0 free, 1 held, 2 held and somebody may be waiting
};
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

struct cond {
    uint32_t sequence;
};
void cond_wait(struct cond *c, struct mutex *m);
int cond_timedwait(struct cond *c, struct mutex *m, int64_t ns);  // ETIMEDOUT after that long
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c, struct mutex *m);

struct barrier {
    uint32_t threads, arrived, round;
};
bool barrier_wait(struct barrier *b);  // true for one of them

struct once {
    uint32_t state;
};
void once_run(struct once *o, void (*fn)(void));

// futex(2), -errno and all. ns < 0: for ever.
long futex_wait(const volatile uint32_t *word, uint32_t value, int64_t ns);
long futex_wake(const volatile uint32_t *word, int n);
