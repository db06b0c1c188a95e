// SPDX-License-Identifier: MIT
// hooks.c - what the compiler calls for each access of memory (-fsanitize=thread), by the names that GCC and
// Clang give them. The kernel's C is compiled as it is; nothing here is linked from a library.
#include "test/weak/weak.h"

static u64 set(u64 old, u64 arg) { (void)old; return arg; }
static u64 add(u64 old, u64 arg) { return old + arg; }
static u64 sub(u64 old, u64 arg) { return old - arg; }
static u64 and(u64 old, u64 arg) { return old & arg; }
static u64 or(u64 old, u64 arg) { return old | arg; }
static u64 xor(u64 old, u64 arg) { return old ^ arg; }

#define UPDATE(bits, name, f)                                                                      \
    u##bits __tsan_atomic##bits##_##name(u##bits *p, u##bits arg, int order);                      \
    u##bits __tsan_atomic##bits##_##name(u##bits *p, u##bits arg, int order) {                     \
        return memory_update(p, bits / 8, f, arg, order);                                          \
    }
#define ATOMIC(bits)                                                                               \
    u##bits __tsan_atomic##bits##_load(u##bits *p, int order);                                     \
    u##bits __tsan_atomic##bits##_load(u##bits *p, int order) {                                    \
        return memory_load(p, bits / 8, order);                                                    \
    }                                                                                              \
    void __tsan_atomic##bits##_store(u##bits *p, u##bits value, int order);                        \
    void __tsan_atomic##bits##_store(u##bits *p, u##bits value, int order) {                       \
        memory_store(p, bits / 8, value, order);                                                   \
    }                                                                                              \
    bool __tsan_atomic##bits##_compare_exchange_strong(u##bits *p, u##bits *expected,              \
                                                       u##bits desired, int success, int failure); \
    bool __tsan_atomic##bits##_compare_exchange_strong(u##bits *p, u##bits *expected,              \
                                                       u##bits desired, int success,               \
                                                       int failure) {                              \
        u64 old = *expected;                                                                       \
        bool done = memory_cas(p, bits / 8, &old, desired, success, failure);                      \
        *expected = old;                                                                           \
        return done;                                                                               \
    }                                                                                              \
    UPDATE(bits, exchange, set)                                                                    \
    UPDATE(bits, fetch_add, add)                                                                   \
    UPDATE(bits, fetch_sub, sub)                                                                   \
    UPDATE(bits, fetch_and, and)                                                                   \
    UPDATE(bits, fetch_or, or)                                                                     \
    UPDATE(bits, fetch_xor, xor)
ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order) { memory_fence(order); }

#define PLAIN(bytes)                                                                               \
    void __tsan_read##bytes(void *p);                                                              \
    void __tsan_read##bytes(void *p) { memory_plain(p, bytes, false); }                            \
    void __tsan_write##bytes(void *p);                                                             \
    void __tsan_write##bytes(void *p) { memory_plain(p, bytes, true); }                            \
    void __tsan_unaligned_read##bytes(void *p);                                                    \
    void __tsan_unaligned_read##bytes(void *p) { memory_plain(p, bytes, false); }                  \
    void __tsan_unaligned_write##bytes(void *p);                                                   \
    void __tsan_unaligned_write##bytes(void *p) { memory_plain(p, bytes, true); }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *p, u64 size);
void __tsan_read_range(void *p, u64 size) { memory_plain(p, size, false); }
void __tsan_write_range(void *p, u64 size);
void __tsan_write_range(void *p, u64 size) { memory_plain(p, size, true); }
void __tsan_init(void);
void __tsan_init(void) {}
void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc) { (void)pc; }
void __tsan_func_exit(void);
void __tsan_func_exit(void) {}
