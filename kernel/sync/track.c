// SPDX-License-Identifier: MIT
// track.c - see track.h.
#include "sync/track.h"
#include "lib/print.h"
#include "mm/frame.h"
#include "mm/kvm.h"
#include "riscv/stack.h"
#include "symbols.h"

#define DEPTH 4

static struct paths {
    u32 allocated[DEPTH], raised[DEPTH], lowered[DEPTH];
} *paths;  // [frame_count]
static frame_t suspect;

void track_boot(void) { paths = boot_alloc(frame_count * sizeof(*paths)); }

void track_allocated(frame_t f) {
    stack_take(paths[f].allocated, DEPTH, (u64)__builtin_frame_address(0));
    paths[f].raised[0] = paths[f].lowered[0] = 0;
}

void track_raised(frame_t f) {
    stack_take(paths[f].raised, DEPTH, (u64)__builtin_frame_address(0));
}

void track_lowered(frame_t f) {
    stack_take(paths[f].lowered, DEPTH, (u64)__builtin_frame_address(0));
}

void track_suspect(frame_t f) { suspect = f; }

static void say_path(print_say say, const char *what, const u32 *pc) {
    char who[48];
    snprintf(who, sizeof(who), "frame %u was %s", suspect, what);
    if (*pc) { symbol_say_stack(say, who, pc, DEPTH); }
}

void track_explain(print_say say) {
    if (suspect) {
        say_path(say, "allocated by", paths[suspect].allocated);
        say_path(say, "last raised by", paths[suspect].raised);
        say_path(say, "last lowered by", paths[suspect].lowered);
    }
    suspect = FRAME_NONE;
}
