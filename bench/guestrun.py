# SPDX-License-Identifier: MIT
"""guestrun.py - boot Kine, run one command in it, hand out its console lines as they come.

The booting itself (QEMU's command line) is stress/boot.py's work.
A guest is given up when it says nothing for QUIET seconds: on a loaded host a point may be slow,
so silence is measured, not the total time.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUIET = 120


class GuestFailed(Exception):
    pass


def boot_command(command, kernel="cas", smp=8, mem="1G", icount=False):
    words = [sys.executable, str(ROOT / "stress" / "boot.py"), "--smp", str(smp), "--mem", mem,
             "--kernel", kernel]
    if icount:
        words.append("--icount")
    return words + ["--"] + command.split()


def build(kernels):
    """Bring the kernels (folders of out/: cas, cas-race, ...) and the archive up to date."""
    for kernel in kernels:
        refs, *tools = kernel.upper().split("-")
        subprocess.run(["make", "-s", "-C", str(ROOT), f"REFS={refs.lower()}",
                        *(f"{tool}=1" for tool in tools), "kernel"], check=True)
    subprocess.run(["make", "-s", "-C", str(ROOT), "out/initrd.cpio"], check=True)


def _pump(stream, lines):
    for raw in stream:
        lines.put(raw.decode("utf-8", "replace").rstrip("\r\n"))
    lines.put(None)


class Guest:
    """A running guest; iterate over it for its lines, use it in a `with`."""

    def __init__(self, words, quiet=QUIET):
        self.words = words
        self.quiet = quiet
        self.tail = []
        self.status = None

    def __enter__(self):
        self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True, cwd=ROOT)
        self.lines = queue.Queue()
        threading.Thread(target=_pump, args=(self.process.stdout, self.lines), daemon=True).start()
        return self

    def __iter__(self):
        while True:
            try:
                line = self.lines.get(timeout=self.quiet)
            except queue.Empty:
                raise GuestFailed(f"nothing printed for {self.quiet} s") from None
            if line is None:
                self.status = self.process.wait()
                return
            self.tail = (self.tail + [line])[-30:]
            yield line

    def __exit__(self, *_):
        """End the guest and whatever it started: it has a process group of its own."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(timeout=5)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self.process.wait()

    @property
    def pid(self):
        return self.process.pid
