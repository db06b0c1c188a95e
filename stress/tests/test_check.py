# SPDX-License-Identifier: MIT
"""The tally of `make check`, with a fake QEMU: what has not been tested has not passed."""
import pytest

import check

SUITE = "say('KTAP version 1\\nok 1 - a\\nok 2 - b\\n1..2\\n')\n"
TEST, TOOL = ["/tests/cow"], ["/bin/memaudit"]


@pytest.fixture
def tally(fake, tmp_path, monkeypatch, capsys):
    """tally(source, command, ...): (passed, failed, what was printed) of one guest."""
    def run(source, command, **options):
        fake(source)
        monkeypatch.setattr(check, "SAVED", tmp_path / "check")
        counted = check.Tally()
        counted.guest("name", command, **options)
        return counted.passed, counted.failed, capsys.readouterr().out
    return run


@pytest.mark.parametrize("command", [TEST, ["/bin/stress", "all"], ["/bin/selftest"]])
def test_a_program_with_results_passes_by_them(tally, command):
    passed, failed, text = tally(SUITE, command)
    assert (passed, failed) == (3, 0) and "3 - name (cas, 8 harts, 1G): 2 results, ok" in text


@pytest.mark.parametrize("source", [
    "", "say('something else\\n')", "say('KTAP version 1\\n1..0\\n')",
    "say('KTAP version 1\\n1..0 # SKIP no tool\\n')"])
@pytest.mark.parametrize("command", [TEST, ["/bin/stress", "all"], ["/bin/selftest"]])
def test_a_test_program_without_results_has_failed(tally, source, command):
    passed, failed, text = tally(source, command)
    assert (passed, failed) == (0, 1) and "not ok 1 - name (cas, 8 harts, 1G): 0 results" in text


@pytest.mark.parametrize("skip", ["# SKIP needs a tool", "# skip", "#SKIP: needs a tool"])
def test_a_skipped_result_has_failed(tally, skip):
    passed, failed, text = tally(SUITE.replace("- a", f"- a {skip}"), TEST)
    assert (passed, failed) == (2, 1) and f": a {skip}" in text and "# again: " in text


def test_a_name_may_speak_of_skipping(tally):
    assert tally(SUITE.replace("- a", "- skipped pages # skipping"), TEST)[:2] == (3, 0)


def test_a_tool_needs_no_results(tally):
    assert tally("say('frames 1\\n')", TOOL)[:2] == (1, 0)
    assert tally("say('frames 1\\n')", TOOL, must_say=["frames"])[:2] == (1, 0)
    assert tally("say('frames 1\\n')", TOOL, must_say=["frames", "errors 0"])[:2] == (0, 1)


PANIC = "say('PANIC: hart 0: x\\n-- end of panic --\\n'); os._exit(101)"


def test_a_panic_that_is_meant_needs_no_results(tally):
    assert tally(PANIC, ["/bin/crash", "0"], status=101)[:2] == (1, 0)
    assert tally(PANIC, ["/bin/crash", "0"])[:2] == (0, 1)
    assert tally("sys.exit(101)", ["/bin/crash", "0"], status=101)[:2] == (0, 1)


@pytest.mark.parametrize("source, failed", [
    (SUITE.replace("ok 2", "not ok 2"), 1), (SUITE.replace("1..2", "1..3"), 1), (SUITE + "sys.exit(1)", 1),
    (SUITE.replace("ok 2", "not ok 2") + "sys.exit(1)", 2), (SUITE + PANIC, 1)])
def test_what_else_is_a_failure(tally, source, failed):
    assert tally(source, TEST)[1] == failed
