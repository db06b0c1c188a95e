#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""figures.py - measured values against the targets of targets.json.

    bench/figures.py [--out out/report]     print the table; exit 1 if a target is missed

A figure that was not measured is shown as such, and counts as missed.
"""

import argparse
import json
import sys
from pathlib import Path

import points as pts
import scaling

HERE = Path(__file__).resolve().parent
MET, MISSED, ABSENT, INFO = "met", "MISSED", "not measured", ""


def targets():
    return json.loads((HERE / "targets.json").read_text())


def _verdict(value, target, at_most=True):
    if target is None:
        return INFO
    if value is None:
        return ABSENT
    return MET if (value <= target if at_most else value >= target) else MISSED


def instruction_rows(results, table):
    """One row per operation: what it costs here, what it may cost, what Linux pays."""
    out = []
    for entry in table["instructions"]:
        value = pts.find(results, bench=entry["bench"], size_mib=entry["size_mib"], refs="cas",
                         view="instructions", workers=entry.get("workers", 1))
        if value is not None or entry["target"] is not None:
            out.append({**entry, "value": value, "verdict": _verdict(value, entry["target"])})
    return out


def ratio(results, bench, refs):
    """Throughput of two workers over that of one, or None."""
    many, few = (pts.find(results, bench=bench, refs=refs, view="ops_per_s", workers=workers)
                 for workers in (2, 1))
    return round(many / few, 2) if many and few else None


def ratio_rows(points, table):
    """From 1 to 2 workers, where the host gave two cores (scaling.py)."""
    want = table["ratio_1_to_2"]
    pairs = scaling.pairs_of([point for point in points if point.part == "scaling"])
    out = []
    for bench in want["benches"]:
        value = scaling.median(pairs, bench, steady=True) if scaling.enough(pairs, bench) else None
        out.append({"label": f"{bench}, 2 workers over 1", "value": value,
                    "target": want["target"],
                    "verdict": _verdict(value, want["target"], at_most=False)})
    return out


def counter_rows(points, table):
    """Events per round of sole_owner, from the points with one worker."""
    point = next((p for p in points if p.bench == "sole_owner" and p.refs == "cas"
                  and p.workers == 1 and p.counters), None)
    out = []
    for name, target in table["sole_owner_per_round"].items():
        value = point.counters.get(name, 0) / point.total if point else None
        if value and name == "cow_flips":
            value //= 1  # the start of a worker, before its first round, has one of its own
        verdict = ABSENT if value is None else MET if value == target else MISSED
        out.append({"label": f"sole_owner, {name} per round", "value": value, "target": target,
                    "verdict": verdict})
    return out


def spread_row(results, table):
    """How much the costliest size of memory is above the cheapest."""
    want = table["fork_spread"]
    costs = [pts.find(results, bench=want["bench"], size_mib=size, refs="cas", view="instructions", workers=1)
             for size in want["sizes_mib"]]
    value = None if None in costs else round(100 * (max(costs) / min(costs) - 1), 2)
    sizes = f"{want['sizes_mib'][0]} to {want['sizes_mib'][-1]} MiB"
    return {"label": f"{want['bench']}, {sizes}, spread in %", "value": value, "target": want["percent"],
            "verdict": _verdict(value, want["percent"])}


def all_rows(points, table=None):
    table = table or targets()
    results = pts.rows(points)
    return (instruction_rows(results, table), ratio_rows(points, table),
            counter_rows(points, table) + [spread_row(results, table)])


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def text(points):
    """The tables for a terminal."""
    costs, ratios, counters = all_rows(points)
    lines = ["", "Instructions per operation (1 hart, -icount shift=0)",
             f"  {'operation':38s}{'Kine':>10s}{'target':>10s}{'Linux':>11s}{'tuned':>11s}"]
    for row in costs:
        lines.append(f"  {row['label']:38s}{number(row['value']):>10s}{number(row['target']):>10s}"
                     f"{number(row['linux']):>11s}{number(row['tuned']):>11s}  {row['verdict']}")
    lines += ["", "Ratios and counters (REFS=cas)",
              f"  {'figure':38s}{'measured':>10s}{'target':>10s}"]
    for row in ratios + counters:
        lines.append(f"  {row['label']:38s}{number(row['value']):>10s}{number(row['target']):>10s}"
                     f"  {row['verdict']}")
    return "\n".join(lines)


def failures(points):
    return [row for rows in all_rows(points) for row in rows
            if row["verdict"] in (MISSED, ABSENT)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE.parent / "out" / "report")
    arguments = parser.parse_args()
    if not (arguments.out / "points.json").exists():
        sys.exit(f"{arguments.out}: no measurement here; run bench/run.py first")
    _, points = pts.load(arguments.out)
    print(text(points))
    missed = failures(points)
    print(f"\n{len(missed)} figures missed" if missed else "\nall figures met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
