// SPDX-License-Identifier: MIT
// futex.c - see futex.h.
//
// Model      Who sleeps stands in a bucket, by a hash of what the word is (the key), with its record on its own
//            stack. Buckets have a lock and a cache line each.
// Invariants U1 the word is compared and the sleeper queued under one hold of its bucket's lock; who wakes takes
//               that lock after it has changed the word. So either the sleeper sees the change, or is woken.
//            U2 a sleeper leaves its record only after it has had the lock of the bucket in which it stood last:
//               whoever wakes it is through with it then.
//            U3 a sleeper's bucket changes only with both buckets locked, the lower address first (the second
//               by trying: nobody who waits for the first holds it).
//            U4 a key has a reference to its backing, or its space is the one of who has it: as long as somebody
//               sleeps there, neither's address is another's, and so the key no other word's.
// Memory     The word is read with the lock held, so without resolving a fault (peek_in); if that fails the lock
//            is dropped, the page fetched as for any call, and all begins again.
#include "proc/futex.h"
#include "dev/timer.h"
#include "lib/errno.h"
#include "lib/list.h"
#include "mm/uaccess.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "riscv/csr.h"
#include "sync/park.h"
#include "sync/point.h"
#include "sync/spin.h"

#define BUCKETS 256

// What a word is: of private memory the space and its address there, of what is shared the backing and its place
// in that, wherever it is mapped.
struct key {
    const struct as *as;      // or NULL,
    struct backing *backing;  // and this is not (U4)
    u64 at;
};

static struct bucket {
    struct spin lock;
    struct list sleepers;
} cacheline_aligned buckets[BUCKETS];

struct sleeper {
    struct list link;
    struct key key;
    uaddr word;  // where it is for us
    struct thread *thread;
    struct bucket *bucket;  // where it stands, or stood last (m: the sleeper looks, to know whose lock to take)
    u32 bits;
    bool queued;
};

void futex_boot(void) {
    for (struct bucket *b = buckets; b < buckets + BUCKETS; b++) {
        spin_init(&b->lock, RANK_FUTEX);
        list_init(&b->sleepers);
    }
}

// The key of a word of shared memory. What the region was without the lock it need not be any more.
static void share_key(struct key *key) {
    struct as *as = as_self();
    mutex_lock(&as->lock);
    const struct region *r = region_find(as, key->at);
    if (r && r->shared) {
        backing_get(r->backing);
        *key = (struct key){.backing = r->backing, .at = r->file_off + (key->at - r->start)};
    }
    mutex_unlock(&as->lock);
}

// 0, with a key for key_put, or -EINVAL, -EFAULT. `private`: the caller says that nobody else's word is meant; then
// it need not be there.
static long key_of(uaddr word, bool private, struct key *key) {
    struct region r;
    if (word % sizeof(u32)) { return -EINVAL; }
    if (word >= USER_TOP) { return -EFAULT; }
    *key = (struct key){.as = as_self(), .at = word};
    if (private) { return 0; }
    if (!region_look(as_self(), word, &r)) { return -EFAULT; }
    if (r.shared) { share_key(key); }
    return 0;
}

static void key_put(struct key key) { backing_put(key.backing); }

static bool same(struct key a, struct key b) { return a.as == b.as && a.backing == b.backing && a.at == b.at; }

static struct bucket *bucket_of(struct key key) {
    u64 whose = (u64)key.as | (u64)key.backing;
    u64 mixed = (whose / 64 + key.at / sizeof(u32)) * 0x9e3779b97f4a7c15ul;
    return &buckets[mixed >> 56];
}

// Have the word's page there, as any call would. 0, -EFAULT: there is none, -EINTR: we shall die.
static long fetch(uaddr word) {
    u32 unused;
    long error = copy_in(&unused, word, sizeof(unused));
    return error ? error : sched_go_on() ? 0 : -EINTR;
}

// ---- sleeping ----

// Lock the bucket in which s stands, or stood last (U2).
static struct bucket *lock_mine(struct sleeper *s) {
    for (;;) {
        struct bucket *b = read_once(s->bucket);
        spin_lock(&b->lock);
        if (b == read_once(s->bucket)) { return b; }
        spin_unlock(&b->lock);
    }
}

// Compare and queue (U1). 0, -EAGAIN, or -EFAULT: the page has to be fetched first.
static long enqueue(struct sleeper *s, u32 value) {
    struct bucket *b = s->bucket;
    u32 now;
#ifdef MUTANT_futex_late_queue  // "the lock is for the list"
    long error = peek_in(&now, s->word);
    error = error ? error : now == value ? 0 : -EAGAIN;
    RACE_POINT("futex.compared");
    spin_lock(&b->lock);
#else
    spin_lock(&b->lock);
    long error = peek_in(&now, s->word);
    error = error ? error : now == value ? 0 : -EAGAIN;
#endif
    if (!error) {
        s->queued = true;
        list_add_tail(&b->sleepers, &s->link);
        park_announce();
    }
    spin_unlock(&b->lock);
    return error;
}

// What ends the sleep, if anything does. => the bucket's lock
static long verdict(const struct sleeper *s, u64 deadline) {
    return !s->queued ? 0 : park_killed() ? -EINTR : time_now() >= deadline ? -ETIMEDOUT : -EAGAIN;
}

static void doze(u64 deadline) {
    if (park_killed()) {
        park_cancel();
    } else if (deadline == FUTEX_NEVER) {
        park();
    } else {
        timer_park(deadline);
    }
}

static long sleep(struct sleeper *s, u64 deadline) {
    for (;;) {
        doze(deadline);
        struct bucket *b = lock_mine(s);
        long why = verdict(s, deadline);
        if (why == -EAGAIN) {
            park_announce();  // woken for nothing
        } else {
            if (s->queued) { list_del(&s->link); }
            park_cancel();
        }
        spin_unlock(&b->lock);
        if (why != -EAGAIN) { return why; }
    }
}

static long wait(struct sleeper *s, u32 value, u64 deadline) {
    long error;
    s->bucket = bucket_of(s->key);
    while ((error = enqueue(s, value)) == -EFAULT) {
        error = fetch(s->word);
        if (error) { return error; }
    }
    return error ? error : sleep(s, deadline);
}

long futex_wait(uaddr word, bool private, u32 value, u64 deadline, u32 bits) {
    struct sleeper s = {.word = word, .thread = thread_self(), .bits = bits};
    long error = bits ? key_of(word, private, &s.key) : -EINVAL;
    if (error) { return error; }
    error = wait(&s, value, deadline);
    key_put(s.key);
    return error;
}

// ---- waking ----

// => the lock of its bucket
static void wake(struct sleeper *s) {
    list_del(&s->link);
    s->queued = false;
    unpark(s->thread);
}

static u32 wake_some(struct bucket *b, struct key key, u32 n, u32 bits) {
    u32 woken = 0;
    for (struct list *it = b->sleepers.next, *next; it != &b->sleepers && woken < n; it = next) {
        struct sleeper *s = list_entry(it, struct sleeper, link);
        next = it->next;
        if (same(s->key, key) && s->bits & bits) {
            wake(s);
            woken++;
        }
    }
    return woken;
}

long futex_wake(uaddr word, bool private, u32 n, u32 bits) {
    struct key key;
    long error = bits ? key_of(word, private, &key) : -EINVAL;
    if (error) { return error; }
    struct bucket *b = bucket_of(key);
    spin_lock(&b->lock);
    u32 woken = wake_some(b, key, n, bits);
    spin_unlock(&b->lock);
    key_put(key);
    return woken;
}

// ---- from one word to another ----

static void lock_both(struct bucket *a, struct bucket *b) {
    spin_lock(&MIN(a, b)->lock);
    while (a != b && !spin_try_lock(&MAX(a, b)->lock)) { cpu_pause(); }  // U3
}

static void unlock_both(struct bucket *a, struct bucket *b) {
    if (a != b) { spin_unlock(&MAX(a, b)->lock); }
    spin_unlock(&MIN(a, b)->lock);
}

// => references to both backings, of the caller's own: the sleeper's are never the last
static void move(struct sleeper *s, struct bucket *to, struct key new) {
    list_del(&s->link);
    list_add_tail(&to->sleepers, &s->link);
    backing_get(new.backing);
    key_put(s->key);
    s->key = new;
    write_once(s->bucket, to);
}

static u32 move_some(struct bucket *from, struct key key, u32 n, struct bucket *to, struct key new) {
    u32 moved = 0;
    struct list *end = from->sleepers.prev;  // of those that stand there now
    for (struct list *it = from->sleepers.next, *next; moved < n && it != &from->sleepers; it = next) {
        struct sleeper *s = list_entry(it, struct sleeper, link);
        next = it == end ? &from->sleepers : it->next;
        if (same(s->key, key)) {
            move(s, to, new);
            moved++;
        }
    }
    return moved;
}

// The word, if it has to be looked at, before anything moves. 0, -EAGAIN, -EFAULT: fetch the page.
static long still(uaddr word, const u32 *expected) {
    u32 now;
    if (!expected) { return 0; }
    return peek_in(&now, word) ? -EFAULT : now == *expected ? 0 : -EAGAIN;
}

static long requeue(uaddr from, struct key old, u32 wake, u32 move, struct key new, const u32 *expected) {
    struct bucket *a = bucket_of(old), *b = bucket_of(new);
    for (;;) {
        u32 done = 0;
        lock_both(a, b);
        long error = still(from, expected);
        if (!error) {
            done = wake_some(a, old, wake, FUTEX_ANY);
            done += same(old, new) ? 0 : move_some(a, old, move, b, new);
        }
        unlock_both(a, b);
        if (error != -EFAULT) { return error ? error : (long)done; }
        error = fetch(from);
        if (error) { return error; }
    }
}

long futex_requeue(uaddr from, bool private, u32 wake, u32 move, uaddr to, const u32 *expected) {
    struct key old, new;
    long result = key_of(from, private, &old);
    if (result) { return result; }
    result = key_of(to, private, &new);
    if (!result) {
        result = old.backing && new.as ? -EINVAL : requeue(from, old, wake, move, new, expected);
        key_put(new);
    }
    key_put(old);
    return result;
}
