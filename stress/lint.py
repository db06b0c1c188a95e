#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lint.py - rules that the compiler does not know: layers, who may touch counts, emitted atomics
(emitted.py), their rows and the reasons of marked accesses (orders.py), the one way to user memory (doors.py),
and the lock table of docs/architecture.md, which is made from kernel/sync/lockrank.h.

    stress/lint.py            check
    stress/lint.py --write    write the table
"""
import pathlib
import re
import shlex
import subprocess
import sys

import doors
import emitted
import mutants as zoo
import orders
import unmutate

ROOT = pathlib.Path(__file__).resolve().parent.parent
# lib and riscv lie lowest; sync above; mm above that; proc, fs and dev are neighbours. dev/ipi.h is
# the one device that mm rings, for shootdowns; riscv/hart.h knows the counters of abi.h; fences tell the ghost TLB.
RANK = {"lib": 0, "riscv": 0, "sync": 1, "mm": 2, "proc": 3, "fs": 3, "dev": 3, "syscall": 4, "test": 4}
ALLOWED = {("mm/tlb.c", "dev/ipi.h"), ("riscv/hart.h", "syscall/abi.h"), ("mm/audit.h", "syscall/abi.h"),
           ("riscv/csr.h", "sync/ghost.h")}
# What is built only on request, to watch the rest: it may look at anything, and is counted apart.
TOOLS = re.compile(r"sync/(race|lockdep|ghost|kasan|ubsan|track|schedule|inject)\w*\.[ch]$")
failed = 0


def result(ok, name, details=()):
    global failed
    failed += not ok
    print(f"{'' if ok else 'not '}ok - {name}")
    for line in details:
        print("# " + line)


def layers():
    bad = []
    for path in sorted((ROOT / "kernel").glob("*/*.[ch]")):
        here = path.relative_to(ROOT / "kernel").as_posix()
        for include in re.findall(r'#include "([a-z]+/[a-z_]+\.h)"', path.read_text()):
            above = RANK.get(include.split("/")[0], 9) > RANK[here.split("/")[0]]
            if above and (here, include) not in ALLOWED and not here.startswith("test/") and not TOOLS.search(here):
                bad.append(f"{here} includes {include}")
    result(not bad, "lint: includes point down the layers", bad)


def counts():
    bad = [p.relative_to(ROOT).as_posix() for p in (ROOT / "kernel").glob("*/*.[ch]")
           if re.search(r"->ref(\+\+|--|\s*[-+]?=[^=])|&[a-z_()]+->ref\b", p.read_text())
           and not p.name.startswith("refs") and p.parent.name != "test" and p.name != "frame.c"]
    result(not bad, "lint: only mm/refs_*.h and frame.c change counts", bad)


def compiler():
    """How a file of the normal kernel is compiled, without the file."""
    command = subprocess.run(["make", "-nB", "V=1", "out/cas/boot.o", "REFS=cas", "CHECK=0"], cwd=ROOT,
                             capture_output=True, text=True).stdout
    return [w for w in shlex.split(re.search(r"^riscv64.*-c kernel/boot.c", command, re.M).group())
            if w not in ("-MMD", "-MP", "-c", "kernel/boot.c")]


def atomics():
    bad, count = emitted.check(ROOT, compiler())
    print(f"# {count} functions have lr, sc, amo or fence instructions, {len(emitted.EXPECTED)} exactly the "
          "expected ones")
    result(not bad, "lint: compare-and-swap keeps its orders, no atomic is a library call", bad)


def traps():
    """Of the kernels that are built as they are run; the ghost TLB and the race detector do as they like."""
    for name in ["cas", *emitted.OTHERS]:
        folder = ROOT / "out" / name
        if name == "cas" or folder.exists():
            bad, count = emitted.trap_path(folder)
            result(not bad and count > 500, f"lint: {name}: a trap writes no satp and fences nothing", bad)


def documented():
    text = (ROOT / "docs" / "memory-model.md").read_text()
    found = orders.of_kernel(ROOT / "kernel")
    bad = orders.undocumented(found, text)
    result(found and not bad, "lint: docs/memory-model.md has a row for each atomic that is stronger than relaxed", bad)
    gone = orders.unused(found, text)
    result(not gone, "lint: docs/memory-model.md names only functions that have one", gone)


def marks():
    bad = orders.unexplained(dict(orders.files(ROOT / "kernel")))
    result(not bad, "lint: each marked access says who races with it (docs/style.md)", bad)


def ways():
    bad = doors.strangers(doors.of_kernel(ROOT / "kernel"), doors.DOORS)
    result(not bad, "lint: one way to user memory: who uses SUM or a frame directly is in stress/doors.py", bad)


def voices():
    bad = []
    for path in ROOT.glob("kernel/**/*.c"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"\b(volatile|__sync_|__atomic_)\b", line) and path.name not in (
                    "atomic.h", "race_tsan.c", "race_shadow.c") and "__asm__" not in line \
                    and "uart" not in line.lower() and "u32 *" not in line and "sys_kine" not in path.name:
                bad.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    result(not bad, "lint: atomics only through atomic.h", bad)


def sizes():
    """A figure to watch, not a gate: lines of the kernel without its tests, tools and mutants."""
    lines, tools, code, braces = {}, 0, 0, 0
    for p in (ROOT / "kernel").rglob("*"):
        if p.suffix in (".c", ".h", ".S") and "test" not in p.parts:
            text = [line.strip() for line in unmutate.cut(p.read_text()).splitlines()]
            if TOOLS.search(p.as_posix()):
                tools += len(text)
                continue
            lines[p] = len(text)
            code += sum(1 for line in text if line and not line.startswith("//"))
            braces += text.count("}")
    print(f"# tools: {tools} lines")
    print(f"# kernel without tests: {sum(lines.values())} lines; {code} without blanks and comments; "
          f"{code - braces} of them more than a closing brace (goal: below 6000)")
    long = [f"{p.relative_to(ROOT)} {n}" for p, n in lines.items() if n > 600]
    result(not long, "lint: no file has more than 600 lines", long)
    wide = [f"{p.relative_to(ROOT)}:{n}" for top in ("kernel", "user", "stress", "bench")
            for p in (ROOT / top).rglob("*") if p.suffix in (".c", ".h", ".S", ".py")
            for n, line in enumerate(p.read_text().splitlines(), 1) if len(line) > 120]
    result(not wide, "lint: no line has more than 120 columns", wide)


def mutants():
    """A normal build has none of them, and docs/mutants.md all."""
    bad = unmutate.different(ROOT, ROOT / "out" / "cas", compiler()) + [w for w in compiler() if "MUTANT" in w]
    result(not bad, "lint: a normal build is the same with all mutants cut out of the tree", bad)
    there = {name for p in (ROOT / "kernel").rglob("*.[chS]") for name in re.findall(r"\bMUTANT_(\w+)", p.read_text())}
    wrong = sorted(there ^ {m.name for m in zoo.rows()})
    result(there and not wrong, "lint: docs/mutants.md has a row for each mutant of the kernel, and no other", wrong)


def lock_table():
    rows = re.findall(r'X\((\w+), (\w+), (\w+), "([^"]+)"\)', (ROOT / "kernel/sync/lockrank.h").read_text())
    table = ["| rank | lock | kind | interrupts | protects |", "|---|---|---|---|---|"]
    table += [f"| {i} | {name} | {kind} | {irq} | {what} |" for i, (name, kind, irq, what) in enumerate(rows, 1)]
    doc = ROOT / "docs" / "architecture.md"
    text = doc.read_text()
    begin, end = "<!-- lock order: made by stress/lint.py --write -->\n", "<!-- end of lock order -->"
    new = text[:text.index(begin) + len(begin)] + "\n".join(table) + "\n" + text[text.index(end):]
    if "--write" in sys.argv:
        doc.write_text(new)
    result(new == text or "--write" in sys.argv, "lint: docs/architecture.md has the lock order that is enforced")


layers()
counts()
atomics()
traps()
documented()
marks()
ways()
voices()
sizes()
mutants()
lock_table()
sys.exit(failed != 0)
