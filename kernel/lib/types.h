// SPDX-License-Identifier: MIT
// types.h - the words that every file of the kernel uses.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;
typedef int64_t i64;
typedef size_t usize;
typedef unsigned int uint;
typedef u64 uaddr;  // an address in user space: never dereferenced but by uaccess

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define must_check __attribute__((warn_unused_result))
#define noreturn __attribute__((noreturn))
#define noinline __attribute__((noinline))
#define always_inline inline __attribute__((always_inline))
#if defined(RACE) || defined(WEAK)
// Not seen by the race detector, nor by test/weak.
#define unwatched __attribute__((unused, __noinline__, no_sanitize_thread))
#else
#define unwatched always_inline
#endif
#define cacheline_aligned __attribute__((aligned(64)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, a) (((x) + (a) - 1) & ~((a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((a) - 1))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

// Marked plain accesses: one load or store, never torn or repeated, no order. They never race
// with each other; a comment says why plain ones would not do.
#ifdef __riscv
#define read_once(x) (*(const volatile typeof(x) *)&(x))
#define write_once(x, v) (*(volatile typeof(x) *)&(x) = (v))
#else
#define read_once(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define write_once(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#endif

// The base ISA has no bit counting; these loop, and libgcc stays out of the kernel.
static inline u32 bits_count(u64 bits) {
    u32 n = 0;
    for (; bits; bits &= bits - 1) { n++; }
    return n;
}

static inline u32 bits_lowest(u64 bits) { return __builtin_ctzl(bits); }
