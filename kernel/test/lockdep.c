// SPDX-License-Identifier: MIT
// lockdep.c - does lockdep report what it must, and nothing else? Run by KINE_SELFTEST.
//
// Model      lockdep_rows.h is the table, and says what its letters mean: each case is a short
//            program of locks that runs on this thread, with its reports recorded.
// Really     the locks are taken and released by spin.h and mutex.h. Only what would hang or break
//            them (to take what we hold, release what we do not hold) is told to lockdep alone.
#ifdef LOCKDEP
#include "lib/print.h"
#include "lib/string.h"
#include "mm/tlb.h"
#include "proc/sched.h"
#include "proc/thread.h"
#include "riscv/csr.h"
#include "sync/mutex.h"
#include "test/lockdep_rows.h"
#include "test/test.h"

#define CLASSES (RANK_END - RANK_TEST)

static struct {
    struct spin spin;
    struct mutex mutex;
    u64 flags;
    bool by_handler;
} locks[2][CLASSES];

static char kinds[CLASSES + 1];
static bool in_irq;
static u64 irq_flags;

static void take(u32 which, u32 i, bool try) {
    struct spin *s = &locks[which][i].spin;
    struct mutex *m = &locks[which][i].mutex;
    if (kinds[i] == 'm') {
        m->state ? lockdep_take(m, m->rank, LOCKDEP_MUTEX) : mutex_lock(m);
        return;
    }
    locks[which][i].flags = kinds[i] == 'i' ? irq_save() : 0;
    if (try) {
        (void)!spin_try_lock(s);
    } else if (s->word) {
        lockdep_take(s, s->rank, LOCKDEP_SPIN);
    } else {
        spin_lock(s);
    }
    locks[which][i].by_handler = in_irq;
}

static void release(u32 which, u32 i) {
    struct spin *s = &locks[which][i].spin;
    struct mutex *m = &locks[which][i].mutex;
    if (kinds[i] == 'm') {
        m->owner == thread_self() ? mutex_unlock(m)
                                  : lockdep_drop(m, m->rank, LOCKDEP_MUTEX, m->state);
        return;
    }
    spin_held_here(s) && locks[which][i].by_handler == in_irq
        ? spin_unlock(s)
        : lockdep_drop(s, s->rank, LOCKDEP_SPIN, s->word);
    irq_restore(locks[which][i].flags);
}

static void initialise(u32 i) {
    kinds[i] == 'm' ? lockdep_init(&locks[0][i].mutex, RANK_TEST + i)
                    : lockdep_init(&locks[0][i].spin, RANK_TEST + i);
}

static void give_to_another(u32 i) {
    locks[0][i].spin = (struct spin){1, RANK_TEST + i, this_hart()->index + 2};
    locks[0][i].mutex.state = 1;
    locks[0][i].mutex.owner = this_hart()->idle;
}

static void handler(bool comes) {
    if (comes) {
        irq_flags = irq_save();
        lockdep_irq_enter();
    } else {
        lockdep_irq_leave();
        irq_restore(irq_flags);
    }
    in_irq = comes;
}

static void be_ranked(void) {
    for (u32 i = 0; i < CLASSES; i++) { lockdep_classes[RANK_TEST + i].rank = i + 1; }
}

static void wait_long(void) {
    for (u64 from = csr_read(instret); csr_read(instret) - from < 100000;) {
        cpu_pause();
    }
}

// One letter that is not a lock.
static void step(char c) {
    switch (c) {
    case '-': irq_disable(); break;
    case '+': irq_enable(); break;
    case '(': handler(true); break;
    case ')': handler(false); break;
    case 'p': lockdep_sleep(RANK_NONE); break;
    case 'y': sched_yield(); break;
    case 'u': lockdep_leave(); break;
    case '*': lockdep_ipi_wait(); break;
    case '!': tlb_shootdown_kernel(0, 0); break;
    case 'x': give_to_another(0); break;
    case 'r': be_ranked(); break;
    case 'o': lockdep_classes[RANK_TEST].declared = 1 << USE_IRQ_ON; break;
    case 'O': lockdep_classes[RANK_TEST].declared = 1 << USE_IN_IRQ; break;
    case 'l': lockdep_classes[RANK_TEST].bound = 1000; break;
    case 'L': lockdep_classes[RANK_TEST].bound = 1ul << 60; break;
    case 'w': wait_long(); break;
    default: panic("lockdep test: what is '%c'?", c);
    }
}

static void perform(const char *run) {
    for (bool try = false; *run; try = *run == '~', run++) {
        u32 second = *run == '2';
        run += second;
        if (*run >= 'A' && *run <= 'H') {
            take(second, *run - 'A', try);
        } else if (*run >= 'a' && *run <= 'h') {
            release(second, *run - 'a');
        } else if (*run == '?') {
            lockdep_sleep(RANK_TEST + *++run - 'A');
        } else if (*run == 'n') {
            initialise(*++run - 'A');
        } else if (*run != '~') {
            step(*run);
        }
    }
}

// Every lock free, nothing listed, interrupts on.
static void tidy(void) {
    if (in_irq) { handler(false); }
    for (u32 i = 0; i < 2 * CLASSES; i++) {
        struct spin *s = &locks[i / CLASSES][i % CLASSES].spin;
        if (spin_held_here(s)) { spin_unlock(s); }
        *s = (struct spin){0, RANK_TEST + i % CLASSES, 0};
    }
    u64 flags = irq_save();
    lockdep_spins()->n = lockdep_spins()->mutexes->n = 0;
    irq_restore(flags | SSTATUS_SIE);
    for (u32 i = 0; i < 2 * CLASSES; i++) {
        mutex_init(&locks[i / CLASSES][i % CLASSES].mutex, RANK_TEST + i % CLASSES);
    }
}

// Its first word, the last letter of which stands for all that follow.
static const char *set_kinds(const char *words) {
    u32 n = 0;
    while (*words && *words != ' ') { kinds[n++] = *words++; }
    for (; n < CLASSES; n++) { kinds[n] = kinds[n - 1]; }
    return *words ? words + 1 : NULL;
}

static bool judge(const char *run, u32 want) {
    tidy();
    (void)lockdep_record(thread_self());
    perform(run);
    u32 got = lockdep_record(thread_self());
    tidy();
    (void)lockdep_record(NULL);
    if (got != want) { kprintf("# %s: reports 0x%x, expected 0x%x\n", run, got, want); }
    return got == want;
}

static u32 count(void) {
    u32 n = 0;
    for (u32 i = 0; i < ARRAY_LEN(rows); i++) {
        for (const char *k = rows[i].kinds; k; n++) { k = set_kinds(k); }
    }
    return n;
}

u32 test_lockdep(long number) {
    u32 failed = 0;
    if (number < 0) { return count(); }
    for (u32 i = 0; i < ARRAY_LEN(rows); i++) {
        for (const char *k = rows[i].kinds; k;) {
            int len = (int)strcspn(k, " ");
            const char *word = k;
            k = set_kinds(k);
            bool ok = judge(rows[i].run, rows[i].want);
            kprintf("%sok %ld - lockdep: %s (%.*s)%s\n", ok ? "" : "not ", ++number, rows[i].name,
                    len, word, rows[i].want ? "" : ": silent");
            failed += !ok;
        }
    }
    return failed;
}
#endif
