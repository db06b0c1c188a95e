#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - measure Kine: boot it, run the benchmarks in it, leave tables and a report.

    bench/run.py                        everything: throughput of the three kernels, instruction
                                        counts, out/report/{bench.json,bench.csv,index.html}
    bench/run.py --quick                one round of an eighth of the operations: does it work at all?
    bench/run.py --figure scaling2      only the ratio from 1 to 2 workers: --repeat boots
    bench/run.py --figure threads2      the same of threads that fault in one address space (try --smp 2)
    bench/run.py --figure slowdown      only what the race detector and lockdep cost, in instructions
    bench/run.py --figure forkwall      only the time of fork with 256 MiB over that with 1 MiB
    bench/run.py --check                exit 1 if a figure misses its target

docs/benchmarks.md says what the numbers are and are not.
"""

import argparse
import sys
import time
from pathlib import Path

import figures
import forkwall
import guestrun
import hostfacts
import plan
import points as pts
import report
import scaling
import slowdown
import tables
from progress import Progress


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few operations")
    parser.add_argument("--repeat", type=int, default=plan.ROUNDS, help="rounds; the median counts")
    parser.add_argument("--refs", default=",".join(plan.REFS), help="kernels to compare")
    parser.add_argument("--smp", type=int, default=8, help="harts of the throughput guests")
    parser.add_argument("--mem", default="1G")
    parser.add_argument("--workers", default=plan.WORKERS)
    parser.add_argument("--view", choices=("both", "throughput", "instructions"), default="both")
    parser.add_argument("--figure", choices=("scaling2", "threads2", "slowdown", "forkwall"), help="one figure only")
    parser.add_argument("--check", action="store_true", help="exit 1 if a figure is missed")
    parser.add_argument("--no-build", action="store_true", help="take the kernels as they are")
    parser.add_argument("--out", type=Path, default=guestrun.ROOT / "out" / "report")
    return parser.parse_args(argv)


def collect(command, progress, refs, smp, mem="1G", icount=False, part=""):
    """Run one guest; the points that it printed, and None or what went wrong."""
    found, trouble = [], None
    words = guestrun.boot_command(command, refs, smp, mem, icount)
    with guestrun.Guest(words) as guest:
        try:
            for line in guest:
                point = pts.parse_line(line, refs, smp)
                if point:
                    point.part = part
                    found.append(point)
                    progress.point(point)
                elif pts.parse_error(line) or line.startswith("PANIC: "):
                    trouble = trouble or pts.parse_error(line) or line
        except guestrun.GuestFailed as failed:
            trouble = str(failed)
    if not trouble and guest.status != 0:
        trouble = f"the guest ended with status {guest.status}"
    missing = plan.points_expected(command) - len(found)
    if not trouble and missing > 0 and not (part and found):  # there it is a pair the less
        trouble = f"{missing} points missing from its output"
    if trouble and not found:
        progress.say("last lines of the guest:\n    " + "\n    ".join(guest.tail[-12:]))
    return found, trouble


def measure(arguments):
    """Every guest in turn: (points, troubles). The kernels take turns, too, so that none has the host's
    bad minute for itself."""
    jobs = []
    if arguments.view != "instructions":
        command = plan.throughput(arguments.workers, arguments.quick)
        jobs += [(command, refs, arguments.smp, False, "") for _ in range(1 if arguments.quick else arguments.repeat)
                 for refs in arguments.refs.split(",")]
        jobs += [(plan.scaling(arguments.quick), "cas", arguments.smp, False, "scaling")]
    if arguments.view != "throughput":
        jobs.append((plan.instructions(arguments.quick), "cas", 1, True, ""))
    progress = Progress(sum(plan.points_expected(job[0]) for job in jobs))
    found, troubles = [], []
    for command, refs, smp, icount, part in jobs:
        progress.say(f"booting REFS={refs} -smp {smp}{' -icount shift=0' if icount else ''}")
        mem = plan.INSTRUCTIONS_MEM if icount else arguments.mem
        more, trouble = collect(command, progress, refs, smp, mem, icount, part)
        found += more
        if trouble:
            troubles.append(f"REFS={refs} -smp {smp}: {trouble}")
            progress.say(troubles[-1])
    progress.finish()
    return found, troubles


# figure: the benchmarks whose ratio it is, the entry of targets.json
RATIOS = {"scaling2": (plan.SCALING, "ratio_1_to_2"), "threads2": (plan.SCALING_THREADS, "threads_1_to_2")}


def scaling2(arguments):
    """The ratio from 1 to 2 workers, until --repeat boots count."""
    benches, entry = RATIOS[arguments.figure]
    command, wanted = plan.scaling(benches=benches), figures.targets()[entry]
    busy, stolen, begin = hostfacts.busy_cores(), hostfacts.stolen_seconds(), time.monotonic()
    progress = Progress(plan.points_expected(command) * arguments.repeat)
    runs, troubles = [], []
    while not troubles and sum(scaling.counts(pairs, wanted) for pairs in runs) < arguments.repeat \
            and len(runs) < scaling.BOOTS * arguments.repeat:
        found, trouble = collect(command, progress, "cas", arguments.smp, arguments.mem, part="scaling")
        runs.append(scaling.pairs_of(found))
        troubles += [trouble] if trouble else []
    progress.finish()
    stolen = (hostfacts.stolen_seconds() - stolen) / (time.monotonic() - begin)
    print(f"host: {hostfacts.cores()} cores, {busy} of them busy with other work before the run, "
          f"{stolen:.2f} of them taken by other machines during it, load {hostfacts.load()} after it")
    print(scaling.text(runs, wanted))
    for trouble in troubles:
        print(f"trouble: {trouble}")
    return 1 if troubles or arguments.check and scaling.missed(runs, wanted) else 0


def slowdowns(arguments):
    """What each tool costs: its kernel beside the plain one."""
    limits = figures.targets()["slowdown"]
    kernels = ["cas", *(f"cas-{tool}" for tool in limits)]
    if not arguments.no_build:
        guestrun.build(kernels)
    progress = Progress(len(plan.slowdown()) * len(kernels))
    found, troubles = [], []
    for kernel in kernels:
        for command in plan.slowdown():
            more, trouble = collect(command, progress, kernel, 1, arguments.mem, icount=True)
            found += more
            troubles += [f"{kernel}: {command}: {trouble}"] if trouble else []
    progress.finish()
    rows = slowdown.rows(found, limits)
    print(slowdown.text(rows, limits))
    for trouble in troubles:
        print(f"trouble: {trouble}")
    return 1 if troubles or arguments.check and slowdown.missed(rows, limits) else 0


def fork_wall(arguments):
    """Does the time of fork depend on the heap?"""
    wanted = figures.targets()["fork_wall"]
    command = plan.fork_wall(wanted["sizes_mib"], arguments.quick)
    progress = Progress(plan.points_expected(command))
    found, trouble = collect(command, progress, "cas", 1, arguments.mem)
    progress.finish()
    print(forkwall.text(found, wanted))
    if trouble:
        print(f"trouble: {trouble}")
    return 1 if trouble or arguments.check and forkwall.missed(found, wanted) else 0


def main(argv=None):
    arguments = parse_arguments(argv)
    if arguments.figure == "slowdown":
        return slowdowns(arguments)
    if not arguments.no_build:
        guestrun.build(["cas"] if arguments.figure else sorted({"cas", *arguments.refs.split(",")}))
    if arguments.figure:
        return (fork_wall if arguments.figure == "forkwall" else scaling2)(arguments)
    facts = hostfacts.facts()
    facts["guest"] = f"-smp {arguments.smp} -m {arguments.mem}"
    facts["quick"] = arguments.quick
    found, troubles = measure(arguments)
    facts["load_after"] = hostfacts.load()
    facts["troubles"] = troubles
    pts.save(arguments.out, facts, found)
    report.write(arguments.out)
    print(tables.throughput(found))
    print(figures.text(found))
    print(f"\nreport: {arguments.out / 'index.html'}")
    for trouble in troubles:
        print(f"trouble: {trouble}")
    if troubles:
        return 1
    return 1 if arguments.check and figures.failures(found) else 0


if __name__ == "__main__":
    sys.exit(main())
