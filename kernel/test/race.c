// SPDX-License-Identifier: MIT
// race.c - the race detector's own test (RACE builds): small plays for 2 to 8 harts, of which it is known
// whether they race. user/tests/race.c gives each hart a process that plays a role.
//
// A play has ROUNDS rounds, each on words of its own. Between rounds the players meet by relaxed
// operations, which order nothing; so what orders two accesses within a round is the play alone.
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/refs.h"
#include "proc/sched.h"
#include "sync/mutex.h"
#include "sync/race.h"
#include "test/test.h"

#ifdef RACE
#define ROUNDS 4

static struct round {
    u64 a, b;       // what is accessed
    u32 flag, flag2, refs;
    struct spin lock, other;
    struct mutex mutex;
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
    SILENT(frame_given), RACY(frame_used_after_given),
};

static long prepare(void) {
    memset(rounds, 0, sizeof(rounds));
    for (u32 i = 0; i < ROUNDS; i++) {
        spin_init(&rounds[i].lock, RANK_PIDS);
        spin_init(&rounds[i].other, RANK_PIDS);
        mutex_init(&rounds[i].mutex, RANK_AUDIT);
        list_init(&rounds[i].queue);
        rounds[i].refs = ROUNDS * 8;
    }
    met = 0;
    race_expect(true);
    return ARRAY_LEN(plays);
}

static long judge(u32 play, u32 n) {
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
