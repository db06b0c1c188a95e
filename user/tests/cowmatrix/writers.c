// SPDX-License-Identifier: MIT
// writers.c - the instructions, kernel paths and threads by which a child can write a page that its
// parent has, too.
#include "matrix.h"
#include "user/tests/team.h"

static uint64_t sum(struct pages p) {
    uint64_t all = 0;
    for (size_t i = 0; i < 2 * PAGE; i++) { all = all * 31 + (unsigned char)p.first[i]; }
    return all;
}

// The parent reads what it read before; if the pages are shared, what the child reads in the end.
static void in_child(struct pages p, void (*act)(struct pages p)) {
    bool same = untouched(p);
    struct gate answer = gate_new();
    int pid = spawn();
    if (pid == 0) {
        act(p);
        uint64_t seen = sum(p);
        CHECK_EQ(ksys_write(answer.ends[1], &seen, sizeof seen), sizeof seen);
        leave();
    }
    uint64_t theirs = 0;
    ksys_close(answer.ends[1]);
    CHECK_EQ(ksys_read(answer.ends[0], &theirs, sizeof theirs), sizeof theirs);
    CHECK_EQ(reap(pid), 0);
    CHECK(same && (p.shared ? sum(p) == theirs : untouched(p)));
}

static void amo(struct pages p) {
    int64_t *word = (int64_t *)p.first;
    int64_t before = *word;
    CHECK_EQ(__atomic_fetch_add(word, 5, __ATOMIC_SEQ_CST), before);
    CHECK_EQ(*word, before + 5);
}

static void lr_sc(struct pages p) {
    int64_t *word = (int64_t *)p.second, before = *word, seen, failed;
    do {
        __asm__ volatile("lr.d %0, (%2)\n\taddi %1, %0, 3\n\tsc.d %1, %1, (%2)"
                         : "=&r"(seen), "=&r"(failed)
                         : "r"(word)
                         : "memory");
    } while (failed);
    CHECK_EQ(seen, before);
    CHECK_EQ(*word, before + 3);
}

// A store that begins in one page and ends in the next.
static void straddling_store(struct pages p) {
    char *at = p.second - 3;
    uint64_t value = 0x1122334455667788, back;
    __asm__ volatile("sd %0, 0(%1)" : : "r"(value), "r"(at) : "memory");
    __asm__ volatile("ld %0, 0(%1)" : "=r"(back) : "r"(at) : "memory");
    CHECK_EQ(back, value);
}

static void floating_store(struct pages p) {
    __asm__ volatile("fcvt.d.l ft0, %0\n\tfsd ft0, 8(%1)"
                     :
                     : "r"(3l), "r"(p.first)
                     : "ft0", "memory");
    CHECK(*(volatile double *)(p.first + 8) == 3.0);
}

static void narrow_stores(struct pages p) {
    for (int i = 0; i < 16; i++) { ((volatile char *)p.first)[100 + i] = (char)i; }
    ((volatile uint16_t *)p.second)[50] = 0xbeef;
    CHECK_EQ(((volatile uint16_t *)p.second)[50], 0xbeef);
}

static void copy_within(struct pages p) {
    memset(p.first, 1, PAGE);
    memmove(p.first + 100, p.first, PAGE);
    CHECK(all_bytes(p.first, 1, PAGE + 100));
}

static void pipe_read(struct pages p) {
    struct gate pipe = gate_new();
    CHECK_EQ(ksys_write(pipe.ends[1], "0123456789", 10), 10);
    CHECK_EQ(ksys_read(pipe.ends[0], p.second - 5, 10), 10);
    CHECK(memcmp(p.second - 5, "0123456789", 10) == 0);
}

static void pipe_read_while_blocked(struct pages p) {
    struct gate pipe = gate_new();
    int writer = spawn();
    if (writer == 0) {
        nap(3 * MS);
        ksys_write(pipe.ends[1], "late", 4);
        leave();
    }
    CHECK_EQ(ksys_read(pipe.ends[0], p.first, 4), 4);
    CHECK(memcmp(p.first, "late", 4) == 0);
    CHECK_EQ(reap(writer), 0);
}

static void wait_status(struct pages p) {
    int pid = spawn();
    if (pid == 0) { ksys_exit_group(77); }
    CHECK_EQ(ksys_wait4(pid, p.first + 40, 0, NULL), pid);
    CHECK_EQ(*(int *)(p.first + 40), EXITED(77));
}

static void device_read(struct pages p) {
    int fd = (int)ksys_openat(AT_FDCWD, "/dev/zero", O_RDONLY, 0);
    memset(p.first, 5, PAGE);
    CHECK_EQ(ksys_read(fd, p.first + 1, 2 * PAGE - 2), 2 * PAGE - 2);
    CHECK(all_bytes(p.first + 1, 0, 2 * PAGE - 2));
}

// Two pieces that begin in one page and end in the next, and a third into the first piece again.
static void vector_read(struct pages p) {
    struct gate pipe = gate_new();
    const struct iovec pieces[] = {{p.second - 9, 12}, {p.first + 7, 0}, {p.second - 2, 4}};
    CHECK_EQ(ksys_write(pipe.ends[1], "abcdefghijklMNOP", 16), 16);
    CHECK_EQ(ksys_readv(pipe.ends[0], pieces, COUNT(pieces)), 16);
    CHECK(memcmp(p.second - 9, "abcdefgMNOPl", 12) == 0);
}

static void file_read(struct pages p) {
    int fd = (int)ksys_openat(AT_FDCWD, "/bin/cat", O_RDONLY, 0);
    CHECK_EQ(ksys_read(fd, p.first + 1, PAGE + 1), PAGE + 1);
    CHECK(memcmp(p.first + 1, "\177ELF", 4) == 0);
}

static void *write_first_page(void *p) {
    tag(((struct pages *)p)->first, NEW);
    return NULL;
}

static void *write_second_page(void *p) {
    tag(((struct pages *)p)->second, NEW + 1);
    return NULL;
}

// Two threads of one child, each a page, in one table.
static void two_threads(struct pages p) {
    struct thread *one = begin(write_first_page, &p), *other = begin(write_second_page, &p);
    end(one);
    end(other);
    CHECK(wrote_both(p, NEW));
}

static void *fork_and_look(void *p) {
    int pid = spawn();
    if (pid == 0) {
        const volatile uint64_t *word = (uint64_t *)((struct pages *)p)->second;
        uint64_t seen = *word;
        ksys_sched_yield();
        CHECK(((struct pages *)p)->shared || *word == seen);
        leave();
    }
    return (void *)(long)reap(pid);
}

// A thread forks while another writes: the grandchild's pages stand still.
static void thread_among_forks(struct pages p) {
    for (int round = 0; round < 3; round++) {
        struct thread *forks = begin(fork_and_look, &p);
        for (int i = 0; i < 50; i++) { write_both(p, NEW + i); }
        CHECK_EQ(end(forks), 0);
        CHECK(wrote_both(p, NEW + 49));
    }
}

// Reading a shared page in the kernel must not write it, nor make it writable.
static void pipe_write(struct pages p) {
    struct gate pipe = gate_new();
    static char back[PAGE];
    CHECK_EQ(ksys_write(pipe.ends[1], p.first, PAGE), PAGE);
    CHECK_EQ(ksys_read(pipe.ends[0], back, PAGE), PAGE);
    CHECK(memcmp(back, p.first, PAGE) == 0);
}

static void vector_write(struct pages p) {
    struct gate pipe = gate_new();
    char back[40];
    const struct iovec pieces[] = {{p.second - 20, 30}, {p.first, 10}};
    CHECK_EQ(ksys_writev(pipe.ends[1], pieces, COUNT(pieces)), 40);
    CHECK_EQ(ksys_read(pipe.ends[0], back, 40), 40);
    CHECK(memcmp(back, p.second - 20, 30) == 0 && memcmp(back + 30, p.first, 10) == 0);
}

#define WRITER(name)                                                                               \
    static void child_##name(struct pages p) {                                                     \
        in_child(p, name);                                                                         \
    }
WRITER(amo)
WRITER(lr_sc)
WRITER(straddling_store)
WRITER(floating_store)
WRITER(narrow_stores)
WRITER(copy_within)
WRITER(pipe_read)
WRITER(pipe_read_while_blocked)
WRITER(wait_status)
WRITER(device_read)
WRITER(vector_read)
WRITER(file_read)
WRITER(two_threads)
WRITER(thread_among_forks)
WRITER(pipe_write)
WRITER(vector_write)

const struct action writers[] = {
    {"amoadd", child_amo},
    {"lr and sc", child_lr_sc},
    {"a store across both pages", child_straddling_store},
    {"a floating-point store", child_floating_store},
    {"narrow stores", child_narrow_stores},
    {"memmove within", child_copy_within},
    {"read from a pipe", child_pipe_read},
    {"read from a pipe, asleep first", child_pipe_read_while_blocked},
    {"wait4's status", child_wait_status},
    {"read from /dev/zero", child_device_read},
    {"readv into both pages", child_vector_read},
    {"read from a file", child_file_read},
    {"two threads write a page each", child_two_threads},
    {"a thread writes, another forks", child_thread_among_forks},
    {"write to a pipe", child_pipe_write},
    {"writev of both pages", child_vector_write},
};
const int writer_count = COUNT(writers);
