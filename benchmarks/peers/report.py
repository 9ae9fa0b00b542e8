"""From raw rows to docs/peers.md and its pictures: counting and medians, no measuring."""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.link import LONGEST, RATES
from benchmarks.peers.systems import SYSTEMS

Row = Mapping[str, Any]
COLORS = ("#1b6ca8", "#5fa8d3", "#d1495b", "#edae49", "#66a182", "#2e4057", "#8d96a3", "#b8a9c9")
KINDS = {
    "corpus": ("Notebooks of other people", "From the source distributions in `benchmarks/corpus.toml`."),
    "sizes": ("Larger data, and single states", "Made by `benchmarks/peers/workloads.py`."),
    "sessions": (
        "Fidelity sessions",
        "Small sessions of what usually does not survive. They are nbdag's own tests: that nbdag passes them says "
        "little, how others fare says more. Asked are the same questions on both sides, instead of the judge.",
    ),
}


def write_report(raw: Path, directory: Path) -> None:
    """Write ``peers.md`` and ``pictures/peers-*.svg`` below ``directory``."""
    lines = [json.loads(line) for line in raw.read_text(encoding="utf-8").splitlines()]
    head = next(line for line in lines if "machine" in line)
    rows = [line for line in lines if "system" in line]
    present = {row["system"] for row in rows}
    names = [system.name for system in SYSTEMS if system.name in present]
    directory.joinpath("pictures").mkdir(parents=True, exist_ok=True)
    text = [_HEAD, _machine(head)]
    for kind, (title, origin) in KINDS.items():
        found = [row for row in rows if row["kind"] == kind]
        if found:
            text.append(_section(kind, f"{title}\n\n{origin}", found, names, directory))
    text += [_memory(line) for line in lines if "memory" in line][-1:]
    directory.joinpath("peers.md").write_text("\n".join(text) + "\n", encoding="utf-8")


_HEAD = """# nbdag and what people do today

Made by `make bench` (`python -m benchmarks.peers`); how each system saves and restores is told at the head of
`benchmarks/peers/systems.py`. Each runs every session in a kernel of its own, saves it, and restores it in a new
kernel. *Correct* is judged by code that shares nothing with any of them (`benchmarks/peers/judge.py`): no variable
missing, every one the same in type and content, the same pairs of variables sharing objects or memory; of a figure, the
same picture. *Silent* are sessions that came back wrong and the system had said nothing. A system's times and sizes are
those of the sessions it restored correctly. Bytes are all that has to be sent; some 100 kB of a nbdag bundle are its
script.
"""


def _machine(head: Mapping[str, Any]) -> str:
    machine = head["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    absent = "".join(f"\n{name}: {problem}" for name, problem in head["absent"].items())
    return (
        f"One run on {machine['date']}: {machine['platform']}, {machine['cpus']} shared cores, Python "
        f"{machine['python']}; {versions}.{absent}\n\n{head.get('note', '')}\n"
    )


def _section(kind: str, title: str, rows: Sequence[Row], names: Sequence[str], directory: Path) -> str:
    by_workload: dict[str, dict[str, Row]] = defaultdict(dict)
    for system in names:
        for workload, found in _grouped(row for row in rows if row["system"] == system).items():
            by_workload[workload][system] = _middle(found)
    # A notebook that does not come out the same twice by itself, or a row that is missing, still counts.
    parts = [f"## {title}\n", f"{len(by_workload)} sessions.\n", _summary(by_workload, names)]
    if kind != "sessions":
        parts.append(_goals(by_workload))
        if kind == "corpus":
            parts.append(_verdicts(by_workload))
        parts.append(_by_bandwidth(by_workload, names))
        parts.append(_each(by_workload, names))
        picture = directory / "pictures" / f"peers-{kind}.svg"
        picture.write_text(_svg(by_workload, names), encoding="utf-8")
        parts.append(f"![restore time as a share of re-running, by system](pictures/{picture.name})\n")
    return "\n".join(parts)


def _grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["workload"]].append(row)
    return found


def _middle(rounds: Sequence[Row]) -> Row:
    """One row of several rounds: medians of times, and correct only if it was every time."""
    good = [row for row in rounds if "problem" not in row]
    if len(good) < len(rounds):
        return next(row for row in rounds if "problem" in row)
    timed = {
        key: statistics.median(row[key] for row in good) for key in ("run_seconds", "save_seconds", "restore_seconds")
    }
    return {**good[0], **timed, "correct": all(row["correct"] for row in good)}


def _is_correct(row: Row | None) -> bool:
    return row is not None and bool(row.get("correct"))


def _plain_run(found: Mapping[str, Row]) -> float:
    """Seconds of the cells in a kernel that nobody watches."""
    seconds = [
        found[name]["run_seconds"]
        for name in ("re-running", "dill", "cloudpickle", "%store")
        if "run_seconds" in found.get(name, {})
    ]
    return statistics.median(seconds) if seconds else 0.0


def _save(found: Mapping[str, Row], name: str) -> float:
    """Seconds of saving; of a system that saves while cells run, what it adds to them."""
    row = found[name]
    system = next(system for system in SYSTEMS if system.name == name)
    return (
        max(0.0, row["run_seconds"] - _plain_run(found)) if system.saves_while_running else float(row["save_seconds"])
    )


def _summary(by_workload: Mapping[str, Mapping[str, Row]], names: Sequence[str]) -> str:
    table = [
        "| system | correct | wrong, and said so | wrong, silent | could not | save / re-running "
        "| restore / re-running | bytes, median |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        rows = [found[name] for found in by_workload.values() if name in found]
        right = [found for found in by_workload.values() if _is_correct(found.get(name))]
        could_not = sum("problem" in row for row in rows)
        wrong = [row for row in rows if "problem" not in row and not row["correct"]]
        told = sum(bool(row.get("told_loss")) for row in wrong)
        saves = [_save(found, name) / _plain_run(found) for found in right if _plain_run(found)]
        restores = [found[name]["restore_seconds"] / _plain_run(found) for found in right if _plain_run(found)]
        sizes = [found[name]["bytes"] for found in right]
        table.append(
            f"| {name} | {len(right)} of {len(rows)} | {told} | {len(wrong) - told} | {could_not} | {_share(saves)} | "
            f"{_share(restores)} | {f'{statistics.median(sizes):,.0f}' if sizes else '-'} |"
        )
    return "\n".join([*table, "", "Times are medians of correct ones, with the lowest and highest in brackets.\n"])


def _share(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def _goals(by_workload: Mapping[str, Mapping[str, Row]]) -> str:
    """Where nbdag stands against the fastest and the smallest that were correct."""
    said = []
    mine = {w: found["nbdag"] for w, found in by_workload.items() if _is_correct(found.get("nbdag"))}
    measures: list[tuple[str, Callable[[Mapping[str, Row], str], float]]] = [
        ("to save", _save),
        ("to restore", lambda found, name: float(found[name]["restore_seconds"])),
        ("in bytes", lambda found, name: float(found[name]["bytes"])),
    ]
    peers = [s.name for s in SYSTEMS if not s.name.startswith("nbdag")]
    for label, of in measures:
        for peer in [*peers, "the best correct peer"]:
            ratios = []
            for workload in mine:
                found = by_workload[workload]
                # Re-running saves nothing, and what it sends is the notebook: no measure for either.
                others = [
                    of(found, p)
                    for p in (peers if peer.startswith("the ") else [peer])
                    if _is_correct(found.get(p)) and (p != "re-running" or label == "to restore")
                ]
                if others and min(others) > 0.0:
                    ratios.append(of(found, "nbdag") / min(others))
            if ratios:
                worse = sum(ratio > 1.05 for ratio in ratios)
                said.append(
                    f"| {label} | {peer} | {len(ratios)} | {statistics.median(ratios):.2f} | "
                    f"{min(ratios):.2f}-{max(ratios):.2f} | {worse} |"
                )
    head = ["nbdag in proportion to each peer, on sessions both restored correctly (below 1: nbdag is better):\n"]
    head += ["| | against | sessions | median | range | worse by more than 5 % |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *said, ""])


def _verdicts(by_workload: Mapping[str, Mapping[str, Row]]) -> str:
    """What nbdag set out to reach on notebooks, and whether it did."""
    mine = {w: found for w, found in by_workload.items() if "nbdag" in found}
    right = [found for found in mine.values() if _is_correct(found["nbdag"])]

    def ratios(of: Callable[[Mapping[str, Row], str], float], *others: str) -> list[float]:
        """nbdag's figure in proportion to the least of the others that were correct, session by session."""
        found = [(of(f, "nbdag"), [of(f, o) for o in others if _is_correct(f.get(o))]) for f in right]
        return [own / min(theirs) for own, theirs in found if theirs and min(theirs) > 0.0]

    def restoring(found: Mapping[str, Row], name: str) -> float:
        return float(found[name]["restore_seconds"])

    def moving(found: Mapping[str, Row], name: str) -> float:
        return _save(found, name) + _send(found[name], "1 Gbit/s") + restoring(found, name)

    def size(found: Mapping[str, Row], name: str) -> float:
        return float(found[name]["bytes"])

    saving = [s.name for s in SYSTEMS if not s.name.startswith("nbdag") and s.name != "re-running"]
    table = ["What nbdag set out to reach on these:\n", "| goal | found | |", "|---|---|---|"]

    def judge(goal: str, found: str, met: bool) -> None:
        table.append(f"| {goal} | {found} | {'met' if met else '**missed**'} |")

    judge("correct on every notebook", f"{len(right)} of {len(mine)}", len(right) == len(mine))
    for goal, of in (("restored", restoring), ("moved at 1 Gbit/s", moving)):
        each = ratios(of, *saving)
        slower = sum(ratio > 1.05 for ratio in each)
        judge(f"{goal} no slower than the fastest correct peer", f"slower on {slower} of {len(each)}", not slower)
    for other in ("elastic-kernel", "dill"):
        each = ratios(restoring, other)
        if each:
            median = statistics.median(each)
            judge(f"median restore in half the time of {other}", f"{median:.2f} of it", median <= 0.5)
        each = ratios(size, other)
        larger = sum(ratio > 1.0 for ratio in each)
        judge(f"smaller than {other}", f"larger on {larger} of {len(each)}", not larger)
    return "\n".join([*table, ""])


def _by_bandwidth(by_workload: Mapping[str, Mapping[str, Row]], names: Sequence[str]) -> str:
    """Saving, sending the bytes at that rate, restoring; in proportion to re-running."""
    sent = any("send_seconds" in row for found in by_workload.values() for row in found.values())
    how = (
        f"sent over a throttled link; what would take longer than {LONGEST:.0f} s is worked out"
        if sent
        else "worked out"
    )
    table = [
        f"Moving a session, save + send + restore, as a share of running it (bytes {how}):\n",
        "| system | " + " | ".join(RATES) + " |",
        "|---|" + "---|" * len(RATES),
    ]
    for name in names:
        right = [found for found in by_workload.values() if _is_correct(found.get(name)) and _plain_run(found)]
        cells = []
        for rate in RATES:
            shares = [
                (_save(found, name) + _send(found[name], rate) + found[name]["restore_seconds"]) / _plain_run(found)
                for found in right
            ]
            cells.append(_share(shares))
        table.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*table, ""])


def _send(row: Row, rate: str) -> float:
    return float(row.get("send_seconds", {}).get(rate, row["bytes"] * 8 / RATES[rate]))


def _memory(line: Row) -> str:
    table = [
        "## On a smaller machine\n",
        "A session of 1 GB, ten arrays, restored by a plain Python with less and less memory (no swap), which then "
        "reads one array and then all: what was reached before the process was killed.\n",
        "| system | " + " | ".join(f"{limit} MB" for limit in line["limits_mb"]) + " |",
        "|---|" + "---|" * len(line["limits_mb"]),
        *(f"| {name} | " + " | ".join(cells) + " |" for name, cells in line["memory"].items()),
    ]
    return "\n".join([*table, ""])


def _each(by_workload: Mapping[str, Mapping[str, Row]], names: Sequence[str]) -> str:
    table = [
        "Each session: save / restore in seconds, bytes; *wrong* and *failed* as judged.\n",
        "| session | run | " + " | ".join(names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    for workload, found in by_workload.items():
        cells = []
        for name in names:
            row = found.get(name)
            if row is None:
                cells.append("-")
            elif "problem" in row:
                cells.append("failed")
            else:
                mark = "" if row["correct"] else " *wrong*"
                cells.append(f"{_save(found, name):.2f} / {row['restore_seconds']:.2f}, {_bytes(row['bytes'])}{mark}")
        table.append(f"| {workload} | {_plain_run(found):.1f} | " + " | ".join(cells) + " |")
    return "\n".join([*table, ""])


def _bytes(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def _svg(by_workload: Mapping[str, Mapping[str, Row]], names: Sequence[str]) -> str:
    """Sorted shares of re-running, a line a system: the lower and the longer to the right, the better."""
    wide, high, left, top = 800, 380, 60, 40
    plot_wide, plot_high = wide - left - 210, high - top - 40
    shown = [name for name in names if name not in ("re-running", "%store")]
    lines = {
        name: sorted(
            found[name]["restore_seconds"] / _plain_run(found)
            for found in by_workload.values()
            if _is_correct(found.get(name)) and _plain_run(found)
        )
        for name in shown
    }
    every = [share for shares in lines.values() for share in shares] or [1.0]
    first, last = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)) + 1e-9)
    count = max(len(by_workload), 2)

    def x(number: int) -> float:
        return left + plot_wide * number / (count - 1)

    def y(share: float) -> float:
        return top + plot_high * (1 - (math.log10(share) - first) / max(last - first, 1))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="12">',
        f'<rect width="{wide}" height="{high}" fill="white"/>',
        f'<text x="8" y="20">time to restore, as a share of running the notebook; a point for each of {count} sessions '
        "that came back correct, sorted</text>",
    ]
    for power in range(first, last + 1):
        level = y(10.0**power)
        parts.append(f'<line x1="{left}" x2="{left + plot_wide}" y1="{level:.1f}" y2="{level:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{level + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    for number, (name, shares) in enumerate(lines.items()):
        color = COLORS[number % len(COLORS)]
        points = " ".join(f"{x(i):.1f},{y(share):.1f}" for i, share in enumerate(shares))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        row = top + 12 + 20 * number
        parts.append(
            f'<line x1="{left + plot_wide + 14}" x2="{left + plot_wide + 34}" y1="{row - 4}" y2="{row - 4}" '
            f'stroke="{color}" stroke-width="3"/>'
        )
        parts.append(f'<text x="{left + plot_wide + 40}" y="{row}">{name} ({len(shares)} correct)</text>')
    parts.append(f'<text x="{left}" y="{high - 12}">sessions</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
