// SPDX-License-Identifier: MIT
// catch.c - panics on purpose: a test does what the kernel must refuse, and goes on behind it.
//
// Model      test_catch() remembers its place; panic() calls test_panicked() first, and if the panic
//            is the test's, control goes back to that place. Spinlocks taken since are dropped and
//            interrupts are as they were. The tools report before the bad access is made, so nothing
//            has been harmed; a count that was wrong is the test's to put right.
#include "test/test.h"

#ifdef TESTS
#include <setjmp.h>
#include "lib/print.h"
#include "lib/string.h"
#include "proc/thread.h"
#include "riscv/csr.h"
#include "sync/kasan.h"
#include "sync/spin.h"
#include "sync/track.h"

static struct thread *catcher;
static jmp_buf back;
static char said[PRINT_BYTES], explained[4 * PRINT_BYTES];

static __attribute__((format(printf, 1, 2))) void note(const char *format, ...) {
    va_list ap;
    usize n = strlen(explained);
    va_start(ap, format);
    vsnprintf(explained + n, sizeof(explained) - n, format, ap);
    va_end(ap);
}

void test_panicked(const char *text) {
    if (!catcher || catcher != thread_self()) { return; }
    catcher = NULL;
    snprintf(said, sizeof(said), "%s", text);
    explained[0] = 0;
    kasan_explain(note);
    track_explain(note);
    longjmp(back, 1);
}

const char *test_catch(void (*act)(void *arg), void *arg) {
    struct hart *h = this_hart();
    u32 held = h->nheld;
    u64 flags = irq_save();
    irq_restore(flags);
    said[0] = 0;
    if (!setjmp(back)) {
        catcher = thread_self();
        act(arg);
        catcher = NULL;
        return NULL;
    }
    while (h->nheld > held) { spin_unlock(h->held[h->nheld - 1]); }
    irq_restore(flags);
    return said;
}

const char *test_explained(void) { return explained; }

bool test_judge(const char *suite, long number, const char *name, const char *got, const char *want) {
    bool ok = want ? got && strstr(got, want) : !got;
    kprintf("%sok %ld - %s: %s%s\n", ok ? "" : "not ", number, suite, name, want ? "" : ": silent");
    if (!ok) { kprintf("# says: %s\n", got ? got : "nothing"); }
    return ok;
}
#endif
