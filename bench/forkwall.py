# SPDX-License-Identifier: MIT
"""forkwall.py - the time of fork, exit and wait with a large heap, as a multiple of that with a small one.

One boot measures them in turns, some hundredths of a second each: small, large, large, small, for what the emulator
pays for a fork drifts (its own TLB grows and shrinks with what was touched), and so both meet as much of the drift. The
median of these rounds is what the heap is worth. (Its exact twin: instructions, figures.py.)
"""

import statistics


def ratios(found, sizes):
    """Of each round: the large heap's time over the small one's."""
    small, large = sizes
    return [(b.time + c.time) / (a.time + d.time) for a, b, c, d in zip(*(found[i:] for i in range(4)))
            if [p.size_mib for p in (a, b, c, d)] == [small, large, large, small]]


def missed(found, wanted):
    rounds = ratios(found, wanted["sizes_mib"])
    return not rounds or statistics.median(rounds) > wanted["target"]


def text(found, wanted):
    small, large = wanted["sizes_mib"]
    head = f"fork + exit + wait, wall time with {large} MiB over that with {small} MiB: "
    rounds = sorted(ratios(found, wanted["sizes_mib"]))
    if not rounds:
        return head + "not measured"
    low, high = rounds[len(rounds) // 4], rounds[len(rounds) * 3 // 4]
    return (f"{head}median {statistics.median(rounds):.2f} of {len(rounds)} rounds "
            f"(target at most {wanted['target']}), half of them from {low:.2f} to {high:.2f}")
