# SPDX-License-Identifier: MIT
"""test_rows.py - docs/rows.md and docs/traps.md name only tests, and traps.md only mutants, that exist; where a trap
has tests, it has a mutant."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = {"kernel": "kernel/test", "lint": "stress/lint.py", "check": "stress/check.py",
           "stress": "user/stress", "host": "kernel/test/host", "model": "stress/model",
           "schedule": "stress/explore/schedules"}
DOCS = [(ROOT / "docs" / name).read_text() for name in ("rows.md", "traps.md")]
NAMED = sorted(set(re.findall(r"`(\w+): ([^`]+)`", "".join(DOCS))))
TEXT = {".c", ".h", ".pml", ".inc", ".py", ".txt"}


def text_of(program):
    path = ROOT / SOURCES.get(program, f"user/tests/{program}")
    path = path if path.exists() else path.with_suffix(".c")
    files = [path] if path.is_file() else sorted(f for f in path.glob("**/*") if f.suffix in TEXT)
    return "".join(f.stem + f.read_text() for f in files)


@pytest.mark.parametrize("program, test", NAMED, ids=lambda part: part)
def test_named_test_exists(program, test):
    assert test in text_of(program)


def test_every_row_is_there():
    rows = re.findall(r"^\| ([A-E]\d+) \|", DOCS[0], re.M)
    wanted = (("A", 1, 18), ("B", 1, 10), ("C", 1, 9), ("D", 19, 24), ("D", 30, 32), ("D", 35, 35), ("E", 1, 16))
    assert rows == [f"{part}{i}" for part, first, last in wanted for i in range(first, last + 1)]


def test_every_trap_is_there():
    rows = re.findall(r"^\| (\d+) \|.*\|$", DOCS[1], re.M)
    assert [int(row) for row in rows] == list(range(1, 37))


@pytest.mark.parametrize("mutant", sorted(set(re.findall(r"\*(\w+)\*", DOCS[1]))))
def test_mutant_of_a_trap_has_its_row(mutant):
    assert re.search(rf"^\| {mutant} ", (ROOT / "docs" / "mutants.md").read_text(), re.M)


@pytest.mark.parametrize("mutant", sorted(set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", DOCS[1]))))
def test_model_mutant_of_a_trap_exists(mutant):
    assert re.search(rf"\bMUTANT_{mutant}\b", text_of("model"))


def test_trap_with_tests_has_a_mutant():
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in DOCS[1].splitlines()
            if re.match(r"\| \d", line)]
    bare = [number for number, _, tests, mutants, _ in rows if bool(tests) != bool(mutants)]
    assert len(rows) == 36 and bare == []
