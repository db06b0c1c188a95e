# SPDX-License-Identifier: MIT
"""classics.py - the explorer's calibration: litmus tests whose answers are known.

Each row: name, threads, words, the outcome in question, is it allowed? Answers: C11/RC11 as in the
papers that weak.py names; LB is the one where RVWMO is weaker than this explorer (see there).
"""
from weak import cas, fence, load, store, swap, update


def reads(*ops):
    """A thread that does these and returns what its loads and updates have read."""
    def run():
        seen = []
        for op in ops:
            value = yield op
            if op.kind in ("load", "update"):
                seen.append(value)
        return tuple(seen)
    return run


def flags(order_write, order_read, between_write=(), between_read=()):
    return [reads(store("x", 1), *between_write, store("y", 1, order_write)),
            reads(load("y", order_read), *between_read, load("x"))]


def buffers(*between):
    return [reads(store("x", 1, "release"), *between, load("y", "acquire")),
            reads(store("y", 1, "release"), *between, load("x", "acquire"))]


def independent(*between):
    return [reads(store("x", 1, "release")), reads(store("y", 1, "release")),
            reads(load("x", "acquire"), *between, load("y", "acquire")),
            reads(load("y", "acquire"), *between, load("x", "acquire"))]


def both_written(order, *between):
    last = [reads(load("x", want=(1, 2)), load("x")), reads(load("y", want=(1, 2)), load("y"))]
    return [reads(store("x", 1), *between, store("y", 2, order)),
            reads(store("y", 1), *between, store("x", 2, order))] + last


def causality(order_write, order_read):
    return [reads(store("x", 1)),
            reads(load("x", order_read, want=(1,)), store("y", 1, order_write)),
            reads(load("y", order_read, want=(1,)), load("x"))]


def sequence(middle):
    return [reads(store("x", 1), store("y", 1, "release"), *([] if middle.kind == "update" else [middle])),
            reads(*([middle] if middle.kind == "update" else [])),
            reads(load("y", "acquire", want=(2,)), load("x"))]


FULL = fence("full")
XY = {"x": 0, "y": 0}
ONE_TO_TWO = update("y", lambda v: 2 if v == 1 else None)
STALE = ((), (1, 0))
NONE_SEEN = ((0,), (0,))

CLASSICS = [
    ("MP, relaxed", flags("relaxed", "relaxed"), XY, STALE, True),
    ("MP, release and acquire", flags("release", "acquire"), XY, STALE, False),
    ("MP, release only", flags("release", "relaxed"), XY, STALE, True),
    ("MP, acquire only", flags("relaxed", "acquire"), XY, STALE, True),
    ("MP, release and acquire fences",
     flags("relaxed", "relaxed", [fence("release")], [fence("acquire")]), XY, STALE, False),
    ("MP, the fences the wrong way round",
     flags("relaxed", "relaxed", [fence("acquire")], [fence("release")]), XY, STALE, True),
    ("SB, release and acquire", buffers(), XY, NONE_SEEN, True),
    ("SB, acq_rel fences", buffers(fence("acq_rel")), XY, NONE_SEEN, True),
    ("SB, full fences", buffers(FULL), XY, NONE_SEEN, False),
    ("SB, swaps with acq_rel",
     [reads(swap("x", 1, "acq_rel"), load("y")), reads(swap("y", 1, "acq_rel"), load("x"))], XY,
     ((0, 0), (0, 0)), True),
    ("LB, relaxed (RVWMO allows it: not covered)",
     [reads(load("x"), store("y", 1)), reads(load("y"), store("x", 1))], XY, ((1,), (1,)), False),
    ("CoRR", [reads(store("x", 1)), reads(store("x", 2)), reads(load("x"), load("x")),
              reads(load("x"), load("x"))], {"x": 0}, ((), (), (1, 2), (2, 1)), False),
    ("CoWW", [reads(store("x", 1), store("x", 2)), reads(load("x"), load("x"))], {"x": 0},
     ((), (2, 1)), False),
    ("IRIW, release and acquire", independent(), XY, ((), (), (1, 0), (1, 0)), True),
    ("IRIW, full fences", independent(FULL), XY, ((), (), (1, 0), (1, 0)), False),
    ("2+2W, relaxed", both_written("relaxed"), XY, ((), (), (2, 1), (2, 1)), True),
    ("2+2W, release", both_written("release"), XY, ((), (), (2, 1), (2, 1)), True),
    ("2+2W, full fences", both_written("relaxed", FULL), XY, ((), (), (2, 1), (2, 1)), False),
    ("WRC, relaxed", causality("relaxed", "relaxed"), XY, ((), (1,), (1, 0)), True),
    ("WRC, release and acquire", causality("release", "acquire"), XY, ((), (1,), (1, 0)), False),
    ("release sequence through another's relaxed swap", sequence(ONE_TO_TWO), XY,
     ((), (1,), (2, 0)), False),
    ("release sequence ends at an own relaxed store (C++20)", sequence(store("y", 2)), XY,
     ((), (), (2, 0)), True),
    ("two updates of one word see each other",
     [reads(cas("x", 0, 1)), reads(cas("x", 0, 1))], {"x": 0}, ((0,), (0,)), False),
    ("MP by CAS, release",
     [reads(store("x", 1), cas("y", 0, 1, "release")), reads(load("y", "acquire"), load("x"))], XY,
     ((0,), (1, 0)), False),
    ("MP by CAS, release as GCC 12 emits it: bare lr and sc",
     [reads(store("x", 1), cas("y", 0, 1, "relaxed")), reads(load("y", "acquire"), load("x"))], XY,
     ((0,), (1, 0)), True),
]
