// SPDX-License-Identifier: MIT
// ghost_report.c - what is said: which hart may hold what, who changed it, and where we are, before which
// it had to be fenced. One line per stack, innermost function first. Only the first report is told.
#include "sync/ghost.h"

#ifdef GHOST
#include "lib/print.h"
#include "mm/frame.h"
#include "riscv/hart.h"
#include "riscv/pte.h"
#include "riscv/stack.h"
#include "symbols.h"

static const char *const sentences[] = {
#define X(name, text) text,
    GHOST_PROBLEMS(X)
#undef X
};

static struct {
    enum ghost_problem what;
    u32 hart;
    struct ghost_stale stale;  // when 0: there is none
    u32 pc[GHOST_DEPTH];
} told;
static struct thread *recorder;  // the thread that runs the self-test
static u32 recorded;

static void say_stale(print_say say, const struct ghost_stale *s) {
    u64 e = s->old;
    say("    hart %u may hold 0x%lx: level %u, %s frame %u %c%c%c, root %u\n", told.hart, s->va, s->level,
        e & PTE_V ? "to" : "invalid,", e & PTE_V ? frame_of_pte(e) : 0, e & PTE_R ? 'r' : '-',
        e & PTE_W ? 'w' : '-', e & PTE_X ? 'x' : '-', s->root);
    symbol_say_stack(say, "it was changed by", s->pc, GHOST_DEPTH);
}

void ghost_explain(print_say say) {
    if (told.what == GHOST_NONE) { return; }
    say("-- ghost --\n");
    if (told.stale.when) { say_stale(say, &told.stale); }
    symbol_say_stack(say, "it had to fence before", told.pc, GHOST_DEPTH);
}

void ghost_problem(enum ghost_problem what, u64 harts, u64 va, const struct ghost_stale *stale) {
    if (!harts) { return; }
    if (recorder && this_hart()->current == recorder) {
        recorded |= 1u << what;
        return;
    }
    told.what = what;
    told.hart = bits_lowest(harts);
    told.stale = stale ? *stale : (struct ghost_stale){0};
    stack_take(told.pc, GHOST_DEPTH, (u64)__builtin_frame_address(0));
    char text[PRINT_BYTES];
    snprintf(text, sizeof(text), sentences[what], told.hart);
    ghost_leave(0);  // for whoever must still fence before it can be stopped
    panic("ghost: %s (address 0x%lx)", text, va);
}

u32 ghost_record(struct thread *t) {
    u64 flags = ghost_enter();
    u32 bits = recorded;
    recorded = 0;
    recorder = t;
    ghost_played = t ? 3ul << 62 : 0;
    ghost_leave(flags);
    return bits;
}
#endif
