// SPDX-License-Identifier: MIT
// ubsan.c - undefined behaviour (UBSAN=1): what `gcc -fsanitize=undefined` calls when it has happened.
//
// Model      Each check that the compiler adds has a record of its place and types. A handler prints
//            file and line, what was done, and with which values; then the kernel panics.
// Handlers   all that GCC 12 (its sanitizer.def) calls for C without floating point.
#include "lib/print.h"

struct place {
    const char *file;
    u32 line, column;
};

struct type {
    u16 kind;  // 0: integer
    u16 info;  // of an integer: log2 of its bits << 1 | signed
    char name[];
};

static bool is_signed(const struct type *t) { return t->info & 1; }

// A value as the compiler passes it, cut or extended to what its type says.
static i64 value_of(const struct type *t, u64 v) {
    u32 unused = 64 - (1u << (t->info >> 1));
    return is_signed(t) ? (i64)(v << unused) >> unused : (i64)(v << unused >> unused);
}

#define REPORT(place, format, ...)                                                                 \
    panic("ubsan: %s:%u: " format, (place)->file, (place)->line, __VA_ARGS__)

#define HANDLER(name, ...)                                                                         \
    void __ubsan_handle_##name(__VA_ARGS__);                                                       \
    void __ubsan_handle_##name(__VA_ARGS__)

struct one_type {
    struct place place;
    const struct type *type;
};

#define OVERFLOW(which, sign)                                                                       \
    HANDLER(which##_overflow, const struct one_type *d, u64 a, u64 b) {                             \
        REPORT(&d->place, "overflow: %ld " sign " %ld as %s", value_of(d->type, a),                \
               value_of(d->type, b), d->type->name);                                               \
    }
OVERFLOW(add, "+")
OVERFLOW(sub, "-")
OVERFLOW(mul, "*")

HANDLER(negate_overflow, const struct one_type *d, u64 a) {
    REPORT(&d->place, "overflow: - %ld as %s", value_of(d->type, a), d->type->name);
}

HANDLER(divrem_overflow, const struct one_type *d, u64 a, u64 b) {
    REPORT(&d->place, "%s: %ld / %ld as %s", value_of(d->type, b) ? "overflow" : "division by zero",
           value_of(d->type, a), value_of(d->type, b), d->type->name);
}

struct two_types {
    struct place place;
    const struct type *left, *right;
};

HANDLER(shift_out_of_bounds, const struct two_types *d, u64 a, u64 b) {
    REPORT(&d->place, "shift: %ld of %s by %ld", value_of(d->left, a), d->left->name,
           value_of(d->right, b));
}

HANDLER(out_of_bounds, const struct two_types *d, u64 index) {
    REPORT(&d->place, "index: %ld of %s", value_of(d->right, index), d->left->name);
}

HANDLER(load_invalid_value, const struct one_type *d, u64 v) {
    REPORT(&d->place, "value: %ld is no %s", value_of(d->type, v), d->type->name);
}

HANDLER(vla_bound_not_positive, const struct one_type *d, u64 n) {
    REPORT(&d->place, "array of %ld elements", value_of(d->type, n));
}

struct access {
    struct place place;
    const struct type *type;
    u8 log_align, kind;
};

HANDLER(type_mismatch_v1, const struct access *d, u64 p) {
    static const char *const kinds[] = {
        "load", "store", "reference", "member access", "member call", "constructor call", "downcast",
        "downcast", "upcast", "virtual upcast", "not-null binding"};
    u64 align = 1ul << d->log_align;
    REPORT(&d->place, "%s: %s of %s at 0x%lx", !p ? "null" : p % align ? "misaligned" : "too small an object",
           d->kind < ARRAY_LEN(kinds) ? kinds[d->kind] : "access", d->type->name, p);
}

HANDLER(pointer_overflow, const struct place *d, u64 base, u64 result) {
    REPORT(d, "pointer: 0x%lx becomes 0x%lx", base, result);
}

HANDLER(builtin_unreachable, const struct place *d) {
    REPORT(d, "%s is reached", "the unreachable");
}

struct argument {
    struct place place, attribute;
    int number;
};

HANDLER(nonnull_arg, const struct argument *d) {
    REPORT(&d->place, "null as argument %d", d->number);
}

HANDLER(nonnull_return_v1, const void *attribute, const struct place *at) {
    (void)attribute;
    REPORT(at, "%s is returned", "null");
}

struct builtin {
    struct place place;
    u8 kind;
};

HANDLER(invalid_builtin, const struct builtin *d) {
    REPORT(&d->place, "zero as argument of %s", d->kind ? "clz" : "ctz");
}
