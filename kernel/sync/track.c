// SPDX-License-Identifier: MIT
// track.c - see track.h.
#include "sync/track.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kvm.h"
#include "riscv/hart.h"
#include "riscv/stack.h"
#include "symbols.h"

#define DEPTH 4

static struct paths {
    u32 allocated[DEPTH], raised[DEPTH], lowered[DEPTH];
    u8 last;  // the hart that has changed the count, and
    u8 word;  // the hart that would have changed the common word, if each had
    u8 credit[HART_MAX];  // references in hand
} *paths;  // [frame_count]
static frame_t suspect;

void track_boot(void) { paths = boot_alloc(frame_count * sizeof(*paths)); }

void track_allocated(frame_t f) {
    struct paths *p = &paths[f];
    stack_take(p->allocated, DEPTH, (u64)__builtin_frame_address(0));
    p->raised[0] = p->lowered[0] = 0;
    p->last = p->word = this_hart()->index;
    memset(p->credit, 0, sizeof(p->credit));
}

static void changed(struct paths *p, int by) {
    u32 self = this_hart()->index;
    u8 *credit = &p->credit[self];
    COUNT(ref_changes);
    if (p->last != self) { COUNT(ref_moves); }
    p->last = self;
    bool local = by > 0 ? *credit > 0 : *credit < 2 * TRACK_BATCH;
    if (!local && p->word != self) { COUNT(credit_moves); }
    if (!local) { p->word = self; }
    *credit += (local ? 0 : by * TRACK_BATCH) - by;
}

void track_raised(frame_t f) {
    stack_take(paths[f].raised, DEPTH, (u64)__builtin_frame_address(0));
    changed(&paths[f], 1);
}

void track_lowered(frame_t f) {
    stack_take(paths[f].lowered, DEPTH, (u64)__builtin_frame_address(0));
    changed(&paths[f], -1);
}

void track_asked(frame_t f) {
    bool out = false;
    for (u32 i = 0; i < nharts; i++) { out |= i != this_hart()->index && paths[f].credit[i]; }
    if (out) { COUNT(credit_asks); }
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
