"""Facts of cells -> defs and uses of each cell, and edges between cells."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nbdag.analysis.dataflow import LAST_CHANGES, static_edges, summarize_cell
from nbdag.analysis.resolve import analyze_session
from nbdag.model.facts import AccessKind
from nbdag.model.notebook import Cell
from nbdag.model.results import CellSummary


def summary(*sources: str) -> CellSummary:
    facts = analyze_session(sources)[-1]
    return summarize_cell(Cell(0, 0, "a", sources[-1]), facts)


SUMMARIES = [
    ("def", "def f(): return a", {"defs": ("f",), "deferred_uses": ("a",)}),
    ("augmented", "x += 1", {"defs": ("x",), "uses": ("x",), "mutates": ("x",)}),
    ("own name", "x = 1\ny = x", {"defs": ("x", "y")}),
    ("used before it is bound", "y = x\nx = 1", {"defs": ("x", "y"), "uses": ("x",)}),
    ("deleted again", "x = 1\ndel x", {}),
    ("deleted from outside", "del x", {"uses": ("x",), "deletes": ("x",)}),
    ("exception name", "try:\n    pass\nexcept ValueError as e:\n    pass", {}),
    ("exception name that was bound", "e = 1\ntry:\n    pass\nexcept ValueError as e:\n    pass", {"defs": ("e",)}),
    ("textual definition is enough", "if c:\n    x = 1\ny = x", {"defs": ("x", "y"), "uses": ("c",)}),
    ("late definition takes the deferred use", "def f(): return x\nx = 0", {"defs": ("f", "x")}),
    ("but not of a call before it", "def f(): return x\nf()\nx = 0", {"defs": ("f", "x"), "uses": ("x",)}),
    ("builtins are no uses", "y = len([1])", {"defs": ("y",)}),
    ("effects are sorted", "import time\nprint(time.time())", {"defs": ("time",), "effects": ("clock", "display")}),
    ("opaque", "exec(s)", {"uses": ("s",), "opaque": True}),
]  # fmt: skip


@pytest.mark.parametrize(("idea", "source", "expected"), SUMMARIES, ids=[row[0] for row in SUMMARIES])
def test_summary(idea: str, source: str, expected: dict[str, object]) -> None:
    found = summary(source)
    for field in ("defs", "uses", "deferred_uses", "mutates", "deletes", "effects"):
        assert getattr(found, field) == expected.get(field, ()), field
    assert found.opaque == expected.get("opaque", False)


EDGES = [
    ("use", ["x = 1", "y = x"], {(0, 1): ("x",)}),
    ("last definition wins", ["x = 1", "x = 2", "y = x"], {(1, 2): ("x",)}),
    ("a change lies between", ["x = []", "x.append(1)", "y = x"], {(0, 1): ("x",), (0, 2): ("x",), (1, 2): ("x",)}),
    ("through an alias", ["a = []", "b = a", "b.append(1)", "print(a)"],
     {(0, 1): ("a",), (0, 2): ("a",), (0, 3): ("a",), (1, 2): ("b",), (2, 3): ("a",)}),
    ("through a function", ["def f(): return x", "x = 1", "y = f()"], {(0, 2): ("f",), (1, 2): ("x",)}),
    ("deferred use of an earlier name", ["x = 1", "def f(): return x"], {(0, 1): ("x",)}),
    ("nothing", ["x = 1", "y = 2"], {}),
    ("deleted", ["x = 1", "del x", "y = x"], {(0, 1): ("x",)}),
]  # fmt: skip


@pytest.mark.parametrize(("idea", "sources", "expected"), EDGES, ids=[row[0] for row in EDGES])
def test_edges(idea: str, sources: list[str], expected: dict[tuple[int, int], tuple[str, ...]]) -> None:
    edges = static_edges(analyze_session(sources))
    assert {(edge.source, edge.target): edge.names for edge in edges} == expected


def test_many_changes_of_one_name_make_edges_from_the_last_of_them() -> None:
    cells = ["xs = []", *["xs.append(1)"] * (2 * LAST_CHANGES), "print(xs)"]
    last = len(cells) - 1
    sources = [edge.source for edge in static_edges(analyze_session(cells)) if edge.target == last]
    assert sources == [0, *range(last - LAST_CHANGES, last)]


def test_importing_the_analysis_is_cheap() -> None:
    code = (
        "import sys, nbdag.analysis.cells, nbdag.analysis.resolve, nbdag.analysis.dataflow, nbdag.analysis.notebook;"
        "print([name for name in ('libcst', 'nbformat', 'IPython', 'numpy') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_what_may_be_one_of_very_many_is_not_forgotten() -> None:
    # x1 = x0.f(); x2 = x1.f(); ...: each may be, or hold, any of those before it. More are not listed by name.
    chain = ["x0 = []", *(f"x{n + 1} = x{n}.f()" for n in range(60))]
    changed_last = analyze_session([*chain, "x60.append(1)"])[-1].statements[0]
    assert changed_last.opaque
    changed_first = analyze_session([*chain, "x0.append(1)"])[-1].statements[0]
    assert {"x0", "x1", "x60"} <= {access.name for access in changed_first.accesses if access.kind is AccessKind.MUTATE}
