// SPDX-License-Identifier: MIT
// areas.c - see areas.h.
#include "areas.h"
#include <ksys.h>
#include <ktap.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RW = PROT_READ | PROT_WRITE };

// next_random's state is the process's; threads have their own.
uint64_t dice(struct storm *s, uint64_t sides) {
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (s->random >> 11) % sides;
}

uint64_t new_tag(struct storm *s) { return (uint64_t)s->writer << 32 | ++s->sequence; }

_Noreturn void wrong(struct storm *s, const char *what) {
    ktap_comment("mapstorm, writer %u: %s", s->writer, what);
    (void)!write(s->verdict, "x", 1);
    _exit(1);
}

static void check_page(struct storm *s, const struct area *a, int i) {
    if (!(a->page[i].prot & PROT_READ)) { return; }
    if (tag_check(a->at, i, a->page[i].tag >> 32, (uint32_t)a->page[i].tag)) { wrong(s, "wrong contents"); }
}

void area_check(struct storm *s, const struct area *a) {
    for (int i = 0; a->at && a != s->lent && i < a->pages; i++) { check_page(s, a, i); }
}

void areas_check(struct storm *s) {
    for (int i = 0; i < AREAS; i++) { area_check(s, &s->areas[i]); }
}

// The page has become what `tag` says; what is shared is the same below.
static void is_now(struct area *a, int i, uint64_t tag) {
    a->page[i].tag = tag;
    if (a->shared) { a->page[i].under = tag; }
}

void area_write(struct area *a, int i, uint64_t tag) {
    tag_write(a->at, i, tag >> 32, (uint32_t)tag);
    is_now(a, i, tag);
}

static bool may_write(const struct storm *s, const struct area *a, int i) {
    return a->page[i].prot == RW && !(a->shared && s->company);
}

// ---- begin

// A file whose pages have tags, which `a` will know: -1, no memory.
static int new_file(struct storm *s, struct area *a) {
    int fd = (int)ksys_memfd_create("area", 0);
    if (fd < 0) { return -1; }
    char *all = ksys_ftruncate(fd, a->pages * PAGE) < 0 ? MAP_FAILED
                                                        : mmap(NULL, a->pages * PAGE, RW, MAP_SHARED, fd, 0);
    if (all == MAP_FAILED) {
        close(fd);
        return -1;
    }
    for (int i = 0; i < a->pages; i++) {
        a->page[i].tag = a->page[i].under = new_tag(s);
        tag_write(all, i, a->page[i].tag >> 32, (uint32_t)a->page[i].tag);
    }
    (void)!munmap(all, a->pages * PAGE);
    return fd;
}

static void map_area(struct storm *s, struct area *a) {
    bool of_file = dice(s, 2);
    *a = (struct area){.pages = 1 + dice(s, s->most), .shared = dice(s, 2)};
    a->grows = !a->shared && !of_file;
    for (int i = 0; i < a->pages; i++) { a->page[i].prot = RW; }
    int fd = of_file ? new_file(s, a) : -1;
    if (of_file && fd < 0) { return; }
    int flags = (a->shared ? MAP_SHARED : MAP_PRIVATE) | (of_file ? 0 : MAP_ANONYMOUS);
    char *at = mmap(NULL, a->pages * PAGE, RW, flags, fd, 0);
    if (at != MAP_FAILED) { a->at = at; }
    if (fd >= 0) { close(fd); }
}

// ---- steps, on pages [lo, hi)

static void write_pages(struct storm *s, struct area *a, int lo, int hi) {
    for (int i = lo; i < hi; i++) {
        if (may_write(s, a, i)) { area_write(a, i, new_tag(s)); }
    }
}

static void check_pages(struct storm *s, struct area *a, int lo, int hi) {
    for (int i = lo; i < hi; i++) { check_page(s, a, i); }
}

static void protect(struct storm *s, struct area *a, int lo, int hi) {
    static const int rights[] = {PROT_NONE, PROT_READ, RW, RW};
    int prot = rights[dice(s, 4)];
    if (ksys_mprotect(a->at + lo * PAGE, (hi - lo) * PAGE, prot) < 0) { a->at = NULL; }
    for (int i = lo; i < hi; i++) { a->page[i].prot = prot; }
}

static void discard(struct storm *s, struct area *a, int lo, int hi) {
    (void)s;
    if (ksys_madvise(a->at + lo * PAGE, (hi - lo) * PAGE, MADV_DONTNEED) < 0) { a->at = NULL; }
    for (int i = lo; i < hi; i++) { a->page[i].tag = a->page[i].under; }
}

// To the swap device, if there is one: nothing is seen of that.
static void send_out(struct storm *s, struct area *a, int lo, int hi) {
    (void)s;
    ksys_madvise(a->at + lo * PAGE, (hi - lo) * PAGE, MADV_PAGEOUT);
}

// From either end, or all.
static void unmap(struct storm *s, struct area *a, int lo, int hi) {
    bool head = dice(s, 2);
    char *at = head ? a->at : a->at + lo * PAGE;
    int gone = head ? hi : a->pages - lo;
    if (ksys_munmap(at, gone * PAGE) < 0 || gone == a->pages) {
        a->at = NULL;
        return;
    }
    a->pages -= gone;
    if (head) {
        a->at += gone * PAGE;
        memmove(&a->page[0], &a->page[gone], a->pages * sizeof(a->page[0]));
    }
}

// To where the kernel likes, or over a mapping that is there. A call that fails has moved nothing.
static void move(struct storm *s, struct area *a, int lo, int hi) {
    int pages = a->grows && dice(s, 2) ? 1 + (int)dice(s, s->most) : a->pages - (dice(s, 4) ? 0 : hi - lo - 1);
    char *to = dice(s, 2) ? mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;
    int flags = MREMAP_MAYMOVE | (to == MAP_FAILED ? 0 : MREMAP_FIXED);
    if (ksys_mprotect(a->at, a->pages * PAGE, RW) < 0) {
        a->at = NULL;
        return;
    }
    for (int i = 0; i < a->pages; i++) { a->page[i].prot = RW; }
    long at = ksys_mremap(a->at, a->pages * PAGE, pages * PAGE, flags, to);
    if (at < 0) {
        if (pages < a->pages) { a->at = NULL; }  // it may be shorter by now
        return;
    }
    for (int i = a->pages; i < pages; i++) {
        a->page[i].tag = a->page[i].under = 0;
        a->page[i].prot = RW;
    }
    a->at = (char *)at;
    a->pages = pages;
}

// The kernel reads a page: it may if we may, and finds what we would.
static void kernel_reads(struct storm *s, struct area *a, int lo, int hi) {
    uint64_t word;
    (void)hi;
    if (s->pipe[0] < 0 || write(s->pipe[1], a->at + lo * PAGE, 8) != 8) { return; }
    if (!(a->page[lo].prot & PROT_READ)) { wrong(s, "the kernel read what may not be read"); }
    if (read(s->pipe[0], &word, 8) != 8 || word != a->page[lo].tag) { wrong(s, "the kernel read something else"); }
}

static void kernel_writes(struct storm *s, struct area *a, int lo, int hi) {
    uint64_t tag = new_tag(s), drain;
    bool may = may_write(s, a, lo);
    (void)hi;
    if (s->pipe[0] < 0 || (!may && a->page[lo].prot == RW) || write(s->pipe[1], &tag, 8) != 8) { return; }
    if (read(s->pipe[0], a->at + lo * PAGE, 8) != 8) {
        (void)!read(s->pipe[0], &drain, 8);  // refused, or no memory
    } else if (may) {
        area_write(a, lo, tag);
    } else {
        wrong(s, "the kernel wrote what may not be written");
    }
}

void area_step(struct storm *s, struct area *a) {
    static void (*const steps[])(struct storm *, struct area *, int, int) = {
        write_pages, write_pages, write_pages, check_pages, check_pages, protect, protect,
        discard, send_out, send_out, unmap, move, move, kernel_reads, kernel_writes};
    if (a == s->lent) { return; }
    if (!a->at) {
        map_area(s, a);
        return;
    }
    int lo = dice(s, a->pages), hi = lo + 1 + dice(s, a->pages - lo);
    steps[dice(s, sizeof(steps) / sizeof(steps[0]))](s, a, lo, hi);
}
