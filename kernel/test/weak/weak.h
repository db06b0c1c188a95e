// SPDX-License-Identifier: MIT
// weak.h - the kernel's own lock-free code on the development machine, under every weak behaviour that
// C11 allows its stated orders (as far as memory.c's head says).
//
//   memory.c   words as lists of messages, views, races of plain accesses
//   search.c   threads as coroutines, choices, depth first
//   hooks.c    what the compiler calls for each access (-fsanitize=thread): the C is compiled unchanged
//   machine.c  harts, interrupts and sleep, as little as the code under test needs
//   play_*.c   the tests
#pragma once
#include "lib/types.h"

#define PLAYERS 3

// A test: `begin` by itself, then one function per player (hart i) at once, then `end` by itself. All of
// the program's data is as at the start again before each execution.
struct play {
    const char *name;
    void (*begin)(void);
    void (*player[PLAYERS])(void);
    void (*end)(void);
    u32 detours;  // at most so many choices other than the first: switches and stale loads. 0: 6
};
extern const struct play *const plays[];

// ---- search.c ----

u32 choose(u32 n);            // 0 .. n-1; every answer gets its execution
void step(void *p, bool write);  // another player may go on here, before an access of the word p
void wait_for_news(void);     // until another player has stored something, or is done
void news(void);              // something has been stored
noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
u32 player(void);             // who runs; PLAYERS: begin or end
bool player_is_desperate(void);  // nobody else can go on: all stores must be visible by now
#define EXPECT(cond) ((cond) ? (void)0 : fail("%s:%d: %s", __FILE__, __LINE__, #cond))

// ---- machine.c ----

void machine_begin(void);

// ---- memory.c ----

enum order { RELAXED, CONSUME, ACQUIRE, RELEASE, ACQ_REL, SEQ_CST };  // the compiler's numbers

void memory_begin(void);      // forget everything; what memory holds is what all know
void memory_meet(void);       // everybody knows all that anybody did
u64 memory_load(void *p, u32 size, enum order order);
void memory_store(void *p, u32 size, u64 value, enum order order);
u64 memory_update(void *p, u32 size, u64 (*f)(u64 old, u64 arg), u64 arg, enum order order);
bool memory_cas(void *p, u32 size, u64 *expected, u64 desired, enum order success, enum order failure);
void memory_fence(enum order order);
void memory_plain(void *p, u32 size, bool write);
