# SPDX-License-Identifier: MIT
"""The nemesis moves threads, makes them more and less nice, and goes when they go."""
import os
import subprocess
import sys
import time

import pytest

from nemesis import Nemesis


@pytest.fixture
def victim():
    process = subprocess.Popen([sys.executable, "-IS", "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_moves_and_renices(victim):
    places, levels, deadline = set(), set(), time.monotonic() + 20
    want = 2 if len(os.sched_getaffinity(0)) > 1 else 1
    with Nemesis(victim.pid, 1):
        while (len(places) < want or len(levels) < 2) and time.monotonic() < deadline:
            places.add(frozenset(os.sched_getaffinity(victim.pid)))
            levels.add(os.getpriority(os.PRIO_PROCESS, victim.pid))
            time.sleep(0.005)
    assert len(places) >= want and len(levels) >= 2


def test_ends_with_its_victim(victim):
    with Nemesis(victim.pid, 1) as nemesis:
        victim.kill()
        victim.wait()
        nemesis.join(10)
        assert not nemesis.is_alive()
