# SPDX-License-Identifier: MIT
"""scaling.py - the ratio from 1 to 2 workers, with a control.

A run measures short pairs (1 worker, then 2) of each benchmark, and between any two of them a pair of the
control, `spin`, which is user code alone: its ratio is what the host's second core was worth just then.

    ... spin 1, 2 | alloc 1, 2 | spin 1, 2 | null_syscall 1, 2 | spin ...

A pair is *steady* if the control before it and the one after it both lie within STEADY. Whether it is does
not depend on the kernel, so to keep the steady pairs only asks the kernel's question: what are two cores
worth to it, when there are two. The ratio of all pairs, printed beside it, has the host's answer in it, too.
"""

import statistics
from dataclasses import dataclass

import plan

STEADY = (1.9, 2.1)
ENOUGH = 3  # steady pairs of each benchmark, for a run to count
BOOTS = 4   # boots at most for each run that counts


@dataclass
class Pair:
    bench: str
    ratio: float
    steady: bool = False


def pairs_of(found):
    """The pairs among the points of one boot, in their order. A lost point loses its pair."""
    pairs = [Pair(one.bench, two.value / one.value) for one, two in zip(found, found[1:])
             if one.bench == two.bench and (one.workers, two.workers) == (1, 2)]
    for before, pair, after in zip(pairs, pairs[1:], pairs[2:]):
        pair.steady = all(control.bench in plan.CONTROL and STEADY[0] <= control.ratio <= STEADY[1]
                          for control in (before, after))
    return pairs


def median(pairs, bench, steady):
    """The median ratio of a benchmark's pairs, or of its steady ones; None if there is none."""
    ratios = [pair.ratio for pair in pairs if pair.bench == bench and (pair.steady or not steady)]
    return statistics.median(ratios) if ratios else None


def enough(pairs, bench):
    """Did the host give two cores often enough?"""
    return sum(pair.steady and pair.bench == bench for pair in pairs) >= ENOUGH


def benches(wanted):
    """What an entry of targets.json is about: those with a target, and those that are only shown."""
    return [*wanted["benches"], *wanted["limits"]]


def counts(pairs, wanted):
    """Enough of each, for this run to count?"""
    return all(enough(pairs, bench) for bench in benches(wanted))


def of_all(runs, bench):
    """The median ratio of every pair, steady or not, of all runs."""
    return median([pair for pairs in runs for pair in pairs], bench, steady=False)


def row(runs, bench, wanted):
    """(median over the runs that count, theirs, median over all pairs of all runs)."""
    each = [median(pairs, bench, steady=True) for pairs in runs if counts(pairs, wanted)]
    return (statistics.median(each) if each else None), [round(ratio, 2) for ratio in each], of_all(runs, bench)


def text(runs, wanted):
    """The table: `runs` is the pairs of each boot, `wanted` the entry of targets.json."""
    good = sum(counts(pairs, wanted) for pairs in runs)
    lines = [f"1 worker -> 2 workers: {good} of {len(runs)} boots count (pairs between two of "
             f"spin with a ratio of {STEADY[0]} to {STEADY[1]})"]
    for bench in benches(wanted):
        middle, each, everything = row(runs, bench, wanted)
        says = f"target {wanted['target']}" if bench in wanted["benches"] else wanted["limits"][bench]
        lines.append(f"  {bench:12s} " + (f"median {middle:.2f} ({says}) of {each}" if each else "not measured")
                     + (f"; all pairs {everything:.2f}" if everything else ""))
    for bench in plan.CONTROL:
        everything = of_all(runs, bench)
        lines.append(f"  {bench:12s} " + (f"all pairs {everything:.2f}" if everything else "not measured"))
    return "\n".join(lines)


def missed(runs, wanted):
    """Is a benchmark below its target, or not measured?"""
    return any(middle is None or middle < wanted["target"]
               for middle, _, _ in (row(runs, bench, wanted) for bench in wanted["benches"]))
