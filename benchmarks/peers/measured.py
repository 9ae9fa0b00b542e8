"""What the rows of several rounds say of each session: medians, and the figures that the tables are made of."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.peers.imports import floor_name
from benchmarks.peers.link import RATES
from benchmarks.peers.systems import SYSTEMS

Row = Mapping[str, Any]
Sessions = Mapping[str, Mapping[str, Row]]
"""By name of the session: by system a row."""

PACKAGES = {system.name: system.package for system in SYSTEMS}
WHILE_RUNNING = {system.name for system in SYSTEMS if system.saves_while_running}
PEERS = [system.name for system in SYSTEMS if not system.name.startswith("nbdag")]
LEAST_IMPORTS = 0.1  # seconds: what takes less is no measure for anything


def sessions_of(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """One row for each session and system, made of all its rounds."""
    rounds: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        rounds[row["workload"]][row["system"]].append(row)
    return {
        session: {system: middle(found) for system, found in by_system.items()} for session, by_system in rounds.items()
    }


def middle(rounds: Sequence[Row]) -> Row:
    """One row of several rounds: medians of times, and correct only if it was every time."""
    if failed := [row for row in rounds if "problem" in row]:
        return failed[0]
    ordered = sorted(rounds, key=lambda row: row.get("round", 0))
    timed = {
        key: statistics.median(row[key] for row in ordered)
        for key in ("run_seconds", "save_seconds", "restore_seconds")
        if key in ordered[0]
    }
    told = next((row for row in ordered if not row.get("correct")), ordered[0])
    return {**ordered[0], **told, **timed, "correct": all(row.get("correct") for row in ordered)}


def is_correct(row: Row | None) -> bool:
    return row is not None and bool(row.get("correct"))


def plain_run(found: Mapping[str, Row]) -> float:
    """Seconds of the cells in a kernel that nobody watches."""
    seconds = [
        found[name]["run_seconds"]
        for name in ("re-running", "dill", "cloudpickle", "%store")
        if "run_seconds" in found.get(name, {})
    ]
    return statistics.median(seconds) if seconds else 0.0


def saving(found: Mapping[str, Row], name: str) -> float:
    """Seconds of saving; of a system that saves while cells run, what it adds to them."""
    row = found[name]
    return max(0.0, row["run_seconds"] - plain_run(found)) if name in WHILE_RUNNING else float(row["save_seconds"])


def restoring(found: Mapping[str, Row], name: str) -> float:
    return float(found[name]["restore_seconds"])


def sending(row: Row, rate: str) -> float:
    """Seconds that its bytes need at ``rate``: measured, or worked out where that would take long."""
    return float(row.get("send_seconds", {}).get(rate, row["bytes"] * 8 / RATES[rate]))


def moving(found: Mapping[str, Row], name: str, rate: str = "1 Gbit/s") -> float:
    return saving(found, name) + sending(found[name], rate) + restoring(found, name)


def size(found: Mapping[str, Row], name: str) -> float:
    return float(found[name]["bytes"])


def importing(found: Mapping[str, Row], name: str) -> float:
    """Seconds of the session's imports alone, in the environment of that system; 0.0 where that is not known."""
    return float(found.get(floor_name(PACKAGES[name]), {}).get("restore_seconds", 0.0))


def share(values: Sequence[float], digits: int = 2) -> str:
    """Median, and the lowest and highest in brackets."""
    if not values:
        return "-"
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def in_bytes(count: float) -> str:
    for unit, power in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= power:
            return f"{count / power:.1f} {unit}"
    return f"{count:.0f} B"
