# SPDX-License-Identifier: MIT
"""edges.py - litmus tests of what stands at the kernel's edges: harts that come, stand still and stop, who has to
move, the last end of a pipe, the tables of stacks, a device's rings, and the tools' own locks.

A bell is a store that its hart waits for: a release for ipi_send's fence, an acquire for ipi_clear's.
"""
from steps import Test, at, lock, mutex_lock_free, mutex_unlock, put, unlock
from weak import add, cas, fence, load, read, store, swap, write

# ---- harts ----

def harts_up():
    def comer(cell):
        yield write(cell, "set up")
        yield at(add("online", 1), "hart_online: atomic_add_release(&online, 1u)")

    def boot():
        yield at(load("online", want=(3,)), "start_others: atomic_load_acquire(&online) != nharts")
        yield read("first")
        yield read("second")
    return Test("boot: who has come up is set up", [boot, lambda: comer("first"), lambda: comer("second")],
                {"online": 1}, {"first": 0, "second": 0}, None)


def standstill():
    def hart():
        for _ in range(2):
            yield swap("bell", 0, "acquire", want=(1,))
            if not (yield at(load("asked"), "quiesce_asked: atomic_load_relaxed(&asked)")):
                return "not asked"
            yield write("frame", 1)
            yield at(add("standing", 1), "quiesce_stand: atomic_add_release(&standing, 1u)")
            yield at(load("asked", want=(0,)), "quiesce_stand: atomic_load_acquire(&asked)")
            yield at(add("standing", -1), "quiesce_stand: atomic_sub_release(&standing, 1u)")
            yield write("frame", 2)

    def asker():
        for _ in range(2):
            yield at(store("asked", 1), "quiesce_run: atomic_store_relaxed(&asked, 1u)")
            yield at(fence("full"), "quiesce_run: atomic_fence_full()")
            yield store("bell", 1, "release")
            yield at(load("standing", want=(1,)), "quiesce_run: atomic_load_acquire(&standing) != nharts - 1")
            yield read("frame")
            yield at(store("asked", 0), "quiesce_run: atomic_store_release(&asked, 0u)")
            yield at(load("standing", want=(0,)), "quiesce_run: while (atomic_load_acquire(&standing))")
    return Test("quiesce: all that a hart did comes before the look, all that it does behind it", [hart, asker],
                {"asked": 0, "standing": 0, "bell": 0}, {"frame": 0}, None)


def stop():
    def asker():
        yield at(store("request", 1), "collect: atomic_store_release(&request, what)")
        yield at(load("stopped", want=(1,)), "collect: atomic_load_acquire(&h->stopped) != HART_STOPPED")
        yield read("pc")
        yield at(store("request", 0), "panic_show_harts: atomic_store_release(&request, NOTHING)")

    def hart():
        yield at(load("request", want=(1,)), "panic_poll: atomic_load_relaxed(&request)")
        yield write("pc", 1)
        yield at(store("stopped", 1), "panic_poll: atomic_store_release(&h->stopped, (u32)HART_STOPPED)")
        yield load("request", "acquire", want=(0,))  # relaxed, and a branch: the hart stores nothing before it
        yield write("pc", 0)
        yield at(store("stopped", 0), "panic_poll: atomic_store_release(&h->stopped, (u32)HART_RUNNING)")
    return Test("panic: what a stopped hart says is there, and stays", [asker, hart],
                {"request": 0, "stopped": 0}, {"pc": 0}, None)


def first_panic():
    def hart():
        return (yield at(cas("panicking", 0, 1), "enter: atomic_cas32_acq_rel(&panicking, 0, self)")) == 0
    return Test("panic: one speaks", [hart] * 3, {"panicking": 0}, {}, lambda outcome: sum(outcome) != 1)


def affinity():
    def caller():
        yield at(store("mask", "new"), "set_affinity: write_once(t->affinity, *(u64 *)harts)")
        yield at(swap("work", 1), "set_affinity: atomic_or_release(&t->work, WORK_RESCHED)")

    def thread():
        work = yield at(swap("work", 0), "sched_user_work: atomic_swap_acquire(&t->work, 0u)")
        return work, (yield at(load("mask"), "sched_obey_affinity: read_once(t->affinity)"))
    return Test("affinity: who takes the work bit sees the mask", [caller, thread], {"mask": "old", "work": 0}, {},
                lambda outcome: outcome[1] == (1, "old"))


# ---- memory ----

def last_end():
    def end():
        yield from mutex_lock_free("m")
        yield from mutex_unlock("m")
        yield read("pipe")  # mutex_unlock may have somebody to wake, when others can have the mutex
        yield from put("ends", "pipe")
    return Test("pipe_close: both ends have left it before it is freed", [end] * 2, {"m": 0, "ends": 2}, {"pipe": 0},
                None)


def unless_free_locked():
    def allocator():
        yield write("page", "record")
        yield at(store("ref", 1), "own: atomic_store_release(&r->ref, 1u)")

    def finder():  # REFS=freelock, biglock: own() takes no lock
        yield from lock("refs")
        if (yield at(load("ref"), "frame_get_unless_free: atomic_load_acquire(&r->ref)")):
            yield store("ref", 2)
        yield from unlock("refs")
        if (yield load("ref")) == 2:
            yield read("page")
    return Test("get unless free, locked: the record is there", [allocator, finder], {"ref": 0, "refs": 0},
                {"page": 0}, None)


def stack_table():
    def maker():
        yield write("table", "zeros")
        yield at(store("entry", 1), "kvm_stack_entry: atomic_store_release(e, pte_make(frame_pa(f), PTE_V))")

    def walker():  # an acquire, as in `publication`
        if (yield load("entry", "acquire")):
            yield read("table")
    return Test("stacks: a table is zeroed before it is pointed at", [maker, walker], {"entry": 0}, {"table": 0}, None)


def kernel_half():
    def initiator():
        yield store("entry", 0)
        yield at(fence("full"), "tlb_shootdown_kernel: atomic_fence_full()")
        yield at(swap("bits", 1), "shoot: atomic_or_release(&harts[i]->tlb_requests, 1ul << self->index)")

    def target():
        yield at(swap("bits", 0, want=(1,)), "tlb_serve: atomic_swap_acquire(&self->tlb_requests, 0ul)")
        return (yield load("entry"))
    return Test("tlb_shootdown_kernel: who has fenced walks to the new entry", [initiator, target],
                {"entry": 1, "bits": 0}, {}, lambda outcome: outcome[1])


# ---- a device: what it does is the specification's (VIRTIO 1.1, 2.6.13) ----

def virtqueue():
    def driver():
        for n in (1, 2):
            yield write("request", n)
            yield at(store("avail", n), "virtio_submit: atomic_store_release(&v->avail->index, (u32)v->put << 16)")
            yield at(load("used", want=(n,)), "virtio_take: atomic_load_acquire(&v->used->index)")
            yield read("answer")

    def device():
        for n in (1, 2):
            yield load("avail", "acquire", want=(n,))
            yield read("request")
            yield write("answer", n)
            yield store("used", n, "release")
    return Test("virtio: a request is there before the ring says so, and so is its answer", [driver, device],
                {"avail": 0, "used": 0}, {"request": 0, "answer": 0}, None)


# ---- the tools' locks: a swap that waits, and a store ----

RAW_LOCKS = [
    ("graph_lock: atomic_swap_acquire(&word, 1u)", "lockdep_order: atomic_store_release(&word, 0u)"),
    ("graph_lock: atomic_swap_acquire(&word, 1u)", "lockdep_use: atomic_store_release(&word, 0u)"),
    ("ghost_enter: atomic_swap_acquire(&word, 1u)", "ghost_leave: atomic_store_release(&word, 0u)"),
    ("raw_lock: atomic_swap_acquire(lock, 1u)", "raw_unlock: atomic_store_release(lock, 0u)"),
    ("claim: atomic_swap_acquire(&claimed, 1u)", "kasan_explain: atomic_store_release(&claimed, 0u)"),
    ("race_raw_lock: atomic_swap_acquire(lock, 1u)", "race_word_unlock: atomic_store_release(&s->lock, 0u)"),
    ("race_raw_lock: atomic_swap_acquire(lock, 1u)", "unlock: atomic_store_release(&s->lock, 0u)"),
    ("race_raw_lock: atomic_swap_acquire(lock, 1u)", "number: atomic_store_release(&number_lock, 0u)"),
    ("race_raw_lock: atomic_swap_acquire(lock, 1u)", "race_thread_end: atomic_store_release(&number_lock, 0u)"),
    ("race_report: atomic_swap_acquire(&speaking, 1u)", "race_report: atomic_store_release(&speaking, 0u)"),
]


def raw_lock(take, leave):
    def hart():
        yield at(swap("word", 1, want=(0,)), take)
        yield write("data", (yield read("data")) + 1)
        yield at(store("word", 0), leave)
    return Test(f"{leave.split(':')[0]}: sections follow one another", [hart] * 2, {"word": 0}, {"data": 0}, None)


TESTS = [harts_up(), standstill(), stop(), first_panic(), affinity(), last_end(), unless_free_locked(),
         stack_table(), kernel_half(), virtqueue(),
         *(raw_lock(take, leave) for take, leave in RAW_LOCKS)]

SLACK = {
    ("quiesce_run: atomic_fence_full()", "acq_rel"),
    ("quiesce_stand: atomic_sub_release(&standing, 1u)", "relaxed"),
    ("quiesce_run: while (atomic_load_acquire(&standing))", "relaxed"),
    ("collect: atomic_store_release(&request, what)", "relaxed"),
    ("panic_poll: atomic_store_release(&h->stopped, (u32)HART_RUNNING)", "relaxed"),
    ("enter: atomic_cas32_acq_rel(&panicking, 0, self)", "release"),
    ("enter: atomic_cas32_acq_rel(&panicking, 0, self)", "acquire"),
    ("tlb_shootdown_kernel: atomic_fence_full()", "acq_rel"),
}
