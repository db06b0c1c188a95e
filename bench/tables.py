# SPDX-License-Identifier: MIT
"""tables.py - the throughput table for a terminal."""

import figures
import points as pts


def workers_of(results):
    return sorted({row["workers"] for row in results if row["view"] == "ops_per_s"})


def names_of(results):
    """Benchmarks in order of appearance; fork_size has a table of its own."""
    names = dict.fromkeys(row["bench"] for row in results if row["view"] == "ops_per_s")
    return [name for name in names if name != "fork_size"]


def refs_of(results):
    return list(dict.fromkeys(row["refs"] for row in results if row["view"] == "ops_per_s"))


def throughput(points):
    """Operations per second by benchmark, kernel and number of workers."""
    results = pts.rows(points)
    workers = workers_of(results)
    if not workers:
        return ""
    head = f"  {'benchmark':18s}{'REFS':10s}" + "".join(f"{f'W={w}':>11s}" for w in workers)
    lines = ["", "Operations per second, all workers together", head + f"{'2 over 1':>11s}"]
    for name in names_of(results):
        for refs in refs_of(results):
            values = [pts.find(results, bench=name, refs=refs, view="ops_per_s", workers=w)
                      for w in workers]
            ratio = figures.ratio(results, name, refs)
            cells = "".join(f"{figures.number(value and round(value)):>11s}" for value in values)
            label = name if refs == refs_of(results)[0] else ""
            lines.append(f"  {label:18s}{refs:10s}{cells}"
                         + (f"{ratio:>10.2f}x" if ratio else f"{'-':>11s}"))
    return "\n".join(lines)
