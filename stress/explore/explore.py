#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""explore.py - interleavings of race points on purpose, in guests built with SCHED=1 (docs/labs/explore.md).

    stress/explore/explore.py scripted [NAME...]      the schedules of stress/explore/schedules; none: all;
                                                      --steps shows what was done
    stress/explore/explore.py seeded cow2 --seed 7 --runs 20 --depth 3     random priorities (PCT)
    stress/explore/explore.py exhaustive forkexit --bound 2    all schedules with at most 2 preemptions
    stress/explore/explore.py list cow2 1212          one play: its choices, as a failure prints them
    stress/explore/explore.py check                   the short set of make check

--refs cas|freelock|biglock, --mutant NAME and --ghost (the ghost TLB looks on) say which kernel; it is built first.
Prints KTAP.
"""
import argparse
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import boot  # noqa: E402
import ktap  # noqa: E402
import qemu  # noqa: E402

ALL_REFS = ["cas", "freelock", "biglock"]
BOOTARGS = 800  # characters of scripts in one boot; the kernel keeps 1024 of all
LINE = re.compile(r"([1-4]) ([\w.]+)( or wait)?")


class Schedule:
    """A file: what it is about, `scenario NAME`, perhaps `refs ...`, then lines `PLAYER POINT [or wait]`."""

    def __init__(self, name):
        self.name, self.refs, self.scenario, lines = name, ALL_REFS, None, []
        for number, text in enumerate((HERE / "schedules" / f"{name}.txt").read_text().splitlines(), 1):
            words, line = text.split(), LINE.fullmatch(text)
            if line:
                lines.append(f"{line[1]}:{line[2]}{'?' if line[3] else ''}")
            elif words and words[0] == "scenario":
                self.scenario = words[1]
            elif words and words[0] == "refs":
                self.refs = words[1:]
            elif words and words[0] != "#":
                raise SystemExit(f"{name}.txt:{number}: PLAYER POINT [or wait] is wanted: {text}")
        self.argument = f"{name}/{self.scenario}/{','.join(lines)}"


def schedules(names=()):
    return [Schedule(n) for n in names or sorted(p.stem for p in (HERE / "schedules").glob("*.txt"))]


def kernel(refs, mutant="", ghost=False):
    """The folder of the kernel, built; perhaps with the ghost TLB."""
    subprocess.run(["make", "-s", "-C", str(qemu.ROOT), "SCHED=1", f"GHOST={int(ghost)}", f"REFS={refs}",
                    f"MUTANT={mutant}", "kernel", "out/initrd.cpio"], check=True, stdout=subprocess.DEVNULL)
    return "-".join([refs, "sched"] + ["ghost"] * ghost + [mutant] * bool(mutant))


def configuration(folder, words):
    return boot.config(["/tests/explore", *words], smp=5, mem="128M", kernel=folder)


def play(folder, words):
    """Run /tests/explore; its results [(ok, name)], whether all went well, its log from the first one on."""
    guest = qemu.boot(configuration(folder, words))
    for _ in guest.lines():
        pass
    results, complete = ktap.parse(guest.log)
    start = next((i for i, line in enumerate(guest.log) if line.startswith("KTAP")), 0)
    panic = [line for line in guest.log if "PANIC: " in line]
    good = guest.verdict == "ok" and complete and bool(results) and all(ok for ok, _ in results)
    return results, good, panic + guest.log[start:]


class Output:
    def __init__(self):
        self.count = self.failed = 0
        print("KTAP version 1")

    def one(self, ok, name, log=()):
        self.count += 1
        self.failed += not ok
        print(f"{'' if ok else 'not '}ok {self.count} - explore: {name}", flush=True)
        for line in log:
            print("# " + line)

    def guest(self, folder, words):
        results, good, log = play(folder, words)
        for ok, name in results:
            self.one(ok, f"{folder}: {name}")
        if not good:
            self.one(False, f"{folder}: {words[0]}", log)
            print(f"# again: {boot.command_of(configuration(folder, words))}")
        elif words[0] == "steps":
            print(*(line for line in log if line.startswith("#")), sep="\n")


def chunks(arguments):
    """As many scripts as go into one boot."""
    part = []
    for argument in arguments:
        if part and sum(len(a) + 1 for a in part) + len(argument) > BOOTARGS:
            yield part
            part = []
        part.append(argument)
    if part:
        yield part


def scripted(out, folder, refs, names=(), steps=False):
    for part in chunks([s.argument for s in schedules(names) if refs in s.refs]):
        out.guest(folder, ["steps" if steps else "script", *part])


def check(out):
    """Every schedule in every design; the same trace 20 times out of 20; small scenarios to their end."""
    for refs in ALL_REFS:
        scripted(out, kernel(refs), refs)
    scripted(out, kernel("cas", ghost=True), "cas")
    cas = kernel("cas")
    _, good, log = play(cas, ["script", "wrong/cow2/1:frame.copy,2:no.such.point,1:end"])
    out.one(not good and any("step 2 cannot be followed: 2 no.such.point" in line for line in log),
            "a script that cannot be followed is a failure, and says where")
    seeded = ["seeded", "cow3", "seed=1", "runs=10", "length=24"]
    out.guest(cas, [*seeded, "times=20"])
    one, other = (play(cas, seeded)[0] for _ in range(2))
    out.one(one == other and len(one) == 10, "the same seeds leave the same traces in another guest")
    for scenario, bound in (("cow2", 2), ("forkexit", 2), ("exitwrite", 2), ("forkwrite", 1), ("exitexit", 3),
                            ("oom", 2), ("pipe", 1), ("scarce", 1), ("both", 2), ("decide", 2),
                            ("table", 2), ("unmap", 2)):  # whose players are all there from the start
        out.guest(cas, ["exhaustive", scenario, f"bound={bound}"])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("mode", choices=["scripted", "seeded", "exhaustive", "list", "check"])
    p.add_argument("what", nargs="*", help="names of schedules; a scenario; its choices")
    p.add_argument("--refs", default="cas", choices=ALL_REFS)
    p.add_argument("--mutant", default="")
    p.add_argument("--ghost", action="store_true")
    p.add_argument("--steps", action="store_true", help="of scripts: show them")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--runs", type=int, default=20)
    p.add_argument("--depth", type=int, default=3, help="of the bug sought: one change point fewer")
    p.add_argument("--length", type=int, default=24, help="steps among which they lie")
    p.add_argument("--times", type=int, default=1, help="play each seed so often; the traces must be equal")
    p.add_argument("--bound", type=int, default=2, help="preemptions in a schedule")
    p.add_argument("--limit", type=int, default=100000, help="schedules in a search")
    args = p.parse_args()
    out = Output()
    if args.mode == "check":
        check(out)
    elif args.mode == "scripted":
        scripted(out, kernel(args.refs, args.mutant, args.ghost), args.refs, args.what, args.steps)
    else:
        options = {"seeded": ["seed", "runs", "depth", "length", "times"], "exhaustive": ["bound", "limit"]}
        words = [f"{name}={getattr(args, name)}" for name in options.get(args.mode, [])]
        out.guest(kernel(args.refs, args.mutant, args.ghost), [args.mode, *args.what, *words])
    print(f"1..{out.count}")
    return out.failed != 0 or out.count == 0


if __name__ == "__main__":
    sys.exit(main())
