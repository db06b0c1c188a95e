#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutants.py - is each bug of docs/mutants.md found by the tool that is said to find it, and by that only
where the bug is: the same command on the clean kernel must pass. KTAP, then the matrix.

    stress/mutants.py             all of them, those of the models too
    stress/mutants.py W17 M25     these; models: those of stress/model
    stress/mutants.py --fast      those that took little time in docs/testing.md, and new ones
    --matrix     put the times into the matrix of docs/testing.md, instead of printing it
    --plain      does plain stress find them? (slow) Into the same matrix with --matrix

Reads the tables: under a heading, the first `make TOOL=1 MUTANT=...` says which kernel; a row's third
column is what the guest must say (a result without its number), its last the command, perhaps after
options of boot.py and `--`, or `schedule NAME`: a file of stress/explore/schedules, or `litmus NAME`:
a litmus test of stress/model, which then reads the mutant's sources, or `host BUILD WORD`: the unit tests
with that word in their names, in a build of kernel/test/host.
"""
import collections
import functools
import re
import shlex
import subprocess
import sys
import time

import boot
import matrix
import mutantbuild
import qemu

sys.path.append(str(qemu.ROOT / "stress" / "explore"))
import explore  # noqa: E402

DOC = qemu.ROOT / "docs" / "mutants.md"
MODELS = qemu.ROOT / "stress" / "model" / "run.py"
NUMBER = re.compile(r"^not ok \d+ -")
ROW = re.compile(r"^\| (\w+)(?: \(`REFS=(\w+)`\))? \| [^|]+ \| ([^|]+) \| `([^`]+)` \|$")
MODEL = re.compile(r"(ok|not ok) \d+ - (?:(\w+), mutant (\w+)|weakened: (.+) to (\w+)): "
                   r"(.*?)(?:[ (]+[\w ,]*in ([\d.]+) s\))$")
PLAIN = ["--smp", "8", "--mem", "256M", "--", "/bin/stress", "all", "rounds=2", "workers=4", "seed=1"]
FAST = 30.0  # seconds in the matrix

Mutant = collections.namedtuple("Mutant", "name refs tools tool says command")


def rows():
    for section in DOC.read_text().split("\n## ")[1:]:
        tools = re.search(r"make ((?:\w+=1 )+)MUTANT=", section)
        tools = tuple(t.split("=")[0] for t in tools.group(1).split()) if tools else ()
        tool = section.splitlines()[0].removeprefix("Caught by ").removeprefix("the ").split(";")[0]
        for line in section.splitlines():
            row = ROW.match(line)
            if row:
                yield Mutant(row[1], row[2] or "cas", tools, tool, row[3].strip(), row[4])


def configuration(folder, command):
    words = shlex.split(command)
    if words[0] == "schedule":
        words = ["/tests/explore", "script", explore.Schedule(words[1]).argument]
    args = boot.parser().parse_args(words if words[0].startswith("--") else ["--mem", "1G", "--", *words])
    args.kernel = folder
    return args


def run(folder, command, says):
    """(it said that: then it has been stopped; what else; its status)."""
    guest = qemu.boot(configuration(folder, command))
    for line in guest.lines():
        if says in NUMBER.sub("not ok -", line) and not line.startswith("bootargs:"):
            return True, line.split("PANIC: ")[-1], None
    return False, f"{guest.verdict} {guest.why}".strip(), guest.status


def script(words, says):
    """The same of what runs on this machine."""
    done = subprocess.run(words, capture_output=True, text=True)
    lines = done.stdout.splitlines() + done.stderr.splitlines()
    said = [line for line in lines if says in NUMBER.sub("not ok -", line)]
    return (True, said[0], None) if said else (False, (lines or ["nothing"])[-1], done.returncode)


def built(refs, tools, command, mutant=""):
    """The folder in which that is what the command needs."""
    if command.startswith("host "):
        return mutantbuild.host(refs, command.split()[1], mutant)
    return mutantbuild.build(refs, tools, mutant) if mutant else mutantbuild.clean(refs, tools)


def judge(refs, folder, command, mutant, says):
    """run() of whatever a row may say, with these mutants, one or none."""
    kind, *words = command.split()
    if kind == "litmus":
        return script([sys.executable, str(MODELS), "--litmus", *words, *mutant], says)
    if kind == "host":
        return script([qemu.ROOT / "out" / folder / f"{refs}-{words[0]}" / "units", "1", words[1]], says)
    return run(folder, command, says)


@functools.cache
def control(refs, tools, command):
    """What is wrong with the clean kernel, None if nothing: each command runs once."""
    start = time.monotonic()
    folder = built(refs, tools, command)
    _, said, status = judge(refs, folder, command, [], "\0")
    print(f"# clean: {folder} {command}: {said} ({time.monotonic() - start:.1f} s)", flush=True)
    return f"the clean kernel: {said}" if status != 0 else None


def killed(m):
    """(found, what was said, seconds)"""
    folder = built(m.refs, m.tools, m.command, m.name)
    start = time.monotonic()
    found, said, _ = judge(m.refs, folder, m.command, [m.name], m.says)
    seconds = time.monotonic() - start
    mutantbuild.remove(folder)
    wrong = control(m.refs, m.tools, m.command)
    return found and not wrong, wrong or said, seconds


def plain(m):
    """Does stress on the kernel without tools find it? A mutant that does not even build is no mutant."""
    folder = mutantbuild.build(m.refs, (), m.name)
    _, _, status = run(folder, shlex.join(PLAIN), "\0")
    mutantbuild.remove(folder)
    if status is None:
        raise RuntimeError(f"{folder} did not run")
    return "found" if status else "not found"


def models():
    """(name, found, what was said, seconds) of every mutant of stress/model."""
    search = subprocess.Popen([sys.executable, str(MODELS), "--full"], stdout=subprocess.PIPE, text=True)
    for line in search.stdout:
        row = MODEL.match(line)
        if row and "not needed" not in line:
            name = f"{row[2]}: {row[3]}" if row[2] else f"{row[4]} → {row[5]}".replace("|", "or")
            yield name, row[1] == "ok", row[6], float(row[7] or 0)
    if search.wait():
        yield "all of stress/model", False, f"ended with {search.returncode}", 0.0


def main():
    options = {w for w in sys.argv[1:] if w.startswith("--")}
    named = [w for w in sys.argv[1:] if not w.startswith("--")]
    table, number, failed, begin = matrix.Matrix(), 0, 0, time.monotonic()
    every = list(rows())
    unknown = options - {"--fast", "--matrix", "--plain"} | set(named) - {m.name for m in every} - {"models"}
    if unknown:
        print(__doc__, file=sys.stderr)
        return f"mutants.py: there is no {', '.join(sorted(unknown))}" if unknown != {"--help"} else 0
    slow = {m for m in every if "--fast" in options and table.takes(m.name, m.tool) > FAST}
    chosen = [m for m in every if m not in slow and (not named or m.name in named)]
    print("KTAP version 1")

    def result(name, tool, found, said, seconds):
        nonlocal number, failed
        number, failed = number + 1, failed + (not found)
        print(f"{'' if found else 'not '}ok {number} - {name}: {tool}: {said} ({seconds:.1f} s)", flush=True)
        table.killed(name, tool, seconds) if found else table.survived(name, tool)
        if "--matrix" in options:
            table.write(keep=True)
    if "--plain" in options:
        for m in {m.name: m for m in chosen}.values():
            table.plain(m.name, verdict := plain(m))
            print(f"# {m.name}: {verdict} by plain stress", flush=True)
            table.write(keep=True) if "--matrix" in options else None
        chosen = []
    for m in chosen:
        try:
            result(m.name, m.tool, *killed(m))
        except subprocess.CalledProcessError as error:
            result(m.name, m.tool, False, f"does not build: {error}", 0.0)
    if "models" in named or not named and not options & {"--fast", "--plain"}:
        for name, found, said, seconds in models():
            result(name, "models", found, said, seconds)
    print(f"1..{number}\n# {number - failed} of {number} killed in {time.monotonic() - begin:.0f} s")
    if "--matrix" in options:
        table.write(keep=bool(named or options - {"--matrix"}))
    elif "--fast" not in options:
        print("\n".join("# " + line for line in table.lines(fresh=True)))
    return failed != 0 or not (number or "--plain" in options)


if __name__ == "__main__":
    sys.exit(main())
