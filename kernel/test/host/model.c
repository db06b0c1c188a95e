// SPDX-License-Identifier: MIT
// model.c - random operations on an address space and on its model, which must agree.
//
// Memory     one operation in eight has one of its first allocations fail. If it then fails, the model
//            stays as it was: an operation that fails has not happened.
#include "test/host/model.h"
#include <stdlib.h>
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/uaccess.h"

static u64 va_of(u64 page) {
    u64 apart = page < MODEL_PAGES ? page / 16 * (1ul << 21) : 0;  // three tables
    return page < MODEL_PAGES ? BASE + apart + page % 16 * PAGE_SIZE
                              : BASE + (1ul << 30) + (page - MODEL_PAGES) * PAGE_SIZE;
}

static bool exists(const struct model *m, u64 page) {
    return page < MODEL_PAGES ? m->mapped[page] : page - MODEL_PAGES < m->brk;
}

struct model *model_new(void) {
    struct model *m = calloc(1, sizeof(*m));
    m->as = as_create();
    EXPECT(m->as);
    m->as->brk = m->as->brk_start = va_of(MODEL_PAGES);
    return m;
}

void model_destroy(struct model *m) {
    if (this_hart()->active_as == m->as) { as_switch(NULL); }
    as_destroy(m->as);
    free(m);
}

static void step_write(struct model *m, u64 page) {
    u64 value = hart_random(), at = va_of(page) + page * 8;
    int error = pick(2) ? user_store(at, value) : copy_out(at, &value, sizeof(value));
    EXPECT(error == 0 || error == (exists(m, page) ? -ENOMEM : -EFAULT));
    if (!error) { m->value[page] = value; }
}

static void step_read(struct model *m, u64 page) {
    u64 value = 0, at = va_of(page) + page * 8;
    int error = pick(2) ? user_load(at, &value) : copy_in(&value, at, sizeof(value));
    EXPECT(error == 0 || error == (exists(m, page) ? -ENOMEM : -EFAULT));
    EXPECT(error || value == m->value[page]);
}

// Within one of the stretches of 16 pages: map zeros over it, or take it away.
static void step_map(struct model *m, u64 page, bool map) {
    u64 n = 1 + pick(16 - page % 16), va = va_of(page);
    long result = map ? as_map_fixed(m->as, va, n * PAGE_SIZE, PROT_READ | PROT_WRITE)
                      : as_unmap(m->as, va, n * PAGE_SIZE);
    bool done = result == (map ? (long)va : 0);
    EXPECT(done || result == -ENOMEM);
    if (!done && !map) { return; }
    // A failed map may have unmapped: what is left of the range is told by the regions.
    for (u64 i = page; i < page + n; i++) {
        bool there = done ? map : region_find(m->as, va_of(i)) != NULL;
        m->value[i] = done || !there ? 0 : m->value[i];
        m->mapped[i] = there;
    }
}

static void step_brk(struct model *m) {
    u64 want = pick(MODEL_HEAP + 1), start = va_of(MODEL_PAGES);
    u64 brk = as_brk(m->as, start + want * PAGE_SIZE);
    EXPECT(brk == start + want * PAGE_SIZE || brk == start + m->brk * PAGE_SIZE);
    u64 now = (brk - start) / PAGE_SIZE;
    for (u64 i = now; i < MODEL_HEAP; i++) { m->value[MODEL_PAGES + i] = 0; }
    m->brk = now;
}

static struct model *step_fork(struct model *m) {
    struct as *as = as_fork(m->as, NULL, 0);
    if (!as) { return NULL; }
    struct model *child = malloc(sizeof(*child));
    *child = *m;
    child->as = as;
    return child;
}

struct model *model_step(struct model *m) {
    struct model *child = NULL;
    u64 page = pick(MODEL_PAGES + MODEL_HEAP), what = pick(100);
    as_switch(m->as);
    fail_allocation(pick(8) ? 0 : 1 + pick(6));
    if (what < 40) {
        step_write(m, page);
    } else if (what < 70) {
        step_read(m, page);
    } else if (what < 85) {
        step_map(m, page % MODEL_PAGES, what < 80);
    } else if (what < 91) {
        step_brk(m);
    } else {
        child = step_fork(m);
    }
    fail_allocation(0);
    return child;
}

void model_expect(struct model *m) {
    as_switch(m->as);
    for (u64 i = 0; i < MODEL_PAGES + MODEL_HEAP; i++) {
        u64 value = 0;
        int error = user_load(va_of(i) + i * 8, &value);
        EXPECT(error == (exists(m, i) ? 0 : -EFAULT) && value == (exists(m, i) ? m->value[i] : 0));
    }
}
