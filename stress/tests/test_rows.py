# SPDX-License-Identifier: MIT
"""test_rows.py - docs/rows.md names only tests that exist."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = {"kernel": "kernel/test", "lint": "stress/lint.py", "check": "stress/check.py",
           "stress": "user/stress"}
NAMED = sorted(set(re.findall(r"`(\w+): ([^`]+)`", (ROOT / "docs" / "rows.md").read_text())))


def text_of(program):
    path = ROOT / SOURCES.get(program, f"user/tests/{program}")
    path = path if path.exists() else path.with_suffix(".c")
    files = [path] if path.is_file() else sorted(path.glob("**/*.[ch]"))
    return "".join(f.read_text() for f in files)


@pytest.mark.parametrize("program, test", NAMED, ids=lambda part: part)
def test_named_test_exists(program, test):
    assert test in text_of(program)


def test_every_row_is_there():
    rows = re.findall(r"^\| ([ABCE]\d+) \|", (ROOT / "docs" / "rows.md").read_text(), re.M)
    assert rows == [f"{part}{i}" for part, last in (("A", 18), ("B", 10), ("C", 9), ("E", 16))
                    for i in range(1, last + 1)]
