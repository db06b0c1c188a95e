# SPDX-License-Identifier: MIT
"""progress.py - what a person sees while a measurement runs: one line that moves on a terminal,
a line for every point elsewhere, or for one in forty where they are many and short."""

import sys
import time

MANY = 40


class Progress:
    def __init__(self, expected, stream=sys.stderr):
        self.expected = expected
        self.done = 0
        self.stream = stream
        self.started = time.monotonic()
        self.moving = stream.isatty()

    def _show(self, text, end):
        seconds = time.monotonic() - self.started
        head = f"[{self.done:3d}/{self.expected} {seconds:4.0f} s] {text}"
        if self.moving:
            self.stream.write("\r\033[K" + head[:110] + end)
        else:
            self.stream.write(head + "\n")
        self.stream.flush()

    def say(self, text):
        """A line that stays."""
        self._show(text, "\n")

    def point(self, point):
        self.done += 1
        if not self.moving and point.part and self.done % MANY != 0:
            return
        size = f" {point.size_mib} MiB" if point.bench == "fork_size" else ""
        self._show(f"{point.refs:8s} {point.bench}{size} W={point.workers}: "
                   f"{point.value:,.0f} {point.unit}", "")

    def finish(self):
        if self.moving:
            self.stream.write("\r\033[K")
            self.stream.flush()
