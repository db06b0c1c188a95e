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
