// SPDX-License-Identifier: MIT
// transfers.c - pages go through pipes while they are shared: what has been piped stays as it was,
// whoever writes the pages afterwards.
#include "matrix.h"

static char copies[2 * PAGE];

static void put(const struct gate *pipe, const char *page) {
    CHECK_EQ(ksys_write(pipe->ends[1], page, PAGE), PAGE);
}

static void take(const struct gate *pipe, char *page) {
    size_t done = 0;
    while (done < PAGE) {
        long step = ksys_read(pipe->ends[0], page + done, PAGE - done);
        CHECK(step > 0);
        if (step <= 0) { return; }
        done += step;
    }
}

// A copy of both pages as they are now, by way of the processor alone.
static void keep(struct pages p) { memcpy(copies, p.first, 2 * PAGE); }

static void parent_writes_what_the_child_piped(struct pages p) {
    struct gate first = gate_new(), second = gate_new(), go = gate_new(), back = gate_new();
    keep(p);
    IN_CHILD(pid, put(&first, p.first); put(&second, p.second); unmap_pages(p.first, 2);
             gate_post(&back); gate_wait(&go); char *at = map(2, PROT_RW); take(&first, at);
             take(&second, at + PAGE); CHECK(memcmp(at, copies, 2 * PAGE) == 0))
    gate_wait(&back);
    CHECK(untouched(p));
    write_both(p, NEW);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK(wrote_both(p, NEW));
}

static void child_writes_what_the_parent_piped(struct pages p) {
    struct gate first = gate_new(), second = gate_new();
    keep(p);
    put(&first, p.first);
    put(&second, p.second);
    IN_CHILD(pid, CHECK(untouched(p)); write_both(p, NEW))
    CHECK_EQ(reap(pid), 0);
    CHECK(reads(p, OLD, NEW));
    char *at = map(2, PROT_RW);
    take(&first, at);
    take(&second, at + PAGE);
    CHECK(memcmp(at, copies, 2 * PAGE) == 0);
}

// From the pages of one into those of the other, which are the same until then: the pages change places.
static void child_pipes_into_the_parent(struct pages p) {
    struct gate first = gate_new(), second = gate_new();
    keep(p);
    IN_CHILD(pid, put(&first, p.first); put(&second, p.second); CHECK(untouched(p)))
    CHECK_EQ(reap(pid), 0);
    take(&first, p.second);
    take(&second, p.first);
    CHECK(memcmp(p.first, copies + PAGE, PAGE) == 0 && memcmp(p.second, copies, PAGE) == 0);
}

static void parent_pipes_into_the_child(struct pages p) {
    struct gate first = gate_new(), second = gate_new(), go = gate_new();
    keep(p);
    IN_CHILD(pid, gate_wait(&go); take(&first, p.second); take(&second, p.first);
             CHECK(memcmp(p.first, copies + PAGE, PAGE) == 0 && memcmp(p.second, copies, PAGE) == 0))
    put(&first, p.first);
    put(&second, p.second);
    gate_post(&go);
    CHECK_EQ(reap(pid), 0);
    CHECK(p.shared ? memcmp(p.second, copies, PAGE) == 0 : untouched(p));
}

static _Noreturn void become_cat(const struct gate *in, const struct gate *out) {
    const char *argv[] = {"/bin/cat", NULL};
    ksys_dup3(in->ends[0], 0, 0);
    ksys_dup3(out->ends[1], 1, 0);
    gate_free(in);
    gate_free(out);
    ksys_execve(argv[0], argv, argv + 1);
    ksys_exit_group(127);
    __builtin_unreachable();
}

// The child has the pages until it becomes another program, which sends them back.
static void through_an_execed_child(struct pages p) {
    struct gate in = gate_new(), out = gate_new();
    keep(p);
    IN_CHILD(pid, CHECK(untouched(p)); become_cat(&in, &out))
    ksys_close(out.ends[1]);
    put(&in, p.first);
    take(&out, p.first);
    put(&in, p.second);
    take(&out, p.second);
    ksys_close(in.ends[1]);
    CHECK_EQ(reap(pid), 0);
    CHECK(memcmp(p.first, copies, 2 * PAGE) == 0);
}

const struct action transfers[] = {
    {"the parent writes what the child piped", parent_writes_what_the_child_piped},
    {"the child writes what the parent piped", child_writes_what_the_parent_piped},
    {"the child pipes into the parent's pages", child_pipes_into_the_parent},
    {"the parent pipes into the child's pages", parent_pipes_into_the_child},
    {"through a pipe of a child that execs", through_an_execed_child},
};
const int transfer_count = COUNT(transfers);
