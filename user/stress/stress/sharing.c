// SPDX-License-Identifier: MIT
// sharing.c - workloads about who sees which page after fork.
#include "sharing.h"
#include <kine.h>
#include <ktap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void fill(char *base, int n, uint32_t writer, uint32_t sequence) {
    for (int i = 0; i < n; i++) { tag_write(base, i, writer, sequence); }
}

static int check(const char *base, int n, uint32_t writer, uint32_t sequence) {
    int bad = 0;
    for (int i = 0; i < n; i++) { bad += tag_check(base, i, writer, sequence); }
    return bad;
}

// Many short children that look and sometimes touch.
int run_forkstorm(const struct params *p, int worker) {
    int bad = 0;
    char *base = pages_new(p->pages);
    fill(base, p->pages, worker, 0);
    for (int r = 0; r < p->rounds; r++) {
        pid_t pids[8];
        int n = 1 + below(8);
        for (int i = 0; i < n; i++) {
            if ((pids[i] = spawn_child()) == 0) {
                int page = below(p->pages);
                int wrong = tag_check(base, page, worker, 0);
                tag_write(base, page, 1000 + worker, r);
                _exit(wrong + tag_check(base, page, 1000 + worker, r));
            }
        }
        for (int i = 0; i < n; i++) { bad += pids[i] > 0 && reap_child(pids[i]) != 0; }
    }
    bad += check(base, p->pages, worker, 0);
    pages_drop(base, p->pages);
    return bad;
}

// Parent and children write the same pages at the same time, again and again.
int run_writers(const struct params *p, int worker) {
    int bad = 0;
    char *base = pages_new(p->pages);
    for (int r = 0; r < p->rounds; r++) {
        fill(base, p->pages, worker, r);
        pid_t pids[3];
        for (int i = 0; i < 3; i++) {
            if ((pids[i] = spawn_child()) == 0) {
                int wrong = 0;
                for (int k = 0; k < p->pages; k++) {
                    wrong += tag_check(base, k, worker, r);
                    tag_write(base, k, 100 + i, k);
                }
                for (int k = 0; k < p->pages; k++) {
                    wrong += tag_check(base, k, 100 + i, k);
                }
                _exit(wrong != 0);
            }
        }
        for (int k = p->pages - 1; k >= 0; k--) { tag_write(base, k, 50, r + k); }
        for (int i = 0; i < 3; i++) { bad += pids[i] > 0 && reap_child(pids[i]) != 0; }
        for (int k = 0; k < p->pages; k++) { bad += tag_check(base, k, 50, r + k); }
    }
    pages_drop(base, p->pages);
    return bad;
}

// Generations: each process forks the next and exits before it; the last one must see every tag.
static _Noreturn void generations(char *base, int pages, int depth, int fd, uint32_t writer) {
    for (; depth >= 0; depth--) {
        if (below(2)) { (void)*(volatile char *)(base + (depth % pages) * PAGE); }
        tag_write(base, depth % pages, writer, depth);
        pid_t pid = depth ? spawn_child() : 0;
        if (pid < 0) { _exit(write(fd, "-", 1) != 1); }
        if (pid > 0) { _exit(0); }
    }
    int wrong = 0;
    for (int i = 0; i < 8; i++) { wrong += tag_check(base, i, writer, i); }
    _exit(write(fd, wrong ? "x" : "o", 1) != 1);
}

int run_chain(const struct params *p, int worker) {
    int bad = 0, pages = p->pages < 8 ? 8 : p->pages;
    char *base = pages_new(pages);
    for (int r = 0; r < p->rounds; r++) {
        int fd[2];
        char result = 'x';
        if (pipe(fd) < 0) { continue; }
        pid_t pid = spawn_child();
        if (pid == 0) { generations(base, pages, 7, fd[1], 10 + worker); }
        close(fd[1]);
        bad += pid > 0 && (read(fd[0], &result, 1) != 1 || result == 'x');
        close(fd[0]);
        if (pid > 0) { reap_child(pid); }
    }
    pages_drop(base, pages);
    return bad;
}

// A tree: every process writes its own tag everywhere below, and checks that nobody else did.
static int tree(char *base, int pages, int depth, uint32_t me) {
    fill(base, pages, me, depth);
    pid_t left = depth ? spawn_child() : -1;
    if (left == 0) { _exit(tree(base, pages, depth - 1, me * 2)); }
    pid_t right = depth ? spawn_child() : -1;
    if (right == 0) { _exit(tree(base, pages, depth - 1, me * 2 + 1)); }
    int bad = check(base, pages, me, depth);
    bad += left > 0 && reap_child(left) != 0;
    bad += right > 0 && reap_child(right) != 0;
    bad += check(base, pages, me, depth);
    return bad != 0;
}

int run_tree(const struct params *p, int worker) {
    int bad = 0;
    char *base = pages_new(p->pages);
    for (int r = 0; r < p->rounds / 4 + 1; r++) {
        bad += tree(base, p->pages, 3, 1 + worker * 100);
    }
    pages_drop(base, p->pages);
    return bad;
}

// Three sharers let go in every order; who is left must still have its pages.
int run_exitorder(const struct params *p, int worker) {
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    int bad = 0;
    char *base = pages_new(p->pages);
    for (int r = 0; r < p->rounds; r++) {
        int go[3][2];
        pid_t pids[3];
        fill(base, p->pages, worker, r);
        for (int i = 0; i < 3; i++) {
            pids[i] = pipe(go[i]) < 0 ? -1 : spawn_child();
            if (pids[i] == 0) {
                char c;
                if (read(go[i][0], &c, 1) != 1) { _exit(2); }
                int wrong = check(base, p->pages, worker, r);
                fill(base, p->pages, 7, r);
                _exit(wrong != 0);
            }
        }
        for (int k = 0; k < 3; k++) {
            int i = orders[r % 6][k];
            if (pids[i] > 0) {
                bad += write(go[i][1], "g", 1) != 1;
                bad += reap_child(pids[i]) != 0;
            }
            close(go[i][0]);
            close(go[i][1]);
        }
        bad += check(base, p->pages, worker, r);
    }
    pages_drop(base, p->pages);
    return bad;
}

// When the sharers are gone, the survivor rewrites its pages without a copy. A sharer that has looked at a page has
// copied the table, and marked each page in both: then the survivor flips them; else it takes its table back.
int run_soleowner(const struct params *p, int worker) {
    int bad = 0;
    char *base = pages_new(p->pages);
    struct kine_counters before, after;
    fill(base, p->pages, worker, 0);
    for (int r = 1; r <= p->rounds; r++) {
        pid_t pid = spawn_child();
        bool looks = r % 2 == 0;
        if (pid == 0) { _exit(looks ? check(base, p->pages, worker, r - 1) != 0 : 0); }
        if (pid > 0) { bad += reap_child(pid) != 0; }
        bool counted = p->workers == 1 && pid > 0 && kine_counters(-1, &before) == 0;
        fill(base, p->pages, worker, r);
        if (counted && kine_counters(-1, &after) == 0) {
            long copies = after.cow_copies - before.cow_copies, flips = after.cow_flips - before.cow_flips;
            int most = looks ? p->pages + 4 : 4;
            if (copies || flips < (looks ? p->pages : 0) || flips > most) {
                ktap_comment("round %d: %ld copies, %ld flips, %d pages", r, copies, flips, p->pages);
                bad++;
            }
        }
        bad += check(base, p->pages, worker, r);
    }
    pages_drop(base, p->pages);
    return bad;
}

// wait4 stores the status into a page that another child still shares: that one must not see it.
static int wait_into_shared(const struct params *p, char *base) {
    int hold[2], wrong = 0;
    int *status = (int *)(base + below(p->pages) * PAGE + 8);
    if (pipe(hold) < 0) { return 0; }
    *status = -1;
    pid_t sharer = spawn_child();
    if (sharer == 0) {
        char c;
        close(hold[1]);
        wrong = read(hold[0], &c, 1) != 0;  // until the parent has waited
        _exit(wrong || *(volatile int *)status != -1);
    }
    pid_t child = spawn_child();
    if (child == 0) { _exit(42); }
    if (child > 0) { wrong = waitpid(child, status, 0) != child || *status != 42 << 8; }
    close(hold[0]);
    close(hold[1]);
    return wrong + (sharer > 0 && reap_child(sharer) != 0);
}

// The kernel writes into shared pages: only the caller may see it.
int run_kernelwrite(const struct params *p, int worker) {
    int bad = 0;
    char *base = pages_new(p->pages);
    for (int r = 0; r < p->rounds; r++) {
        int fd[2];
        fill(base, p->pages, worker, r);
        if (pipe(fd) < 0) { continue; }
        pid_t pid = spawn_child();
        if (pid == 0) {
            int page = below(p->pages);
            char text[64];
            memset(text, 'k', sizeof(text));
            int wrong = write(fd[1], text, sizeof(text)) != sizeof(text);
            wrong += read(fd[0], base + page * PAGE, sizeof(text)) != sizeof(text);
            wrong += memcmp(base + page * PAGE, text, sizeof(text)) != 0;
            wrong += getcwd(base + PAGE * ((page + 1) % p->pages) + 8, 16) == NULL;
            _exit(wrong != 0);
        }
        bad += pid > 0 && reap_child(pid) != 0;
        close(fd[0]);
        close(fd[1]);
        bad += wait_into_shared(p, base);
        bad += check(base, p->pages, worker, r);
    }
    pages_drop(base, p->pages);
    return bad;
}

// How far the heap grew or, with `smaller`, shrank: bytes.
static long change_heap(const struct params *p, bool smaller) {
    long bytes = smaller ? -(long)(p->pages / 2 * PAGE) : (long)(p->pages * PAGE);
    return sbrk(bytes) == (char *)-1 ? 0 : bytes;
}

// The heap grows and shrinks on either side of a fork.
int run_brk(const struct params *p, int worker) {
    int bad = 0;
    for (int r = 0; r < p->rounds; r++) {
        char *heap = sbrk(p->pages * PAGE + PAGE);
        if (heap == (char *)-1) { continue; }
        char *base = (char *)(((uintptr_t)heap + PAGE - 1) & ~(PAGE - 1));
        fill(base, p->pages, worker, r);
        pid_t pid = spawn_child();
        if (pid == 0) {
            int wrong = 0;
            change_heap(p, r & 1);
            for (int i = 0; i < p->pages / 2; i++) {
                wrong += tag_check(base, i, worker, r);
                tag_write(base, i, 3, i);
            }
            _exit(wrong != 0);
        }
        long changed = pid > 0 && below(2) ? change_heap(p, below(2)) : 0;  // while the child has it, too
        int left = changed < 0 ? p->pages - p->pages / 2 : p->pages;
        bad += check(base, left, worker, r);
        bad += pid > 0 && reap_child(pid) != 0;
        bad += check(base, left, worker, r);
        sbrk(-(long)(p->pages * PAGE + PAGE) - changed);
    }
    return bad;
}
