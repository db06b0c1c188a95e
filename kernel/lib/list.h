// SPDX-License-Identifier: MIT
// list.h - doubly linked lists through the objects themselves. The caller holds what protects them.
#pragma once
#include "lib/types.h"

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(l) {&(l), &(l)}
static inline void list_init(struct list *l) { l->next = l->prev = l; }

static inline bool list_empty(const struct list *l) { return l->next == l; }

// Insert `n` before `at`: with a list's head, this is the tail.
static inline void list_add_tail(struct list *at, struct list *n) {
    n->next = at;
    n->prev = at->prev;
    at->prev->next = n;
    at->prev = n;
}

static inline void list_add(struct list *at, struct list *n) { list_add_tail(at->next, n); }

// Remove `n` and leave it pointing at itself, so that a second removal does no harm.
static inline void list_del(struct list *n) {
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_first(l, type, member) list_entry((l)->next, type, member)
#define list_each(it, l) for (struct list *it = (l)->next; it != (l); it = it->next)
