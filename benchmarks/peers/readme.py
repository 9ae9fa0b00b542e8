"""The comparison in the README: a table and what is wrong with nbdag, between two marks in its text."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.peers.imports import FLOOR
from benchmarks.peers.measured import (
    Row,
    Sessions,
    in_bytes,
    is_correct,
    plain_run,
    restoring,
    saving,
    size,
)
from benchmarks.peers.others import MODES, by_case, figures

BEGIN, END = "<!-- made by make bench: begin -->", "<!-- made by make bench: end -->"
SHOWN = ("nbdag", "elastic-kernel", "kishu", "dill", "cloudpickle", "%store", "re-running")


def write_readme(readme: Path, kinds: Mapping[str, Sessions], parts: Mapping[str, Sequence[Row]]) -> None:
    """Put today's figures between the marks; a README without them is left alone."""
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        made = "\n".join(comparison(kinds, parts))
        readme.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}", encoding="utf-8")


def comparison(kinds: Mapping[str, Sessions], parts: Mapping[str, Sequence[Row]]) -> list[str]:
    """The lines of the section."""
    corpus, sizes, wild = (kinds.get(kind, {}) for kind in ("corpus", "sizes", "sessions"))
    lines = ["| | " + " | ".join(f"`{name}`" if name == "%store" else name for name in SHOWN) + " |"]
    lines.append("|---|" + "--:|" * len(SHOWN))

    def row(label: str, cells: Sequence[str], best: str = "") -> None:
        told = [f"**{cell}**" if best and cell == best else cell for cell in cells]
        lines.append(f"| {label} | " + " | ".join(told) + " |")

    def correct(sessions: Sessions) -> list[str]:
        counts = [sum(is_correct(found.get(name)) for found in sessions.values()) for name in SHOWN]
        return [str(count) for count in counts]

    for label, sessions in (
        (f"notebooks restored correctly, of {len(corpus)}", corpus),
        (f"larger data and single states, of {len(sizes)}", sizes),
        (f"small sessions of what usually does not survive, of {len(wild)} (nbdag's own tests)", wild),
    ):
        if sessions:
            counts = correct(sessions)
            row(label, counts, max(counts, key=int))
        if sessions is corpus:
            row("came back wrong without a word", [str(_silent(corpus, name)) for name in SHOWN])
            row("could not, or said what is missing", [str(_told(corpus, name)) for name in SHOWN])
    unproven = _middle(corpus, "nbdag unproven", saving)
    row(
        "save / run the notebook, median",
        [
            _middle(corpus, n, saving) + (f" (unproven {unproven})" if n == "nbdag" and unproven != "-" else "")
            for n in SHOWN
        ],
    )
    row("restore / run the notebook, median", [_middle(corpus, name, restoring) for name in SHOWN])
    row(
        "nbdag's time to restore in proportion to it, where both were right",
        ["", *(_against(corpus, n) for n in SHOWN[1:])],
    )
    floors = [
        found[FLOOR]["restore_seconds"] / restoring(found, name)
        for name in ("nbdag",)
        for found in corpus.values()
        if is_correct(found.get(name)) and found.get(FLOOR, {}).get("restore_seconds", 0.0) >= 0.1
    ]
    row("bytes, median", [_bytes(corpus, name) for name in SHOWN])
    cases = by_case(parts.get("overhead", ()))
    books = [found for case, found in cases.items() if case in corpus]
    if books:
        row(
            f"CPU time that recording adds, median of {len(books)} notebooks",
            [_adds(books, name) if name in MODES else "" for name in SHOWN],
        )
    memory = [line for line in parts.get("memory", ()) if "memory" in line][-1:]
    for line in memory:
        least = line["limits_mb"][-1]
        said = {name: "yes" if cells[-1] == "all read" else "no" for name, cells in line["memory"].items()}
        row(
            f"a session of 1 GB of arrays opened with {least} MB of memory",
            [said.get(name, "") for name in SHOWN],
            "yes",
        )
    said = []
    if floors:
        said.append(
            f"The notebook's import statements alone take {statistics.median(floors):.0%} (median) of nbdag's time to "
            "restore: nobody can save those."
        )
    said.append(_held_against(corpus))
    return [*lines, *(f"\n{sentence}" for sentence in said if sentence)]


def _silent(sessions: Sessions, name: str) -> int:
    rows = [found[name] for found in sessions.values() if name in found]
    return sum("problem" not in row and not row["correct"] and not row.get("told_loss") for row in rows)


def _told(sessions: Sessions, name: str) -> int:
    rows = [found[name] for found in sessions.values() if name in found]
    return sum("problem" in row or (not row["correct"] and bool(row.get("told_loss"))) for row in rows)


def _middle(sessions: Sessions, name: str, of: object) -> str:
    assert callable(of)
    shares = [of(f, name) / plain_run(f) for f in sessions.values() if is_correct(f.get(name)) and plain_run(f)]
    return f"{statistics.median(shares):.2f}" if shares else "-"


def _against(sessions: Sessions, name: str) -> str:
    both = [f for f in sessions.values() if is_correct(f.get(name)) and is_correct(f.get("nbdag"))]
    return f"{statistics.median(restoring(f, 'nbdag') / restoring(f, name) for f in both):.2f}" if both else ""


def _bytes(sessions: Sessions, name: str) -> str:
    sizes = [size(found, name) for found in sessions.values() if is_correct(found.get(name))]
    return in_bytes(statistics.median(sizes)) if sizes else "-"


def _adds(books: Sequence[Sequence[Mapping[str, Row]]], mode: str) -> str:
    medians = [statistics.median(found) for rounds in books if (found := figures(rounds, mode, "cpu"))]
    return f"{statistics.median(medians) - 1:.1%}" if medians else "-"


def _held_against(sessions: Sessions) -> str:
    """The sessions that nbdag did not bring back right, with what is wrong in them."""
    said = []
    for workload, found in sessions.items():
        row = found.get("nbdag")
        if row is not None and not is_correct(row):
            names = [*row.get("missing", ()), *row.get("wrong", ())]
            what = row.get("problem") or ", ".join(f"`{name}`" for name in names) or "what is shared by whom"
            said.append(f"{workload} ({what})")
    return f"What the judge holds against nbdag: {'; '.join(said)}." if said else ""
