#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""weak.py - kernel/test/weak on the kernel as it is, and on each mutant of a memory order that it must find.

The play named beside a mutant fails with it, and passes without (`make weak MUTANT=W18 ONLY=last_put`).
"""
import os
import shutil
import subprocess
import sys
import time

import qemu

MUTANTS = {  # mutant: the play that finds it
    "lock_relaxed": "spin", "unlock_relaxed": "spin", "mutex_lock_relaxed": "mutex", "mutex_unlock_relaxed": "mutex",
    "W18": "last_put", "last_put_unfenced": "last_put", "W19": "sole_owner", "own_relaxed": "unless_free",
    "get_relaxed": "unless_free", "give_relaxed": "handover", "move_unfenced": "a move",
    "shootdown_unfenced": "enter", "enter_unfenced": "enter", "leave_relaxed": "leave",
    "request_relaxed": "shoot twice", "ack_relaxed": "shoot twice"}


def weak(*plays, mutant=""):
    """(status, result lines) of the program built with that mutant."""
    built = subprocess.run(["make", "-s", f"-j{os.cpu_count()}", "weak-build", "REFS=cas", f"MUTANT={mutant}"],
                           cwd=qemu.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if built.returncode:
        return built.returncode, built.stdout.splitlines()
    program = qemu.ROOT / "out" / ("weak" + (f"-{mutant}" if mutant else "")) / "weak"
    run = subprocess.run([program, *plays], capture_output=True, text=True, timeout=900)
    if mutant:
        shutil.rmtree(program.parent)
    return run.returncode, [line for line in run.stdout.splitlines() if "ok " in line]


def main():
    number, failed = 0, 0
    print("KTAP version 1")

    def result(ok, what):
        nonlocal number, failed
        number, failed = number + 1, failed + (not ok)
        print(f"{'' if ok else 'not '}ok {number} - {what}", flush=True)
    status, lines = weak()
    for line in lines:
        result(line.startswith("ok"), line.split(" - ", 1)[-1])
    result(status == 0 and lines, f"weak: the kernel as it is: {len(lines)} plays")
    for mutant, play in MUTANTS.items():
        start = time.monotonic()
        status, lines = weak(play, mutant=mutant)
        found = status == 1 and len(lines) == 1 and lines[0].startswith("not ok")
        result(found, f"weak: {mutant}: {lines[0].split(' - ', 1)[-1] if lines else status} "
                      f"({time.monotonic() - start:.1f} s)")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
