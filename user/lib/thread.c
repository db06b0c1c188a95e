// SPDX-License-Identifier: MIT
// thread.c - see thread.h.
//
// Model   A thread's memory is one mapping: a page without access, the stack, the thread-local block,
//         the record. The kernel writes 0 to `tid` and wakes when the thread is gone, so whoever joins may
//         unmap it all.
#include <errno.h>
#include <ksys.h>
#include <clone.h>
#include <string.h>
#include <sys/mman.h>
#include <thread.h>
#include <time.h>

enum { PAGE = 4096, STACK_BYTES = 64 * 1024 };

struct thread {
    uint32_t tid;
    void *(*fn)(void *);
    void *arg, *result;
    char *map;
    size_t bytes;
};

extern const char __tls_image[], __tls_image_end[];
extern char __tls_block[], __tls_block_end[];
static _Thread_local struct thread *self;  // NULL in the first thread

__asm__(".text\n"
        ".globl clone_run\n"
        "clone_run:\n"
        "    addi a1, a1, -16\n"
        "    sd a5, 0(a1)\n"
        "    sd a6, 8(a1)\n"
        "    li a7, 220\n"
        "    ecall\n"
        "    beqz a0, 1f\n"
        "    ret\n"
        "1:  ld t0, 0(sp)\n"
        "    ld a0, 8(sp)\n"
        "    jalr t0\n"
        "    li a0, 0\n"
        "    li a7, 93\n"
        "    ecall\n");

static void thread_main(void *thread) {
    struct thread *t = thread;
    self = t;
    thread_exit(t->fn(t->arg));
}

void thread_exit(void *result) {
    if (self) { self->result = result; }
    for (;;) { ksys_exit(0); }
}

int thread_tid(const struct thread *t) { return (int)__atomic_load_n(&t->tid, __ATOMIC_ACQUIRE); }

// The record at the top of a new mapping, NULL: no memory.
static struct thread *allocate(size_t tls) {
    size_t top = (tls + sizeof(struct thread) + 63) & ~(size_t)15;
    size_t bytes = (PAGE + STACK_BYTES + top + PAGE - 1) & ~(size_t)(PAGE - 1);
    char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) { return NULL; }
    if (mmap(map, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        munmap(map, bytes);
        return NULL;
    }
    struct thread *t = (struct thread *)(map + bytes - ((sizeof(struct thread) + 15) & ~(size_t)15));
    *t = (struct thread){.map = map, .bytes = bytes};
    return t;
}

int thread_create(struct thread **thread, void *(*fn)(void *), void *arg) {
    size_t image = (size_t)(__tls_image_end - __tls_image), tls = (size_t)(__tls_block_end - __tls_block);
    struct thread *t = allocate(tls);
    if (!t) { return ENOMEM; }
    t->fn = fn;
    t->arg = arg;
    char *block = (char *)((uintptr_t)t - tls) - (((uintptr_t)t - tls) & 15);
    memcpy(block, __tls_image, image);
    long got = clone_run(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                                CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
                            block, &t->tid, block, &t->tid, thread_main, t);
    if (got < 0) {
        munmap(t->map, t->bytes);
        return (int)-got;
    }
    *thread = t;
    return 0;
}

int thread_join(struct thread *t, void **result) {
    for (int tid; (tid = thread_tid(t));) { futex_wait(&t->tid, (uint32_t)tid, -1); }
    if (result) { *result = t->result; }
    return munmap(t->map, t->bytes) < 0 ? errno : 0;
}

// ---- the futex itself

long futex_wait(const volatile uint32_t *word, uint32_t value, int64_t ns) {
    struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = (long)(ns % 1000000000)};
    return ksys_futex(word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, value, ns < 0 ? NULL : &ts, NULL, 0);
}

long futex_wake(const volatile uint32_t *word, int n) {
    return ksys_futex(word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, (uint)n, NULL, NULL, 0);
}

// ---- mutexes (Drepper, "Futexes Are Tricky", mutex 2)

static bool take(struct mutex *m, uint32_t from, uint32_t to) {
    return __atomic_compare_exchange_n(&m->state, &from, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void lock_contended(struct mutex *m) {
    while (__atomic_exchange_n(&m->state, 2, __ATOMIC_ACQUIRE) != 0) { futex_wait(&m->state, 2, -1); }
}

void mutex_lock(struct mutex *m) {
    if (!take(m, 0, 1)) { lock_contended(m); }
}

bool mutex_trylock(struct mutex *m) { return take(m, 0, 1); }

void mutex_unlock(struct mutex *m) {
    if (__atomic_exchange_n(&m->state, 0, __ATOMIC_RELEASE) == 2) { futex_wake(&m->state, 1); }
}

// ---- conditions: who is woken, or moved to the mutex's word, takes it as one that others wait for

int cond_timedwait(struct cond *c, struct mutex *m, int64_t ns) {
    uint32_t seen = __atomic_load_n(&c->sequence, __ATOMIC_RELAXED);
    mutex_unlock(m);
    long got = futex_wait(&c->sequence, seen, ns);
    lock_contended(m);
    return got == -ETIMEDOUT ? ETIMEDOUT : 0;
}

void cond_wait(struct cond *c, struct mutex *m) { cond_timedwait(c, m, -1); }

void cond_signal(struct cond *c) {
    __atomic_fetch_add(&c->sequence, 1, __ATOMIC_RELAXED);
    futex_wake(&c->sequence, 1);
}

void cond_broadcast(struct cond *c, struct mutex *m) {
    uint32_t now = __atomic_add_fetch(&c->sequence, 1, __ATOMIC_RELAXED);
    const int requeue = FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG;
    while (ksys_futex(&c->sequence, requeue, 1, (uaddr)0x7fffffff, &m->state, now) == -EAGAIN) {
        now = __atomic_load_n(&c->sequence, __ATOMIC_RELAXED);
    }
}

// ---- barriers, once

bool barrier_wait(struct barrier *b) {
    uint32_t round = __atomic_load_n(&b->round, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&b->arrived, 1, __ATOMIC_ACQ_REL) == b->threads) {
        __atomic_store_n(&b->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&b->round, round + 1, __ATOMIC_RELEASE);
        futex_wake(&b->round, 0x7fffffff);
        return true;
    }
    while (__atomic_load_n(&b->round, __ATOMIC_ACQUIRE) == round) { futex_wait(&b->round, round, -1); }
    return false;
}

enum { ONCE_NEW, ONCE_RUNS, ONCE_DONE };

void once_run(struct once *o, void (*fn)(void)) {
    uint32_t fresh = ONCE_NEW;
    if (__atomic_compare_exchange_n(&o->state, &fresh, ONCE_RUNS, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
        fn();
        __atomic_store_n(&o->state, ONCE_DONE, __ATOMIC_RELEASE);
        futex_wake(&o->state, 0x7fffffff);
    }
    while (__atomic_load_n(&o->state, __ATOMIC_ACQUIRE) != ONCE_DONE) { futex_wait(&o->state, ONCE_RUNS, -1); }
}
