# SPDX-License-Identifier: MIT
"""scaling.py: which pairs count."""

import plan
import points
import pytest
import scaling


def pair(bench, ratio):
    """Points of 1 and of 2 workers whose rates have that ratio."""
    return [points.Point(bench, "cas", 8, workers, 100, 1, "ns", round(time))
            for workers, time in ((1, 1e6), (2, 2e6 / ratio))]


def boot(*ratios):
    """The points of (bench, ratio), ... in that order."""
    return [point for bench, ratio in ratios for point in pair(bench, ratio)]


def whole_boot(control, ratio, times=scaling.ENOUGH):
    words = [(name, value) for bench in plan.SCALING
             for name, value in (("spin", control), (bench, ratio))] * times
    return scaling.pairs_of(boot(*words, ("spin", control)))


@pytest.mark.parametrize("before, after, steady", [
    (2.0, 2.0, True), (1.91, 2.09, True), (1.8, 2.0, False), (2.0, 1.8, False), (2.3, 2.0, False)])
def test_steady_needs_the_control_on_both_sides(before, after, steady):
    pairs = scaling.pairs_of(boot(("spin", before), ("alloc", 1.5), ("spin", after)))
    assert [pair.steady for pair in pairs if pair.bench == "alloc"] == [steady]


def test_steadiness_does_not_depend_on_the_pair_itself():
    for ratio in (0.5, 1.0, 1.7, 3.0):
        pairs = scaling.pairs_of(boot(("spin", 2.0), ("alloc", ratio), ("spin", 2.0)))
        assert pairs[1].steady and pairs[1].ratio == pytest.approx(ratio, rel=1e-3)


def test_the_first_and_the_last_pair_have_no_control_beside_them():
    assert not any(pair.steady for pair in scaling.pairs_of(boot(("alloc", 2.0), ("spin", 2.0), ("alloc", 2.0))))


def test_a_lost_point_loses_its_pair_only():
    found = boot(("spin", 2.0), ("alloc", 1.5), ("spin", 2.0), ("fork_exit", 1.8), ("spin", 2.0))
    pairs = scaling.pairs_of(found[:3] + found[4:])
    assert [(pair.bench, pair.steady) for pair in pairs if pair.bench not in plan.CONTROL] == [("fork_exit", True)]


WANTED = {"target": 1.7, "benches": ["alloc"], "limits": {name: "limit" for name in plan.SCALING if name != "alloc"}}


def test_a_run_counts_with_enough_steady_pairs_of_each():
    assert scaling.counts(whole_boot(2.0, 1.8), WANTED)
    assert not scaling.counts(whole_boot(2.0, 1.8, scaling.ENOUGH - 1), WANTED)
    assert not scaling.counts(whole_boot(1.5, 1.8), WANTED) and not scaling.counts([], WANTED)
    assert not scaling.counts(whole_boot(2.0, 1.8), {**WANTED, "benches": ["thread_fault"]})


def test_the_figure():
    good, bad, noisy = whole_boot(2.0, 1.8), whole_boot(2.0, 1.6), whole_boot(1.5, 1.2)
    assert not scaling.missed([good, good, bad, noisy, noisy], WANTED)
    assert scaling.missed([good, bad, bad], WANTED)
    assert scaling.missed([noisy], WANTED) and scaling.missed([], WANTED)
    assert "alloc        median 1.80 (target 1.7) of [1.8]; all pairs 1.50" in scaling.text([good, noisy], WANTED)
    assert "2 of 3 boots" in scaling.text([good, bad, noisy], WANTED)
