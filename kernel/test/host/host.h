// SPDX-License-Identifier: MIT
// host.h - unit tests of kernel/mm and kernel/sync on the development machine: the same C files over
// fake harts. What a test file may use.
//
//   case.c     test cases, expectations, seeds, KTAP
//   machine.c  harts (threads of the host), interrupts, sleeping, boot
//   mmu.c      satp, TLBs that forget nothing unasked, user loads and stores
//   ghost.c    the contents of free frames
//   judge.c    every frame accounted for, after every case
#pragma once
#include "lib/types.h"
#include "mm/as.h"
#include "riscv/hart.h"

#define HARTS 6
#define FRAMES 4096

// ---- cases (case.c) ----

struct test_case {
    const char *file, *name;
    void (*run)(void);
    struct test_case *next;
};
void case_add(struct test_case *c);
void case_fail(const char *file, int line, const char *what);
int case_run_all(const char *only);

// TEST(what_it_says) { ... }: runs on hart 0.
#define TEST(what)                                                                                 \
    static void what(void);                                                                        \
    static struct test_case case_##what = {__FILE__, #what, what, NULL};                           \
    __attribute__((constructor)) static void add_##what(void) {                                    \
        case_add(&case_##what);                                                                    \
    }                                                                                              \
    static void what(void)

// On any hart; the case goes on, and fails.
#define EXPECT(cond) ((cond) ? (void)0 : case_fail(__FILE__, __LINE__, #cond))
// The statement panics with these words, in a copy of the process.
#define EXPECT_PANIC(words, statement)                                                             \
    do {                                                                                           \
        if (death_begin()) {                                                                       \
            statement;                                                                             \
            death_survived();                                                                      \
        }                                                                                          \
        EXPECT(death_end(words));                                                                  \
    } while (0)
bool death_begin(void);
noreturn void death_survived(void);
bool death_end(const char *words);

extern u64 test_seed;
static inline u64 pick(u64 below) {  // of this hart's seeded generator
    return (hart_random() >> 16) % below;
}

// ---- harts (machine.c) ----

void machine_start(void);
void machine_seed(u64 seed);
// Run fn(arg) on harts 0 .. n-1 and wait for them. => on hart 0
void on_harts(u32 n, void (*fn)(void *), void *arg);
// Wait for the other harts of an on_harts(n, ...).
void rendezvous(u32 n);
extern u64 managed_frames;  // what the free lists got at boot
void hart_poll(void);  // take an interrupt here, if there is one
u64 interrupts_taken(u32 hart);
bool hart_parked(u32 hart);

static inline void fail_allocation(u64 n) {  // the n-th from now on; 0: none
    *this_hart()->inject = (struct inject){.fail_at = n};
}

// ---- user memory (mmu.c) ----

// What a user program's load or store does on this hart: 0 or as_fault's error. va: a multiple of 8.
int user_load(u64 va, u64 *value) must_check;
int user_store(u64 va, u64 value) must_check;
u64 user_get(u64 va);  // the same, expected to succeed
void user_put(u64 va, u64 value);
// Does this hart reach a page of the kernel's half (a stack)?
bool kernel_reaches(u64 va);
u64 translations_kept(void);  // user pages of which this hart's TLB knows something

// ---- the judge (judge.c) ----

// Audit, while all harts stand still: these are all address spaces; `held` frames are a test's own.
bool books_balance(struct as *const *spaces, u32 n, u64 held);
// The next time that this thread passes the race point, do that. (Builds with CHECK.)
void at_point(const char *name, void (*fn)(void));
u64 objects_out(void);  // address spaces and regions that exist
u64 counted_cow_copies(void);
u64 counted_cow_flips(void);

// A space with [BASE, BASE + pages) anonymous, readable and writable.
#define BASE 0x100000ul
struct as *space_with(u64 pages);
// Map pages of a file, privately: where, or -errno.
long map_file(struct as *as, u64 va, u64 pages, u32 prot, struct backing *b, u64 off, u64 bytes);
