"""The pictures of the report: lines in a plane, as SVG, with nothing but the standard library."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

COLORS = ("#1b6ca8", "#5fa8d3", "#d1495b", "#edae49", "#66a182", "#2e4057", "#8d96a3", "#b8a9c9")
WIDE, HIGH, LEFT, TOP, LEGEND, BOTTOM = 800, 380, 70, 40, 210, 56
Points = Sequence[tuple[float, float]]


def lines_picture(
    title: str,
    lines: Mapping[str, Points],
    *,
    below: str,
    ticks: Mapping[float, str] | None = None,
    unit: Callable[[float], str] = "{:g}".format,
) -> str:
    """An SVG with a line for each entry. The upright axis is logarithmic; ``ticks`` names places of the other one."""
    values = [y for points in lines.values() for _, y in points if y > 0] or [1.0]
    along = [x for points in lines.values() for x, _ in points] or [0.0]
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)
    left, right = min(along), max(max(along), min(along) + 1e-9)

    def at_x(value: float) -> float:
        return LEFT + (WIDE - LEFT - LEGEND) * (value - left) / (right - left)

    def at_y(value: float) -> float:
        return TOP + (HIGH - TOP - BOTTOM) * (1 - (math.log10(value) - first) / max(last - first, 1))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDE}" height="{HIGH}" fill="white"/>',
        f'<text x="8" y="20">{escape(title)}</text>',
    ]
    for power in range(first, last + 1):
        level = at_y(10.0**power)
        parts.append(f'<line x1="{LEFT}" x2="{WIDE - LEGEND}" y1="{level:.1f}" y2="{level:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{level + 4:.1f}" text-anchor="end">{escape(unit(10.0**power))}</text>')
    for place, label in (ticks or {}).items():
        x = at_x(place)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HIGH - BOTTOM}" stroke="#eee"/>')
        parts.append(f'<text x="{x:.1f}" y="{HIGH - BOTTOM + 16}" text-anchor="middle">{escape(label)}</text>')
    for number, (name, points) in enumerate(lines.items()):
        color = COLORS[number % len(COLORS)]
        path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in points if y > 0)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        row, column = TOP + 12 + 20 * number, WIDE - LEGEND + 14
        parts.append(
            f'<line x1="{column}" x2="{column + 20}" y1="{row - 4}" y2="{row - 4}" stroke="{color}" stroke-width="3"/>'
        )
        parts.append(f'<text x="{column + 26}" y="{row}">{escape(name)}</text>')
    parts.append(f'<text x="{LEFT}" y="{HIGH - 12}">{escape(below)}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
