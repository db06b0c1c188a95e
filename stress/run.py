#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - a stress campaign: guests of varying seed, harts, memory, counts design and delays.

    stress/run.py --time 60 --seed 1 --smp 8 --refs cas,freelock,biglock
KTAP on the standard output, the same in out/stress/results.json; a failing guest leaves its log in
out/stress/failures/ and a line with the one command that runs it again.
"""
import argparse
import json
import os
import random
import shlex
import sys
import threading
import time

import qemu

OUT = qemu.ROOT / "out" / "stress"


class Nemesis(threading.Thread):
    """Moves and re-nices the guest's threads from outside, by a seeded generator."""

    def __init__(self, pid, seed):
        super().__init__(daemon=True)
        self.pid, self.random, self.over = pid, random.Random(seed), threading.Event()

    def run(self):
        cpus = sorted(os.sched_getaffinity(0))
        while not self.over.wait(self.random.uniform(0.02, 0.3)):
            try:
                thread = int(self.random.choice(os.listdir(f"/proc/{self.pid}/task")))
                if self.random.random() < 0.5:
                    os.sched_setaffinity(thread, {self.random.choice(cpus)})
                else:
                    os.sched_setaffinity(thread, cpus)
                    os.setpriority(os.PRIO_PROCESS, thread, self.random.randrange(0, 10))
            except (OSError, IndexError):
                if not os.path.exists(f"/proc/{self.pid}"):
                    return


def configurations(args):
    """An endless, seeded sequence of guests to run."""
    rng = random.Random(args.seed)
    refs, harts, mems = args.refs.split(","), args.smp.split(","), args.mem.split(",")
    number = 0
    while True:
        yield argparse.Namespace(
            smp=int(harts[number % len(harts)]), mem=mems[number % len(mems)],
            refs=refs[number % len(refs)], check=True, icount=False, cpu="",
            machine=rng.choice(["", "aclint=on"]), append="",
            command=["/bin/stress", args.workload, f"seed={args.seed + number}",
                     f"workers={rng.choice([2, 4, 8])}", f"rounds={rng.choice([8, 16, 24])}",
                     f"pages={rng.choice([8, 32, 100])}", f"delay={rng.choice([0, 100, 1000])}"])
        number += 1


def rerun(config):
    return (f"stress/boot.py --check --smp {config.smp} --mem {config.mem} --refs {config.refs}"
            + (f" --machine {config.machine}" if config.machine else "")
            + " -- " + shlex.join(config.command))


def run_one(config, deadline):
    monitor = qemu.monitor_path()
    guest = qemu.Guest(qemu.command_line(config, monitor=monitor), monitor)
    nemesis = Nemesis(guest.process.pid, config.command[2]) if guest.process else None
    if nemesis:
        nemesis.start()
    for line in guest.lines():
        if line.startswith("# beat"):
            sys.stderr.write(f"\r{line[2:60]:<40} {max(0, deadline - time.monotonic()):5.0f} s left ")
    if nemesis:
        nemesis.over.set()
    results, complete = qemu.parse_ktap(guest.log)
    if guest.verdict == "ok" and not (complete and results and all(ok for ok, _ in results)):
        guest.verdict = "truncated"
    return guest, results


def save(config, guest, number):
    folder = OUT / "failures" / f"{number}-{guest.verdict.split(':')[0].replace(' ', '-')}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "console.log").write_text("\n".join(guest.log) + "\n")
    (folder / "command").write_text(rerun(config) + "\n")
    return folder


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--time", type=float, default=60, help="seconds; the guest under way is finished")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--smp", default="8", help="e.g. 1,2,3,8")
    p.add_argument("--mem", default="256M", help="e.g. 64M,1G")
    p.add_argument("--refs", default="cas,freelock,biglock")
    p.add_argument("--workload", default="all")
    args = p.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    rows, failed, deadline = [], 0, time.monotonic() + args.time
    print("KTAP version 1")
    for number, config in enumerate(configurations(args), 1):
        guest, results = run_one(config, deadline)
        good = guest.verdict == "ok"
        failed += not good
        name = f"{config.refs} smp={config.smp} mem={config.mem} " + " ".join(config.command[1:])
        sys.stderr.write("\r" + " " * 60 + "\r")
        print(f"{'' if good else 'not '}ok {number} - {name}"
              + ("" if good else f" # {guest.verdict}"), flush=True)
        if not good:
            print(f"# saved in {save(config, guest, number).relative_to(qemu.ROOT)}; again: {rerun(config)}")
        rows.append({"name": name, "verdict": guest.verdict, "workloads": len(results),
                     "rerun": rerun(config)})
        enough = number >= len(args.refs.split(",")) and number >= len(args.smp.split(","))
        if time.monotonic() >= deadline and enough:
            break
    total = sum(r["workloads"] for r in rows)
    (OUT / "results.json").write_text(json.dumps({"seed": args.seed, "runs": rows}, indent=1))
    print(f"1..{len(rows)}\n# {failed} of {len(rows)} guests failed, {total} workloads"
          + (f": p < {3 / max(1, total):.2g} per workload at 95 %" if not failed else ""))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
