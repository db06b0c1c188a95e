# SPDX-License-Identifier: MIT
"""test_emitted.py - what the lint says to object code, as objdump shows it."""
import pytest

import emitted

# atomic_cas32_acq_rel, in GCC 12's own words: __atomic_compare_exchange_n(p, &old, 2, false, ACQ_REL, ACQUIRE).
BAD = """
out/cas/proc/sched.o:     file format elf64-littleriscv


Disassembly of section .text:

0000000000000000 <other>:
   0:\tfence\tiorw,ow
   4:\tamoadd.w\ta5,a4,(a0)
   8:\tfence
   c:\tret

000000000000000e <finish>:
   e:\tli\ta5,1
  10:\tli\ta4,2
0000000000000012 <.L1^B1>:
  12:\tlr.w.aq\ta3,(a0)
  16:\tbne\ta3,a5,22 <.L1^B1+0x10>
  1a:\tsc.w.aq\ta2,a4,(a0)
  1e:\tbnez\ta2,12 <.L1^B1>
  22:\tret
"""
GOOD = BAD.replace("sc.w.aq\t", "sc.w.rl\t")
TABLE = {"sched: other": "> amoadd.w fence", "sched: finish": "lr.w.aq sc.w.rl"}


def test_lost_release_is_rejected():
    found = emitted.sequences(BAD)
    assert emitted.lost_releases(found) == ["sched: finish: lr.w.aq sc.w.aq"]
    assert emitted.unexpected(found, TABLE) == ["sched: finish: lr.w.aq sc.w.aq; expected: lr.w.aq sc.w.rl"]


@pytest.mark.parametrize("suffix", ["rl", "aqrl"])
def test_release_is_accepted(suffix):
    assert emitted.lost_releases(emitted.sequences(GOOD.replace("sc.w.rl", "sc.w." + suffix))) == []


def test_expected_sequence_is_accepted():
    assert emitted.unexpected(emitted.sequences(GOOD), TABLE) == []


def test_double_words_are_looked_at():
    text = BAD.replace("lr.w", "lr.d").replace("sc.w", "sc.d")
    assert emitted.lost_releases(emitted.sequences(text)) == ["sched: finish: lr.d.aq sc.d.aq"]


# What GCC 12 makes of "release": only the table knows that it is not a relaxed one.
@pytest.mark.parametrize("change", [("sc.w.rl\t", "sc.w\t"), ("lr.w.aq", "lr.w"), ("\tfence\n", "\tnop\n"),
                                    ("fence\tiorw,ow", "fence\tir,iorw"), ("<finish>:", "<gone>:")])
def test_any_other_sequence_is_rejected(change):
    assert len(emitted.unexpected(emitted.sequences(GOOD.replace(*change)), TABLE)) == 1


def test_names_tell_files_apart():
    text = GOOD + GOOD.replace("proc/sched.o", "panic.o").replace("fence", "nop")
    found = emitted.sequences(text)
    assert found["sched: other"] == ["fence iorw,ow", "amoadd.w", "fence"] and found["panic: other"] == ["amoadd.w"]


def test_library_calls_are_seen():
    line = "  2a:\tauipc\tra,0x0\n\t\t\t2a: R_RISCV_CALL\t__atomic_fetch_add_1\n"
    assert emitted.LIBRARY.findall(line) == ["__atomic_fetch_add_1"]


TRAP = """
0000000000000000 <trap_entry>:
   0:\tcsrrw\tsp,sscratch,sp
   4:\tcsrr\ta0,satp
   8:\tfence\trw,rw
   c:\tld\ta5,16(a0)        # 10 <not_sfence.vma>
000000000000000e <trap_syscall>:
   e:\tret
"""


@pytest.mark.parametrize("line", ["csrw\tsatp,a0", "csrwi\tsatp,0", "csrrw\ta0,satp,a1", "csrs\tsatp,a0",
                                  "csrrci\ta0,satp,1", "csrc\tsatp,a0", "sfence.vma", "sfence.vma\ta0,zero",
                                  "sinval.vma\ta0,a1"])
def test_a_trap_that_changes_translation_is_rejected(line):
    assert emitted.translation(TRAP) == []
    assert emitted.translation(TRAP.replace("e:\tret", f"e:\t{line}")) == [
        "trap_syscall: " + line.replace("\t", " ")]


def test_a_trap_path_that_is_not_there_is_said(tmp_path):
    bad, count = emitted.trap_path(tmp_path)
    assert len(bad) == len(emitted.TRAP_PATH) and count == 0
