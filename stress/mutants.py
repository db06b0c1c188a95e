#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutants.py - is each bug of docs/mutants.md named by the tool that is said to name it?

    stress/mutants.py             all of them
    stress/mutants.py W17 M25     these

Reads the tables: under a heading, the first `make TOOL=1 MUTANT=...` says which kernel; a row's third
column is what the guest must say (if it panics: there), its last the command, perhaps after options of
boot.py and `--`, or `schedule NAME`: a file of stress/explore/schedules.
"""
import re
import subprocess
import sys

import boot
import qemu

sys.path.append(str(qemu.ROOT / "stress" / "explore"))
import explore  # noqa: E402

DOC = qemu.ROOT / "docs" / "mutants.md"
ROW = re.compile(r"^\| (\w+)(?: \(`REFS=(\w+)`\))? \| [^|]+ \| ([^|]+) \| `([^`]+)` \|$")


def mutants():
    """(name, refs, tools, words that must be said, command) of every row."""
    for section in DOC.read_text().split("\n## ")[1:]:
        tools = re.search(r"make ((?:\w+=1 )+)MUTANT=", section).group(1).split()
        for line in section.splitlines():
            row = ROW.match(line)
            if row:
                yield row.group(1), row.group(2) or "cas", tools, row.group(3).strip(), row.group(4)


def run(name, refs, tools, says, command):
    subprocess.run(["make", "-s", "-C", str(qemu.ROOT), f"REFS={refs}", f"MUTANT={name}", *tools, "kernel"],
                   check=True, stdout=subprocess.DEVNULL)
    folder = "-".join([refs, *(t.split("=")[0].lower() for t in tools), name])
    words = command.split()
    if words[0] == "schedule":
        words = ["/tests/explore", "script", explore.Schedule(words[1]).argument]
    config = boot.parser().parse_args(words if "--" in words else ["--", *words])
    config.kernel = folder
    guest = qemu.boot(config)
    for _ in guest.lines():
        pass
    said = next((line for line in guest.log if says in line), guest.verdict)
    return guest.status != 0 and says in said, said


def main():
    chosen = [m for m in mutants() if not sys.argv[1:] or m[0] in sys.argv[1:]]
    failed = 0
    print(f"KTAP version 1\n1..{len(chosen)}")
    for number, mutant in enumerate(chosen, 1):
        good, said = run(*mutant)
        failed += not good
        print(f"{'' if good else 'not '}ok {number} - {mutant[0]}: {said}", flush=True)
    return failed != 0 or not chosen


if __name__ == "__main__":
    sys.exit(main())
