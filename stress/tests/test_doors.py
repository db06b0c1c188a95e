# SPDX-License-Identifier: MIT
"""test_doors.py - ways to user memory that the lint sees, and those that it leaves alone."""
import pytest

import doors

CODE = """
#define FLAG (1ul << 17)
static long first(struct file *f, uaddr to) {  // as pa_to_kva( would
    return copy_out(to, f->data, 1);
}
#ifdef MUTANT_X
static void gone(frame_t f) { memset(frame_kva(f), 0, 1); }
#endif
long second(uaddr to) {
    return 0;
}
"""


def test_the_door_is_left_alone():
    assert list(doors.sights("fs/a.c", CODE)) == []


@pytest.mark.parametrize("line, what", [
    ("csr_set(sstatus, SSTATUS_SUM);", "SUM"), ("csr_set(sstatus, 1ul << 18);", "SUM"),
    ("return uaccess_copy(to, s, 1);", "SUM"), ("return __real_uaccess_copy(to, s, 1);", "SUM"),
    ("memset(frame_kva(f), 0, 1);", "frame_kva"), ("memset(pa_to_kva(pa), 0, 1);", "pa_to_kva"),
    ("memset(as_populate(as, to), 0, 1);", "as_populate"),
    ("memset((void *)(DIRECT_BASE + pa), 0, 1);", "DIRECT_BASE")])
def test_another_way_is_seen(line, what):
    text = CODE.replace("return 0;", line)
    assert list(doors.sights("fs/a.c", text)) == [("fs/a.c", "second", what)]
    assert list(doors.sights("mm/a.c", text)) == [("mm/a.c", "second", what)] * (what == "SUM")


def test_assembly_is_read():
    text = "entry:\n    li t0, 1 << 18\n    csrs sstatus, t0   // SUM\n    la t0, uaccess_failed\n"
    assert list(doors.sights("riscv/a.S", text)) == [("riscv/a.S", "entry", "SUM")] * 2


def test_the_table_has_them_all_and_no_other():
    here, there = ("fs/a.c", "first", "SUM"), ("fs/a.c", "second", "SUM")
    assert doors.strangers([here, here], {here: "why"}) == []
    assert [line.split(": ")[1] for line in doors.strangers([here], {there: "why"})] == ["first", "second"]
