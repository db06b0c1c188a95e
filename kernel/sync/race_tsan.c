// SPDX-License-Identifier: MIT
// race_tsan.c - what `gcc -fsanitize=thread` calls at every function's entry and exit and in place of
// every atomic operation (the interface of LLVM's tsan_interface.h; plain and marked accesses:
// race_shadow.c), and the doors of what moves memory.
//
// Atomics    are performed as strong as there is; the order that was asked for is judged by the clocks.
//            One that can neither give nor take order is performed by itself, all others under the
//            lock of the word's clock.
#include "riscv/csr.h"
#include "sync/atomic.h"
#include "sync/race_access.h"

void __tsan_init(void) {}

static noinline void enter_new(struct race_context *c, u64 pair) {
    c->paths[c->depth] = (u64)race_stack_search(c, pair) << 32;
    race_stack_move(c);
}

void __tsan_func_entry(void *from) {
    struct race_context *c = this_hart()->race;
    if (unlikely(!c) || unlikely(++c->depth >= RACE_DEPTH)) { return; }
    u64 pair = race_stack_pair(c, (u64)from), path = race_stack_place(c, pair);
    if (unlikely(c->stacks[path] != pair)) {
        enter_new(c, pair);
    } else {
        c->path = c->paths[c->depth] = path << 32;
    }
}

void __tsan_func_exit(void) {
    struct race_context *c = this_hart()->race;
    if (unlikely(!c)) { return; }
    u64 depth = c->depth - 1;
    if (likely(depth < RACE_DEPTH)) {
        c->depth = depth;
        c->path = c->paths[depth];
    } else if (c->depth) {
        c->depth = depth;
    }
}

// The linker leads calls of these here first (--wrap).
void *__real_memcpy(void *d, const void *s, usize n);
void *__real_memset(void *d, int c, usize n);
void __real_page_zero(void *page);
void __real_page_copy(void *restrict d, const void *restrict s);

void *__wrap_memcpy(void *d, const void *s, usize n) {
    race_range_at(s, n, false, CALLER);
    race_range_at(d, n, true, CALLER);
    return __real_memcpy(d, s, n);
}

void *__wrap_memset(void *d, int c, usize n) {
    race_range_at(d, n, true, CALLER);
    return __real_memset(d, c, n);
}

void __wrap_page_zero(void *page) {
    race_range_at(page, PAGE_SIZE, true, CALLER);
    __real_page_zero(page);
}

void __wrap_page_copy(void *restrict d, const void *restrict s) {
    race_range_at(s, PAGE_SIZE, false, CALLER);
    race_range_at(d, PAGE_SIZE, true, CALLER);
    __real_page_copy(d, s);
}

// ---- atomics ----

enum op { LOAD, STORE, SWAP, ADD, SUB, AND, OR, XOR, CAS };

static always_inline bool acquires(int order) {
    return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE;
}
static always_inline bool releases(int order) { return order >= __ATOMIC_RELEASE; }

struct atomic {
    enum op op;
    u64 operand, expected;
    int order, failure_order;
    bool done;  // CAS: it was as expected
};

#define PERFORM(bits, type)                                                                        \
    static always_inline type perform##bits(type *p, struct atomic *a) {                           \
        type old = a->expected, v = a->operand;                                                    \
        a->done = true;                                                                            \
        switch (a->op) {                                                                           \
        case LOAD: return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                    \
        case STORE: __atomic_store_n(p, v, __ATOMIC_SEQ_CST); return 0;                            \
        case SWAP: return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                             \
        case ADD: return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);                               \
        case SUB: return __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST);                               \
        case AND: return __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST);                               \
        case OR: return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST);                                 \
        case XOR: return __atomic_fetch_xor(p, v, __ATOMIC_SEQ_CST);                               \
        case CAS: break;                                                                           \
        }                                                                                          \
        atomic_fence_full();                                                                       \
        a->done = __atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        return old;                                                                                \
    }
PERFORM(32, u32)
PERFORM(64, u64)

static always_inline u64 perform(void *p, u32 bytes, struct atomic *a) {
    return bytes == 4 ? perform32(p, a) : perform64(p, a);
}

static always_inline u64 perform_ordered(struct race_context *c, void *p, u32 bytes, struct atomic *a) {
    u64 flags = irq_save();
    struct race_sync *s = race_word_lock((u64)p);
    u64 old = perform(p, bytes, a);
    int order = a->done ? a->order : a->failure_order;
    u32 did = a->op == STORE ? RACE_STORE | RACE_MODIFY : a->op != LOAD && a->done ? RACE_MODIFY : 0;
    if (did && releases(order)) { did |= RACE_RELEASE; }
    if (a->op != STORE && acquires(order)) {
        did |= RACE_ACQUIRE;
    } else if (a->op != STORE) {
        race_word_read(c, (u64)p);
    }
    race_word_unlock(c, s, (u64)p, did);
    irq_restore(flags);
    return old;
}

// Inlined with its operation and its size, which are constants.
static always_inline u64 atomic(void *p, u32 bytes, struct atomic *a, u64 pc) {
    struct race_context *c = this_hart()->race;
    if (unlikely(!c)) { return perform(p, bytes, a); }
    u64 mask = bytes == 8 ? 255 : 15ul << ((u64)p & 4);
    race_access_word((u64)p, c, CELL_BYTES(mask) | (a->op == LOAD ? 0 : CELL_WRITE), pc);
    if (a->op == STORE || a->order != __ATOMIC_RELAXED || (a->op != LOAD && c->fenced)) {
        return perform_ordered(c, p, bytes, a);
    }
    race_word_read(c, (u64)p);
    return perform(p, bytes, a);
}

#define RMW(bits, type, name, which)                                                               \
    type __tsan_atomic##bits##_##name(type *p, type v, int order) {                                \
        return atomic(p, bits / 8, &(struct atomic){.op = which, .operand = v, .order = order}, CALLER); \
    }
#define ATOMICS(bits, type)                                                                        \
    type __tsan_atomic##bits##_load(const type *p, int order) {                                    \
        return atomic((type *)p, bits / 8, &(struct atomic){.op = LOAD, .order = order}, CALLER);  \
    }                                                                                              \
    void __tsan_atomic##bits##_store(type *p, type v, int order) {                                 \
        atomic(p, bits / 8, &(struct atomic){.op = STORE, .operand = v, .order = order}, CALLER);  \
    }                                                                                              \
    RMW(bits, type, exchange, SWAP)                                                                \
    RMW(bits, type, fetch_add, ADD)                                                                \
    RMW(bits, type, fetch_sub, SUB)                                                                \
    RMW(bits, type, fetch_and, AND)                                                                \
    RMW(bits, type, fetch_or, OR)                                                                  \
    RMW(bits, type, fetch_xor, XOR)                                                                \
    bool __tsan_atomic##bits##_compare_exchange_strong(type *p, type *expected, type v, int order, \
                                                       int failure_order) {                        \
        struct atomic a = {CAS, v, *expected, order, failure_order, false};                        \
        *expected = atomic(p, bits / 8, &a, CALLER);                                               \
        return a.done;                                                                             \
    }
ATOMICS(32, u32)
ATOMICS(64, u64)

void __tsan_atomic_thread_fence(int order) {
    atomic_fence_full();
    struct race_context *c = this_hart()->race;
    if (c) {
        u64 flags = irq_save();
        race_word_fence(c, acquires(order), releases(order));
        irq_restore(flags);
    }
}
