"""From raw rows to docs/peers.md, its pictures and the table of the README: counting and medians, no measuring."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import tables
from benchmarks.peers.imports import FLOOR
from benchmarks.peers.link import RATES
from benchmarks.peers.measured import Row, Sessions, is_correct, plain_run, restoring, sessions_of
from benchmarks.peers.others import overhead, overhead_goals, planning, small_memory
from benchmarks.peers.pictures import lines_picture
from benchmarks.peers.readme import write_readme
from benchmarks.peers.results import rows_of
from benchmarks.peers.systems import SYSTEMS

KINDS = {
    "corpus": ("Notebooks of other people", "From the source distributions in `benchmarks/corpus.toml`."),
    "sizes": (
        "Larger data, and single states",
        "Notebooks of the corpus with their own cells on more rows, one analysis that draws its own data, and states: "
        "`benchmarks/peers/workloads.py`.",
    ),
    "sessions": (
        "Fidelity sessions",
        "Small sessions of what usually does not survive. They are nbdag's own tests: that nbdag passes them says "
        "little, how others fare says more. Asked are the same questions on both sides, instead of the judge.",
    ),
}
PARTS = ("peers", "overhead", "planner", "memory")


def write_report(results: Path, root: Path) -> None:
    """Write ``docs/peers.md``, ``docs/pictures/peers-*.svg`` and the table of ``README.md`` below ``root``.

    Raises FileNotFoundError where ``results`` holds no rows of sessions.
    """
    parts = {part: list(rows_of(results / f"{part}.jsonl")) for part in PARTS}
    head = next((row for row in parts["peers"] if "machine" in row), None)
    if head is None:
        raise FileNotFoundError(f"no sessions in {results / 'peers.jsonl'}: run make bench first")
    rows = [row for row in parts["peers"] if "system" in row]
    present = {row["system"] for row in rows}
    names = [system.name for system in SYSTEMS if system.name in present]
    kinds = {kind: sessions_of(row for row in rows if row["kind"] == kind) for kind in KINDS}
    pictures = root / "docs" / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    text = [_HEAD, _machine(head, [row for row in parts["peers"] if "ended" in row], rows)]
    for kind, sessions in kinds.items():
        if sessions:
            found = [row for row in rows if row["kind"] == kind]
            text.append(_section(kind, sessions, kinds["corpus"], found, names, parts["overhead"], pictures))
    notebooks = list(kinds["corpus"])
    text.append(overhead(parts["overhead"], notebooks))
    page, picture = planning(parts["planner"])
    if page:
        text.append(page)
        pictures.joinpath("peers-planning.svg").write_text(picture, encoding="utf-8")
    text.append(small_memory(parts["memory"]))
    root.joinpath("docs", "peers.md").write_text("\n".join(filter(None, text)).rstrip() + "\n", encoding="utf-8")
    write_readme(root / "README.md", kinds, parts)


_HEAD = """# nbdag and what people do today

Made by `make bench` (`python -m benchmarks.bench`) from the rows in `benchmarks/results`; how each system saves and
restores is told at the head of `benchmarks/peers/systems.py`. Each runs every session in a kernel of its own, saves it,
and restores it in a new kernel; systems take turns within a session. *Correct* is judged by code that shares nothing
with any of them (`benchmarks/peers/judge.py`): no variable missing, every one the same in type and content, the same
pairs of variables sharing objects or memory; of a figure, the same picture. *Silent* are sessions that came back wrong
and the system had said nothing. A system's times and sizes are those of the sessions it restored correctly. Bytes are
all that has to be sent.
"""


def _machine(head: Mapping[str, Any], ends: Sequence[Row], rows: Sequence[Row]) -> str:
    machine = head["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    absent = "".join(f"\n{name}: {problem}" for name, problem in head.get("absent", {}).items())
    parts = [
        f"{machine['platform']}, {machine['cpus']} shared cores",
        *([machine["processor"]] if machine.get("processor") else []),
        *([f"{machine['memory_gb']} GB"] if "memory_gb" in machine else []),
        f"Python {machine['python']}",
    ]
    if machine.get("commit"):
        changed = f" ({machine['changed_files']} files changed)" if machine.get("changed_files") else ""
        versions = f"nbdag at commit {machine['commit']}{changed}, {versions}"
    when = machine["date"]
    if ends:
        when += f" to {ends[-1]['ended']}, load {machine.get('load')} before and {ends[-1].get('load')} at the end"
    rounds = 1 + max((row.get("round", 0) for row in rows), default=0)
    told = "One round" if rounds == 1 else f"Up to {rounds} rounds"
    return f"One run, {when}: {', '.join(parts)}; {versions}. {told}.{absent}\n\n{head.get('note', '')}\n"


def _section(
    kind: str,
    sessions: Sessions,
    corpus: Sessions,
    rows: Sequence[Row],
    names: Sequence[str],
    recorded: Sequence[Row],
    pictures: Path,
) -> str:
    # A notebook that does not come out the same twice by itself, or a row that is missing, still counts.
    title, origin = KINDS[kind]
    parts = [
        f"## {title}\n",
        f"{origin} {len(sessions)} session{'s' * (len(sessions) != 1)}.\n",
        tables.summary(sessions, names),
    ]
    if kind == "sessions":
        return "\n".join(parts)
    parts += [tables.spread(rows), tables.floor(sessions, names), tables.proportions(sessions)]
    if kind == "corpus":
        parts.append(tables.verdicts(sessions, overhead_goals(recorded, list(sessions))))
    else:
        parts.append(tables.by_size(sessions, corpus, names))
    parts.append(tables.by_bandwidth(sessions, names))
    pictures.joinpath(f"peers-{kind}-bandwidth.svg").write_text(_bandwidth(sessions, names), encoding="utf-8")
    parts.append(f"![time to move a session by bandwidth](pictures/peers-{kind}-bandwidth.svg)\n")
    parts += [tables.each(sessions, names), tables.failures(sessions)]
    pictures.joinpath(f"peers-{kind}.svg").write_text(_sorted_shares(sessions, names), encoding="utf-8")
    parts.append(f"![restore time as a share of re-running, by system](pictures/peers-{kind}.svg)\n")
    return "\n".join(filter(None, parts))


def _sorted_shares(sessions: Sessions, names: Sequence[str]) -> str:
    """Sorted shares of re-running, a line a system: the lower and the longer to the right, the better."""
    lines = {}
    for name in names:
        if name in ("re-running", "%store"):
            continue
        shares = sorted(
            restoring(found, name) / plain_run(found)
            for found in sessions.values()
            if is_correct(found.get(name)) and plain_run(found)
        )
        lines[f"{name} ({len(shares)} correct)"] = [(float(number), value) for number, value in enumerate(shares, 1)]
    floors = sorted(
        found[FLOOR]["restore_seconds"] / plain_run(found)
        for found in sessions.values()
        if found.get(FLOOR, {}).get("restore_seconds") and plain_run(found)
    )
    if floors:
        lines["imports alone"] = [(float(number), value) for number, value in enumerate(floors, 1)]
    return lines_picture(
        f"time to restore as a share of running, of {len(sessions)} sessions: a point for each that came back correct",
        lines,
        below="sessions, each system's own order",
    )


def _bandwidth(sessions: Sessions, names: Sequence[str]) -> str:
    lines = {}
    for name in names:
        each = tables.shares_by_rate(sessions, name)
        if name != "%store" and each[0]:
            places = zip(RATES.values(), each, strict=True)
            lines[name] = [(math.log10(rate), statistics.median(shares)) for rate, shares in places]
    return lines_picture(
        "save + send + restore as a share of running, the median of what came back correct",
        lines,
        below="bandwidth",
        ticks={math.log10(rate): label for label, rate in RATES.items()},
    )
