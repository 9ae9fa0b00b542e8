"""The sections of the report on what is no moving of a session: the cost of recording, planning, little memory."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers.measured import share
from benchmarks.peers.pictures import lines_picture

Row = Mapping[str, Any]
MODES = ("nbdag", "elastic-kernel", "kishu")


def by_case(rows: Sequence[Row]) -> dict[str, list[Mapping[str, Row]]]:
    """The rounds of each case of benchmarks/overhead.py, as figures by mode."""
    found: dict[str, list[Mapping[str, Row]]] = {}
    for row in rows:
        if "case" in row:
            found.setdefault(row["case"], []).append(row["modes"])
    return found


def figures(rounds: Sequence[Mapping[str, Row]], mode: str, field: str) -> list[float]:
    """Monitored in proportion to plain, round by round."""
    return [
        one[mode][field] / one["plain"][field]
        for one in rounds
        if one.get("plain", {}).get(field) and field in one.get(mode, {})
    ]


def own_share(rounds: Sequence[Mapping[str, Row]]) -> list[float]:
    """The recorder's own CPU time as a share of the plain run: good where the machine is not quiet."""
    return [
        one["nbdag"]["hooks"] / one["plain"]["cpu"]
        for one in rounds
        if "hooks" in one.get("nbdag", {}) and one.get("plain", {}).get("cpu")
    ]


def _range(texts: Sequence[str]) -> str:
    return " to ".join(dict.fromkeys((*texts[:1], *texts[-1:])))


def overhead(rows: Sequence[Row], notebooks: Sequence[str]) -> str:
    """What recording adds to CPU time and memory of a run."""
    cases = by_case(rows)
    if not cases:
        return ""
    dates = sorted({row["date"] for row in rows if "date" in row})
    rounds = [str(count) for count in sorted({len(found) for found in cases.values()})]
    table = [
        "## What recording costs\n",
        "CPU time and peak of memory of the kernel's process, monitored in proportion to a plain kernel that ran the "
        f"same cells in the same round (`benchmarks/overhead.py`, {_range(dates)}; rounds: {_range(rounds)}; the clock "
        "starts when the monitor is there). *own* is what nbdag's recorder says of its own CPU time, as a share of the "
        "plain run.\n",
        "| case | plain CPU | own | " + " | ".join(f"{mode}: CPU | memory" for mode in MODES) + " |",
        "|---|---|---|" + "---|---|" * len(MODES),
    ]
    for case, found in cases.items():
        plain = [one["plain"]["cpu"] for one in found if "cpu" in one.get("plain", {})]
        own = own_share(found)
        cells = [f"{statistics.median(plain):.2f} s" if plain else "-", f"{statistics.median(own):.1%}" if own else "-"]
        for mode in MODES:
            cells += [share(figures(found, mode, "cpu")), share(figures(found, mode, "peak"))]
        table.append(f"| {case} | " + " | ".join(cells) + " |")
    books = [found for case, found in cases.items() if case in notebooks]
    if books:
        cells = ["", share([statistics.median(own_share(found)) for found in books if own_share(found)], 3)]
        for mode in MODES:
            for field in ("cpu", "peak"):
                cells.append(share([statistics.median(f) for found in books if (f := figures(found, mode, field))]))
        table.append("| **notebooks, median** | " + " | ".join(cells) + " |")
    return "\n".join([*table, ""])


def overhead_goals(rows: Sequence[Row], notebooks: Sequence[str]) -> list[tuple[str, str, bool]]:
    """Goal, what was found, and whether it was reached."""
    cases, goals = by_case(rows), []
    for label, field in (("CPU time", "cpu"), ("memory", "peak")):
        compared = worse = 0
        for found in cases.values():
            mine = figures(found, "nbdag", field)
            others = [statistics.median(f) for mode in MODES[1:] if (f := figures(found, mode, field))]
            if mine and others:
                compared += 1
                worse += statistics.median(mine) >= min(others)
        if compared:
            goals.append(
                (
                    f"recording costs less {label} than with the other recorders",
                    f"not on {worse} of {compared}",
                    not worse,
                )
            )
    return goals


def planning(rows: Sequence[Row]) -> tuple[str, str]:
    """The table of planning times and its picture; ("", "") if none were measured."""
    shapes = {row["shape"]: row["cpu_seconds"] for row in rows if "shape" in row}
    if not shapes:
        return "", ""
    cells = [int(count) for count in next(iter(shapes.values()))]
    table = [
        "## Time to plan, by number of cells\n",
        "CPU time from the session graph to the plan, ten statements to a cell, median of five "
        "(`benchmarks/planner.py`, which says what the shapes are).\n",
        "| history | " + " | ".join(f"{count:,} cells" for count in cells) + " |",
        "|---|" + "---|" * len(cells),
        *(
            f"| {shape} | " + " | ".join(f"{seconds[str(count)] * 1000:.0f} ms" for count in cells) + " |"
            for shape, seconds in shapes.items()
        ),
        "\n![time to plan by number of cells](pictures/peers-planning.svg)\n",
    ]
    picture = lines_picture(
        "CPU time to plan a session, by number of cells",
        {shape: [(float(count), seconds[str(count)]) for count in cells] for shape, seconds in shapes.items()},
        below="cells",
        ticks={float(count): f"{count:,}" for count in cells if count >= 1000},
        unit=lambda seconds: f"{seconds * 1000:g} ms",
    )
    return "\n".join(table), picture


def small_memory(rows: Sequence[Row]) -> str:
    """How far each system came on smaller and smaller machines."""
    last = [row for row in rows if "memory" in row][-1:]
    if not last:
        return ""
    line = last[0]
    table = [
        "## On a smaller machine\n",
        "A session of 1 GB, ten arrays, restored by a plain Python with less and less memory (no swap), which then "
        "reads one array and then all: what was reached before the process was killed.\n",
        "| system | " + " | ".join(f"{limit} MB" for limit in line["limits_mb"]) + " |",
        "|---|" + "---|" * len(line["limits_mb"]),
        *(f"| {name} | " + " | ".join(cells) + " |" for name, cells in line["memory"].items()),
    ]
    return "\n".join([*table, ""])
