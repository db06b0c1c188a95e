# SPDX-License-Identifier: MIT
"""points.py - one measured point: read from the guest's output, turned into rows of bench.json.

The guest prints one line for each point (user/bench/bench/workers.c):

    bench name=fork_exit workers=2 ops=500 size=1 harts=8 ns=812345678 ... cow_copies=0 ... end=1

`ops` is per worker, `size` is MiB, the time is in `ns` or in `instret`, `timed` is the part of it
that was spent on the operation itself (page faults: without the forks around them), the rest are
counters.
The console may mix other text into it, or cut it: a line counts only if it is whole.
"""

import csv
import json
import re
import statistics
from dataclasses import asdict, dataclass, field

_LINE = re.compile(r"bench ((?:[a-z_]+=[^\s=]+ )+)end=1\s*$")
_ERROR = re.compile(r"bench error=(\S+) errno=(\d+)")
_FIXED = ("name", "workers", "ops", "size", "harts", "ns", "instret", "timed")

VIEWS = {"ns": ("ops_per_s", "1/s"), "instret": ("instructions", "instructions/op")}


@dataclass
class Point:
    bench: str
    refs: str
    smp: int
    workers: int
    ops: int
    size_mib: int
    clock: str  # "ns" or "instret"
    time: int
    counters: dict = field(default_factory=dict)
    part: str = ""  # "scaling": for the ratio from 1 to 2 workers, and no result of its own

    @property
    def total(self):
        """Operations of all workers together."""
        return self.ops * self.workers

    @property
    def view(self):
        return VIEWS[self.clock][0]

    @property
    def unit(self):
        return VIEWS[self.clock][1]

    @property
    def value(self):
        """Operations per second, or instructions per operation."""
        if self.clock == "ns":
            return self.total * 1e9 / self.time
        return self.time / self.total

    @property
    def key(self):
        return (self.view, self.refs, self.bench, self.size_mib, self.smp, self.workers)


def parse_line(line, refs, smp):
    """The point that a console line holds, or None."""
    match = _LINE.search(line)
    if not match:
        return None
    words = dict(word.split("=", 1) for word in match.group(1).split())
    clock = "ns" if "ns" in words else "instret"
    try:
        counters = {key: int(text) for key, text in words.items() if key not in _FIXED}
        time = words.get("timed", words["instret"]) if clock == "instret" else words["ns"]
        point = Point(words["name"], refs, smp, int(words["workers"]), int(words["ops"]),
                      int(words["size"]), clock, int(time), counters)
    except (KeyError, ValueError):
        return None
    return point if point.time > 0 and point.total > 0 else None


def parse_error(line):
    """What went wrong, if the line is the guest's error message; else None."""
    match = _ERROR.search(line)
    return f"{match.group(1)} (errno {match.group(2)})" if match else None


def group(points):
    """Points of one key together, in order of first appearance."""
    groups = {}
    for point in points:
        groups.setdefault(point.key, []).append(point)
    return groups


def rows(points):
    """The results of bench.json: the median over repeated points."""
    out = []
    for same in group(point for point in points if not point.part).values():
        first = same[0]
        value = statistics.median(point.value for point in same)
        out.append({
            "bench": first.bench, "refs": first.refs, "harts": first.smp,
            "workers": first.workers, "size_mib": first.size_mib,
            "view": first.view, "value": round(value, 2), "unit": first.unit,
        })
    return out


def save(directory, host, points):
    """Write bench.json, bench.csv and points.json (every point, with its counters)."""
    directory.mkdir(parents=True, exist_ok=True)
    results = rows(points)
    (directory / "bench.json").write_text(
        '{"host": ' + json.dumps(host, indent=1) + ',\n"results": [\n'
        + ",\n".join(json.dumps(row) for row in results) + "\n]}\n")
    (directory / "points.json").write_text(
        "[\n" + ",\n".join(json.dumps(asdict(point)) for point in points) + "\n]\n")
    with open(directory / "bench.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["bench", "refs", "harts", "workers", "size_mib", "view",
                                       "value", "unit"])
        writer.writeheader()
        writer.writerows(results)


def load(directory):
    """(host, points) as save() left them."""
    host = json.loads((directory / "bench.json").read_text())["host"]
    points = [Point(**words) for words in json.loads((directory / "points.json").read_text())]
    return host, points


def find(results, **want):
    """The value of the first row that matches all of `want`, or None."""
    for row in results:
        if all(row[key] == value for key, value in want.items()):
            return row["value"]
    return None
