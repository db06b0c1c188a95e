// SPDX-License-Identifier: MIT
// sequences.c - every sequence of four steps out of eight, by parent and child, against a model.
//
// Model   A view is what a process must see in a few heap pages: a stamp, or "not mapped". It is
//         computed anew from the sequence alone, so that a leaking page cannot spoil what it is
//         compared with. After each step both processes check all their pages.
// Steps   F fork   P, C parent, child write   G, S parent's heap grows, shrinks by a page
//         R child read()s into a page   U child unmaps its first page   X child exits
#include "common.h"

enum { STEPS = 4, PAGES = 8, FIRST = 3, GONE = -1, BEFORE = 100 };

static const char kinds[] = "FPCGSRUX";

struct view {
    int stamp[PAGES];
};

struct family {
    struct view parent, child;
    int heap;  // pages of the parent's heap
    bool alive, unmapped;
};

static char *heap;

static void write_view(struct view *v, int stamp) {
    for (int i = 0; i < PAGES; i++) { v->stamp[i] = v->stamp[i] == GONE ? GONE : stamp; }
}

static void model_step(struct family *f, char kind, int step) {
    if (kind == 'F' && !f->alive) {
        f->child = f->parent;
        f->alive = true;
        f->unmapped = false;
    } else if (kind == 'P') {
        write_view(&f->parent, step);
    } else if (kind == 'G') {
        f->parent.stamp[f->heap++] = step;
    } else if (kind == 'S' && f->heap > 1) {
        f->parent.stamp[--f->heap] = GONE;
    } else if (f->alive && kind == 'C') {
        write_view(&f->child, step);
    } else if (f->alive && kind == 'R' && !f->unmapped) {
        f->child.stamp[0] = step;
    } else if (f->alive && kind == 'U') {
        f->child.stamp[0] = GONE;
        f->unmapped = true;
    } else if (kind == 'X') {
        f->alive = false;
    }
}

// How things must be before step `step`.
static struct family model(const char *sequence, int step) {
    struct family f = {.heap = FIRST};
    for (int i = 0; i < PAGES; i++) { f.parent.stamp[i] = i < FIRST ? BEFORE : GONE; }
    for (int i = 0; i < step; i++) { model_step(&f, sequence[i], i); }
    return f;
}

static void check_view(const char *sequence, int step, const struct view *v) {
    for (int i = 0; i < PAGES; i++) {
        if (v->stamp[i] != GONE && !tagged(heap + i * PAGE, (uint64_t)v->stamp[i])) {
            checks_failed++;
            ktap_comment("%s, after step %d: page %d is not %d", sequence, step, i, v->stamp[i]);
        }
    }
}

static void write_pages(const struct view *v, int stamp) {
    for (int i = 0; i < PAGES; i++) {
        if (v->stamp[i] != GONE) { tag(heap + i * PAGE, (uint64_t)stamp); }
    }
}

// The stamp comes as data through a pipe, by way of the kernel.
static void read_page(int stamp) {
    static char page[PAGE];
    struct gate pipe = gate_new();
    tag(page, (uint64_t)stamp);
    CHECK_EQ(ksys_write(pipe.ends[1], page, PAGE), PAGE);
    CHECK_EQ(ksys_read(pipe.ends[0], heap, PAGE), PAGE);
    gate_free(&pipe);
}

// The child's life: a step number comes in, it does its part, checks, and answers.
static void child(const char *sequence, const struct gate *order, const struct gate *answer) {
    char step;
    while (ksys_read(order->ends[0], &step, 1) == 1 && sequence[(int)step] != 'X') {
        struct family before = model(sequence, step), after = model(sequence, step + 1);
        if (sequence[(int)step] == 'C') {
            write_pages(&before.child, step);
        } else if (sequence[(int)step] == 'R' && !before.unmapped) {
            read_page(step);
        } else if (sequence[(int)step] == 'U' && !before.unmapped) {
            unmap_pages(heap, 1);
        }
        check_view(sequence, step, &after.child);
        gate_post(answer);
    }
    leave();
}

static void resize(int pages) {
    char *end = heap + pages * PAGE;
    CHECK_EQ(ksys_brk(end), end);
}

static void parent_step(const struct family *before, char kind, int step) {
    if (kind == 'P') {
        write_pages(&before->parent, step);
    } else if (kind == 'G') {
        resize(before->heap + 1);
        CHECK(all_bytes(heap + before->heap * PAGE, 0, PAGE));
        tag(heap + before->heap * PAGE, (uint64_t)step);
    } else if (kind == 'S' && before->heap > 1) {
        resize(before->heap - 1);
    }
}

static void run_sequence(void *argument) {
    const char *sequence = argument;
    struct gate order = gate_new(), answer = gate_new();
    int pid = 0;
    heap = (char *)(((uintptr_t)ksys_brk(NULL) + PAGE - 1) & -PAGE);
    resize(FIRST);
    struct family now = model(sequence, 0);
    write_pages(&now.parent, BEFORE);
    for (char step = 0; step < STEPS; step++) {
        char kind = sequence[(int)step];
        struct family before = model(sequence, step), after = model(sequence, step + 1);
        if (kind == 'F' && !before.alive && (pid = spawn()) == 0) {
            child(sequence, &order, &answer);
        }
        parent_step(&before, kind, step);
        if (after.alive) {
            ksys_write(order.ends[1], &step, 1);
            gate_wait(&answer);
        } else if (before.alive) {
            ksys_write(order.ends[1], &step, 1);
            CHECK_EQ(reap(pid), 0);
        }
        check_view(sequence, step, &after.parent);
    }
    if (model(sequence, STEPS).alive) {
        gate_free(&order);
        CHECK_EQ(ksys_kill(pid, SIGKILL), 0);
        CHECK_EQ(reap(pid), KILLED(SIGKILL));
    }
}

// All sequences that begin with a given step.
static void sequences_from(char first) {
    static char sequence[STEPS + 1];
    const int base = COUNT(kinds) - 1;
    sequence[0] = first;
    for (int n = 0; n < base * base * base; n++) {
        sequence[1] = kinds[n % base];
        sequence[2] = kinds[n / base % base];
        sequence[3] = kinds[n / base / base];
        if (strchr(sequence, 'F')) {
            int status = status_of(run_sequence, sequence);
            if (status != 0) {
                checks_failed++;
                ktap_comment("sequence %s: wait status 0x%x", sequence, (unsigned)status);
            }
        }
    }
}

#define FROM(kind)                                                                                 \
    static void sequences_from_##kind(void) {                                                      \
        sequences_from(#kind[0]);                                                                  \
    }
FROM(F)
FROM(P)
FROM(C)
FROM(G)
FROM(S)
FROM(R)
FROM(U)
FROM(X)

TEST_MAIN(TEST(sequences_from_F), TEST(sequences_from_P), TEST(sequences_from_C),
          TEST(sequences_from_G), TEST(sequences_from_S), TEST(sequences_from_R),
          TEST(sequences_from_U), TEST(sequences_from_X))
