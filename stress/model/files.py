# SPDX-License-Identifier: MIT
"""files.py - litmus tests of the page cache (kernel/mm/pagecache.c, backing.c)."""
from steps import Test, at
from weak import cas, load, read, store, write


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


TESTS = [page_slot(), page_valid()]

# (operation, weaker order): who loses looks again, by a load that it follows.
SLACK = {
    ("hang: atomic_cas64_acq_rel(at, old, (u64)n | height)", "release"),
    ("pagecache_fill: atomic_cas64_acq_rel(slot, 0, f)", "release"),
}
