# SPDX-License-Identifier: MIT
"""freelists.py - litmus tests of mm/freelist_hart.c: the frame's record goes with the frame, and a scan
that finds nothing is right about it (freelist.pml: the same with all interleavings, and no weak order).
"""
from steps import Test, at, lock, unlock
from weak import fence, load, store, swap, write

GIVERS = ["slots_give: atomic_store_release(&slot[*top], f)",
          "unload: atomic_store_release(&l->slot[l->top++], f)"]
TAKERS = ["slots_take: atomic_swap_acquire(&slot[--i], FRAME_NONE)",
          "rob_magazines: atomic_swap_acquire(&slot[i], FRAME_NONE)",
          "spill: atomic_swap_acquire(&l->slot[--l->top], FRAME_NONE)"]


def handover(giver, taker):
    def give():
        yield write("record", "freed")
        yield at(store("slot", 1), giver)

    def take():
        if (yield at(swap("slot", 0), taker)):
            yield write("record", "in use")
    return Test("slot: the record goes with the frame", [give, take], {"slot": 0}, {"record": 0}, None)


def scan():
    """take_slow, of another hart's depot and slot. 'none': no frame is free, with the epoch it saw."""
    first = yield at(load("epoch", want=(0, 2)), "epoch_sum: atomic_load_acquire(&lists[i].epoch)")
    if (yield at(load("count"), "refill: read_once(from->depot.count)")):
        return "found"
    if (yield at(load("slot"), "rob_magazines: atomic_load_relaxed(&slot[i])")):
        return "found"
    yield at(fence("full"), "take_slow: atomic_fence_full()")
    again = yield at(load("epoch", want=(0, 2)), "epoch_sum: atomic_load_acquire(&lists[i].epoch)")
    return ("none", first) if again == first else "again"


def scanned(name, words, mover, wrong):
    return Test(name, [mover, scan], {"epoch": 0, "depot": 0, "count": 0, "slot": 0, **words}, {},
                lambda outcome: outcome[1] in wrong)


def move_begin():
    yield at(store("epoch", 1), "move_begin: atomic_store_relaxed(&l->epoch, l->epoch + 1)")
    yield at(fence("release"), "move_begin: atomic_fence_release()")


def move_end():
    yield at(store("epoch", 2), "move_end: atomic_store_release(&l->epoch, l->epoch + 1)")


def scan_refill():
    def mover():
        yield from move_begin()
        yield from lock("depot")
        yield at(store("count", 0), "depot_pop: write_once(d->count, d->count - frame_record(batch)->batch_len)")
        yield from unlock("depot")
        yield at(store("slot", 1), "unload: atomic_store_release(&l->slot[l->top++], f)")
        yield from move_end()
    return scanned("scan: a batch on its way from the depot is free", {"count": 1}, mover,
                   [("none", 0), ("none", 2)])


def scan_spill():
    def mover():
        yield from move_begin()
        yield at(swap("slot", 0), "spill: atomic_swap_acquire(&l->slot[--l->top], FRAME_NONE)")
        yield from lock("depot")
        yield at(store("count", 1), "depot_push: write_once(d->count, d->count + len)")
        yield from unlock("depot")
        yield from move_end()
    return scanned("scan: a batch on its way to the depot is free", {"slot": 1}, mover,
                   [("none", 0), ("none", 2)])


def scan_give():
    def giver():
        yield at(store("slot", 1), "slots_give: atomic_store_release(&slot[*top], f)")
        yield at(store("epoch", 2), "slots_give: atomic_store_release(&l->epoch, l->epoch + 2)")
    return scanned("scan: a frame given before is found", {}, giver, [("none", 2)])


def give_then_take():
    def both():
        yield at(store("other", 1), GIVERS[0])
        yield at(store("epoch", 2), "slots_give: atomic_store_release(&l->epoch, l->epoch + 2)")
        yield at(swap("slot", 0), TAKERS[1])

    def starving():
        first = yield load("epoch", "acquire")
        empty = not (yield load("other")) and not (yield load("slot"))
        yield fence("full")
        again = yield load("epoch", "acquire")
        return "none" if empty and again == first else "found"
    return Test("limit: a give may become visible after its giver's next take", [both, starving],
                {"epoch": 0, "slot": 1, "other": 0}, {}, lambda outcome: outcome[1] == "none")
