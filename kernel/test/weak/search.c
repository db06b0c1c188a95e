// SPDX-License-Identifier: MIT
// search.c - every execution of a play within its number of detours, one after another.
//
// Model      A player is a coroutine; only one runs. It can lose its turn before it touches a word that
//            another one touches, too, and one of them writes: all else commutes. What is open (who goes on at
//            an atomic operation, what a load reads) is asked of choose(). An execution is the list of its
//            answers; the next one changes the last answer that is not the last of its kind. An answer other
//            than 0 (go on; the newest value) is a detour, unless whoever ran cannot go on.
// Waiting    A player that waits (cpu_pause, a fake sleep) goes on when another one has made progress. If
//            all wait, the memory shows everything to everybody once; if that does not help, they are stuck.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include "riscv/hart.h"
#include "test/weak/weak.h"

enum { CHOICES = 4000, STACK = 256 << 10, STEPS = 20000 };
enum { USES = 1 << 13 };
enum state { DONE, READY, WAITING, DESPERATE };

struct use {
    void *p;
    u8 players;  // bit i: player i
    bool written;
};

// On the heap, since all static data is set back before each execution.
static struct search {
    const struct play *play;
    struct { u8 answer, of; } choices[CHOICES];
    u32 nchoices, asked, detours, limit;
    u64 steps;
    struct use uses[USES];
    bool anew;
    u32 now;  // who runs
    enum state state[PLAYERS + 1];
    bool told;  // since everything was shown nobody has stored anything
    ucontext_t main, context[PLAYERS];
    char *stacks;
    jmp_buf out;
    bool failed;
    char why[256];
    char *image;
} *s;

extern char __data_start[], _end[];

u32 player(void) { return s->now; }

bool player_is_desperate(void) { return s->state[s->now] == DESPERATE; }

noreturn void fail(const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(s->why, sizeof(s->why), format, list);
    va_end(list);
    s->failed = true;
    if (s->now < PLAYERS) { setcontext(&s->main); }
    longjmp(s->out, 1);
}

static u32 answer(u32 n, bool free) {
    if (n == 1 || s->now == PLAYERS) { return 0; }
    if (s->asked == CHOICES) { fail("search.c: more than %d choices", CHOICES); }
    u32 i = s->asked++;
    if (i == s->nchoices) {
        bool open = free || s->detours < s->limit;
        s->choices[i].answer = 0;
        s->choices[i].of = open ? n : 1;
        s->nchoices++;
    }
    s->detours += !free && s->choices[i].answer;
    return s->choices[i].answer;
}

u32 choose(u32 n) { return answer(n, false); }

static void switch_to(u32 next) {
    u32 from = s->now;
    if (next == from) { return; }
    s->now = next;
    host_hart = harts[next];
    swapcontext(&s->context[from], &s->context[next]);
}

// One of those who can go on, other than the runner; `may_stay`: or the runner itself (answer 0).
static void pick(bool may_stay) {
    u32 ready[PLAYERS], n = 0;
    if (may_stay) { ready[n++] = s->now; }
    for (u32 i = 0; i < PLAYERS; i++) {
        if (i != s->now && s->state[i] >= READY && s->state[i] != WAITING) { ready[n++] = i; }
    }
    if (n) { switch_to(ready[answer(n, !may_stay)]); }
}

// Has more than one player been seen at p, and one of them writing? If that is news, what has been explored so
// far has left switches out.
static bool is_shared(void *p, bool write) {
    u32 i = ((u64)p >> 2) * 0x9e3779b1u % USES;
    while (s->uses[i].p && s->uses[i].p != p) { i = (i + 1) % USES; }
    struct use *u = &s->uses[i];
    u->p = p;
    bool before = u->written && u->players & (u->players - 1);
    u->players |= 1u << s->now;
    u->written |= write;
    bool now = u->written && u->players & (u->players - 1);
    s->anew |= now && !before;
    return now;
}

void step(void *p, bool write) {
    if (s->now == PLAYERS || !is_shared(p, write)) { return; }
    if (++s->steps > STEPS) { fail("stuck: more than %d steps", STEPS); }
    pick(true);
}

static bool others_can_go_on(void) {
    for (u32 i = 0; i < PLAYERS; i++) {
        if (i != s->now && (s->state[i] == READY || s->state[i] == DESPERATE)) { return true; }
    }
    return false;
}

void news(void) {
    for (u32 i = 0; i < PLAYERS; i++) {
        if (s->state[i] != DONE) { s->state[i] = READY; }
    }
    s->told = false;
}

void wait_for_news(void) {
    if (s->now == PLAYERS) { fail("begin or end waits for ever"); }
    if (++s->steps > STEPS) { fail("stuck: more than %d steps", STEPS); }
    if (others_can_go_on()) {
        s->state[s->now] = WAITING;
        pick(false);
        return;
    }
    if (s->told) { fail("stuck: player %u waits for ever", s->now); }
    s->told = true;
    for (u32 i = 0; i < PLAYERS; i++) {
        if (s->state[i] != DONE) { s->state[i] = DESPERATE; }
    }
}

static void run_player(void) {
    s->play->player[s->now]();
    s->state[s->now] = DONE;
    news();
    pick(false);
    s->now = PLAYERS;
    setcontext(&s->main);
}

// Back to what the program's data was at its start.
static void begin(const struct play *p) {
    memcpy(__data_start, s->image, _end - __data_start);
    s->now = PLAYERS;
    s->asked = s->detours = s->steps = 0;
    s->told = s->failed = false;
    memory_begin();
    machine_begin();
    p->begin();
    memory_meet();
    for (u32 i = 0; i < PLAYERS; i++) {
        s->state[i] = p->player[i] ? READY : DONE;
        getcontext(&s->context[i]);
        s->context[i].uc_stack.ss_sp = s->stacks + i * STACK;
        s->context[i].uc_stack.ss_size = STACK;
        makecontext(&s->context[i], run_player, 0);
    }
}

static void execute(const struct play *p) {
    if (setjmp(s->out)) { return; }
    begin(p);
    s->now = 0;
    host_hart = harts[0];
    swapcontext(&s->main, &s->context[0]);
    if (s->failed) { return; }
    host_hart = harts[0];
    memory_meet();
    p->end();
}

// The next list of answers, or false: all have been given.
static bool advance(void) {
    for (s->nchoices = s->asked; s->nchoices > 0; s->nchoices--) {
        if (s->choices[s->nchoices - 1].answer + 1 < s->choices[s->nchoices - 1].of) {
            s->choices[s->nchoices - 1].answer++;
            return true;
        }
    }
    return false;
}

static bool explore(const struct play *p, u32 number) {
    s->play = p;
    s->limit = p->detours ? p->detours : 6;
    s->nchoices = s->asked = 0;
    memset(s->uses, 0, sizeof(s->uses));
    u64 executions = 0;
    do {
        s->anew = false;
        execute(p);
        executions++;
        if (s->anew) { s->asked = 0; }
    } while (!s->failed && (advance() || s->anew));
    if (s->failed) {
        printf("not ok %u - weak: %s: in execution %lu: %s\n", number, p->name, executions, s->why);
    } else {
        printf("ok %u - weak: %s: %lu executions, at most %u detours\n", number, p->name, executions, s->limit);
    }
    fflush(stdout);
    return !s->failed;
}

// weak [PLAY]
int main(int argc, char **argv) {
    bool good = true;
    u32 number = 0;
    s = calloc(1, sizeof(*s));
    s->stacks = malloc(PLAYERS * STACK);
    s->image = malloc(_end - __data_start);
    memory_begin();
    memcpy(s->image, __data_start, _end - __data_start);
    printf("KTAP version 1\n");
    for (u32 i = 0; plays[i]; i++) {
        if (argc < 2 || strcmp(argv[1], plays[i]->name) == 0) { good &= explore(plays[i], ++number); }
    }
    printf("1..%u\n", number);
    return !good || number == 0;
}
