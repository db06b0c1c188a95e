// SPDX-License-Identifier: MIT
// states.c - the histories that a pair of anonymous pages can have before an action forks, and what
// an action may expect of pages.
#include "matrix.h"

bool untouched(struct pages p) {
    if (p.image) { return memcmp(p.first, p.image, 2 * PAGE) == 0; }
    if (p.zero) { return all_bytes(p.first, 0, PAGE) && all_bytes(p.second, 0, PAGE); }
    return tagged(p.first, OLD) && tagged(p.second, OLD + 1);
}

void write_both(struct pages p, uint64_t who) {
    tag(p.first, who);
    tag(p.second, who + 1);
}

bool wrote_both(struct pages p, uint64_t who) {
    return tagged(p.first, who) && tagged(p.second, who + 1);
}

bool reads(struct pages p, uint64_t mine, uint64_t latest) {
    uint64_t who = p.shared ? latest : mine;
    return who == OLD ? untouched(p) : wrote_both(p, who);
}

bool discarded(struct pages p, uint64_t latest) {
    return p.shared || p.file ? reads(p, OLD, latest) : all_bytes(p.first, 0, 2 * PAGE);
}

struct pages written(char *at) {
    struct pages p = {.first = at, .second = at + PAGE};
    write_both(p, OLD);
    return p;
}

static struct pages anonymous(char *unused) {
    (void)unused;
    return written(map(2, PROT_RW));
}

static struct pages heap(char *unused) {
    (void)unused;
    uintptr_t end = ((uintptr_t)ksys_brk(NULL) + PAGE - 1) & -PAGE;
    CHECK_EQ(ksys_brk((void *)(end + 2 * PAGE)), end + 2 * PAGE);
    return written((char *)end);
}

// The program's file has the same tags.
static struct pages data(char *unused) {
    enum { WORDS = PAGE / 8 };
    static uint64_t pages[2 * WORDS] __attribute__((aligned(4096), section(".data"))) = {
        [0] = OLD, [WORDS - 1] = ~(uint64_t)OLD, [WORDS] = OLD + 1, [2 * WORDS - 1] = ~(uint64_t)(OLD + 1)};
    (void)unused;
    struct pages p = written((char *)pages);
    p.file = true;
    return p;
}

static struct pages bss(char *unused) {
    static char pages[2 * PAGE] __attribute__((aligned(4096)));
    (void)unused;
    return written(pages);
}

static struct pages stack(char *stack_pages) {
    return written((char *)(((uintptr_t)stack_pages + PAGE - 1) & -PAGE));
}

static struct pages never_touched(char *unused) {
    (void)unused;
    char *at = map(2, PROT_RW);
    return (struct pages){.first = at, .second = at + PAGE, .zero = true};
}

static struct pages read_but_not_written(char *unused) {
    struct pages p = never_touched(unused);
    CHECK(untouched(p));
    return p;
}

static struct pages never_touched_bss(char *unused) {
    static char pages[2 * PAGE] __attribute__((aligned(4096)));
    (void)unused;
    return (struct pages){.first = pages, .second = pages + PAGE, .zero = true};
}

static struct pages across_two_tables(char *unused) {
    (void)unused;
    uintptr_t room = (uintptr_t)map(1024, PROT_RW);
    uintptr_t edge = (room + 2 * MIB) & -(2 * MIB);
    if (edge == room) { edge += 2 * MIB; }
    return written((char *)edge - PAGE);
}

// Shared before, and the other side has gone: count 1, still marked.
static struct pages left_alone(char *unused) {
    struct pages p = anonymous(unused);
    CHECK_EQ(status_of(nothing, NULL), 0);
    return p;
}

// ... and written again since.
static struct pages reused(char *unused) {
    struct pages p = left_alone(unused);
    write_both(p, OLD);
    return p;
}

static struct gate relative_hold;
static int relative;

void share_with_relative(struct pages p, char *at) {
    struct gate looked = gate_new();
    relative_hold = gate_new();
    if ((relative = spawn()) == 0) {
        char byte;
        ksys_close(relative_hold.ends[1]);
        if (at) { peek(at); }
        gate_post(&looked);
        ksys_read(relative_hold.ends[0], &byte, 1);
        CHECK(untouched(p));
        leave();
    }
    gate_wait(&looked);
    gate_free(&looked);
}

// Shared with a relative who lives on and looks at the pages again in the end.
static struct pages shared_already(char *unused) {
    struct pages p = anonymous(unused);
    share_with_relative(p, NULL);
    return p;
}

void release_relative(void) {
    if (relative > 0) {
        gate_post(&relative_hold);
        CHECK_EQ(reap(relative), 0);
    }
}

// A private copy of its own, after a break.
static struct pages copied(char *unused) {
    struct pages p = shared_already(unused);
    write_both(p, OLD);
    return p;
}

// Written by the kernel on the process's behalf.
static struct pages filled_by_read(char *unused) {
    struct pages source = anonymous(unused);
    char *at = map(2, PROT_RW);
    struct gate pipe = gate_new();
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(ksys_write(pipe.ends[1], source.first + i * PAGE, PAGE), PAGE);
        CHECK_EQ(ksys_read(pipe.ends[0], at + i * PAGE, PAGE), PAGE);
    }
    return (struct pages){.first = at, .second = at + PAGE};
}

// The same addresses were mapped, written, shared and unmapped before.
static struct pages mapped_again(char *unused) {
    struct pages p = left_alone(unused);
    long at = ksys_mmap(p.first, 2 * PAGE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK_EQ(at, p.first);
    CHECK(all_bytes(p.first, 0, 2 * PAGE));
    return written(p.first);
}

const struct state states[] = {
    {"anonymous", anonymous},
    {"heap", heap},
    {"data", data},
    {"bss", bss},
    {"stack", stack},
    {"never touched", never_touched},
    {"read but not written", read_but_not_written},
    {"never touched bss", never_touched_bss},
    {"across two tables", across_two_tables},
    {"left alone", left_alone},
    {"reused", reused},
    {"shared already", shared_already},
    {"copied", copied},
    {"filled by read", filled_by_read},
    {"mapped again", mapped_again},
};
const int state_count = COUNT(states);
