# SPDX-License-Identifier: MIT
"""files.py - litmus tests of the page cache and of swap (kernel/mm/pagecache.c, backing.c, swap.c)."""
from steps import Test, at
from weak import add, cas, load, read, store, swap, write


def page_slot():
    def maker():
        yield write("node", "zeros")
        yield at(cas("root", 0, 1), "hang: atomic_cas64_acq_rel(at, old, (u64)n | height)")
        yield write("record", "set")
        yield at(cas("slot", 0, 1), "pagecache_fill: atomic_cas64_acq_rel(slot, 0, f)")

    def finder():  # follows what it has read: in RVWMO as good as an acquire
        if (yield load("root", "acquire")):
            yield read("node")
            if (yield load("slot", "acquire")):
                yield read("record")
    return Test("page cache: a node is zeros, and a page has its record, before they are found", [maker, finder],
                {"root": 0, "slot": 0}, {"node": 0, "record": 0}, None)


def page_valid():
    def filler():
        yield write("page", "filled")
        yield at(store("valid", 1), "make_valid: atomic_store_release(&r->valid, 1u)")

    def user():
        if (yield at(load("valid"), "backing_page: atomic_load_acquire(&frame_record(f)->valid)")):
            yield read("page")
    return Test("page cache: a page is filled before it is mapped", [filler, user], {"valid": 0}, {"page": 0}, None)


def swap_device():
    def comer():
        yield write("counts", "there")
        yield at(store("device", 1), "swap_on: atomic_store_release(&swap.device, d)")

    def user():
        if (yield at(load("device"), "swap_is_on: atomic_load_acquire(&swap.device)")):
            yield read("counts")
    return Test("swap: the counts are there before the device is", [comer, user], {"device": 0}, {"counts": 0}, None)


def swap_slot():
    def reader():
        yield read("slot")
        yield at(add("count", -1), "swap_put: atomic_sub_release(&slot_at(number_of(swapped))->count, 1u)")

    def writer():
        if (yield at(cas("count", 0, 1), "take: atomic_cas32_acquire(&s->count, 0, 1)")) == 0:
            yield write("slot", "another page")
    return Test("swap: a slot has been read before it is written again", [reader, writer], {"count": 1}, {"slot": 0},
                None)


def mutex_tried():
    def holder():
        yield write("map", "changed")
        yield at(swap("state", 0), "mutex_unlock: atomic_swap_release(&m->state, 0u)")

    def reclaimer():
        if (yield at(cas("state", 0, 1), "mutex_try: atomic_cas32_acquire(&m->state, 0, 1)")) == 0:
            yield read("map")
    return Test("mutex: who tries and gets it sees the section before", [holder, reclaimer], {"state": 1}, {"map": 0},
                None)


TESTS = [page_slot(), page_valid(), swap_device(), swap_slot(), mutex_tried()]

# (operation, weaker order): who loses looks again, by a load that it follows.
SLACK = {
    ("hang: atomic_cas64_acq_rel(at, old, (u64)n | height)", "release"),
    ("pagecache_fill: atomic_cas64_acq_rel(slot, 0, f)", "release"),
}
