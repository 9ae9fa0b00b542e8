"""What a run of the benchmark has to do, in which order, and how long that will take: no measuring."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.imports import floor_package
from benchmarks.peers.results import rows_of
from benchmarks.peers.systems import SYSTEMS

PARTS = ("peers", "overhead", "planner", "memory")
KINDS = ("corpus", "sizes", "sessions")
SESSIONS_EVERY = 4  # of the fidelity sessions: they are small, and all alike in what they cost

SECONDS = {"corpus": 75.0, "sizes": 90.0, "sessions": 14.0, "overhead": 45.0, "planner": 90.0, "memory": 60.0}
"""For one task of which nothing is known."""

OVERHEAD = (
    "statsmodels chi2_fitting",
    "statsmodels metaanalysis1",
    "statsmodels distributed_estimation",
    "statsmodels predict",
    "statsmodels statespace_forecasting",
    "emcee line",
    "hist Transform",
    "xarray weather-data",
    "loop of 5,000,000 steps",
    "forest of 100 trees",
    "200,000 small instances",
    "500 MB frame, 50 cheap cells, 10 read it",
    "1,000 tiny cells",
    "session of 2,000 names",
)
"""The cases of benchmarks/overhead.py that a whole run measures; all of them take that program alone."""

SLOW = {"1,000 tiny cells": 400.0, "session of 2,000 names": 460.0, "500 MB frame, 50 cheap cells, 10 read it": 120.0}
"""Of these, seconds: Kishu commits after every cell."""


@dataclass(frozen=True, slots=True)
class Task:
    """One session under all systems in one round, or one other thing that is done as a whole."""

    part: str
    kind: str
    name: str
    turn: int
    seconds: float  # it is estimated to take


def next_task(waiting: Sequence[Task], left: float | None, slower: float = 1.0) -> Task | None:
    """The first one that is done within ``left`` seconds if all take ``slower`` times as long as was estimated."""
    return next((task for task in waiting if left is None or task.seconds * slower <= left), None)


def seconds_by_part(waiting: Sequence[Task]) -> dict[str, float]:
    """Estimated seconds, one thing after the other, by what the report of progress calls it."""
    found: dict[str, float] = defaultdict(float)
    for task in waiting:
        turn = f", round {task.turn + 1}" if task.part in ("peers", "overhead") else ""
        found[f"{task.part} {task.kind}".rstrip() + turn] += task.seconds
    return dict(found)


def tasks(parts: Sequence[str], rounds: int, earlier: Path, work: Path, only: str = "") -> list[Task]:
    """What is to be done, in order, without what ``work`` holds already; ``earlier`` results say how long it takes.

    First what is short and has no rounds, then every session once, the notebooks of other people before the rest, then
    the cost of recording, then further rounds. ``only``: sessions and cases whose name contains this text.
    """
    known = _known_seconds(earlier, work)
    found: list[Task] = []
    for part in ("planner", "memory"):
        if part in parts and not any(True for _ in rows_of(work / f"{part}.jsonl")):
            found.append(Task(part, "", part, 0, SECONDS[part]))
    held = _held(work / "peers.jsonl")
    sessions = _sessions() if "peers" in parts else []
    absent = next((row.get("absent", {}) for row in rows_of(work / "peers.jsonl") if "machine" in row), {})
    systems = [system for system in SYSTEMS if system.name not in absent]
    for turn in range(rounds):
        for kind, name in (session for session in sessions if only in session[1]):
            count = len(systems) + (0 if kind == "sessions" else len({floor_package(s.package) for s in systems}))
            missing = 1.0 - held.get((kind, name, turn), 0) / count
            if missing > 0.0:
                seconds = known.get((kind, name), SECONDS[kind]) * missing
                found.append(Task("peers", kind, name, turn, seconds))
        if "overhead" in parts:
            done = {(row.get("case"), row.get("round", 0)) for row in rows_of(work / "overhead.jsonl")}
            found += (
                Task("overhead", "", case, turn, SLOW.get(case, SECONDS["overhead"]))
                for case in OVERHEAD
                if only in case and (case, turn) not in done
            )
    return found


def _sessions() -> list[tuple[str, str]]:
    from benchmarks.peers.workloads import WORKLOADS  # fetches the notebooks

    found = []
    for kind in KINDS:
        names = [workload.name for workload in WORKLOADS[kind]()]
        found += [(kind, name) for name in names[:: SESSIONS_EVERY if kind == "sessions" else 1]]
    return found


def _held(path: Path) -> dict[tuple[str, str, int], int]:
    """How many measures of each session and round there are."""
    found: dict[tuple[str, str, int], int] = defaultdict(int)
    for row in rows_of(path):
        if "system" in row:
            found[row["kind"], row["workload"], row.get("round", 0)] += 1
    return found


def _known_seconds(*places: Path) -> dict[tuple[str, str], float]:
    """Seconds that a session took under all systems, the median of its rounds."""
    sums: dict[tuple[str, str], dict[tuple[Path, int], float]] = defaultdict(lambda: defaultdict(float))
    for place in places:
        for row in rows_of(place / "peers.jsonl"):
            if "system" in row:
                seconds = sum(row.get(field, 0.0) for field in ("run_seconds", "save_seconds", "restore_seconds"))
                sums[row["kind"], row["workload"]][place, row.get("round", 0)] += row.get("took", seconds + 3.0)
    return {session: statistics.median(rounds.values()) for session, rounds in sums.items()}
