# SPDX-License-Identifier: MIT
"""make MUTANT=...: a kernel that says that it has a mutant has it. Nothing is built."""
import os
import subprocess

import pytest

import mutantbuild
import mutants
import qemu
import unmutate


def make(*words):
    outside = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}  # of make check
    done = subprocess.run(["make", "-n", "kernel", *words], cwd=qemu.ROOT, capture_output=True, text=True, env=outside)
    return done.returncode, done.stdout, done.stderr.strip()


@pytest.mark.parametrize("name, asked, refs", [("M18", [], "freelock"), ("M18", ["REFS=biglock"], "biglock"),
                                               ("M22", [], "biglock"), ("W17", [], "cas"),
                                               ("W20", ["REFS=freelock"], "freelock")])
def test_a_mutant_is_built_where_it_stands(name, asked, refs):
    status, commands, _ = make(f"MUTANT={name}", *asked)
    assert status == 0
    assert f"-DREFS_{refs.upper()} " in commands and f" -o out/{refs}-{name}/boot.o" in commands


@pytest.mark.parametrize("name, asked, said", [
    ("M99", [], "MUTANT=M99: there is no such row in docs/mutants.md"),
    ("M18", ["REFS=cas"], "MUTANT=M18: it does not stand in the tree of REFS=cas: take REFS=freelock or biglock"),
    ("W18", ["REFS=freelock"], "MUTANT=W18: it does not stand in the tree of REFS=freelock: take REFS=cas")])
def test_a_kernel_without_the_mutant_is_refused(name, asked, said):
    status, commands, error = make(f"MUTANT={name}", *asked)
    assert status != 0 and commands == ""
    assert len(error.splitlines()) == 1 and said in error


def test_a_normal_build_asks_nobody():
    assert "mutantbuild" not in make("PYTHON=false", "REFS=cas")[1]


def test_rows_of_one_name_agree_about_refs():
    refs = {}
    for m in mutants.rows():
        assert m.refs in mutantbuild.REFS and refs.setdefault(m.name, m.refs) == m.refs


def test_one_mutant_is_left_in():
    text = "#ifdef MUTANT_a\n1\n#elif defined(MUTANT_b) || defined(CHECK)\n2\n#else\n3\n#endif\n" \
           "#ifndef MUTANT_b\n4\n#endif\n"

    def left(*on):
        return [line for line in unmutate.cut(text, *on).split("\n") if line.isdigit()]
    assert left() == ["3", "4"] and left("MUTANT_a") == ["1", "4"] and left("MUTANT_b") == ["2"]


def test_a_litmus_test_reads_the_tree_with_the_mutant():
    def litmus(*words):
        done = subprocess.run([qemu.ROOT / "stress/model/run.py", "--litmus", *words], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr
    assert litmus("idle")[0] == 0
    status, said = litmus("idle", "idle_unfenced")
    assert status == 1
    assert "\n# idle_unfenced: runq_wait: atomic_fence_full(): relaxed\nnot ok 1 - kernel: idle:" in said
    status, said = litmus("idle", "W17")
    assert status == 1 and "W17 weakens nothing" in said
