"""The tables of the report on sessions that were saved and restored."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.peers.imports import floor_name
from benchmarks.peers.link import LONGEST, RATES
from benchmarks.peers.measured import (
    LEAST_IMPORTS,
    PACKAGES,
    PEERS,
    Row,
    Sessions,
    importing,
    in_bytes,
    is_correct,
    moving,
    plain_run,
    restoring,
    saving,
    share,
    size,
)

Measure = Callable[[Mapping[str, Row], str], float]


def summary(sessions: Sessions, names: Sequence[str]) -> str:
    """A row for each system: how many came back right, and what that took."""
    table = [
        "| system | correct | wrong, and said so | wrong, silent | could not | save / re-running "
        "| restore / re-running | bytes, median | peak memory of restoring / of running |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        rows = [found[name] for found in sessions.values() if name in found]
        right = [found for found in sessions.values() if is_correct(found.get(name))]
        could_not = sum("problem" in row for row in rows)
        wrong = [row for row in rows if "problem" not in row and not row["correct"]]
        told = sum(bool(row.get("told_loss")) for row in wrong)
        saves = [saving(found, name) / plain_run(found) for found in right if plain_run(found)]
        restores = [restoring(found, name) / plain_run(found) for found in right if plain_run(found)]
        sizes = [size(found, name) for found in right]
        peaks = [
            found[name]["restore_peak_mb"] / found["re-running"]["restore_peak_mb"]
            for found in right
            if found.get("re-running", {}).get("restore_peak_mb") and found[name].get("restore_peak_mb")
        ]
        table.append(
            f"| {name} | {len(right)} of {len(rows)} | {told} | {len(wrong) - told} | {could_not} | {share(saves)} | "
            f"{share(restores)} | {f'{statistics.median(sizes):,.0f}' if sizes else '-'} | {share(peaks)} |"
        )
    return "\n".join([*table, "", "Times are medians of correct ones, with the lowest and highest in brackets.\n"])


def spread(rows: Iterable[Row]) -> str:
    """How far rounds are apart, in a sentence; "" if there is only one."""
    times: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.get("correct") and row.get("restore_seconds"):
            times.setdefault((row["workload"], row["system"]), []).append(row["restore_seconds"])
    apart = [max(found) / min(found) - 1.0 for found in times.values() if len(found) > 1]
    if not apart:
        return ""
    return (
        f"{len(apart)} restorations were measured more than once: the slowest of its rounds took "
        f"{statistics.median(apart):.0%} longer than the fastest, in the median.\n"
    )


def floor(sessions: Sessions, names: Sequence[str]) -> str:
    """Restoring beside importing: how much of it is nobody's to save."""
    table = [
        "What the import statements of a session take alone, in a new kernel of the same environment, is the least "
        "that a restoration can take. Beside it:\n",
        "| system | sessions | restore / imports alone | imports as a share of restoring | seconds above the imports |",
        "|---|---|---|---|---|",
    ]
    counted = 0
    for name in names:
        found = [f for f in sessions.values() if is_correct(f.get(name)) and importing(f, name) >= LEAST_IMPORTS]
        counted += len(found)
        times = [restoring(f, name) / importing(f, name) for f in found]
        shares = [importing(f, name) / restoring(f, name) for f in found]
        above = [restoring(f, name) - importing(f, name) for f in found]
        table.append(f"| {name} | {len(found)} | {share(times)} | {share(shares)} | {share(above)} |")
    if not counted:
        return ""
    said = [
        "A share above 1 is one kernel that was slower at importing than another one at all of restoring, or a system "
        "that leaves modules unimported which no variable needs.\n"
    ]
    for other in ("dill", "elastic-kernel"):
        both = [
            f
            for f in sessions.values()
            if is_correct(f.get(other)) and is_correct(f.get("nbdag")) and importing(f, "nbdag")
        ]
        if both:
            possible = sum(importing(f, "nbdag") <= restoring(f, other) / 2 for f in both)
            reached = sum(restoring(f, "nbdag") <= restoring(f, other) / 2 for f in both)
            said.append(
                f"On {possible} of {len(both)} sessions that both restored correctly {other}'s time is at least twice "
                f"that of the imports alone, so that half of it can be reached; nbdag took half or less on {reached}.\n"
            )
    return "\n".join([*table, "", *said])


def proportions(sessions: Sessions) -> str:
    """Where nbdag stands against the fastest and the smallest that were correct."""
    said = []
    mine = [found for found in sessions.values() if is_correct(found.get("nbdag"))]
    measures: list[tuple[str, Measure]] = [("to save", saving), ("to restore", restoring), ("in bytes", size)]
    for label, of in measures:
        for peer in [*PEERS, "the best correct peer"]:
            ratios = []
            for found in mine:
                # Re-running saves nothing, and what it sends is the notebook: no measure for either.
                others = [
                    of(found, p)
                    for p in (PEERS if peer.startswith("the ") else [peer])
                    if is_correct(found.get(p)) and (p != "re-running" or label == "to restore")
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


def ratios(sessions: Sessions, of: Measure, *others: str) -> list[float]:
    """nbdag's figure in proportion to the least of the others that were correct, session by session."""
    right = [found for found in sessions.values() if is_correct(found.get("nbdag"))]
    found = [(of(f, "nbdag"), [of(f, o) for o in others if is_correct(f.get(o))]) for f in right]
    return [own / min(theirs) for own, theirs in found if theirs and min(theirs) > 0.0]


def verdicts(sessions: Sessions, more: Sequence[tuple[str, str, bool]] = ()) -> str:
    """What nbdag set out to reach on notebooks, and whether it did; ``more`` are goals of other parts."""
    mine = [found["nbdag"] for found in sessions.values() if "nbdag" in found]
    right = sum(map(is_correct, mine))
    table = ["What nbdag set out to reach on these:\n", "| goal | found | |", "|---|---|---|"]

    def judge(goal: str, found: str, met: bool) -> None:
        table.append(f"| {goal} | {found} | {'met' if met else '**missed**'} |")

    judge("correct on every notebook", f"{right} of {len(mine)}", right == len(mine))
    others = [peer for peer in PEERS if peer != "re-running"]
    for goal, of in (("restored", restoring), ("moved at 1 Gbit/s", moving)):
        each = ratios(sessions, of, *others)
        slower = sum(ratio > 1.05 for ratio in each)
        judge(f"{goal} no slower than the fastest correct peer", f"slower on {slower} of {len(each)}", not slower)
    for other in ("elastic-kernel", "dill"):
        if each := ratios(sessions, restoring, other):
            median = statistics.median(each)
            judge(f"median restore in half the time of {other}", f"{median:.2f} of it", median <= 0.5)
        if each := ratios(sessions, size, other):
            larger = sum(ratio > 1.0 for ratio in each)
            judge(f"smaller than {other}", f"larger on {larger} of {len(each)}", not larger)
    for goal, told, met in more:
        judge(goal, told, met)
    return "\n".join([*table, ""])


def shares_by_rate(sessions: Sessions, name: str) -> list[list[float]]:
    """For each rate: save + send + restore in proportion to re-running, of every session that came back right."""
    right = [found for found in sessions.values() if is_correct(found.get(name)) and plain_run(found)]
    return [[moving(found, name, rate) / plain_run(found) for found in right] for rate in RATES]


def by_bandwidth(sessions: Sessions, names: Sequence[str]) -> str:
    """Saving, sending the bytes at that rate, restoring; in proportion to re-running."""
    sent = any("send_seconds" in row for found in sessions.values() for row in found.values())
    how = (
        f"sent over a throttled link; what would take longer than {LONGEST:.0f} s is worked out"
        if sent
        else "worked out"
    )
    table = [
        f"Moving a session, save + send + restore, as a share of running it (bytes {how}):\n",
        "| system | " + " | ".join(RATES) + " |",
        "|---|" + "---|" * len(RATES),
        *(f"| {name} | " + " | ".join(map(share, shares_by_rate(sessions, name))) + " |" for name in names),
    ]
    return "\n".join([*table, ""])


def by_size(sessions: Sessions, once: Sessions, names: Sequence[str]) -> str:
    """The same notebook on more and more data; ``once`` are those that ran as they are."""
    scaled = re.compile(r"(?P<name>.*) x(?P<factor>\d+)$")
    grown: dict[str, dict[int, Mapping[str, Row]]] = {}
    for session, found in sessions.items():
        if match := scaled.match(session):
            grown.setdefault(match["name"], {})[int(match["factor"])] = found
    for name, factors in grown.items():
        if 1 not in factors and name in once:
            factors[1] = once[name]
    if not grown:
        return ""
    shown = [name for name in names if name not in ("%store", "re-running")]
    table = [
        "The same cells on more data: restore as a share of re-running, and bytes (x1 of notebooks is the corpus's):\n",
        "| session | data | run | " + " | ".join(shown) + " |",
        "|---|---|---|" + "---|" * len(shown),
    ]
    for name, factors in grown.items():
        for factor, found in sorted(factors.items()):
            run = plain_run(found)
            cells = []
            for system in shown:
                row = found.get(system)
                told = f"{restoring(found, system) / run:.2f}, " if run and is_correct(row) else ""
                cells.append(told + in_bytes(row["bytes"]) if row and is_correct(row) else _not(found, system))
            table.append(f"| {name} | x{factor} | {run:.1f} s | " + " | ".join(cells) + " |")
    return "\n".join([*table, ""])


def _not(found: Mapping[str, Row], name: str) -> str:
    if name not in found:
        return "-"
    return "failed" if "problem" in found[name] else "*wrong*"


def each(sessions: Sessions, names: Sequence[str]) -> str:
    """Every session under every system."""
    floors = any(floor_name("") in found for found in sessions.values())
    table = [
        "Each session: save / restore in seconds; moving it (save + send at 1 Gbit/s + restore) / restoring it as a "
        "share of running it; bytes; *wrong* and *failed* as judged"
        + ("; imports alone, in the environment of the libraries alone.\n" if floors else ".\n"),
        "| session | run | " + ("imports | " if floors else "") + " | ".join(names) + " |",
        "|---|---|" + "---|" * (len(names) + floors),
    ]
    for workload, found in sessions.items():
        cells = [f"{importing(found, 'nbdag'):.2f}"] if floors else []
        for name in names:
            row = found.get(name)
            if row is None or "problem" in row:
                cells.append(_not(found, name))
            else:
                mark = "" if row["correct"] else " *wrong*"
                run = plain_run(found)
                shares = f"{moving(found, name) / run:.2f} / {restoring(found, name) / run:.2f}; " if run else ""
                seconds = f"{saving(found, name):.2f} / {restoring(found, name):.2f} s; "
                cells.append(seconds + shares + in_bytes(row["bytes"]) + mark)
        table.append(f"| {workload} | {plain_run(found):.1f} | " + " | ".join(cells) + " |")
    return "\n".join([*table, ""])


def failures(sessions: Sessions) -> str:
    """What systems said that could not save or restore a session, once for each thing said."""
    said: dict[tuple[str, str], list[str]] = {}
    for workload, found in sessions.items():
        for name in PACKAGES:
            if problem := found.get(name, {}).get("problem"):
                said.setdefault((name, " ".join(problem.split())[:110]), []).append(workload)
    if not said:
        return ""
    lines = [f"- {name}: `{problem.replace('`', '')}` ({', '.join(w)})" for (name, problem), w in sorted(said.items())]
    return "\n".join(["What *failed* said:\n", *lines, ""])
