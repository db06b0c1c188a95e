# SPDX-License-Identifier: MIT
"""hostfacts.py - facts about the machine that a measurement ran on, and how busy it was."""

import os
import platform
import subprocess
import time
from pathlib import Path


def _output(*words):
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _cpu_model():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def cores():
    """Cores that this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0))


def load():
    return round(os.getloadavg()[0], 2)


def _busy_ticks():
    """(busy, all) of every core since the host's boot, as the kernel counts them."""
    try:
        words = [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    except (OSError, ValueError):
        return 0, 1
    return sum(words) - words[3] - words[4], sum(words)


def busy_cores(seconds=1.0):
    """How many cores others keep busy: call it while nothing of ours runs."""
    busy, total = _busy_ticks()
    time.sleep(seconds)
    busy_after, total_after = _busy_ticks()
    share = (busy_after - busy) / max(total_after - total, 1)
    return round(share * (os.cpu_count() or 1), 2)


def stolen_seconds():
    """Seconds since boot, over all cores, in which the machine under this one ran somebody else."""
    try:
        return int(Path("/proc/stat").read_text().split("\n")[0].split()[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def facts():
    version = _output("qemu-system-riscv64", "--version").split("\n")[0]
    compiler = _output("riscv64-unknown-elf-gcc", "--version").split("\n")[0]
    return {
        "cores": cores(),
        "cpu": _cpu_model(),
        "load": load(),
        "busy_cores_before": busy_cores(),
        "qemu": version.removeprefix("QEMU emulator version ").split(" ")[0] or "unknown",
        "compiler": compiler,
        "system": f"{platform.system()} {platform.release()}",
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()) + " UTC",
    }
