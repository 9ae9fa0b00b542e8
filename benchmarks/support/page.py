"""What was measured, kept as results.json, and the page made of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.support.run import ROOT, Row

RESULTS = Path(__file__).with_name("results.json")
PAGE = ROOT / "docs" / "support.md"

HEAD = """# What travels: {classes} classes of {libraries} libraries

Made by `python -m benchmarks.support` (`make support`): each class has a line or two that make an instance, and
questions whose answers must be the same before and after (`benchmarks/support/sessions/`). A library's session runs in
a kernel, is compiled, and is restored in a fresh process in another directory. A part of it is measured again in CI
and held against this page. It says what nbdag *can* do with a class: everything that can be stored was stored,
although replaying is often cheaper; what came back different stored was left to the planner.

- **travels**: *stored* as a value, or *replayed* by the statements that made it; classes and functions always are.
- **came back**: *identical*: nbdag's own comparison says so, and the answers are the same. *Same answers*: nbdag has no
  digest that means the same in two processes (a lock, a running iterator); the answers are the same. *Not shared*:
  equal, but no longer the same object or memory as another variable; `compile` says with which. *Lost*: `compile`
  names it and ends with status 1.
- **other versions**: the same bundle restored where the libraries are those in brackets; blank where that was not
  tried.

| | classes |
|---|---|
{summary}

"""


@dataclass(frozen=True)
class Measured:
    """One library's rows; ``versions`` by distribution, ``older`` those of the other environment, or none."""

    name: str
    heading: str
    versions: dict[str, str]
    older: dict[str, str]
    rows: tuple[Row, ...]

    def odd(self) -> list[str]:
        """What somebody should look at: rows that did not come back as they were, in words."""
        return [
            f"{row.label}: {row.travels}; {row.came_back}; elsewhere {row.elsewhere or '-'} {row.detail} "
            + "; ".join(row.wrong)
            for row in self.rows
            if not row.arrived or row.elsewhere not in ("", "same")
        ]


def write_results(path: Path, measured: Sequence[Measured]) -> None:
    """Keep what was measured."""
    path.write_text(
        json.dumps([asdict(one) for one in measured], indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def read_results(path: Path) -> list[Measured]:
    """What was kept."""
    return [
        Measured(**{**one, "rows": tuple(Row(**{**row, "wrong": tuple(row["wrong"])}) for row in one["rows"])})
        for one in json.loads(path.read_text(encoding="utf-8"))
    ]


def render(measured: Sequence[Measured]) -> str:
    """docs/support.md."""
    rows = [row for one in measured for row in one.rows]
    libraries = {name for one in measured for name in one.versions}
    counts: dict[str, int] = {}
    for row in rows:
        counts[f"{row.travels}, {row.came_back}"] = counts.get(f"{row.travels}, {row.came_back}", 0) + 1
    tried = [row for row in rows if row.elsewhere]
    counts["restored with other versions: same answers"] = sum(row.elsewhere == "same" for row in tried)
    counts["restored with other versions: not the same"] = sum(row.elsewhere != "same" for row in tried)
    summary = "\n".join(f"| {what} | {count} |" for what, count in counts.items() if count)
    text = HEAD.format(classes=len(rows), libraries=len(libraries), summary=summary)
    for one in measured:
        text += f"## {one.heading}\n\n{_versions(one)}\n\n"
        text += "| class | travels | came back | other versions | why |\n|---|---|---|---|---|\n"
        text += "".join(
            f"| {row.label} | {row.travels} | {row.came_back} | {row.elsewhere_said} | {_cell(row.why)} |\n"
            for row in one.rows
        )
        text += "\n"
    return text.rstrip("\n") + "\n"


def _versions(one: Measured) -> str:
    return ", ".join(
        f"{name.replace('python', 'Python') if name == 'python' else name} {version}"
        + (f" ({one.older[name]})" if one.older.get(name, version) != version else "")
        for name, version in one.versions.items()
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
