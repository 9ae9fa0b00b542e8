"""Sessions as files: one class a cell, with the questions that its value has to answer alike before and after.

::

    # Python's standard library: data types.        what the table is headed with
    # needs: python                                 distributions: the first one's version is shown
    # %%                                            a cell without a name: imports, data
    import collections
    # %% ring: collections.deque (a remark)         variable: class
    ring = collections.deque([1, 2, 3], maxlen=3)
    # probe: list(ring), ring.maxlen                an expression; its repr must be the same on both sides

The files are py:percent scripts: ``nbdag analyze`` runs them as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SESSIONS = Path(__file__).resolve().parent / "sessions"
_TITLE = re.compile(r"# %%(?: (?P<variable>\w+): (?P<kind>\S+)(?: \((?P<remark>.+)\))?)?$")
_PROBE = "# probe: "


@dataclass(frozen=True)
class Case:
    """One class: the variable that holds its instance, and what is asked of it."""

    variable: str
    kind: str
    remark: str
    probes: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"`{self.kind}`" + (f" ({self.remark})" if self.remark else "")


@dataclass(frozen=True)
class Library:
    """One file of cases. ``needs``: the distributions its cells import; "python" is Python itself."""

    name: str
    heading: str
    needs: tuple[str, ...]
    path: Path
    cases: tuple[Case, ...]


def read_library(path: Path) -> Library:
    """The cases of one file. Raises ValueError with file and line for what is not of the form above."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) < 3 or not lines[0].startswith("# ") or not lines[1].startswith("# needs: "):
        raise ValueError(f"{path}: begins with a line '# heading' and a line '# needs: distributions'")
    cases: list[Case] = []
    for number, line in enumerate(lines, 1):
        if line.startswith("# %%"):
            found = _TITLE.match(line)
            if found is None:
                raise ValueError(f"{path}:{number}: not '# %% variable: class (remark)': {line}")
            if found["variable"]:
                cases.append(Case(found["variable"], found["kind"], found["remark"] or "", ()))
        elif line.startswith(_PROBE):
            if not cases:
                raise ValueError(f"{path}:{number}: a probe before the first case")
            last = cases[-1]
            cases[-1] = Case(last.variable, last.kind, last.remark, (*last.probes, line[len(_PROBE) :]))
    for case in cases:
        if not case.probes:
            raise ValueError(f"{path}: {case.variable} has no probe")
    heading, needs = lines[0][2:].rstrip("."), tuple(lines[1][len("# needs: ") :].split())
    return Library(path.stem, heading, needs, path, tuple(cases))


def read_libraries(only: str = "") -> tuple[Library, ...]:
    """Every file of ``sessions/`` whose name contains ``only``: Python first, the others by name."""
    paths = sorted(SESSIONS.glob("*.py"), key=lambda path: (not path.stem.startswith("python_"), path.stem))
    return tuple(read_library(path) for path in paths if only in path.stem)
