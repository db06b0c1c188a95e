// SPDX-License-Identifier: MIT
// symbols.c - search in the table that the second link brings; the first link has an empty one.
#include "symbols.h"
#include "config.h"
#include "riscv/stack.h"

extern const u32 symbol_count __attribute__((weak));
extern const u32 symbol_offsets[] __attribute__((weak));  // from IMAGE_BASE, sorted
extern const u32 symbol_names[] __attribute__((weak));    // into symbol_text
extern const char symbol_text[] __attribute__((weak));

const char *symbol_of(u64 pc, u64 *offset) {
    u32 lo = 0, hi = &symbol_count ? symbol_count : 0;
    *offset = pc;
    if (!hi || pc < IMAGE_BASE + symbol_offsets[0]) { return "?"; }
    while (hi - lo > 1) {
        u32 mid = (lo + hi) / 2;
        if (IMAGE_BASE + symbol_offsets[mid] <= pc) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    *offset = pc - IMAGE_BASE - symbol_offsets[lo];
    return symbol_text + symbol_names[lo];
}

void symbol_say_stack(print_say say, const char *what, const u32 *pc, u32 depth) {
    char text[PRINT_BYTES - 76] = "";  // one line in one piece, with room for `what`
    for (usize i = 0, at = 0; i < depth && pc[i] && at < sizeof(text); i++) {
        u64 offset;
        const char *name = symbol_of(stack_pc(pc[i]) - 4, &offset);
        at += snprintf(text + at, sizeof(text) - at, "%s %s+0x%lx", i ? " <" : "", name, offset + 4);
    }
    say("    %s:%s\n", what, text);
}
