# SPDX-License-Identifier: MIT
"""steps.py - what the kernel's litmus tests (protocols.py) are made of: single operations, each with
the line of the C that it stands for, and the locks, wait queues and parking that all else stands on.

at(op, "function: text"): the order of the operation is taken from the name in the text, and mapping.py
looks the text up in the function. So the tests hold for the orders that the kernel has.
"""
from collections import namedtuple

from mapping import ORDER
from weak import add, cas, fence, load, read, store, swap, write

READY_OR_RUNNING = ("ready", "running")

# bad(outcome): is this outcome (a tuple of the threads' results) wrong? A race or a thread that is
# stuck always is.
Test = namedtuple("Test", "name threads words cells bad")


def at(op, where):
    order = ORDER.search(where.split(":", 1)[1])
    return op._replace(order=order.group(1) if order else "relaxed", tag=where)


# ---- locks, wait queues, parking ----

def lock(word):
    yield at(swap(word, 1, want=(0,)), "spin_lock: atomic_swap_acquire(&l->word, 1u)")


def unlock(word):
    yield at(store(word, 0), "spin_unlock: atomic_store_release(&l->word, 0u)")


def mutex_lock_free(word):
    yield at(cas(word, 0, 1)._replace(want=(0,)), "mutex_lock: atomic_cas32_acquire(&m->state, 0, 1)")


def mutex_unlock(word):
    return (yield at(swap(word, 0), "mutex_unlock: atomic_swap_release(&m->state, 0u)"))


def enlist():
    """waitq_add and waitq_again, of thread `t` on queue `q`."""
    yield from lock("q")
    yield write("queued", True)
    yield at(store("t", "parking"), "park_announce: atomic_store_relaxed(&thread_self()->state, THREAD_PARKING)")
    yield from unlock("q")


def park():
    """And what the hart does that has switched away from the thread (finish)."""
    if (yield at(load("t"), "park: atomic_load_relaxed(&thread_self()->state)")) == "parking":
        old = yield at(cas("t", "parking", "parked"),
                       "finish: atomic_cas32_acq_rel(&prev->state, THREAD_PARKING, THREAD_PARKED)")
        if old == "parking":
            yield load("t", want=READY_OR_RUNNING)


def unpark():
    while True:
        s = yield at(load("t"), "unpark: atomic_load_acquire(&t->state)")
        if s == "parked":
            old = yield at(cas("t", s, "ready"),
                           "unpark: atomic_cas32_acq_rel(&t->state, THREAD_PARKED, THREAD_READY)")
            if old == s:
                return True
        elif s != "parking" or s == (yield at(cas("t", s, "running"),
                "unpark: atomic_cas32_acq_rel(&t->state, THREAD_PARKING, THREAD_RUNNING)")):
            return False


def wake_one():
    yield from lock("q")
    if (yield read("queued")):
        yield write("queued", False)
        yield from unpark()
    yield from unlock("q")


def put(word, cell):
    """refcount_put, and for the last one the object's next use."""
    if (yield at(add(word, -1), "refcount_put: atomic_sub_release(refs, 1u)")) == 1:
        yield at(fence("acquire"), "refcount_put: atomic_fence_acquire_of(refs)")
        yield write(cell, "recycled")


def drop(word="ref", cell="page"):
    """frame_put, and for the last one the frame's next use."""
    if (yield at(add(word, -1), "frame_put: atomic_sub_release(&frame_record(f)->ref, 1u)")) == 1:
        yield at(fence("acquire"), "frame_put: atomic_fence_acquire_of(&frame_record(f)->ref)")
        yield write(cell, "recycled")
