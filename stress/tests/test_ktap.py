# SPDX-License-Identifier: MIT
"""Properties of the parser: a complete log is complete wherever its plan stands and whatever noise
lies between its lines; without one line of it, or with one twice, it is not."""
import random

import pytest

import ktap


def suite(n, plan_first, bad=()):
    results = [f"{'not ' if i in bad else ''}ok {i} - test {i}" for i in range(1, n + 1)]
    plan = [f"1..{n}"]
    return ["KTAP version 1"] + (plan + results if plan_first else results + plan)


def noise(rng):
    return rng.choice(["", "# ok 3 - no", "kine: ok 7", "\x00\ufffd", "okay 3", "not", "  ok 3 - below",
                       "1..x", "ok then", "1..3 or so", "# beat mix 4", "hart 1: idle"])


@pytest.mark.parametrize("seed", range(40))
def test_noise_changes_nothing_and_loss_shows(seed):
    rng = random.Random(seed)
    bad = set(rng.sample(range(1, 30), 3))
    suites = [suite(rng.randrange(1, 30), rng.random() < 0.5, bad) for _ in range(rng.randrange(1, 4))]
    clean = sum(suites, [])
    lines = [x for line in clean for x in [*(noise(rng) for _ in range(rng.randrange(3))), line]]
    assert ktap.parse(lines) == ktap.parse(clean)
    assert ktap.parse(clean)[1]
    assert sum(not ok for ok, _ in ktap.parse(clean)[0]) == sum("not ok" in line for line in clean)
    for i in range(len(clean)):
        assert not ktap.parse(clean[:i] + clean[i + 1:])[1], f"without {clean[i]}"
        cut = clean[i][:len(clean[i]) // 2] + "\ufffd\x00" + clean[i][len(clean[i]) // 2:]
        if "ok" in clean[i][:5]:
            assert not ktap.parse(clean[:i] + [cut.replace("ok", "o\ufffdk")] + clean[i + 1:])[1]
            assert not ktap.parse(clean[:i + 1] + clean[i:])[1], f"{clean[i]} twice"


@pytest.mark.parametrize("lines, complete", [
    ([], True),
    (["KTAP version 1", "1..0"], True),
    (["KTAP version 1"], False),
    (["ok 1 - in no suite"], False),
    (["KTAP version 1", "1..2", "ok 1 - a"], False),
    (["KTAP version 1", "1..2", "ok 1 - a", "ok 3 - b"], False),
    (["KTAP version 1", "1..2", "ok 2 - a", "ok 1 - b"], False),
    (["KTAP version 1", "ok 1 - a", "KTAP version 1", "ok 1 - b", "1..2"], False),
    (["KTAP version 1", "1..1", "ok 1 - a", "1..1"], False)])
def test_complete(lines, complete):
    assert ktap.parse(lines)[1] == complete


def test_names():
    lines = ["KTAP version 1", "ok 1 - a b", "not ok 2 c", "ok 3", "ok 4 -  d ", "1..4"]
    assert ktap.parse(lines) == ([(True, "a b"), (False, "c"), (True, ""), (True, "d")], True)


@pytest.mark.parametrize("line, progress", [
    ("# beat mix 4", True), ("# beat mix 3", False), ("ok 1 - a", True), ("not ok 1 - a", True),
    ("1..3", True), ("KTAP version 1", True), ("# worker 3 ended", False), ("", False)])
def test_progress(line, progress):
    assert ktap.is_progress(line, "mix 3") == progress
