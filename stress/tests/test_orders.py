# SPDX-License-Identifier: MIT
"""test_orders.py - atomics of the C, and their rows in the document."""
import orders

CODE = """
// atomic_fence_full() in a comment
static u32 first(u32 *p) {
    return atomic_load_relaxed(p) + atomic_load_acquire(p);  // pairs with second
}
#ifdef MUTANT_X
void gone(u32 *p) { atomic_fence_full(); }
#endif
void second(u32 *p) { atomic_store_release(p, 1u); }
#define THIRD(name) \\
    bool name(u32 *p) { \\
        atomic_fence_acquire_of(p); \\
        return atomic_cas32_acq_rel(p, 0, 1); \\
    }
"""
FOUND = [("mm/a.c", "first", "acquire"), ("mm/a.c", "second", "release")]
ROW = "| T1 | store `release`; load `acquire` | mm/a.c: `first`, `second` | each other |\n"


def test_uses_are_found_with_their_functions():
    assert list(orders.sites(CODE)) == [("first", "acquire"), ("second", "release"), ("THIRD", "acquire"),
                                        ("THIRD", "acq_rel")]


def test_a_row_names_file_function_and_order():
    assert orders.undocumented(FOUND, ROW) == []


def test_what_is_missing_is_said():
    assert orders.undocumented(FOUND, ROW.replace("first", "other")) == ["mm/a.c: first: acquire"]
    assert orders.undocumented(FOUND, ROW.replace("release", "relaxed")) == ["mm/a.c: second: release"]
    assert len(orders.undocumented(FOUND, ROW.replace("mm/a.c", "fs/a.c"))) == 2
    assert len(orders.undocumented(FOUND, ROW.replace("|", "", 1))) == 2  # no row, but words


def test_a_function_without_any_is_said():
    assert orders.unused(FOUND, ROW) == []
    assert orders.unused(FOUND[:1], ROW) == ["mm/a.c: second"]


MARKS = """
struct queue {
    u32 length;  // (m: thieves look without the lock)
    u64 first, last[2];
};
static void put(struct queue *q, u32 i) {
    write_once(q->length, q->length + 1);
    write_once(q->last[i + 1], read_once(q->length));  // the reader has no lock
    // the reader has no lock
    if (read_once(q[i].last[1])) { return; }
#ifdef MUTANT_X
    write_once(q->first, 0);
#endif
}
"""


def test_marks_have_reasons():
    assert orders.unexplained({"mm/a.c": MARKS}) == []


def test_a_mark_without_a_reason_is_said():
    bare = "    return read_once(q->first);"
    for text in (MARKS + bare, MARKS + "f();  // not about this\n" + bare):
        assert [line.split(": ")[-1] for line in orders.unexplained({"mm/a.c": text})] == [bare.strip()]
    assert len(orders.unexplained({"mm/a.c": MARKS.replace("// the reader has no lock", "")})) == 2
    assert len(orders.unexplained({"mm/a.c": MARKS.replace("m: thieves", "a: thieves")})) == 1


def test_a_reason_holds_in_its_file_or_for_all_if_in_a_header():
    use = "void f(void) { write_once(q->length, 0); }"
    assert orders.unexplained({"mm/a.h": MARKS, "mm/b.c": use}) == []
    assert orders.unexplained({"mm/a.c": MARKS, "mm/b.c": use}) == ["mm/b.c:1: " + use]
    assert orders.unexplained({"mm/a.c": MARKS, "sync/race_b.c": use}) == []


def test_a_reason_without_a_mark_is_said():
    gone = MARKS.replace("first,", "first;  // (m: nobody)\n    u64")
    assert orders.unexplained({"mm/a.c": gone}) == ["mm/a.c: first has a reason, and no mark"]
