# SPDX-License-Identifier: MIT
"""protocols.py - the kernel's own uses of atomics, as litmus tests for weak.py (parts: steps.py; the
free lists': freelists.py; what stands at the edges: edges.py; the page cache's: files.py).

Every test must hold with the orders that the C has. Then every order is weakened by one step: a test
must go wrong, or SLACK (and docs/memory-model.md) must say why it is stronger than it has to be.
"""
import edges
import files
import freelists
from steps import (Test, at, drop, enlist, lock, mutex_lock_free, mutex_unlock, park, put, unlock, unpark,
                   wake_one)
from weak import add, cas, fence, load, read, store, swap, write

# ---- frames ----

def last_put():
    def sharer():
        yield read("page")
        yield from drop()
    return Test("put: uses of a frame end before it is recycled", [sharer] * 3, {"ref": 3}, {"page": 0}, None)


def sole_owner():
    def leaver():
        yield read("page")
        yield from drop()

    def writer():
        if (yield at(load("ref"), "frame_sole: atomic_load_acquire(&frame_record(f)->ref) == 1")) == 1:
            yield write("page", 1)
    return Test("sole owner: the sharers' last reads come before its write", [leaver, leaver, writer],
                {"ref": 3}, {"page": 0}, None)


def last_close():
    def holder():
        yield read("file")
        yield from put("refs", "file")
    return Test("close: uses of a file end before it is recycled", [holder] * 3, {"refs": 3}, {"file": 0}, None)


def last_of_table():
    """One leaves what it has closed; who finds itself alone changes the table without a lock."""
    def leaver():
        yield write("table", "closed")
        yield from put("users", "table")

    def stayer():
        if (yield at(load("users"), "fd_table_shared: atomic_load_acquire(&t->users) != 1")) == 1:
            yield write("table", "mine")
        yield from put("users", "table")
    return Test("fd table: what the others did comes before one is alone", [leaver, stayer], {"users": 2}, {"table": 0},
                None)


def last_of_cwd():
    def user():
        yield read("cwd")
        yield from put("users", "cwd")
    return Test("cwd: uses of a directory's record end before it is freed", [user] * 2, {"users": 2}, {"cwd": 0}, None)


def vfork():
    def child():
        yield write("memory", "the child's")
        yield at(store("done", 1), "vfork_done: atomic_store_release(&v->done, 1u)")
        yield from put("users", "record")

    def parent():
        yield read("record")
        if (yield at(load("done"), "vfork_wait: atomic_load_acquire(&v->done)")):
            yield read("memory")
        yield from put("users", "record")
    return Test("vfork: the child's stores are there, and the second frees the record", [child, parent],
                {"done": 0, "users": 2}, {"memory": 0, "record": 0}, None)


def unless_free():
    def allocator():
        yield write("page", "record")
        yield at(store("ref", 1), "own: atomic_store_release(&r->ref, 1u)")
        yield from drop()

    def finder():
        old = yield at(load("ref"), "frame_get_unless_free: atomic_load_relaxed(ref)")
        if old and old == (yield at(cas("ref", old, old + 1),
                                    "frame_get_unless_free: atomic_cas32_acquire(ref, old, old + 1)")):
            yield read("page")
            yield from drop()
    return Test("get unless free: the record is there", [allocator, finder], {"ref": 0}, {"page": 0}, None)


def fork_get():
    def forker():
        yield from mutex_lock_free("as")
        yield at(add("ref", 1), "frame_get: atomic_add_relaxed(&frame_record(f)->ref, 1u)")
        yield from mutex_unlock("as")
        yield from lock("runq")
        yield write("child", True)
        yield from unlock("runq")

    def sibling():
        yield from mutex_lock_free("as")
        if (yield at(load("ref"), "frame_sole: atomic_load_acquire(&frame_record(f)->ref) == 1")) == 1:
            yield write("page", 1)
        yield from mutex_unlock("as")

    def child():
        yield from lock("runq")
        if (yield read("child")):
            yield read("page")
        yield from unlock("runq")
    return Test("fork: a thread of the parent sees the count that the child relies on",
                [forker, sibling, child], {"ref": 1, "as": 0, "runq": 0}, {"page": 0, "child": False}, None)


# ---- locks ----

def spinlock():
    def section():
        n = yield read("n")
        yield write("n", n + 1)
        yield from unlock("q")

    def hart():
        if (yield at(swap("q", 1), "spin_lock: atomic_swap_acquire(&l->word, 1u)")):
            yield at(swap("q", 1, want=(0,)), "spin_wait: atomic_swap_acquire(&l->word, 1u)")
        yield from section()

    def thief():
        if not (yield at(load("q"), "spin_try_lock: atomic_load_relaxed(&l->word)")):
            if not (yield at(swap("q", 1), "spin_try_lock: atomic_swap_acquire(&l->word, 1u)")):
                yield from section()
    return Test("spin: sections follow one another", [hart, hart, thief], {"q": 0}, {"n": 0}, None)


def mutex():
    def holder():
        yield write("data", 1)
        if (yield from mutex_unlock("m")) == 2:
            yield from wake_one()

    def comer():
        if (yield at(cas("m", 0, 1), "mutex_lock: atomic_cas32_acquire(&m->state, 0, 1)")):
            yield from enlist()
            while (yield at(swap("m", 2), "mutex_wait: atomic_swap_acquire(&m->state, 2u)")):
                yield from park()
                yield from enlist()
        yield read("data")
    return Test("mutex: a sleeper is woken and sees the section before", [holder, comer],
                {"m": 1, "q": 0, "t": "running"}, {"data": 0, "queued": False}, None)


# ---- sleeping ----

def wait_queue():
    def sleeper():
        yield from enlist()
        while not (yield load("condition")):
            yield from park()
            yield from enlist()

    def waker():
        yield store("condition", 1)
        yield from wake_one()
    return Test("wait queue: no wake-up is lost", [sleeper, waker],
                {"condition": 0, "q": 0, "t": "running"}, {"queued": False}, None)


def kill():
    def sleeper():
        yield from enlist()
        while True:
            yield at(fence("full"), "park_killed: atomic_fence_full()")
            if (yield at(load("killed"), "park_killed: read_once(thread_self()->killed)")):
                return
            yield from park()
            yield from enlist()

    def killer():
        yield at(store("killed", 1), "thread_kill: write_once(t->killed, true)")
        yield at(fence("full"), "thread_kill: atomic_fence_full()")
        yield from unpark()
    return Test("kill: nobody sleeps through it", [sleeper, killer],
                {"killed": 0, "q": 0, "t": "running"}, {"queued": False}, None)


def context():
    def leaver():
        yield write("context", "saved")
        old = yield at(cas("t", "parking", "parked"),
                       "finish: atomic_cas32_acq_rel(&prev->state, THREAD_PARKING, THREAD_PARKED)")
        if old != "parking":
            yield from make_ready()

    def make_ready():
        yield from lock("runq")
        yield write("queue", True)
        yield from unlock("runq")

    def waker():
        if (yield from unpark()):
            yield from make_ready()

    def runner():
        yield from lock("runq")
        ready = yield read("queue")
        yield from unlock("runq")
        if ready:
            yield write("context", "in use")
    return Test("switch: a thread runs on only after it was saved", [leaver, waker, runner],
                {"t": "parking", "runq": 0}, {"context": 0, "queue": False}, None)


def idle():
    def sleeper():
        yield at(store("idle_now", 1), "runq_wait: atomic_store_relaxed(&h->idle_now, 1u)")
        yield at(fence("full"), "runq_wait: atomic_fence_full()")
        if not (yield at(load("length"), "runq_wait: read_once(h->runq->length)")):
            yield load("bell", want=(1,))

    def waker():
        yield at(store("length", 1), "enqueue: write_once(q->length, q->length + 1)")
        yield at(fence("full"), "kick_if_idle: atomic_fence_full()")
        if (yield at(load("idle_now"), "kick_if_idle: atomic_load_relaxed(&h->idle_now)")):
            yield store("bell", 1, "release")
    return Test("idle: a hart does not sleep on work", [sleeper, waker],
                {"idle_now": 0, "length": 0, "bell": 0}, {}, None)


# ---- translations ----

def mailbox():
    def initiator():
        for _ in range(2):
            yield write("request", "address")
            yield at(store("pending", 1), "shoot: atomic_store_relaxed(&self->shoot_pending, bits_count(targets))")
            yield at(swap("bits", 1), "shoot: atomic_or_release(&harts[i]->tlb_requests, 1ul << self->index)")
            yield at(load("pending", want=(0,)), "shoot: atomic_load_acquire(&self->shoot_pending)")

    def target():
        for _ in range(2):
            yield at(swap("bits", 0, want=(1,)), "tlb_serve: atomic_swap_acquire(&self->tlb_requests, 0ul)")
            yield read("request")
            yield at(add("pending", -1), "tlb_serve: atomic_sub_release(&harts[i]->shoot_pending, 1u)")
    return Test("shootdown: request and acknowledgement", [initiator, target], {"pending": 0, "bits": 0},
                {"request": 0}, None)


def come(word):
    """Into a space (as_switch), and then a look at what may just have changed there."""
    yield at(swap("mask", 1), "enter: atomic_or_relaxed(&as->harts, 1ul << h->index)")
    yield at(fence("full"), "enter: atomic_fence_full()")
    return (yield load(word))


def leave(last):
    """A space (as_switch), after a last access."""
    yield last
    yield at(swap("mask", 0), "as_switch: atomic_and_release(&old->harts, ~(1ul << h->index))")


def hart_mask():
    def shooter():
        yield at(swap("entry", 0), "break_shared: atomic_swap_relaxed(e, 0ul)")
        yield at(fence("full"), "tlb_shootdown: atomic_fence_full()")
        return (yield at(load("mask"), "tlb_shootdown: atomic_load_acquire(&as->harts)"))
    return Test("hart mask: who may hold the old entry is shot at", [lambda: come("entry"), shooter],
                {"mask": 0, "entry": 1}, {}, lambda outcome: outcome == (1, 0))


def change_entry():
    """And the generation, and then a look at who is to be asked (tlb_shootdown)."""
    yield at(swap("entry", 0), "break_shared: atomic_swap_relaxed(e, 0ul)")
    yield at(add("generation", 1), "tlb_shootdown: atomic_add_release(&as->generation, 1ul)")
    yield at(fence("full"), "tlb_shootdown: atomic_fence_full()")
    return (yield at(load("mask"), "tlb_shootdown: atomic_load_acquire(&as->harts)"))


def come_back():
    """Into a space whose ASID has generation 0 here, and holds the old entry."""
    yield at(swap("mask", 1), "enter: atomic_or_relaxed(&as->harts, 1ul << h->index)")
    yield at(fence("full"), "enter: atomic_fence_full()")
    return (yield at(load("generation"), "enter: atomic_load_acquire(&as->generation)"))


def generation():
    return Test("generation: who comes back sees it, or is shot at", [lambda: come_back(), change_entry],
                {"mask": 0, "generation": 0, "entry": 1}, {}, lambda outcome: outcome == (0, 0))


def generation_kept():
    """Who sees it walks anew, and knows no old entry under the new generation when it leaves again."""
    def visitor():
        seen = yield from come_back()
        entry = yield load("entry")
        yield at(swap("mask", 0), "as_switch: atomic_and_release(&old->harts, ~(1ul << h->index))")
        return seen, entry
    return Test("generation: who sees it walks to the new entry, or is shot at", [visitor, change_entry],
                {"mask": 0, "generation": 0, "entry": 1}, {}, lambda outcome: outcome == ((1, 1), 0))


def leave_space():
    def destroyer():
        yield at(load("mask", want=(0,)), "as_destroy: atomic_load_acquire(&as->harts) == 0")
        yield write("table", "recycled")
    return Test("as_destroy: the last walk comes before the tables' next use",
                [lambda: leave(read("table")), destroyer], {"mask": 1}, {"table": 0}, None)


def skip_leaver():
    def shooter():
        yield at(load("mask", want=(0,)), "tlb_shootdown: atomic_load_acquire(&as->harts)")
        yield read("page")
    return Test("tlb_shootdown: who is skipped has done its last store",
                [lambda: leave(write("page", "last store")), shooter], {"mask": 1}, {"page": 0}, None)


def publication():
    def builder():
        yield write("table", "zeros")
        yield at(store("branch", 1), "new_table: atomic_store_release(e, pt_owned(lower))")
        yield write("entries", "copied")
        yield at(store("branch", 2), "privatise: atomic_store_release(e, pt_owned(copy))")
        yield write("below", "shared and taken back")
        yield at(store("branch", 3), "pt_own: atomic_store_release(e, pt_owned(lower))")
        yield write("page", "filled")
        yield at(store("leaf", 1), "pt_set: atomic_store_release(e, leaf)")
        yield write("copy", "filled")
        yield at(store("leaf", 2), "break_shared: atomic_store_release(e, pte_make(frame_pa(copy)")
        yield write("run", "filled")
        yield at(store("leaf", 3), "break_run: atomic_store_release(r->entries[i], new)")
        yield write("back", "filled")
        yield at(store("leaf", 4), "populate: atomic_store_release(e, leaf)")

    def walker():  # each step follows a pointer that it has just read: in RVWMO as good as an acquire
        branch = yield load("branch", "acquire")
        if branch:
            yield read({1: "table", 2: "entries", 3: "below"}[branch])
            leaf = yield load("leaf", "acquire")
            if leaf:
                yield read({1: "page", 2: "copy", 3: "run", 4: "back"}[leaf])
    return Test("tables: filled before they are pointed at", [builder, walker], {"branch": 0, "leaf": 0},
                {"table": 0, "entries": 0, "below": 0, "page": 0, "copy": 0, "run": 0, "back": 0}, None)


def map_version():
    def changer():
        yield write("node", "built")
        yield store("busy", 1)
        yield at(store("map", 1), "publish: atomic_store_release(&as->map, new)")

    def fault():
        if (yield at(load("map"), "region_look: atomic_load_acquire(&as->map)")):
            yield read("node")
            return (yield load("busy"))
    return Test("regions: a version of the map is built, and its pages busy, before it is looked at", [changer, fault],
                {"map": 0, "busy": 0}, {"node": 0}, lambda outcome: outcome[1] == 0)


def map_comer():
    """Who comes into a space sees the new version, or is seen by who would free the old one."""
    def changer():
        yield at(store("map", 1), "publish: atomic_store_release(&as->map, new)")
        yield at(fence("full"), "tlb_others: atomic_fence_full()")
        return (yield at(load("mask"), "tlb_others: atomic_load_acquire(&as->harts)"))
    return Test("regions: who may look at the old version is asked", [lambda: come("map"), changer],
                {"mask": 0, "map": 0}, {}, lambda outcome: outcome == (0, 0))


def map_leaver():
    def changer():
        if not (yield at(load("mask"), "tlb_others: atomic_load_acquire(&as->harts)")):
            yield write("node", "recycled")
    return Test("regions: who has left has looked before the old version is freed",
                [lambda: leave(read("node")), changer], {"mask": 1}, {"node": 0}, None)


def word_lock():
    def section():
        yield write("entry", 1)

    def holder():
        yield from section()
        if (yield at(swap("w", 0), "wordlock_unlock: atomic_swap_release(&l->word, 0u)")) == 2:
            yield from wake_one()

    def comer():
        if (yield at(cas("w", 1, 2), "wordlock_wait: atomic_cas32_relaxed(&l->word, 1, 2)")) == 1:
            yield from enlist()
            if (yield at(load("w"), "parking_sleep: atomic_load_relaxed(word)")) == 2:
                yield from park()
        yield at(cas("w", 0, 1)._replace(want=(0,)), "wordlock_try: atomic_cas32_acquire(&l->word, 0, 1)")
        yield read("entry")
    return Test("word lock: a sleeper is woken and sees the section before", [holder, comer],
                {"w": 1, "q": 0, "t": "running"}, {"entry": 0, "queued": False}, None)


TESTS = [last_put(), last_close(), last_of_table(), last_of_cwd(), vfork(), sole_owner(), unless_free(), fork_get(),
         spinlock(), mutex(), word_lock(), wait_queue(), kill(), context(), idle(), mailbox(), hart_mask(),
         generation(), generation_kept(), leave_space(), skip_leaver(), publication(), map_version(), map_comer(),
         map_leaver(), *edges.TESTS, *files.TESTS,
         *(freelists.handover(g, t) for g in freelists.GIVERS for t in freelists.TAKERS),
         freelists.scan_refill(), freelists.scan_spill(), freelists.scan_give()]

# Known to be possible, and written down (mm/freelist_hart.c, docs/models.md).
LIMITS = [freelists.give_then_take()]

# (operation, weaker order): stronger than any test needs. docs/memory-model.md says why.
SLACK = {
    ("finish: atomic_cas32_acq_rel(&prev->state, THREAD_PARKING, THREAD_PARKED)", "release"),
    ("unpark: atomic_load_acquire(&t->state)", "relaxed"),
    ("unpark: atomic_cas32_acq_rel(&t->state, THREAD_PARKED, THREAD_READY)", "release"),
    ("unpark: atomic_cas32_acq_rel(&t->state, THREAD_PARKED, THREAD_READY)", "acquire"),
    ("unpark: atomic_cas32_acq_rel(&t->state, THREAD_PARKING, THREAD_RUNNING)", "release"),
    ("unpark: atomic_cas32_acq_rel(&t->state, THREAD_PARKING, THREAD_RUNNING)", "acquire"),
    ("take_slow: atomic_fence_full()", "acq_rel"),
    *edges.SLACK,
    *files.SLACK,
}
