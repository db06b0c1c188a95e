# SPDX-License-Identifier: MIT
"""slowdown.py - what a tool costs: instructions of an operation, as a multiple of the plain kernel's."""

import figures
import plan
import points as pts


def rows(points, limits):
    """(label, instructions on the plain kernel, {tool: (instructions, factor)}); None: not measured."""
    results = pts.rows(points)
    labels = {entry["bench"]: entry["label"] for entry in reversed(figures.targets()["instructions"])}
    out = []
    for bench in plan.SLOWDOWN:
        plain, *others = (pts.find(results, bench=bench, refs=kernel, view="instructions")
                          for kernel in ("cas", *(f"cas-{tool}" for tool in limits)))
        out.append((labels[bench], plain, {tool: (value, plain and value and value / plain)
                                           for tool, value in zip(limits, others)}))
    return out


def missed(rows, limits):
    return [f"{label}, {tool}" for label, _, tools in rows for tool, (_, factor) in tools.items()
            if not factor or factor > limits[tool]]


def text(rows, limits):
    lines = ["Instructions per operation (1 hart, -icount shift=0), REFS=cas",
             f"  {'operation':34s}{'plain':>9s}"
             + "".join(f"{tool:>10s}{f'(<= {limit})':>8s}" for tool, limit in limits.items())]
    for label, plain, tools in rows:
        cells = "".join(f"{figures.number(value):>10s}" + (f"{factor:>8.2f}" if factor else f"{'-':>8s}")
                        for value, factor in tools.values())
        lines.append(f"  {label:34s}{figures.number(plain):>9s}{cells}")
    late = missed(rows, limits)
    return "\n".join(lines + ["limits: " + ("MISSED by " + "; ".join(late) if late else "met")])
