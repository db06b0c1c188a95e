// SPDX-License-Identifier: MIT
// common.c - see stress.h.
#include "stress.h"
#include <ktap.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;

void seed_random(uint64_t seed, int worker) {
    state = (seed + 1) * 0x9e3779b97f4a7c15ull ^ (uint64_t)(worker + 1) << 32;
}

uint64_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state >> 11;
}

char *pages_new(int n) {
    void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void pages_drop(char *base, int n) { munmap(base, n * PAGE); }

static volatile uint64_t *words(const char *base, int page) {
    return (volatile uint64_t *)(base + page * PAGE);
}

void tag_write(char *base, int page, uint32_t writer, uint32_t sequence) {
    volatile uint64_t *w = words(base, page);
    w[0] = w[255] = w[511] = (uint64_t)writer << 32 | sequence;
}

int tag_check(const char *base, int page, uint32_t writer, uint32_t sequence) {
    volatile uint64_t *w = words(base, page);
    uint64_t want = (uint64_t)writer << 32 | sequence;
    for (int i = 0; i < 512; i += i ? 256 : 255) {
        if (w[i] != want) {
            ktap_comment("page %d word %d: writer %u sequence %u expected, %u %u found", page, i, writer,
                         sequence, (unsigned)(w[i] >> 32), (unsigned)w[i]);
            return 1;
        }
    }
    return 0;
}

pid_t spawn_child(void) { return fork(); }

int reap_child(pid_t pid) {
    int status;
    if (waitpid(pid, &status, 0) != pid) { return NOT_KNOWN; }
    return WIFSIGNALED(status) ? KILLED(WTERMSIG(status)) : WEXITSTATUS(status);
}
