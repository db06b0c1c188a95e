// SPDX-License-Identifier: MIT
// race_tsan.c - what `gcc -fsanitize=thread` calls at every function's entry and exit and in place of
// every atomic operation (the interface of LLVM's tsan_interface.h; plain and marked accesses:
// race_shadow.c), and the doors of what moves memory.
//
// Atomics    are performed as strong as there is; the order that was asked for is judged by the clocks.
//            One that can neither give nor take order is performed by itself, all others under the
//            lock of the word's clock. They return as wide as a register: whoever calls another
//            function in its last act then needs no frame.
#include "sync/race_access.h"
#include "sync/race_word.h"

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

// Of a compare-exchange: was it done? Of all others: what was there, sign-extended, as a register has it.
#define PERFORM(bits, type)                                                                        \
    static always_inline i64 perform##bits(type *p, enum op op, type v, type *expected) {          \
        type old = op == CAS ? *expected : 0;                                                      \
        switch (op) {                                                                              \
        case LOAD: return (i##bits)__atomic_load_n(p, __ATOMIC_SEQ_CST);                           \
        case STORE: __atomic_store_n(p, v, __ATOMIC_SEQ_CST); return 0;                            \
        case SWAP: return (i##bits)__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                    \
        case ADD: return (i##bits)__atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);                      \
        case SUB: return (i##bits)__atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST);                      \
        case AND: return (i##bits)__atomic_fetch_and(p, v, __ATOMIC_SEQ_CST);                      \
        case OR: return (i##bits)__atomic_fetch_or(p, v, __ATOMIC_SEQ_CST);                        \
        case XOR: return (i##bits)__atomic_fetch_xor(p, v, __ATOMIC_SEQ_CST);                      \
        case CAS: break;                                                                           \
        }                                                                                          \
        atomic_fence_full();                                                                       \
        bool done = __atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        *expected = old;                                                                           \
        return done;                                                                               \
    }
PERFORM(32, u32)
PERFORM(64, u64)

static always_inline i64 perform(void *p, u32 bytes, enum op op, u64 v, void *expected) {
    return bytes == 4 ? perform32(p, op, v, expected) : perform64(p, op, v, expected);
}

static always_inline u64 kind_of(void *p, u32 bytes, enum op op) {
    return CELL_BYTES(bytes == 8 ? 255 : 15ul << ((u64)p & 4)) | (op == LOAD ? 0 : CELL_WRITE);
}

// `failed`: the order of a compare-exchange that finds something else. Nothing is called but in the last
// act, so that the usual way needs no frame.
static always_inline i64 recorded(struct race_context *c, void *p, u32 bytes, enum op op, u64 v,
                                  void *expected, int order, int failed) {
    if (op != STORE && order == __ATOMIC_RELAXED && (op == LOAD || !c->fenced)) {
        race_word_read(c, (u64)p);
        return perform(p, bytes, op, v, expected);
    }
    u64 flags = irq_save();
    struct race_sync *s = race_word_lock(c, (u64)p);
    i64 result = perform(p, bytes, op, v, expected);
    bool done = op != CAS || result;
    order = done ? order : failed;
    u32 did = op == STORE ? RACE_STORE | RACE_MODIFY : op != LOAD && done ? RACE_MODIFY : 0;
    if (did && releases(order)) { did |= RACE_RELEASE; }
    if (op != STORE && acquires(order)) {
        did |= RACE_ACQUIRE;
    } else if (op != STORE) {
        race_word_read(c, (u64)p);
    }
    return race_word_unlock(c, s, (u64)p, did, result, flags);
}

// All is inlined with the operation and its size, which are constants. What an operation's access may have
// left to do is done in a function of its own, which then goes on with the operation. `cells`: if only
// those are to be looked through.
#define ATOMIC(bits, type, op, name, v, expected, order, failed, ...)                              \
    static noinline i64 name##bits##_seldom(type *p, type value, type *old, int o1, int o2, u64 pc, \
                                            u64 mine, u64 *cells) {                                \
        struct race_context *c = this_hart()->race;                                                \
        if (!c) { return perform(p, bits / 8, op, value, old); }                                   \
        if (cells) {                                                                               \
            race_record_more((u64)p, c, mine, cells);                                              \
        } else {                                                                                   \
            race_access_word((u64)p, c, kind_of(p, bits / 8, op), pc);                             \
        }                                                                                          \
        return recorded(c, p, bits / 8, op, value, old, o1, o2);                                   \
    }                                                                                              \
    i64 __tsan_atomic##bits##_##name(type *p, __VA_ARGS__) {                                       \
        u64 pc = race_return_address();                                                            \
        struct race_context *c = this_hart()->race;                                                \
        struct race_rest rest = {0};                                                               \
        enum race_outcome o = RACE_NEW;                                                            \
        if (likely(c)) { o = race_try((u64)p, c, kind_of(p, bits / 8, op), pc, &rest); }           \
        if (unlikely(o)) {                                                                         \
            u64 *cells = o == RACE_MORE ? rest.cells : NULL;                                       \
            return name##bits##_seldom(p, v, expected, order, failed, pc, rest.mine, cells);       \
        }                                                                                          \
        return recorded(c, p, bits / 8, op, v, expected, order, failed);                           \
    }
#define RMW(bits, type, op, name) ATOMIC(bits, type, op, name, v, NULL, order, order, type v, int order)
#define ATOMICS(bits, type)                                                                        \
    ATOMIC(bits, type, LOAD, load, 0, NULL, order, order, int order)                               \
    RMW(bits, type, STORE, store)                                                                  \
    RMW(bits, type, SWAP, exchange)                                                                \
    RMW(bits, type, ADD, fetch_add)                                                                \
    RMW(bits, type, SUB, fetch_sub)                                                                \
    RMW(bits, type, AND, fetch_and)                                                                \
    RMW(bits, type, OR, fetch_or)                                                                  \
    RMW(bits, type, XOR, fetch_xor)                                                                \
    ATOMIC(bits, type, CAS, compare_exchange_strong, v, expected, order, failed, type *expected,   \
           type v, int order, int failed)
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
