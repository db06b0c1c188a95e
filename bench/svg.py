# SPDX-License-Identifier: MIT
"""svg.py - the three kinds of plots that the report needs, as inline SVG.

Drawn by hand so that the report is one file that reads offline and needs no plotting library.
Colours and type come from the page's style sheet (report.css) by class names.
"""

import math
from html import escape


def nice_steps(top, count=4):
    """Round axis values from 0 to at least `top`."""
    if top <= 0:
        return [0, 1]
    raw = top / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw)
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]


def short(value):
    """1234567 as 1.2M: for axis labels."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}"


def decades(low, high):
    """The powers of ten that enclose the values."""
    first = math.floor(math.log10(max(low, 1e-9)))
    last = max(math.ceil(math.log10(high)), first + 1)
    return [10.0 ** power for power in range(first, last + 1)]


def _text(x, y, text, kind="", anchor="middle"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f"{escape(str(text))}</text>")


def _line(x1, y1, x2, y2, kind="grid"):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _wrap(width, height, parts, label):
    return (f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
            + "".join(parts) + "</svg>")


def lines(title, series, labels, width=330, height=220, log=False, x_title="", y_title=""):
    """A line chart. `series` is [(class, name, [value or None for each label])]."""
    left, right, top, bottom = 48, width - 14, 30, height - 34
    values = [value for _, _, row in series for value in row if value]
    if not values:
        return ""
    ticks = decades(min(values), max(values)) if log else nice_steps(max(values))
    scale = math.log10 if log else float
    low, high = scale(ticks[0]), scale(ticks[-1])

    def place_x(i):
        return left + (right - left) * (i + 0.5) / len(labels)

    def place_y(value):
        return bottom - (bottom - top) * (scale(value) - low) / (high - low)

    parts = [_text(left - 40, 16, title, "title", "start")]
    for tick in ticks:
        y = place_y(tick)
        parts += [_line(left, y, right, y), _text(left - 6, y + 3.5, short(tick), "tick", "end")]
    for i, label in enumerate(labels):
        parts.append(_text(place_x(i), bottom + 15, label, "tick"))
    parts.append(_text((left + right) / 2, height - 5, x_title, "axis"))
    if y_title:
        parts.append(_text(right, 16, y_title, "axis", "end"))
    for kind, name, row in series:
        spots = [(place_x(i), place_y(value), value) for i, value in enumerate(row) if value]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in spots)
        parts.append(f'<polyline points="{path}" class="curve {kind}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" class="dot {kind}">'
                  f"<title>{escape(name)}: {value:,.0f}</title></circle>" for x, y, value in spots]
    return _wrap(width, height, parts, title)


def bars(title, rows, width=980):
    """Horizontal bars on a logarithmic scale.

    `rows` is [(label, mark or None, [(class, name, value or None), ...])]; a mark is drawn as a
    small vertical stroke over the row's first bar.
    """
    thick, gap, left, right = 11, 12, 250, width - 70
    values = [value for _, _, row in rows for _, _, value in row if value]
    if not values:
        return ""
    ticks = decades(min(values), max(values))
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])

    def place(value):
        return left + (right - left) * (math.log10(value) - low) / (high - low)

    y, parts = 14, []
    for label, mark, row in rows:
        row = [bar for bar in row if bar[2]]
        parts.append(_text(left - 10, y + thick * len(row) / 2 + 4, label, "label", "end"))
        for i, (kind, name, value) in enumerate(row):
            top, end = y + i * thick, place(value)
            parts.append(f'<rect x="{left}" y="{top}" width="{max(end - left, 1):.1f}" '
                         f'height="{thick - 2}" class="bar {kind}"><title>{escape(name)}: '
                         f"{value:,.0f}</title></rect>")
            beside = max(end, place(mark)) if mark and i == 0 else end  # no number under a mark
            parts.append(_text(beside + 5, top + 8.5, f"{value:,.0f}", f"value {kind}", "start"))
        if mark:
            parts.append(_line(place(mark), y - 3, place(mark), y + thick + 1, "mark"))
        y += thick * max(len(row), 1) + gap
    grid = [_line(place(tick), 4, place(tick), y) + _text(place(tick), y + 14, short(tick), "tick")
            for tick in ticks]
    return _wrap(width, y + 22, grid + parts, title)
