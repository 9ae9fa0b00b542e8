"""Histories of sessions: from traces, and from notebooks that are run for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbdag.analysis.notebook import read_notebook
from nbdag.model.trace import Execution, FileUse, Outcome, StatementRun, Trace, ValueKind, Variable
from nbdag.remote.history import History
from nbdag.remote.recording import history_of, label_of, record

PIECE = tuple[tuple[str, ...], int]


def statement(bound: str = "", reached: str = "", changed: str = "", **more: object) -> StatementRun:
    return StatementRun(
        0, 1, 1, 1.0, bound=tuple(bound.split()), reached=tuple(reached.split()), changed=tuple(changed.split()), **more
    )  # type: ignore[arg-type]


def execution(ordinal: int, source: str, ran: StatementRun, **more: object) -> Execution:
    return Execution(ordinal, source, Outcome.OK, started=10.0 * ordinal, seconds=4.0, statements=(ran,), **more)  # type: ignore[arg-type]


def variable(name: str, size: int, group: int, **more: object) -> Variable:
    return Variable(name, "list", ValueKind.DATA, group, size, **more)  # type: ignore[arg-type]


def trace(*executions: Execution, variables: tuple[Variable, ...] = ()) -> Trace:
    return Trace("3.11", "cpython", "python", "/", executions, variables)


def needs(history: History, run: int) -> list[PIECE]:
    return [(history.pieces[piece].names, history.pieces[piece].bytes) for piece in history.runs[run].needs]


def test_pieces_go_from_the_cells_that_make_them_to_those_that_need_them() -> None:
    first = execution(0, "xs = [1] * 1000", statement("xs"))
    second = execution(1, "total = sum(xs)", statement("total", "xs"))
    surveys = [(variable("xs", 1000, 0),), (variable("xs", 1000, 0), variable("total", 8, 1))]
    history = history_of(trace(first, second, variables=surveys[1]), "session", surveys)
    assert needs(history, 0) == []
    assert needs(history, 1) == [(("xs",), 1000)]
    assert [history.runs[1].session_bytes, history.runs[1].pause] == [1000, 6.0]
    assert {history.pieces[piece].names for piece in history.last} == {("xs",), ("total",)}
    assert history.origin == "recorded"


def test_a_change_makes_another_version_with_a_size_of_its_own() -> None:
    cells = (
        execution(0, "xs = []", statement("xs")),
        execution(1, "xs.extend(range(1000))", statement("", "xs", "xs")),
        execution(2, "print(xs)", statement("", "xs")),
    )
    surveys = [(variable("xs", size, 0),) for size in (10, 5000, 5000)]
    history = history_of(trace(*cells, variables=surveys[2]), "session", surveys)
    assert [needs(history, run) for run in range(3)] == [[], [(("xs",), 10)], [(("xs",), 5000)]]
    assert [len(run.makes) for run in history.runs] == [1, 1, 0]


def test_linked_names_are_one_piece() -> None:
    cells = (
        execution(0, "xs = [[]]; y = xs[0]", statement("xs y"), covariables=(("xs", "y"),)),
        execution(1, "len(y)", statement("", "xs y")),
    )
    survey = (variable("xs", 70, 0), variable("y", 70, 0))
    history = history_of(trace(*cells, variables=survey), "session", [survey, survey])
    assert needs(history, 1) == [(("xs", "y"), 70)]


def test_one_survey_at_the_end_leaves_guesses_that_are_told() -> None:
    cells = (execution(0, "xs = []", statement("xs")), execution(1, "xs.append(1)", statement("", "xs", "xs")))
    history = history_of(trace(*cells, variables=(variable("xs", 40, 0),)), "session")
    assert history.origin == "trace"
    assert all(piece.guessed for piece in history.pieces)
    assert needs(history, 1) == [(("xs",), 40)]


@pytest.mark.parametrize(
    ("source", "ran", "why"),
    [
        (
            "xs = open('a.csv').read()",
            {"files": (FileUse("a.csv", "/data/a.csv", "r", 9),)},
            "it reads a.csv, a file of this machine",
        ),
        (
            "open('b', 'w').write('x')",
            {"files": (FileUse("b", "/data/b", "w", 9),)},
            "it writes b, a file of this machine",
        ),
        ("xs = fetch()", {"effects": ("network",)}, "it asks the network"),
        ("xs = input()", {}, "it asks the user"),
        ("xs = load()", {"files": (FileUse("d.csv", "/env/lib/python3.11/site-packages/d.csv", "r", 9),)}, ""),
        ("def f(): pass", {}, "it defines and imports: both sides do"),
        ("xs = 1", {}, ""),
    ],
)
def test_what_belongs_to_this_machine_stays_here(source: str, ran: dict[str, object], why: str) -> None:
    history = history_of(trace(execution(0, source, statement("xs", **ran))), "session")
    assert history.runs[0].stays == why


def test_a_label_is_the_first_line_that_says_something() -> None:
    assert label_of("# title\n\n%matplotlib inline\nx = 1\ny = 2") == "x = 1"
    assert len(label_of("x = " + "1 + " * 100 + "1")) == 60
    assert label_of("api_key = 'AKIAABCDEFGHIJKLMNOP'") == "(a cell with a credential)"


@pytest.mark.slow
def test_a_notebook_is_run_and_every_version_measured(tmp_path: Path) -> None:
    (tmp_path / "note.py").write_text(
        "# %%\nxs = list(range(1000))\n# %%\nxs = xs * 50\n# %%\nn = len(xs)\n", encoding="utf-8"
    )
    history = record(read_notebook(tmp_path / "note.py"), "note", state_directory=tmp_path / "state")
    assert [run.label for run in history.runs] == ["xs = list(range(1000))", "xs = xs * 50", "n = len(xs)"]
    ((_, small),), ((_, large),) = needs(history, 1), needs(history, 2)
    assert large > 20 * small > 0
