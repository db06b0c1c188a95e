#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - a stress campaign: guests of varying seed, harts, memory, counts design and delays.

    stress/run.py --time 60 --seed 1 --smp 8 --refs cas,freelock,biglock
    stress/run.py --replay out/stress/failures/1-3-hang --times 20

KTAP on the standard output, the same in out/stress/results.json; what a failing guest leaves is
kept in out/stress/failures/, with the one command that runs it again. No guest is run twice to make
it pass: a failure is a failure.
"""
import argparse
import collections
import contextlib
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import time

import boot
import failure
import ktap
import qemu
from nemesis import Nemesis

OUT = qemu.ROOT / "out" / "stress"
rerun = boot.command_of


def configurations(args):
    """An endless, seeded sequence of guests: every design meets every pair of memory and harts."""
    rng = random.Random(args.seed)
    refs, works = args.refs.split(","), args.workload.split(",")
    pairs = list(itertools.product(args.smp.split(","), args.mem.split(",")))
    for number in itertools.count():
        smp, mem = pairs[(number // len(refs) + number % len(refs)) % len(pairs)]
        machine = rng.choice(["", "aclint=on"])
        command = ["/bin/stress", works[number // len(refs) % len(works)], f"seed={args.seed + number}",
                   f"workers={rng.choice([2, 4, 8])}", f"rounds={rng.choice([8, 16, 24])}",
                   f"pages={rng.choice([8, 32, 100])}", f"delay={rng.choice([0, 100, 1000])}"]
        yield boot.config(command, smp=int(smp), mem=mem, refs=refs[number % len(refs)], check=True,
                          machine=machine)


def run_one(config, say=lambda line: None, **limits):
    """Run a guest to its end; it passes only if all that it planned was done and is ok."""
    guest = qemu.boot(config, keep_memory=True, beats=config.command[:1] == ["/bin/stress"], **limits)
    nemesis = Nemesis(guest.process.pid, str(config.command)) if guest.process else contextlib.nullcontext()
    with nemesis:
        for line in guest.lines():
            say(line)
    results, complete = ktap.parse(guest.log)
    if guest.verdict == "ok" and not (complete and results and all(ok for ok, _ in results)):
        guest.verdict = "truncated"
    return guest, results


def run_and_keep(config, folder, say=lambda line: None, **facts):
    """run_one; what a failure leaves goes to folder-VERDICT, which is returned, too."""
    guest, results = run_one(config, say)
    place = None
    if guest.verdict != "ok":
        word = guest.verdict.split(":")[0].replace(" ", "-")
        place = failure.save(f"{folder}-{word}", config, guest, **facts)
    guest.memory.close()
    return guest, results, place


def host(args):
    """What the figures depend on."""
    version = "missing"
    with contextlib.suppress(OSError, IndexError):
        version = subprocess.run([os.environ.get("QEMU", "qemu-system-riscv64"), "--version"],
                                 capture_output=True, text=True).stdout.splitlines()[0]
    return {"cores": len(os.sched_getaffinity(0)), "load": os.getloadavg(), "qemu": version,
            "variables": vars(args), "seed": args.seed}


def claim(failed, guests, workloads):
    """What so many independent runs prove. Without a failure: the rule of three."""
    if failed or not guests:
        return f"{failed} of {guests} guests failed, {workloads} workloads"
    bound = " and ".join(f"p < {3 / n:.2g} per {what}" for n, what in
                         ((guests, "guest"), (workloads, "workload")) if n >= 3)
    return f"0 of {guests} guests failed, {workloads} workloads" + (f": {bound} at 95 %" if bound else
                                                                   ": too few to say more")


def summary(args, rows, seconds):
    """The contents of results.json."""
    counts = collections.defaultdict(lambda: {"ok": 0, "failed": 0})
    for row in rows:
        for ok, name in row["results"]:
            counts[name.split(" ")[0]]["ok" if ok else "failed"] += 1
    failed = sum(r["verdict"] != "ok" for r in rows)
    return {**host(args), "seconds": round(seconds, 1), "verdict": "failed" if failed else "ok",
            "claim": claim(failed, len(rows), sum(len(r["results"]) for r in rows)), "failed": failed,
            "workloads": counts,
            "runs": [{k: len(v) if k == "results" else v for k, v in r.items()} for r in rows]}


def campaign(args):
    def say(line):
        if line.startswith("# beat"):
            left = max(0, deadline - time.monotonic())
            sys.stderr.write(f"\r{line[2:60]:<40} {left:5.0f} s left ")

    start, rows = time.monotonic(), []
    deadline, least = start + args.time, max(len(args.refs.split(",")), len(args.smp.split(",")))
    for number, config in enumerate(configurations(args), 1):
        began = time.monotonic()
        guest, results, place = run_and_keep(config, OUT / "failures" / f"{args.seed}-{number}", say,
                                             seed=args.seed, number=number)
        name = f"{config.refs} smp={config.smp} mem={config.mem} " + " ".join(config.command[1:])
        sys.stderr.write("\r" + " " * 60 + "\r")
        print(f"{'not ' if place else ''}ok {number} - {name}" + (f" # {guest.verdict}" if place else ""))
        if place:
            print(f"# {guest.why or 'status ' + str(guest.status)}; saved in "
                  f"{os.path.relpath(place, qemu.ROOT)}; again: {rerun(config)}")
        sys.stdout.flush()
        rows.append({"name": name, "verdict": guest.verdict, "results": results,
                     "seconds": round(time.monotonic() - began, 1), "rerun": rerun(config)})
        if guest.process is None or time.monotonic() >= deadline and number >= least:
            return rows, time.monotonic() - start


def replay(args):
    """Run a saved configuration again and again; nothing but the luck of timing differs."""
    path = pathlib.Path(args.replay)
    config = boot.parse_command((path / "command" if path.is_dir() else path).read_text())
    print(f"# {rerun(config)}", flush=True)
    failed = 0
    for number in range(1, args.times + 1):
        guest, _, place = run_and_keep(config, OUT / "replays" / f"{number}", replay=number)
        failed += place is not None
        print(f"{'not ' if place else ''}ok {number} - {guest.verdict}"
              + (f" # saved in {os.path.relpath(place, qemu.ROOT)}" if place else ""), flush=True)
    bound = f": p < {3 / args.times:.2g} at 95 %" if not failed and args.times >= 3 else ""
    print(f"1..{args.times}\n# {failed} of {args.times} times it failed{bound}")
    return failed


def parser():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--time", type=float, default=60, help="seconds; the guest under way is finished")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--smp", default="8", help="e.g. 1,2,3,8")
    p.add_argument("--mem", default="256M,64M,1G")
    p.add_argument("--refs", default="cas,freelock,biglock")
    p.add_argument("--workload", default="all", help="of /bin/stress, e.g. all,mix,oom")
    p.add_argument("--replay", help="folder of a failure, or a file with its command")
    p.add_argument("--times", type=int, default=10, help="of a replay")
    return p


def main():
    args = parser().parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    print("KTAP version 1", flush=True)
    if args.replay:
        return replay(args) != 0
    rows, seconds = campaign(args)
    result = summary(args, rows, seconds)
    (OUT / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"1..{len(rows)}\n# {result['claim']}")
    return result["failed"] != 0


if __name__ == "__main__":
    sys.exit(main())
