# SPDX-License-Identifier: MIT
"""A fake QEMU is a few lines of Python that $QEMU names; it gets the real command line."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import boot
import monitor
import qemu

LIMITS = {"busy_limit": 0.4, "idle_limit": 0.8, "explain_limit": 0.15}
PRELUDE = """#!{python} -IS
import os, signal, sys, time
signal.alarm(60)  # it ends by itself if the test is killed
def say(text):
    os.write(1, text if isinstance(text, bytes) else text.encode())
def spin():
    while True: pass
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """fake(source): from now on QEMU is this program."""
    def install(source):
        path = tmp_path / "fake-qemu"
        path.write_text(PRELUDE.format(python=sys.executable) + source)
        path.chmod(0o755)
        monkeypatch.setenv("QEMU", str(path))
    monkeypatch.setattr(monitor, "TIMEOUT", 0.15)
    return install


@pytest.fixture
def run(fake):
    """run(source): a guest that has run to its end in this fake QEMU."""
    def start(source, **limits):
        fake(source)
        guest = qemu.boot(boot.config(["/bin/true"]), **{**LIMITS, **limits})
        guest.seen = list(guest.lines())
        return guest
    return start
