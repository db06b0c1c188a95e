#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""idle.py - how much of a host core an idle guest takes.

    bench/idle.py [--smp 8] [--seconds 20]

Boots a guest whose only process sleeps, lets it settle, and reads the CPU time of the QEMU process
over a stretch of the wall clock. An idle hart should sleep in wfi, with no tick: a few per mille.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import figures
import guestrun


def _stat(pid):
    """(name, parent, ticks of CPU time) of a process; None if it has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, rest = text[text.index("(") + 1:].rsplit(") ", 1)
    fields = rest.split()
    return name, int(fields[1]), int(fields[11]) + int(fields[12])


def find_qemu(ancestor):
    """The QEMU process below `ancestor`, or None."""
    table = {int(entry.name): _stat(entry.name) for entry in Path("/proc").iterdir()
             if entry.name.isdigit()}
    for pid, entry in table.items():
        above = pid
        while entry and entry[0].startswith("qemu-system") and above in table and table[above]:
            if above == ancestor:
                return pid
            above = table[above][1]
    return None


def cpu_seconds(pid):
    entry = _stat(pid)
    if entry is None:
        raise guestrun.GuestFailed("QEMU ended")
    return entry[2] / os.sysconf("SC_CLK_TCK")


def measure(smp, mem, refs, seconds, settle):
    """Percent of one host core."""
    command = f"sleep {seconds + settle + 60}"
    with guestrun.Guest(guestrun.boot_command(command, refs, smp, mem)) as guest:
        for line in guest:
            if line.startswith("harts: "):
                break
        else:
            raise guestrun.GuestFailed("the guest did not boot:\n" + "\n".join(guest.tail))
        time.sleep(settle)
        pid = find_qemu(guest.pid)
        if pid is None:
            raise guestrun.GuestFailed("no QEMU process below the boot command")
        start, began = cpu_seconds(pid), time.monotonic()
        time.sleep(seconds)
        return 100 * (cpu_seconds(pid) - start) / (time.monotonic() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--smp", type=int, default=8)
    parser.add_argument("--mem", default="1G")
    parser.add_argument("--refs", default="cas")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--settle", type=int, default=5)
    arguments = parser.parse_args()
    print(f"idle: {arguments.seconds + arguments.settle} s", file=sys.stderr)
    target = figures.targets()["idle_core_percent"]
    try:
        share = measure(arguments.smp, arguments.mem, arguments.refs, arguments.seconds,
                        arguments.settle)
    except guestrun.GuestFailed as failed:
        sys.exit(f"idle: {failed}")
    verdict = figures.MET if share < target else figures.MISSED
    print(f"idle -smp {arguments.smp}: {share:.2f} % of one host core over {arguments.seconds} s "
          f"(target < {target} %): {verdict}")
    return 0 if share < target else 1


if __name__ == "__main__":
    sys.exit(main())
