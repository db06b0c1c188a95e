# SPDX-License-Identifier: MIT
"""Targets, ratios and the page."""

import re

import figures
import plan
import points as pts
import report
import svg
import tables


def point(bench, workers=1, refs="cas", smp=8, clock="ns", ops=100, time=10**9, size=1,
          counters=None, part=""):
    return pts.Point(bench, refs, smp, workers, ops, size, clock, time, counters or {}, part)


def cheap(bench, cost, size, workers=1):
    return point(bench, workers, clock="instret", ops=1, time=cost * workers, size=size, smp=1)


def full_run():
    table = figures.targets()
    found = [cheap(row["bench"], row["target"] or 1000, row["size_mib"], row.get("workers", 1))
             for row in table["instructions"]]
    found += [cheap("fork_size", 1000, size) for size in (1, 256)]
    next(p for p in found if p.bench == "fork_size" and p.size_mib == 64).time = 1000
    next(p for p in found if p.bench == "fork_size" and p.size_mib == 1024).time = 1000
    for refs in plan.REFS:
        for bench in plan.THROUGHPUT:
            found += [point(bench, workers, refs, ops=100) for workers in (1, 2, 4, 8)]
        found += [point("fork_size", 1, refs, size=size) for size in (1, 4, 16, 64, 256)]
    found[-1].counters = {}
    found += [point(name, workers, part="scaling") for bench in [*plan.SCALING] * 4
              for name in ("spin", bench) for workers in (1, 2)]
    for each in found:
        if each.bench == "sole_owner":
            each.counters = {"cow_copies": 0, "cow_flips": 0}
    return found


def test_all_met():
    assert figures.failures(full_run()) == []


def test_missed_by_one():
    found = [p for p in full_run() if p.bench != "null_syscall"] + [cheap("null_syscall", 121, 0)]
    assert [row["bench"] for row in figures.failures(found)] == ["null_syscall"]


def test_not_measured_is_a_failure_and_says_so():
    verdicts = {row["verdict"] for row in figures.failures([])}
    assert verdicts == {figures.ABSENT}
    assert figures.ABSENT in figures.text([])


def test_ratio_needs_both_points():
    rows = pts.rows([point("alloc", 1), point("alloc", 2, ops=85)])
    assert figures.ratio(rows, "alloc", "cas") == 1.7
    assert figures.ratio(rows, "alloc", "biglock") is None


def test_ratio_from_1_to_2_is_that_of_the_steady_pairs():
    found = full_run()
    assert [row["value"] for row in figures.all_rows(found)[1]] == [2.0, 2.0, 2.0]
    for each in found:
        if each.part and each.bench == "spin" and each.workers == 2:
            each.time = each.time * 3 // 2
    assert {row["verdict"] for row in figures.all_rows(found)[1]} == {figures.ABSENT}


def test_points_of_the_ratio_are_no_results_of_their_own():
    assert pts.rows(full_run()) == pts.rows([each for each in full_run() if not each.part])


def test_one_copy_too_many():
    found = [p for p in full_run() if p.bench != "sole_owner"]
    found.append(point("sole_owner", counters={"cow_copies": 1, "cow_flips": 25600}))
    assert "cow_copies" in figures.failures(found)[0]["label"]


def test_a_fork_that_costs_more_with_more_memory():
    found = full_run()
    next(p for p in found if p.bench == "fork_size" and p.size_mib == 1024).time = 1021
    assert [row["label"] for row in figures.failures(found)] == ["fork_size, 1 to 1024 MiB, spread in %"]


def test_terminal_table_names_each_benchmark_once():
    text = tables.throughput(full_run())
    assert text.count("fork_write") == 1 and text.count("biglock") == len(plan.THROUGHPUT)
    assert tables.throughput([]) == ""


def test_plan_counts_its_points():
    assert plan.points_expected("bench workers=1,2,4 a b ops=1 c workers=1 size=4") == 7
    assert plan.points_expected("bench times=3 workers=1,2 a b workers=1") == 9
    assert plan.points_expected(plan.throughput()) == 4 * len(plan.THROUGHPUT) + 5
    assert plan.points_expected(plan.instructions(quick=True)) == \
        len(plan.INSTRUCTIONS) + 2 * len(plan.INSTRUCTIONS_THREADS) + len(plan.SIZES)
    assert plan.points_expected(plan.scaling()) == 4 * plan.PAIRS * len(plan.SCALING)
    assert plan.points_expected(plan.scaling(benches=plan.SCALING_THREADS)) == 8 * plan.PAIRS


def test_instructions_of_two_threads_are_a_row_of_their_own():
    found = full_run() + [cheap("thread_fault", 1100, 0, workers=2)] * 2
    values = {row["label"]: row["value"] for row in figures.all_rows(found)[0]}
    assert values["demand-zero fault, 1 thread"] == 1000 and values["demand-zero fault, 2 threads"] == 1100


def test_commands_fit_into_bootargs():
    for quick in (False, True):
        assert len(plan.throughput(quick=quick)) < 900
        assert len(plan.instructions(quick)) < 900
    assert len(plan.scaling()) < 900


def test_page_is_whole_and_offline():
    page = report.page({"cores": 2, "qemu": "7.2", "date": "today", "guest": "-smp 8"}, full_run())
    assert page.count("<svg") == len(plan.THROUGHPUT) + 3
    assert page.count("<svg") == page.count("</svg>")
    assert not re.search(r'(src|href)=|url\(|@import', page)
    assert "MISSED" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    assert "nan" not in page and "None" not in page


def test_page_of_a_failed_run_says_so():
    page = report.page({"cores": 2, "troubles": ["REFS=cas: PANIC: <frame>"]}, [])
    assert "Incomplete" in page and "&lt;frame&gt;" in page


def test_axes():
    assert svg.nice_steps(95) == [0, 25, 50, 75, 100]
    assert svg.nice_steps(0) == [0, 1]
    assert svg.decades(150, 90000) == [100, 1000, 10000, 100000]
    assert svg.decades(100, 100) == [100, 1000]
    assert [svg.short(v) for v in (0, 950, 1500, 2_500_000)] == ["0", "950", "1.5k", "2.5M"]


def test_plots_with_holes():
    assert svg.lines("x", [("cas", "cas", [None, None])], [1, 2]) == ""
    assert svg.lines("x", [("cas", "cas", [None, 5])], [1, 2]).count("<circle") == 1
    assert svg.bars("x", [("a", None, [("cas", "Kine", None)])]) == ""
