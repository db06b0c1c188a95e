// SPDX-License-Identifier: MIT
// lockdep.c - does lockdep report what it must, and nothing else? Run by KINE_SELFTEST.
//
// Model      A case is a short program of locks; it runs on this thread with its reports recorded.
//            Each letter is a class of its own; every row runs once for each word of `kinds`, which
//            says what the locks A, B, ... are: s spinlock, i spinlock with interrupts off, m mutex.
//            (The last letter stands for all that follow.)
//              A..H  take    a..h  release    ~A  try    2A  another lock of A's class
//              - +   interrupts off, on       ( )  a handler comes, goes
//              p     parks   y  yields        ?A  may take A    u  to user mode
//              *     waits for other harts (told only)    !  shoots down their TLBs
//              x a   release it, while somebody else has it    nA  initialise
//              r     ranks: A outermost       o O  A is declared: interrupts off, on
//              l L   a low, a high bound for holding A         w  wait for long
// Really     the locks are taken and released by spin.h and mutex.h. Only what would hang or break them
//            (to take what we hold, to release what we do not hold) is told to lockdep alone.
#include "lib/print.h"
#include "lib/string.h"
#include "mm/tlb.h"
#include "proc/sched.h"
#include "proc/thread.h"
#include "riscv/csr.h"
#include "sync/mutex.h"
#include "test/test.h"

#ifdef LOCKDEP
#define CLASSES (RANK_END - RANK_TEST)
#define SILENT 0
#define P(name) (1u << LOCKDEP_##name)

static const struct {
    const char *name, *kinds, *run;
    u32 want;
} rows[] = {
    // what one lock can do wrong, and right
    {"again", "s i m", "AA", P(AA)},
    {"again, after release", "s i m", "AaAa", SILENT},
    {"another of its class", "s i m", "A2A", P(SAME)},
    {"another of its class, tried", "s i", "A~2A2aa", SILENT},
    {"release of a free one", "s i m", "a", P(FREE)},
    {"release twice", "s i m", "Aaa", P(FREE)},
    {"release of somebody else's", "s i m", "xa", P(OWNER)},
    {"release by a handler", "s", "A(a", P(OWNER)},
    {"initialised while held", "s i m", "AnA", P(INIT)},
    {"initialised when free", "s i m", "AanAAa", SILENT},
    {"as many as there is room for", "s", "-ABCDEFGH~2A~2B~2C~2D~2E~2F~2G~2H", SILENT},
    {"one more", "s", "-ABCDEFGH~2A~2B~2C~2D~2E~2F~2G~2HA", P(AA) | P(SAME) | P(CYCLE) | P(MANY)},
    // cycles of two, three, four
    {"AB BA", "s i m si is", "ABbaBA", P(CYCLE)},
    {"AB BA, a thing between", "s i m", "ABbaACcaBA", P(CYCLE)},
    {"AB BC CA", "s i m sis", "ABbaBCcbCA", P(CYCLE)},
    {"ABC CA", "s i m", "ABCcbaCA", P(CYCLE)},
    {"ABC BA", "s i m", "ABCcbaBA", P(CYCLE)},
    {"AB BC CD DA", "s i m sisi", "ABbaBCcbCDdcDA", P(CYCLE)},
    {"AB CD BC DA", "s i m", "ABbaCDdcBCcbDA", P(CYCLE)},
    {"AB CD DA BC", "s i m", "ABbaCDdcDAadBC", P(CYCLE)},
    {"AB CD BD DA", "s i m", "ABbaCDdcBDdbDA", P(CYCLE)},
    {"AB BC CD DB", "s i m", "ABbaBCcbCDdcDB", P(CYCLE)},
    {"AB AB", "s i m si is ms mi", "ABbaABba", SILENT},
    {"AB BC AC", "s i m mms mss msi", "ABbaBCcbACca", SILENT},
    {"AB BC CD AD", "s i m mmss", "ABbaBCcbCDdcADda", SILENT},
    {"AB AC DB DC", "s i m", "ABbaACcaDBbdDCcd", SILENT},
    {"ABCDEFGH AH", "s i m mmmms", "ABCDEFGHhgfedcbaAHha", SILENT},
    {"ABC, released in that order", "s m", "ABCabcABab", SILENT},
    {"hand over hand", "s m", "ABaCbDcEded", P(FREE)},
    {"hand over hand, once", "s m", "ABaCbDcd", SILENT},
    // trylock: does not wait, but is held
    {"AB, then B tries A", "s i", "ABbaB~Aab", SILENT},
    {"tries AB, then BA", "s i", "~A~BbaBAab", SILENT},
    {"tried A with B inside, then BA", "s i", "~ABbaBA", P(CYCLE)},
    {"tried B with C inside: AB CA", "s i", "ABba~BCcbCA", P(CYCLE)},
    // ranks
    {"ranks: BA", "s i m", "rBA", P(RANK)},
    {"ranks: ACB", "s i m", "rACB", P(RANK)},
    {"ranks: BA, tried B", "s i", "r~BA", P(RANK)},
    {"ranks: AB AC ABC", "s i m mms", "rABbaACcaABCcba", SILENT},
    {"ranks: B tries A", "s i", "rB~Aab", SILENT},
    // handlers: A taken in one, B held with interrupts on
    {"handler, then on", "s", "(Aa)Aa", P(IRQ)},
    {"on, then handler", "s", "Aa(Aa)", P(IRQ)},
    {"handler, then tried on", "s", "(Aa)~Aa", P(IRQ)},
    {"handler, then on before release", "s", "(Aa)-A+a", P(IRQ)},
    {"handler takes what it interrupts", "s", "A(A", P(AA) | P(IRQ)},
    {"handler takes what it interrupts, off", "s", "-A+(A", P(AA) | P(IRQ)},
    {"on, and a handler tries", "s", "Aa(~Aa)", SILENT},
    {"handler, and off", "s i", "(Aa)-Aa+", SILENT},
    {"off, and handler", "s i", "-Aa+(Aa)", SILENT},
    {"handler of another lock", "s i ms", "A(Bb)a", SILENT},
    {"handler leaves with a lock", "s", "(A)", P(LEAVE)},
    {"handler BA, else AB", "s", "-ABba+(BA", P(CYCLE)},
    {"handler AB, else AB", "s i", "-ABba+(ABba)", SILENT},
    {"handler A, on B, A leads to B: 123", "s", "(Aa)Bb-AB", P(IRQ)},
    {"handler A, on B, A leads to B: 132", "s", "(Aa)-ABba+B", P(IRQ)},
    {"handler A, on B, A leads to B: 213", "s", "Bb(Aa)-AB", P(IRQ)},
    {"handler A, on B, A leads to B: 231", "s", "Bb-ABba+(A", P(IRQ)},
    {"handler A, on B, A leads to B: 312", "s", "-ABba+(Aa)B", P(IRQ)},
    {"handler A, on B, A leads to B: 321", "s", "-ABba+Bb(A", P(IRQ)},
    {"handler A, on C, A to B to C: 123", "s", "(Aa)Cc-ABba+-BC", P(IRQ)},
    {"handler A, on C, A to B to C: 321", "s", "-BCcb+-ABba+Cc(A", P(IRQ)},
    {"handler A, on C, A to B to C: 132", "s", "(Aa)-ABbaBCcb+C", P(IRQ)},
    {"handler A interrupts B, A leads to B", "s", "B(Aa)b-AB", P(IRQ)},
    {"handler A, on B, B leads to A: 123", "s si", "(Aa)BbB-Aa+b", SILENT},
    {"handler A, on B, B leads to A: 132", "s si", "(Aa)B-Aa+bBb", SILENT},
    {"handler A, on B, B leads to A: 213", "s si", "Bb(Aa)B-Aa+b", SILENT},
    {"handler A, on B, B leads to A: 231", "s si", "BbB-Aa+b(Aa)", SILENT},
    {"handler A, on B, B leads to A: 312", "s si", "B-Aa+b(Aa)Bb", SILENT},
    {"handler A, on B, B leads to A: 321", "s si", "B-Aa+bBb(Aa)", SILENT},
    {"declared off, taken on", "s", "oA", P(DECLARED)},
    {"declared off, taken off", "i", "oAa(Aa)", SILENT},
    {"declared on, taken in a handler", "s", "O(A", P(DECLARED)},
    {"declared on, taken on", "s", "OAa", SILENT},
    // sleeping
    {"parks", "s i", "Ap", P(SLEEP)},
    {"parks, tried", "s i", "~Ap", P(SLEEP)},
    {"parks after release", "s i m", "Aap", SILENT},
    {"parks with a mutex", "m", "Apa", SILENT},
    {"yields with a mutex", "m", "Ayya", SILENT},
    {"yields after release", "s i m", "Aay", SILENT},
    {"mutex inside", "sm im", "AB", P(SLEEP)},
    {"mutex inside what was tried", "sm im", "~AB", P(SLEEP)},
    {"mutex outside", "ms mi", "ABbaAa", SILENT},
    {"perhaps a mutex inside", "sm im", "A?B", P(SLEEP)},
    {"perhaps itself", "m", "A?A", P(SAME)},
    {"perhaps against the order", "m", "ABbaB?A", P(CYCLE)},
    {"perhaps in order", "m", "A?BaABba", SILENT},
    {"handler takes a mutex", "m", "(A", P(HANDLER)},
    {"handler perhaps takes a mutex", "m", "(?A", P(HANDLER)},
    {"handler parks", "s", "(p", P(HANDLER)},
    // leaving
    {"to user mode with one", "s i m", "Au", P(LEAVE)},
    {"to user mode with one of two", "s i m", "ABbu", P(LEAVE)},
    {"to user mode with none", "s i m", "ABbau", SILENT},
    // waiting for other harts
    {"taken off, waits with it", "s", "-Aa+A*", P(IPI)},
    {"waits with it, taken off", "s", "A*a-A", P(IPI)},
    {"handler, waits with it", "s", "(Aa)-A*", P(IPI)},
    {"waits with it, off", "i", "A*", P(IPI)},
    {"waits with B, A is taken off and leads to B", "s", "-A+BbaB*", P(IPI)},
    {"A is taken off and leads to B, waits with B", "s", "B*b-A+B", P(IPI)},
    {"waits with one that is always on", "s m", "A*aAa", SILENT},
    {"waits with a mutex, spinlocks done", "ms mi", "ABb*a", SILENT},
    {"shoots down with a mutex", "m", "A!aA!a", SILENT},
    // for too long
    {"for too long", "s i", "lAwa", P(LONG)},
    {"for long, which is allowed", "s i", "LAwa", SILENT},
    {"for long, a mutex", "m", "lAwa", SILENT},
};

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
        m->owner == thread_self() ? mutex_unlock(m) : lockdep_drop(m, m->rank, LOCKDEP_MUTEX, m->state);
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
    for (u32 i = 0; i < CLASSES; i++) {
        lockdep_classes[RANK_TEST + i].rank = i + 1;
    }
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
    case 'l': lockdep_set_bound(RANK_TEST, 1000); break;
    case 'L': lockdep_set_bound(RANK_TEST, 1ul << 60); break;
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
    if (in_irq) {
        handler(false);
    }
    for (u32 i = 0; i < 2 * CLASSES; i++) {
        struct spin *s = &locks[i / CLASSES][i % CLASSES].spin;
        if (spin_held_here(s)) {
            spin_unlock(s);
        }
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
    while (*words && *words != ' ') {
        kinds[n++] = *words++;
    }
    for (; n < CLASSES; n++) {
        kinds[n] = kinds[n - 1];
    }
    return *words ? words + 1 : NULL;
}

static bool judge(const char *run, u32 want) {
    tidy();
    (void)lockdep_record(thread_self());
    perform(run);
    u32 got = lockdep_record(thread_self());
    tidy();
    (void)lockdep_record(NULL);
    if (got != want) {
        kprintf("# %s: reports 0x%x, expected 0x%x\n", run, got, want);
    }
    return got == want;
}

u32 test_lockdep_count(void) {
    u32 n = 0;
    for (u32 i = 0; i < ARRAY_LEN(rows); i++) {
        for (const char *k = rows[i].kinds; k; n++) {
            k = set_kinds(k);
        }
    }
    return n;
}

u32 test_lockdep(u32 number) {
    u32 failed = 0;
    for (u32 i = 0; i < ARRAY_LEN(rows); i++) {
        for (const char *k = rows[i].kinds; k;) {
            int len = (int)strcspn(k, " ");
            const char *word = k;
            k = set_kinds(k);
            bool ok = judge(rows[i].run, rows[i].want);
            kprintf("%sok %u - lockdep: %s (%.*s)%s\n", ok ? "" : "not ", ++number, rows[i].name, len, word,
                    rows[i].want ? "" : ": silent");
            failed += !ok;
        }
    }
    return failed;
}
#endif
