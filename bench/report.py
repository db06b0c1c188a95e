#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report.py - out/report/index.html: one page with its plots inside, readable offline.

    bench/report.py [--out out/report]     draw it again from points.json
"""

import argparse
from html import escape
from pathlib import Path

import figures
import points as pts
import svg
import tables

HERE = Path(__file__).resolve().parent

WALL_CLOCK = """<h2>What the clock on the wall does not show</h2>
<p>QEMU runs each hart as a thread of the host. With more harts at work than host cores the host
takes turns between them: past {cores} workers a curve shows the host's scheduler, not the kernel's
scaling, and no design can rise further. A hart that loses its core while it holds a lock makes
every other hart wait for a whole time slice, which real cores would not do: that exaggerates what
locks cost.</p>
<p>What the emulator does not model is missing altogether: cache lines that move between cores, an
atomic instruction on a line that others use, a TLB miss, the flight of an interrupt to another
hart. That hides what sharing costs, with locks and without. Other work on the host is noise in
every number.</p>
<p>So compare within one run, at up to {cores} workers, and read the step from one design to
the next as a direction. The instruction counts have none of these troubles and none of these effects: they
repeat on any host, and say how much an operation does, not how long hardware takes for it.</p>"""


def _key(*entries):
    return '<p class="key">' + "".join(f'<span><i class="{kind}"></i>{escape(text)}</span>'
                                       for kind, text in entries) + "</p>"


def _table(head, body, text_columns=(0,)):
    """`body` is [(row class, [cell html])]."""
    def cells(tag, row):
        return "".join(f'<{tag}{" class=text" if i in text_columns else ""}>{cell}</{tag}>'
                       for i, cell in enumerate(row))
    rows = "".join(f'<tr class="{kind}">{cells("td", row)}</tr>' for kind, row in body)
    return f'<table><tr>{cells("th", head)}</tr>{rows}</table>'


def _verdict(row):
    return f'<span class="{row["verdict"]}">{row["verdict"]}</span>'


def _share(row):
    if row["value"] is None or not row["linux"]:
        return "-"
    return f'{row["linux"] / row["value"]:.1f}×'


def costs_section(rows):
    if not any(row["value"] for row in rows):
        return ""
    bars = [(row["label"], row["target"],
             [("cas", "Kine", row["value"]), ("linux", "Linux 6.12, Debian's", row["linux"]),
              ("tuned", "Linux 6.12, tuned", row["tuned"])])
            for row in rows if row["value"] and row["linux"]]
    body = [("", [escape(row["label"]), figures.number(row["value"]),
                  figures.number(row["target"]), figures.number(row["linux"]),
                  figures.number(row["tuned"]), _share(row), _verdict(row)]) for row in rows]
    return f"""<h2>Instructions per operation</h2>
<p>Counted exactly: one hart under <code>-icount shift=0</code>, everything included, from the
user's loop to the timer's ticks. Linux 6.12 ran the same operations on the same virtual machine,
once as Debian configures it and once with its hardening switched off.</p>
<div class="card">{_key(("cas", "Kine"), ("linux", "Linux, Debian's configuration"),
                        ("tuned", "Linux, tuned"), ("target", "Kine's target"))}
{svg.bars("instructions per operation", bars)}</div>
<div class="card">{_table(["operation", "Kine", "target", "Linux", "tuned", "Linux / Kine", ""],
                          body)}</div>"""


def _throughput_plots(results, workers, refs):
    plots = []
    for name in tables.names_of(results):
        series = [(kind, kind, [pts.find(results, bench=name, refs=kind, view="ops_per_s",
                                         workers=w) for w in workers]) for kind in refs]
        plots.append("<div>" + svg.lines(name, series, workers, x_title="workers",
                                         y_title="ops/s") + "</div>")
    return "".join(plots)


def _throughput_table(results, workers, refs, linux):
    body = []
    for name in tables.names_of(results):
        for kind in refs:
            values = [pts.find(results, bench=name, refs=kind, view="ops_per_s", workers=w)
                      for w in workers]
            ratio = figures.ratio(results, name, kind)
            first = kind == refs[0]
            body.append(("first" if first else "",
                         [name if first else "", kind]
                         + [figures.number(value and round(value)) for value in values]
                         + [f"{ratio:.2f}×" if ratio else "-"]))
        if name in linux and workers == [1, 2, 4, 8]:
            body.append(("", ["", "Linux*"] + [figures.number(value) for value in linux[name]]
                         + [f"{linux[name][1] / linux[name][0]:.2f}×"]))
    head = ["benchmark", "kernel"] + [f"W = {w}" for w in workers] + ["2 over 1"]
    return _table(head, body, text_columns=(0, 1))


def throughput_section(results, host, table):
    workers, refs = tables.workers_of(results), tables.refs_of(results)
    if not workers:
        return ""
    names = {"cas": "cas: a count per frame, no lock", "freelock": "freelock: one lock around "
             "allocation, free and counts", "biglock": "biglock: one lock held across allocation "
             "and copy"}
    return f"""<h2>Operations per second</h2>
<p>The same kernel with three designs of frame counts, {escape(str(host.get("guest", "")))}, pinned
workers, all workers together. Higher is better; zero is at the bottom of each plot.</p>
<div class="card">{_key(*((kind, names.get(kind, kind)) for kind in refs))}
<div class="grid">{_throughput_plots(results, workers, refs)}</div></div>
<div class="card"><details><summary>The numbers</summary>
{_throughput_table(results, workers, refs, table["linux_ops_per_s_smp8"])}
<p class="note">* Linux 6.12 with -smp 8 on a two-core host of the same kind, on another day: only
the ratios within its rows compare.</p></details></div>
{WALL_CLOCK.format(cores=host.get("cores", "as many"))}"""


def sizes_section(results, table):
    sizes = sorted({row["size_mib"] for row in results
                    if row["bench"] == "fork_size" and row["size_mib"] > 0})
    if not sizes:
        return ""
    linux = {entry["size_mib"]: entry["linux"] for entry in table["instructions"]
             if entry["label"].startswith("fork + exit + wait,") and entry["size_mib"] > 0}

    def series(view):
        return [pts.find(results, bench="fork_size", refs="cas", view=view, size_mib=size)
                for size in sizes]
    counts, rates = series("instructions"), series("ops_per_s")
    times = [1e6 / rate if rate else None for rate in rates]
    labels = [f"{size} MiB" for size in sizes]
    plots = [svg.lines("instructions", [
        ("linux", "Linux", [linux.get(size) for size in sizes]), ("cas", "Kine", counts)],
        labels, width=500, height=270, log=True),
        svg.lines("microseconds on this host", [("cas", "Kine", times)], labels, width=500,
                  height=270, log=True)]
    return f"""<h2>fork against memory</h2>
<p>One fork, the child's exit and the wait, of a process with that much touched memory.</p>
<div class="card">{_key(("cas", "Kine"), ("linux", "Linux 6.12, where measured"))}
<div class="grid" style="grid-template-columns: repeat(auto-fit, minmax(380px, 1fr))">
{"".join(f"<div>{plot}</div>" for plot in plots)}</div></div>"""


def counters_section(ratios, counters):
    body = [("", [escape(row["label"]), figures.number(row["value"]),
                  figures.number(row["target"]), _verdict(row)]) for row in ratios + counters]
    return ("<h2>Ratios and counters</h2><p>Rounds of sole_owner are counted by the kernel's own "
            "event counters: after the child has gone nothing may be copied, and each of the 256 "
            "pages is flipped back to writable once.</p>"
            f'<div class="card">{_table(["figure", "measured", "target", ""], body)}</div>')


def host_section(host):
    body = [("", [escape(str(key).replace("_", " ")), escape(str(value))])
            for key, value in host.items() if key != "troubles"]
    return ('<h2>Where this was measured</h2><div class="card">'
            + _table(["", ""], body, text_columns=(0, 1)) + "</div>")


def tiles(costs, ratios, counters):
    rows = [row for row in costs + ratios + counters if row["target"] is not None]
    met = sum(row["verdict"] == figures.MET for row in rows)
    shown = [(f"{met} of {len(rows)}", "figures met")]
    shown += [(figures.number(row["value"]), f"instructions: {row['label']}") for row in costs
              if row["bench"] in ("null_syscall", "cow_reuse_fault", "fork_exit")
              and row["value"] is not None]
    shown += [(f"{row['value']:.2f}×", row["label"]) for row in ratios[:1] if row["value"]]
    return '<div class="tiles">' + "".join(
        f'<div class="tile"><b>{escape(big)}</b><span>{escape(small)}</span></div>'
        for big, small in shown) + "</div>"


def page(host, points):
    table, results = figures.targets(), pts.rows(points)
    costs, ratios, counters = figures.all_rows(points, table)
    troubles = "".join(f"<li>{escape(text)}</li>" for text in host.get("troubles", []))
    warning = (f'<div class="card trouble"><b>Incomplete:</b><ul>{troubles}</ul></div>'
               if troubles else "")
    quick = "A quick run: few operations, noisy rates. " if host.get("quick") else ""
    return f"""<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Kine: what its operations cost and how they scale</title>
<style>{(HERE / "report.css").read_text()}</style>
<main><h1>Kine: cost and scaling</h1>
<p class="lead">{quick}Measured {escape(str(host.get("date", "")))} on {host.get("cores")} host
cores, QEMU {escape(str(host.get("qemu")))}. The definitions are in docs/benchmarks.md; the data is
beside this page in bench.json and bench.csv.</p>
{warning}{tiles(costs, ratios, counters)}
{costs_section(costs)}{throughput_section(results, host, table)}{sizes_section(results, table)}
{counters_section(ratios, counters)}{host_section(host)}</main></html>
"""


def write(directory):
    """Draw the page from what is in `directory`."""
    host, points = pts.load(directory)
    (directory / "index.html").write_text(page(host, points))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE.parent / "out" / "report")
    arguments = parser.parse_args()
    write(arguments.out)
    print(arguments.out / "index.html")


if __name__ == "__main__":
    main()
