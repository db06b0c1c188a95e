# SPDX-License-Identifier: MIT
"""What the guest prints, whole or damaged, and what becomes of it."""

import csv
import json

import points as pts

GOOD = "bench name=fork_exit workers=2 ops=500 size=1 harts=8 ns=2000000000 forks=1000 end=1"
FAULT = ("bench name=cow_copy_fault workers=1 ops=5120 size=1 harts=1 instret=90000000 "
         "timed=5120000 cow_copies=5120 cow_flips=3 end=1")


def parse(line):
    return pts.parse_line(line, "cas", 8)


def test_throughput_line():
    point = parse(GOOD)
    assert (point.bench, point.workers, point.total, point.counters) == (
        "fork_exit", 2, 1000, {"forks": 1000})
    assert point.view == "ops_per_s" and point.value == 500


def test_instructions_come_from_the_timed_sections():
    point = parse(FAULT)
    assert point.view == "instructions" and point.value == 1000
    assert point.counters == {"cow_copies": 5120, "cow_flips": 3}


def test_throughput_does_not():
    line = GOOD.replace("ns=2000000000", "ns=2000000000 timed=1000")
    assert parse(line).value == 500


def test_text_before_the_line_on_the_same_row():
    assert parse("kine: hart 3 says hello " + GOOD).total == 1000


def test_damaged_lines_are_no_points():
    damaged = [
        "", "\x00\xff\x1b[2J", "bench", "bench end=1", "benchmark of the year",
        GOOD[:-6], GOOD[:40], GOOD.replace("ops=500", "ops=5x0"), GOOD.replace("ops=500 ", ""),
        GOOD.replace("ns=2000000000", "ns=0"), GOOD.replace("ns=2000000000 ", ""),
        GOOD.replace("workers=2", "workers=0"),
        GOOD[:50] + "PANIC: frame 7" + GOOD[50:],
        GOOD[:30] + "kine: pid 3 (sh): " + GOOD[30:],
    ]
    for line in damaged:
        assert parse(line) is None, line


def test_two_lines_run_together_do_not_make_a_wrong_point():
    point = parse(GOOD[:45] + FAULT)
    assert point is None or point.bench == "cow_copy_fault"


def test_error_line():
    assert pts.parse_error("bench error=fork errno=12") == "fork (errno 12)"
    assert pts.parse_error(GOOD) is None


def test_rows_take_the_median_of_repeats():
    times = (1_000_000_000, 4_000_000_000, 2_000_000_000)
    points = [parse(GOOD.replace("ns=2000000000", f"ns={time}")) for time in times]
    assert [row["value"] for row in pts.rows(points)] == [500]


def test_saved_files(tmp_path):
    points = [parse(GOOD), pts.parse_line(FAULT, "cas", 1)]
    pts.save(tmp_path, {"cores": 2}, points)
    data = json.loads((tmp_path / "bench.json").read_text())
    assert data["host"] == {"cores": 2}
    assert data["results"][0] == {
        "bench": "fork_exit", "refs": "cas", "harts": 8, "workers": 2, "size_mib": 1,
        "view": "ops_per_s", "value": 500.0, "unit": "1/s"}
    with open(tmp_path / "bench.csv") as file:
        assert [row["view"] for row in csv.DictReader(file)] == ["ops_per_s", "instructions"]
    assert pts.load(tmp_path) == ({"cores": 2}, points)


def test_nothing_measured_is_saved_too(tmp_path):
    pts.save(tmp_path, {}, [])
    assert json.loads((tmp_path / "bench.json").read_text())["results"] == []
