// SPDX-License-Identifier: MIT
// ubsan.c - is undefined behaviour reported, and its defined neighbour not? Each case computes with a
// value that the compiler cannot see through.
#ifdef UBSAN
#include "lib/print.h"
#include "lib/string.h"
#include "test/test.h"

static i32 hidden(i32 v) {
    __asm__ volatile("" : "+r"(v));
    return v;
}
static void sink(u64 v) { __asm__ volatile("" ::"r"(v) : "memory"); }

static i32 array[8];
static union {
    u8 byte;
    bool flag;
} either;

static __attribute__((nonnull)) void wants(const void *p) { sink((u64)p); }
static __attribute__((returns_nonnull)) void *gives(u64 v) {
    __asm__ volatile("" : "+r"(v));
    return (void *)v;
}
static u8 *moved(u8 *p, u64 by) {
    __asm__ volatile("" : "+r"(p), "+r"(by));
    return p + by;
}
static i32 *at(u64 offset) {
    u64 p = (u64)array + offset;
    __asm__ volatile("" : "+r"(p));
    return (i32 *)p;
}
static void variable_length(i32 n) {
    char text[n];
    sink((u64)text);
}
static noinline i32 unreachable_from(i32 v) {
    if (v == 3) { __builtin_unreachable(); }
    return v;
}
static void as_flag(u8 v) {
    either.byte = hidden(v);
    __asm__ volatile("" ::: "memory");
    sink(either.flag);
}

#define CASES(X)                                                                                   \
    X(shift_by_width, sink(1 << hidden(32)), "shift: 1 of 'int' by 32")                            \
    X(shift_by_negative, sink(1 << hidden(-1)), "by -1")                                           \
    X(shift_of_long_by_64, sink(1ul << hidden(64)), "by 64")                                       \
    X(shift_right_too_far, sink(hidden(1) >> hidden(40)), "by 40")                                 \
    X(shift_of_negative, sink(hidden(-5) << 2), "shift: -5")                                       \
    X(shift_into_the_sign, sink(hidden(3) << 31), "shift: 3")                                      \
    X(shift_to_the_top, sink(1u << hidden(31)), NULL)                                              \
    X(shift_of_long_by_63, sink(1ul << hidden(63)), NULL)                                          \
    X(shift_by_nothing, sink(hidden(-1) >> hidden(0)), NULL)                                       \
    X(sum_too_large, sink(INT32_MAX + hidden(1)), "overflow: 1 + 2147483647 as 'int'")             \
    X(sum_as_large_as_may_be, sink(INT32_MAX - 1 + hidden(1)), NULL)                               \
    X(sum_of_unsigned, sink(UINT32_MAX + (u32)hidden(1)), NULL)                                    \
    X(difference_too_small, sink(INT32_MIN - hidden(1)), "overflow: -2147483648 - 1")              \
    X(product_too_large, sink(65536 * hidden(65536)), "overflow: 65536 * 65536")                   \
    X(product_of_longs, sink(INT64_MAX * (i64)hidden(2)), "9223372036854775807 as 'long")          \
    X(negation_of_the_smallest, sink(-hidden(INT32_MIN)), "overflow: - -2147483648")               \
    X(division_by_zero, sink(7 / hidden(0)), "division by zero: 7 / 0")                            \
    X(remainder_by_zero, sink(7 % hidden(0)), "division by zero")                                  \
    X(division_overflows, sink(INT32_MIN / hidden(-1)), "overflow: -2147483648 / -1")              \
    X(division, sink(INT32_MIN / hidden(-2)), NULL)                                                \
    X(index_too_large, sink(array[hidden(8)]), "index: 8 of 'i32 [8]'"     )                        \
    X(index_negative, sink(array[hidden(-1)]), "index: -1")                                        \
    X(last_index, sink(array[hidden(7)]), NULL)                                                    \
    X(address_of_the_end, sink((u64)&array[hidden(8)]), NULL)                                      \
    X(misaligned_load, sink(*at(2)), "misaligned: load of 'i32'")                                  \
    X(misaligned_store, *at(1) = 0, "misaligned: store")                                           \
    X(aligned_load, sink(*at(4)), NULL)                                                            \
    X(null_load, sink(*(i32 *)gives_anything(0)), "null: load")                                    \
    X(null_store, *(i32 *)gives_anything(0) = 1, "null: store")                                    \
    X(neither_true_nor_false, as_flag(2), "value: 2 is no ")                                       \
    X(true_is_a_flag, as_flag(1), NULL)                                                            \
    X(array_of_no_elements, variable_length(hidden(0)), "array of 0 elements")                     \
    X(array_of_one, variable_length(hidden(1)), NULL)                                              \
    X(unreachable, sink(unreachable_from(hidden(3))), "is reached")                                \
    X(reachable, sink(unreachable_from(hidden(4))), NULL)                                          \
    X(pointer_wraps, sink((u64)moved((u8 *)-4ul, 16)), "pointer: ")                                  \
    X(pointer_moves, sink((u64)moved((u8 *)array, 16)), NULL)                                             \
    X(null_argument, wants(gives_anything(0)), "null as argument 1")                               \
    X(argument, wants(array), NULL)                                                                \
    X(null_returned, sink((u64)gives(0)), "null is returned")                                      \
    X(returned, sink((u64)gives(1)), NULL)                                                         \
    X(zeros_of_zero, sink(__builtin_ctz(hidden(0))), "zero as argument of ctz")                    \
    X(zeros_of_one, sink(__builtin_ctz(hidden(1))), NULL)

static void *gives_anything(u64 v) {
    __asm__ volatile("" : "+r"(v));
    return (void *)v;
}

#define X(name, act, want)                                                                         \
    static void name(void *unused) {                                                               \
        (void)unused;                                                                              \
        act;                                                                                       \
    }
CASES(X)
#undef X

static const struct {
    const char *name;
    void (*act)(void *);
    const char *want;
} cases[] = {
#define X(name, act, want) {#name, name, want},
    CASES(X)
#undef X
};

u32 test_ubsan(long number) {
    u32 failed = 0;
    if (number < 0) { return ARRAY_LEN(cases); }
    for (u32 i = 0; i < ARRAY_LEN(cases); i++) {
        const char *said = test_catch(cases[i].act, NULL);
        failed += !test_judge("ubsan", ++number, cases[i].name, said, cases[i].want);
    }
    return failed;
}
#endif
