#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - a stress campaign: guests of varying seed, harts, memory, counts design, delays and injections.

    stress/run.py --time 60 --seed 1 --smp 8 --refs cas,freelock,biglock
    stress/run.py --tools race --mem 1G --time 1800      after make watched
    stress/run.py --replay out/stress/failures/1-3-hang --times 20

KTAP on the standard output, the same in out/stress/results.json; what a failing guest leaves is
kept in out/stress/failures/, with the one command that runs it again. No guest is run twice to make
it pass: a failure is a failure.
"""
import argparse
import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import signal
import sys
import time

import boot
import failure
import ktap
import qemu
import summary
from nemesis import Nemesis

OUT = qemu.ROOT / "out" / "stress"


def configurations(args):
    """An endless, seeded sequence of guests: every design meets every pair of memory and harts."""
    rng = random.Random(args.seed)
    refs, works, names = args.refs.split(","), args.workload.split(","), workloads()
    pairs = list(itertools.product(args.mem.split(","), args.smp.split(",")))
    for number in itertools.count():
        mem, smp = pairs[(number // len(refs) + number % len(refs)) % len(pairs)]
        machine, cpu = rng.choice(args.machine.split(",")), rng.choice(args.cpu.split(","))
        work, single = works[number // len(refs) % len(works)], rng.choice(names)
        workers, rounds, pages = (rng.choice(choices) for choices in ([1, 2, 4, 8], [8, 16, 24], [8, 32, 100]))
        delay = rng.choice([0, 100, 1000])
        delay = min(delay, 100 if mem.endswith("G") else delay)  # oom touches it all: minutes, else
        rounds //= 8 if delay == 1000 else 1  # a round takes as many times longer then, and more
        command = ["/bin/stress", single if work == "any" else work, f"seed={args.seed + number}",
                   f"workers={workers}", f"rounds={rounds}", f"pages={pages}", f"delay={delay}",
                   f"spurious={rng.choice([0, 4, 64])}", f"late={rng.choice([0, 1000, 50000])}",
                   f"slow={rng.choice([0, 100, 2000])}"]
        design = refs[number % len(refs)]
        disk = [f"{OUT}/swap.img,size={args.swap}"] if args.swap else []
        command += ["swap=1"] if args.swap else []
        yield boot.config(command, smp=int(smp), mem=mem, refs=design, check=True, machine=machine, cpu=cpu,
                          kernel=args.tools and f"{design}-{args.tools}", disk=disk,
                          append=f"auditpanic seed={args.seed + number}")


def workloads():
    """Their names, from the table of /bin/stress."""
    return re.findall(r'^    {"(\w+)", run_', (qemu.ROOT / "user/stress/stress/main.c").read_text(), re.M)


def run_one(config, say=lambda line: None, **limits):
    """Run a guest to its end; it passes only if all that it planned was done and is ok."""
    beats = config.command[:1] == ["/bin/stress"]
    guest = qemu.boot(config, keep_memory=True, beats=beats, **limits)
    nemesis = Nemesis(guest.process.pid, str(config.command)) if guest.process else contextlib.nullcontext()
    with nemesis:
        for line in guest.lines():
            say(line)
    results, complete = ktap.parse(guest.log)
    if guest.verdict == "ok" and not (complete and results):
        guest.verdict, guest.why = "truncated", "the log does not keep its plan"
    elif guest.verdict == "ok" and not all(ok for ok, _ in results):
        guest.verdict = "failed"
    return guest, results


def run_and_keep(config, folder, say=lambda line: None, **facts):
    """run_one; what a failure leaves goes to folder-VERDICT, which is returned, too."""
    guest, results = run_one(config, say)
    place = None
    if guest.verdict != "ok":
        bad = [name for ok, name in results if not ok]
        guest.why = guest.why or (f"not ok: {bad[0]}" if bad else f"status {guest.status}")
        word = guest.verdict.split(":")[0].replace(" ", "-")
        place = failure.save(f"{folder}-{word}", config, guest, **facts)
    if guest.memory:
        guest.memory.close()
    return guest, results, place


class Live:
    """One line that changes, at the bottom of a terminal; elsewhere nothing: a log is no screen."""

    def __init__(self, deadline):
        self.deadline, self.on = deadline, sys.stdout.isatty()

    def say(self, line):
        if self.on and line.startswith("# beat"):
            left = max(0, self.deadline - time.monotonic())
            print(f"\r{line[2:50]:<50}{left:6.0f} s left ", end="", flush=True)

    def clear(self):
        if self.on:
            print("\r\033[K", end="")


def report(number, name, guest, place):
    """The KTAP line of one guest; of a failure also why, and how to have it again."""
    print(f"{'not ' if place else ''}ok {number} - {name}" + (f" # {guest.verdict}" if place else ""))
    if place:
        print(f"# {guest.why}\n# again: {failure.rerun(place)}")
    sys.stdout.flush()


def campaign(args, rows):
    """Adds a row for every guest that has ended."""
    deadline = time.monotonic() + args.time
    least = max(len(args.refs.split(",")), len(args.smp.split(",")))
    live = Live(deadline)
    for number, config in enumerate(configurations(args), 1):
        began = time.monotonic()
        guest, results, place = run_and_keep(config, OUT / "failures" / f"{args.seed}-{number}", live.say,
                                             seed=args.seed, number=number, host=summary.host())
        name = f"{config.refs} smp={config.smp} mem={config.mem} " + " ".join(config.command[1:])
        live.clear()
        report(number, name, guest, place)
        rows.append({"name": name, "verdict": guest.verdict, "why": guest.why, "results": results,
                     "seconds": round(time.monotonic() - began, 1),
                     "rerun": failure.rerun(place) if place else boot.command_of(config)})
        if guest.process is None or time.monotonic() >= deadline and number >= least:
            return


def run_campaign(args):
    """A campaign that is interrupted has still shown something."""
    start, rows = time.monotonic(), []
    result = {"host": summary.host(), "variables": vars(args), "seed": args.seed, "interrupted": False}
    try:
        campaign(args, rows)
    except KeyboardInterrupt:
        result["interrupted"] = True
    result |= {**summary.of_rows(rows), "seconds": round(time.monotonic() - start, 1),
               "load_after": os.getloadavg()}
    (OUT / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"1..{len(rows)}\n# {result['claim']}" + (" (interrupted)" if result["interrupted"] else ""))
    return result["verdict"] != "ok"


def replay(args):
    """Run a saved configuration again and again; nothing but the luck of timing differs."""
    path = pathlib.Path(args.replay)
    config = boot.parse_command((path / "command" if path.is_dir() else path).read_text())
    print(f"# {boot.command_of(config)}", flush=True)
    failed = 0
    for number in range(1, args.times + 1):
        guest, _, place = run_and_keep(config, OUT / "replays" / f"{number}", replay=number)
        failed += place is not None
        report(number, guest.verdict, guest, place)
    print(f"1..{args.times}\n# {summary.claim(failed, args.times)}")
    return failed != 0


def parser():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--time", type=float, default=60, help="seconds; the guest under way is finished")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--smp", default="1,2,3,8")
    p.add_argument("--mem", default="256M,64M,1G")
    p.add_argument("--refs", default="cas,freelock,biglock")
    p.add_argument("--tools", default="", help="watch with these instead of CHECK=1: race, ghost, ... (built before)")
    p.add_argument("--cpu", default=",sstc=off", help="as boot.py's, drawn from these")
    p.add_argument("--machine", default=",aclint=on", help="as boot.py's, drawn from these")
    p.add_argument("--workload", default="all,any,all", help="of /bin/stress, e.g. all,mix,oom; any: one is drawn")
    p.add_argument("--swap", default="", help="size of a disk to swap to, e.g. 128M; without: none")
    p.add_argument("--replay", help="folder of a failure, or a file with its command")
    p.add_argument("--times", type=int, default=10, help="of a replay")
    return p


def main():
    args = parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no guest is left behind
    OUT.mkdir(parents=True, exist_ok=True)
    print("KTAP version 1", flush=True)
    return replay(args) if args.replay else run_campaign(args)


if __name__ == "__main__":
    sys.exit(main())
