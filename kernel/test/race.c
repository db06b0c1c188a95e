// SPDX-License-Identifier: MIT
// race.c - the race detector's own test (RACE builds): small plays for 2 to 8 harts, of which it is known
// whether they race. user/tests/race.c gives each hart a process that plays a role.
//
// A play has ROUNDS rounds, each on words of its own. Between rounds the players meet by relaxed
// operations, which order nothing; so what orders two accesses within a round is the play alone. Each begins
// on the hart of its role's number. Half of the plays, or more, must be silent.
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/refs.h"
#include "mm/tlb.h"
#include "proc/sched.h"
#include "riscv/csr.h"
#include "riscv/trapframe.h"
#include "sync/mutex.h"
#include "sync/park.h"
#include "sync/race.h"
#include "sync/waitq.h"
#include "test/test.h"

#ifdef RACE
#define ROUNDS 4

static struct round {
    u64 a, b;       // what is accessed
    u64 own[8];     // one for each role
    u32 flag, flag2, refs;
    struct spin lock, other;
    struct mutex mutex;
    struct waitq sleepers;
    struct list queue;
    struct node {
        struct list link;
        u64 value;
    } node;
    frame_t frame;
} rounds[ROUNDS];
static u32 met;  // (a) how often a player has come to a meeting
static u64 sink;
static u32 judged;

// Wait a little for another player: it may be queued behind us, or without a core of the host.
static void patience(void) {
    static u32 tries;
    if (atomic_add_relaxed(&tries, 1u) % 256) {
        cpu_pause();
    } else {
        sched_yield();
        wait_for_interrupt();
    }
}

static void meet(u32 n, u32 round) {
    atomic_add_relaxed(&met, 1u);
    while (atomic_load_relaxed(&met) < n * (round + 1)) { patience(); }
}

static noinline void put(u64 *p, u64 v) { *p = v; }
static noinline u64 get(const u64 *p) {
    u64 v = *p;
    __asm__ volatile("" ::"r"(v));  // not to be left out
    return v;
}

static void await_relaxed(u32 *flag, u32 value) {
    while (atomic_load_relaxed(flag) < value) { patience(); }
}
static void await_acquire(u32 *flag, u32 value) {
    while (atomic_load_acquire(flag) < value) { patience(); }
}

#define PLAY(name) static void name(struct round *r, u32 role, u32 n)
#define UNUSED (void)r, (void)role, (void)n
// Role 0 does the first thing, all others the second.
#define TWO(name, first, second)                                                                   \
    PLAY(name) {                                                                                   \
        UNUSED;                                                                                    \
        if (role == 0) {                                                                           \
            first;                                                                                 \
        } else {                                                                                   \
            second;                                                                                \
        }                                                                                          \
    }
#define ALL(name, act) TWO(name, act, act)

// Accesses by themselves.
ALL(write_write, put(&r->a, role))
TWO(write_read, put(&r->a, 1), get(&r->a))
ALL(read_read, get(&r->a))
ALL(increment, put(&r->a, get(&r->a) + 1))
TWO(write_atomic_read, put(&r->a, 1), atomic_load_relaxed(&r->a))
TWO(atomic_write_read, atomic_store_relaxed(&r->a, 1ul), get(&r->a))
ALL(atomic_atomic, atomic_add_relaxed(&r->a, 1ul))
TWO(marked_marked, write_once(r->a, 1), (void)read_once(r->a))
TWO(marked_write_read, write_once(r->a, 1), get(&r->a))
static noinline void put_byte(u64 *p, u32 i) { ((u8 *)p)[i] = i; }
ALL(bytes_apart, put_byte(&r->a, role))
TWO(words_apart, put(&r->a, 1), get(&r->b))
TWO(byte_in_word, put_byte(&r->a, 3), get(&r->a))
TWO(copied_over, memcpy(&r->a, &sink, 8), get(&r->a))

// Locks.
static void locked(struct spin *l, u64 *p) {
    spin_lock(l);
    put(p, get(p) + 1);
    spin_unlock(l);
}
ALL(same_lock, locked(&r->lock, &r->a))
ALL(two_locks, locked(role ? &r->lock : &r->other, &r->a))
TWO(one_side_locks, locked(&r->lock, &r->a), get(&r->a))
ALL(same_mutex, mutex_lock(&r->mutex); put(&r->a, role); mutex_unlock(&r->mutex))
static void home_made(struct round *r, bool (*take)(u32 *, u32, u32)) {
    while (!take(&r->flag, 0, 1)) { patience(); }
    put(&r->a, get(&r->a) + 1);
    atomic_store_release(&r->flag, 0u);
}
ALL(cas_acquire, home_made(r, atomic_cas32_acquire))
ALL(cas_relaxed, home_made(r, atomic_cas32_relaxed))

// Messages.
TWO(message, put(&r->a, 1); atomic_store_release(&r->flag, 1u), await_acquire(&r->flag, 1); get(&r->a))
TWO(message_relaxed_store, put(&r->a, 1); atomic_store_relaxed(&r->flag, 1u),
    await_acquire(&r->flag, 1); get(&r->a))
TWO(message_relaxed_load, put(&r->a, 1); atomic_store_release(&r->flag, 1u),
    await_relaxed(&r->flag, 1); get(&r->a))
TWO(message_fences, put(&r->a, 1); atomic_fence_release(); atomic_store_relaxed(&r->flag, 1u),
    await_relaxed(&r->flag, 1); atomic_fence_acquire(); get(&r->a))
TWO(message_one_fence, put(&r->a, 1); atomic_fence_release(); atomic_store_relaxed(&r->flag, 1u),
    await_relaxed(&r->flag, 1); get(&r->a))
TWO(message_too_early, atomic_store_release(&r->flag, 1u); put(&r->a, 1),
    await_acquire(&r->flag, 1); get(&r->a))
TWO(message_wrong_flag, put(&r->a, 1); atomic_store_release(&r->flag, 1u); atomic_store_relaxed(&r->flag2, 1u),
    await_acquire(&r->flag2, 1); get(&r->a))
// A read-modify-write, even relaxed, goes on with the release sequence that it reads from.
TWO(release_sequence, put(&r->a, 1); atomic_store_release(&r->flag, 1u); await_relaxed(&r->flag2, n - 1),
    await_relaxed(&r->flag, 1); atomic_add_relaxed(&r->flag, 1u); await_acquire(&r->flag, 2);
    get(&r->a); atomic_add_relaxed(&r->flag2, 1u))

// A release sequence may end with somebody who knows nothing of those before: to have heard of the last
// release only (here by another word) is not to know what the word tells.
static void sequence_of_two(struct round *r, u32 role, void (*await)(u32 *, u32)) {
    if (role == 0) {
        put(&r->a, 1);
        atomic_add_release(&r->flag, 1u);
    } else if (role == 1) {
        await_relaxed(&r->flag, 1);
        atomic_add_release(&r->flag, 1u);
        atomic_store_release(&r->flag2, 1u);
    }
    if (role) {
        await_acquire(&r->flag2, 1);
        await(&r->flag, 2);
        get(&r->a);
    }
}
ALL(sequence_heard_of, sequence_of_two(r, role, await_acquire))
ALL(sequence_not_heard_of, sequence_of_two(r, role, await_relaxed))
TWO(sequence_broken, put(&r->a, 1); atomic_store_release(&r->flag, 1u), await_relaxed(&r->flag, 1);
    atomic_store_relaxed(&r->flag, 2u); await_acquire(&r->flag, 2); get(&r->a))
// Whoever releases a word again tells what it has learnt in between, and no more.
static void release_twice(struct round *r, u32 role, void (*await)(u32 *, u32)) {
    if (role == 0) {
        atomic_store_release(&r->flag, 1u);
        await(&r->flag2, 1);
        atomic_store_release(&r->flag, 2u);
    } else if (role == 1) {
        await_relaxed(&r->flag, 1);
        put(&r->a, 1);
        atomic_store_release(&r->flag2, 1u);
    }
    if (role != 1) {
        await_acquire(&r->flag, 2);
        get(&r->a);
    }
}
ALL(learnt_between, release_twice(r, role, await_acquire))
ALL(not_learnt_between, release_twice(r, role, await_relaxed))

// Ownership: a queue under a lock, a count that reaches zero, a frame that is freed and allocated.
static struct list *dequeue(struct round *r) {
    struct list *found = NULL;
    spin_lock(&r->lock);
    if (!list_empty(&r->queue)) {
        found = r->queue.next;
        list_del(found);
        list_init(found);
    }
    spin_unlock(&r->lock);
    return found;
}
PLAY(queued) {
    if (role == 0) {
        r->node.value = 7;
        spin_lock(&r->lock);
        list_add_tail(&r->queue, &r->node.link);
        spin_unlock(&r->lock);
    } else if (role == 1) {
        struct list *found;
        while (!(found = dequeue(r))) { patience(); }
        put(&container_of(found, struct node, link)->value, n);
    }
}
PLAY(count_to_zero) {
    (void)role;
    get(&r->a);
    if (atomic_sub_release(&r->refs, 1u) == ROUNDS * 8 - n + 1) {
        atomic_fence_acquire();
        put(&r->a, 1);
    }
}
PLAY(count_to_zero_relaxed) {
    (void)role;
    get(&r->a);
    if (atomic_sub_relaxed(&r->refs, 1u) == ROUNDS * 8 - n + 1) { put(&r->a, 1); }
}
PLAY(frame_given) {
    frame_t f = role == 0 ? frame_alloc(FRAME_KERNEL) : FRAME_NONE;
    UNUSED;
    if (f) {
        put(frame_kva(f), 1);
        atomic_store_release(&r->frame, f);
    } else if (role == 1) {
        while (!(f = atomic_load_acquire(&r->frame))) { patience(); }
        put(frame_kva(f), 2);
        frame_release(f);
    }
}
PLAY(frame_used_after_given) {
    frame_t f = role == 0 ? frame_alloc(FRAME_KERNEL) : FRAME_NONE;
    UNUSED;
    if (f) {
        atomic_store_release(&r->frame, f);
        put((u64 *)frame_kva(f) + 1, 1);
        await_relaxed(&r->flag, 1);
        frame_release(f);
    } else if (role == 1) {
        while (!(f = atomic_load_acquire(&r->frame))) { patience(); }
        memset(frame_kva(f), 0, 64);
        atomic_store_relaxed(&r->flag, 1u);
    }
}

// Threads and harts: what a hart does with one thread comes before what it does with the next.
static void move_to(u32 hart) {
    write_once(thread_self()->affinity, 1ul << hart);
    sched_obey_affinity();
}
PLAY(one_hart) {
    UNUSED;
    if (role == 0) {
        put(&r->a, 1);
        atomic_store_relaxed(&r->flag, 1u);
    } else if (role == 1) {
        move_to(0);
        await_relaxed(&r->flag, 1);
        put(&r->a, 2);
    }
}
// They have been on one hart; what each does after that, on a hart of its own, nothing orders.
PLAY(one_hart_no_more) {
    UNUSED;
    if (role == 0) {
        await_relaxed(&r->flag, 1);
        put(&r->a, 1);
    } else if (role == 1) {
        move_to(0);
        move_to(1);
        atomic_store_relaxed(&r->flag, 1u);
        put(&r->a, 2);
    }
}
PLAY(moved) {
    put(&r->own[role], 1);
    move_to((role + 1) % n);
    put(&r->own[role], 2);
    move_to(role);
    put(&r->own[role], 3);
}
// A thread begins after all that its parent had done (`prepare`), and ends before its parent has waited for
// it (`judge`, which looks at all words, whatever the play).
ALL(started, get(&r->own[role]))
ALL(ended, put(&r->own[role], 1))

// A handler, staged here and now: interrupts go off as in hardware, which tells nobody.
static noinline void handle(u64 *p) {
    struct trapframe tf = {.sstatus = SSTATUS_SPP};
    csr_clear(sstatus, SSTATUS_SIE);
    race_irq_enter(&tf);
    put(p, get(p) + 1);
    race_irq_leave(&tf);
    csr_set(sstatus, SSTATUS_SIE);
}
static void with_interrupts_off(u64 *p) {
    u64 flags = irq_save();
    put(p, get(p) + 1);
    irq_restore(flags);
}
ALL(handler_after_enabling, with_interrupts_off(&r->own[role]); handle(&r->own[role]))
ALL(handler_before_disabling, handle(&r->own[role]); with_interrupts_off(&r->own[role]))
// Here who takes harts for contexts hears nothing.
ALL(handler_while_enabled, put(&r->own[role], 1); handle(&r->own[role]))

// Real ones: all harts handle an IPI, and answer.
static void ring(void) { tlb_shootdown_kernel((u64)&sink, 1); }
TWO(ipi_tells, put(&r->a, 1); ring(); atomic_store_relaxed(&r->flag, 1u),
    await_relaxed(&r->flag, 1); irq_restore(irq_save()); get(&r->a))
PLAY(ipi_asks) {
    if (role) {
        with_interrupts_off(&r->own[role]);
        atomic_add_relaxed(&r->flag, 1u);
    } else {
        await_relaxed(&r->flag, n - 1);
        ring();
        for (u32 i = 1; i < n; i++) { put(&r->own[i], 0); }
    }
}

// Sleep, and be woken.
static void sleep(struct round *r) {
    struct waiter w;
    waitq_add(&r->sleepers, &w);
    atomic_add_relaxed(&r->flag, 1u);
    park();
    waitq_del(&r->sleepers, &w);
}
TWO(woken, await_relaxed(&r->flag, n - 1); put(&r->a, 1); waitq_wake_all(&r->sleepers), sleep(r); get(&r->a))
// The waker stays where it is: its next switch could tell the sleeper's hart what came too late.
TWO(woken_too_early, await_relaxed(&r->flag, n - 1); waitq_wake_all(&r->sleepers); put(&r->a, 1);
    while (atomic_load_relaxed(&r->flag2) < n - 1) { cpu_pause(); },
    sleep(r); get(&r->a); atomic_add_relaxed(&r->flag2, 1u))

static const struct {
    const char *name;
    void (*play)(struct round *r, u32 role, u32 n);
    bool races;
} plays[] = {
#define RACY(name) {#name, name, true}
#define SILENT(name) {#name, name, false}
    RACY(write_write), RACY(write_read), SILENT(read_read), RACY(increment),
    RACY(write_atomic_read), RACY(atomic_write_read), SILENT(atomic_atomic), SILENT(marked_marked),
    RACY(marked_write_read), SILENT(bytes_apart), SILENT(words_apart), RACY(byte_in_word),
    RACY(copied_over), SILENT(same_lock), RACY(two_locks), RACY(one_side_locks), SILENT(same_mutex),
    SILENT(cas_acquire), RACY(cas_relaxed), SILENT(message), RACY(message_relaxed_store),
    RACY(message_relaxed_load), SILENT(message_fences), RACY(message_one_fence),
    RACY(message_too_early), RACY(message_wrong_flag), SILENT(release_sequence),
    SILENT(sequence_heard_of), RACY(sequence_not_heard_of), RACY(sequence_broken), SILENT(learnt_between),
    RACY(not_learnt_between), SILENT(queued), SILENT(count_to_zero), RACY(count_to_zero_relaxed),
    SILENT(frame_given), RACY(frame_used_after_given), SILENT(one_hart), RACY(one_hart_no_more), SILENT(moved),
    SILENT(started), SILENT(ended), SILENT(handler_after_enabling), SILENT(handler_before_disabling),
    RACY(handler_while_enabled), SILENT(ipi_tells), SILENT(ipi_asks), SILENT(woken), RACY(woken_too_early),
};

static long prepare(void) {
    memset(rounds, 0, sizeof(rounds));
    for (u32 i = 0; i < ROUNDS; i++) {
        spin_init(&rounds[i].lock, RANK_PIDS);
        spin_init(&rounds[i].other, RANK_PIDS);
        mutex_init(&rounds[i].mutex, RANK_AUDIT);
        list_init(&rounds[i].queue);
        waitq_init(&rounds[i].sleepers);
        rounds[i].refs = ROUNDS * 8;
    }
    met = 0;
    race_expect(true);
    return ARRAY_LEN(plays);
}

static long judge(u32 play, u32 n) {
    for (u32 i = 0; i < ROUNDS * 8; i++) { put(&rounds[i / 8].own[i % 8], 0); }
    u32 found = race_expect(false);
    bool ok = plays[play].races == (found != 0);
    kprintf("%sok %u - race: %s, %u harts, %u found\n", ok ? "" : "not ", ++judged, plays[play].name, n, found);
    return ok;
}

long test_race(u32 op, u32 play, u32 role, u32 n) {
    if (play >= ARRAY_LEN(plays)) { return -EINVAL; }
    if (op == 0) { return prepare(); }
    if (op == 1) { return judge(play, n); }
    for (u32 i = 0; i < ROUNDS; i++) {
        meet(n, i);
        plays[play].play(&rounds[i], role, n);
    }
    return 0;
}
#else
long test_race(u32 op, u32 play, u32 role, u32 n) {
    (void)op, (void)play, (void)role, (void)n;
    return -ENOSYS;
}
#endif
