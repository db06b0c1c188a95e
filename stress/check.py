#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py - every test, one KTAP stream, and at the end `N passed, N failed`.

    stress/check.py             what `make check` runs
    stress/check.py --race      only the guest's tests, on the kernel with the race detector: all but those that
                                need little memory, a crowd, or what is not in that kernel
                                (after `make watched`; a quarter of an hour)

Guest tests count by their own result lines, host tests by pytest's report, figures by their targets;
a guest that panics, hangs or breaks its plan, or a tool that ends badly, counts as one failure more.
What has not been tested has not passed: a test program without results has failed, and so has a
result that was skipped. (So no program is started on a kernel that lacks what it tests.)
No test is retried. Only exact figures are judged: instructions, not seconds.
"""
import argparse
import re
import signal
import subprocess
import sys
from xml.etree import ElementTree

import boot
import failure
import ktap
import qemu

ROOT = qemu.ROOT
SAVED = ROOT / "out" / "check"
TESTS = sorted({p.stem for p in ROOT.glob("user/tests/*.c") if p.stem not in ("race", "crowd", "disk", "swap")}
               | {p.parent.name for p in ROOT.glob("user/tests/*/*.c")} - {"explore", "cowmatrix"})
# The rest of the user tests run where they differ: on one hart and on eight, with checks.
WATCHED = "cas-kasan-ubsan-track"  # the kernel with the tools that are not in CHECK
STRESS = [  # refs, harts, memory, workers: one alone also counts its copies
    ("cas", 1, "64M", 1), ("cas", 2, "256M", 4), ("cas", 3, "64M", 4), ("cas", 8, "1G", 4),
    ("freelock", 8, "256M", 4), ("biglock", 8, "256M", 4)]
GHOST, RACE = "cas-ghost", "cas-race"  # the kernels with the ghost TLB and with the race detector
DISKS = [f"{SAVED}/{disk}" for disk in (  # as user/tests/disk.c wants them
    "vda.img,size=1M+200K+1536", "vdb.img,size=100K,ro", "vdc.img,size=1M,bad=64,badflush")]
NOT_OK = {"failure", "error", "skipped"}  # pytest's
SKIPPED = re.compile(r"# *SKIP\b", re.I)  # KTAP's, which calls that ok


def is_test(command):
    """Does this program print results? The others are judged by their status alone, and by must_say."""
    return command[0].startswith("/tests/") or command[0] in ("/bin/stress", "/bin/selftest")


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def one(self, ok, name):
        self.passed += ok
        self.failed += not ok
        print(f"{'' if ok else 'not '}ok {self.passed + self.failed} - {name}", flush=True)

    def many(self, where, results):
        """Results [(ok, name)] of one suite: only those that are not ok get a line."""
        for ok, what in results:
            self.passed += ok
            self.failed += not ok
            if not ok:
                print(f"not ok {self.passed + self.failed} - {where}: {what}")

    def guest(self, name, command, status=0, must_say=None, **options):
        """Run a guest; its result lines count, and so does how it ended. Where no test makes them on purpose,
        an audit's errors are a panic, of which everything is kept."""
        if options.get("append") != "selftest":
            options["append"] = f"auditpanic {options.get('append', '')}".strip()
        config = boot.config(command, **{"check": True, **options})
        guest = qemu.boot(config, keep_memory=True, beats=command[0] == "/bin/stress")
        for _ in guest.lines():
            pass
        results, complete = ktap.parse(guest.log)
        results = [(ok and not SKIPPED.search(what), what) for ok, what in results]
        tested = len(results) > 0 or not is_test(command)
        where = f"{name} ({config.refs}, {config.smp} harts, {config.mem})"
        self.many(where, results)
        said = all(any(word in line for line in guest.log) for word in must_say or [])
        as_meant = guest.verdict == ("ok" if status == 0 else "panic")  # an early panic may leave 0
        good = guest.status == status and as_meant and complete and tested and said
        self.one(good, f"{where}: {len(results)} results, {guest.verdict}")
        if not good or not all(ok for ok, _ in results):
            place = failure.save(SAVED / f"{self.passed + self.failed}-{name.replace(' ', '-')}", config, guest)
            print("# " + "\n# ".join(guest.log[-40:]))
            print(f"# again: {failure.rerun(place)}")
        guest.memory.close()


def tool(*words):
    """Run a Python program of ours; its exit status and all that it said."""
    run = subprocess.run([sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True)
    return run.returncode, run.stdout


def host_tests(tally):
    for folder in ("bench/tests", "stress/tests"):
        report = SAVED / (folder.replace("/", "-") + ".xml")
        report.unlink(missing_ok=True)
        status, text = tool("-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", folder)
        cases = ElementTree.parse(report).iter("testcase") if report.exists() else []
        results = [(not any(part.tag in NOT_OK for part in case), case.get("name")) for case in cases]
        tally.many(folder, results)
        tally.one(status == 0, f"pytest {folder}: {len(results)} results")
        if status:
            print("# " + "\n# ".join(text.splitlines()[-60:]))


def figures(tally):
    status, text = tool("bench/run.py", "--view", "instructions", "--no-build", "--out",
                        str(SAVED / "instructions"))
    rows = re.findall(r"^  (\S.*?)  +(.*)  (met|MISSED|not measured)$", text, re.M)
    exact = [row for row in rows if "workers over" not in row[0]]
    tally.many("instructions", [(verdict == "met", f"{name} {' '.join(numbers.split())}")
                                for name, numbers, verdict in exact])
    tally.one(status == 0 and len(exact) > 0, f"bench instructions: {len(exact)} results")
    if status:
        print("# " + "\n# ".join(text.splitlines()[-30:]))


def host_units(tally):
    """kernel/mm and kernel/sync on this machine, in nine builds: every case of every build counts."""
    run = subprocess.run(["make", "--no-print-directory", "host-test"], cwd=ROOT, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    results, good = [], run.returncode == 0
    for part in run.stdout.split("# host: ")[1:]:
        cases, complete = ktap.parse(part.splitlines())
        tally.many("host " + part.split()[0], cases)
        results += cases
        good = good and complete
        if not complete:
            print("# host: " + "\n# ".join(line for line in part.splitlines() if not line.startswith("ok ")))
    tally.one(good and len(results) > 0, f"host units: {len(results)} results")
    if not good:
        print("# " + "\n# ".join(line for line in run.stdout.splitlines()[-200:] if not line.startswith("ok ")))


def stream(tally, script, *words):
    """A script on the host whose result lines count; one that stops short counts as one failure."""
    run = subprocess.Popen([sys.executable, script, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    failed = 0
    for line in run.stdout:
        if line.startswith(("ok", "not ok")):
            failed += line.startswith("not ok")
            tally.one(line.startswith("ok"), line.split(" - ", 1)[1].rstrip())
        elif line.startswith("#"):
            print(line, end="")
    if run.wait() and not failed:
        tally.one(False, f"{script}: ended with {run.returncode}")


def under_the_race_detector(tally):
    """A guest that has made a report ends with a status of its own (RACE_STATUS)."""
    for test in ["race", *TESTS]:
        if test not in ("mem", "inject"):  # there is nothing to inject without CHECK=1
            tally.guest(test, ["/tests/" + test], kernel=RACE)
    for name in re.findall(r"TEST\((\w+)\)", (ROOT / "user/tests/mem.c").read_text()):
        if name != "records_are_for_memory_that_is_there":  # these are compared with frames: most are shadow here
            tally.guest(name, ["/tests/mem", name], kernel=RACE)
    for test in ("cow", "pipes", "proc", "sched"):
        tally.guest(test, ["/tests/" + test], smp=1, kernel=RACE)
    tally.guest("disk", ["/tests/disk"], kernel=RACE, disk=DISKS, modern=True)
    for refs in ("freelock", "biglock"):
        for test in ("cow", "oom"):
            tally.guest(test, ["/tests/" + test], refs=refs, kernel=f"{refs}-race")


def everything(tally):
    stream(tally, "stress/lint.py")
    stream(tally, "stress/model/run.py")
    stream(tally, "stress/weak.py")
    stream(tally, "stress/explore/explore.py", "check")
    host_tests(tally)
    figures(tally)
    host_units(tally)
    tally.guest("kernel unit tests", ["/bin/selftest"], append="selftest")
    tally.guest("kernel unit tests", ["/bin/selftest"], append="selftest", smp=1, mem="64M",
                refs="freelock")
    tally.guest("kernel unit tests", ["/bin/selftest"], append="selftest", smp=3, mem="64M", refs="biglock")
    tally.guest("kernel unit tests, watched", ["/bin/selftest"], append="selftest", smp=2, mem="128M",
                kernel=WATCHED)
    for test in ("cow", "failnth", "oom", "files", "sequences", "threads", "spaces", "futex"):
        tally.guest(test + ", watched", ["/tests/" + test], smp=4, mem="256M", kernel=WATCHED)
    for smp in (1, 8):
        for test in TESTS:
            tally.guest(test, ["/tests/" + test], smp=smp)
        for modern in (False, True):
            tally.guest("disk, modern" if modern else "disk", ["/tests/disk"], smp=smp, disk=DISKS, modern=modern)
    for smp in (1, 2, 3, 8):
        tally.guest("cowmatrix", ["/tests/cowmatrix"], smp=smp, disk=[f"{SAVED}/swap.img,size=32M"],
                    must_say=["pages swapped"])
    tally.guest("disk, watched", ["/tests/disk"], smp=4, mem="256M", kernel=WATCHED, disk=DISKS)
    tally.guest("disk under the race detector", ["/tests/disk"], kernel=RACE, disk=DISKS)
    for smp, options in ((1, {}), (8, {}), (4, {"kernel": GHOST}), (4, {"kernel": WATCHED, "mem": "128M"})):
        swap = [f"{SAVED}/swap.img,size={'192M' if 'mem' in options else '96M'}"]
        tally.guest("swap", ["/tests/swap"], smp=smp, disk=swap, **{"mem": "64M", **options})
    tally.guest("swap that fails", ["/tests/swap", "errors"], smp=1, mem="64M",
                disk=[f"{SAVED}/swap.img,size=64M,bad=2000"])
    for refs in ("freelock", "biglock"):
        for test in ("cow", "failnth", "kernelwrite", "oom", "protect"):
            tally.guest(test, ["/tests/" + test], refs=refs, smp=4, mem="64M")
    tally.guest("cow by ACLINT IPIs", ["/tests/cow"], machine="aclint=on", must_say=["timer sstc, ipi sswi,"])
    tally.guest("cow by SBI timer", ["/tests/cow"], cpu="sstc=off", must_say=["timer sbi, ipi sbi,"])
    tally.guest("no spinlock is held for 20000 instructions", ["/bin/stress", "all", "rounds=6", "seed=1",
                "workers=4"], smp=1, mem="64M", icount=True, append="lockmax=20000")
    tally.guest("ghost TLB", ["/bin/selftest"], append="selftest", kernel=GHOST)
    for test in ("cow", "brk", "mem", "exec", "ghost", "threads", "spaces"):
        tally.guest(test + " under the ghost TLB", ["/tests/" + test], kernel=GHOST)
    tally.guest("race detector", ["/tests/race"], kernel=RACE)
    for test in ("threads", "spaces", "futex"):
        tally.guest(test + " under the race detector", ["/tests/" + test], kernel=RACE)
    tally.guest("killed sleepers under the race detector", ["/tests/sched", "killed_sleepers_wake_on_any_hart"],
                kernel=RACE)
    tally.guest("more threads than the race detector tells apart", ["/tests/proc", "a_thousand_children"], smp=4,
                kernel=RACE)
    for refs in ("cas", "freelock", "biglock"):
        tally.guest("stress under the race detector", ["/bin/stress", "all", "rounds=2", "workers=3", "pages=8"],
                    refs=refs, kernel=f"{refs}-race")
    tally.guest("64 harts", ["/bin/memaudit"], smp=64, mem="256M")
    tally.guest("harts started at the wrong address", ["/bin/memaudit"], append="stale-start")
    tally.guest("16 GiB", ["/bin/memaudit"], smp=2, mem="16G")
    tally.guest("release build", ["/tests/proc"], check=False)
    tally.guest("tens of thousands of processes", ["/tests/crowd"], smp=2, mem="2G", check=False)
    for how, says in (("0", "asked for"), ("1", "stack overflow"), ("2", "trap in the kernel"),
                      ("3", "takes PIDS inside CONSOLE")):
        tally.guest("crash " + how, ["/bin/crash", how], status=101, append="crash", smp=3,
                    must_say=["PANIC: ", says, "hart 2:", "-- end of panic --"])
    tally.guest("crash 1, watched", ["/bin/crash", "1"], status=101, append="crash", smp=3, kernel=WATCHED,
                must_say=["PANIC: ", "stack overflow", "hart 2:", "-- end of panic --"])
    for refs, smp, mem, workers in STRESS:
        tally.guest("stress", ["/bin/stress", "all", "rounds=6", f"seed={smp}", f"workers={workers}",
                               "delay=300"], refs=refs, smp=smp, mem=mem)
    tally.guest("stress, injected",
                ["/bin/stress", "all", "rounds=4", "seed=1", "workers=4", "spurious=4", "late=20000", "slow=1000"],
                mem="256M", must_say=["# injected: "])
    stream(tally, "stress/mutants.py", "--fast")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--race", action="store_true")
    suite = under_the_race_detector if parser.parse_args().race else everything
    tally = Tally()
    SAVED.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no guest is left behind
    print("KTAP version 1")
    suite(tally)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return tally.failed != 0 or tally.passed == 0


if __name__ == "__main__":
    sys.exit(main())
