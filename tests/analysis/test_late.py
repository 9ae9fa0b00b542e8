"""What the notebook file says about runs from before the recorder came is taken where number and text agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nbdag.analysis.late import CellRun, runs_in_file, with_runs
from nbdag.analysis.reconcile import UNKNOWN_SECONDS, reconcile
from nbdag.model.facts import Access, AccessKind, CellFacts, Certainty, Statement, StatementKind
from nbdag.model.findings import Place
from nbdag.model.trace import Execution, Outcome, Trace

JUPYTER = {
    "execution": {
        "iopub.execute_input": "2024-05-01T10:00:00.500000Z",
        "iopub.status.busy": "2024-05-01T10:00:00.400000Z",
        "shell.execute_reply": "2024-05-01T10:00:03.000000Z",
    }
}
MAY_1 = 1714557600.0  # 2024-05-01 10:00 UTC

CLOCKS: list[tuple[str, dict[str, Any], float, float]] = [
    ("JupyterLab", JUPYTER, MAY_1 + 0.5, 2.5),
    ("papermill", {"papermill": {"start_time": "2024-05-01T10:00:00", "end_time": "2024-05-01T10:01:00"}}, MAY_1, 60.0),
    (
        "the ExecuteTime extension",
        {"ExecuteTime": {"start_time": "2024-05-01T10:00:00.000Z", "end_time": "2024-05-01T10:00:01.500Z"}},
        MAY_1,
        1.5,
    ),
    ("another time zone", {"papermill": {"start_time": "2024-05-01T12:00:00+02:00"}}, MAY_1, 0.0),
    ("a run that has not ended", {"execution": {"iopub.execute_input": "2024-05-01T10:00:00Z"}}, MAY_1, 0.0),
    (
        "a clock that was set back",
        {"papermill": {"start_time": "2024-05-01T10:00:00", "end_time": "2024-05-01T09:00:00"}},
        MAY_1,
        0.0,
    ),
    ("nothing", {}, 0.0, 0.0),
    ("no date", {"execution": {"iopub.execute_input": "yesterday", "shell.execute_reply": 5}}, 0.0, 0.0),
    ("no table", {"execution": [], "papermill": None}, 0.0, 0.0),
]


def cell(source: str, count: int | None = 1, **fields: Any) -> dict[str, Any]:
    return {"cell_type": "code", "id": "one", "source": source, "execution_count": count, "metadata": {}, **fields}


def written(path: Path, *cells: Any) -> Path:
    path.write_text(json.dumps({"cells": list(cells), "nbformat": 4}), encoding="utf-8")
    return path


@pytest.mark.parametrize(("whose", "metadata", "started", "seconds"), CLOCKS, ids=[row[0] for row in CLOCKS])
def test_times_of_runs(tmp_path: Path, whose: str, metadata: dict[str, Any], started: float, seconds: float) -> None:
    path = written(tmp_path / "n.ipynb", cell("x = 1", metadata=metadata))
    assert runs_in_file(path) == (CellRun("one", "x = 1", 1, started, seconds),)


def test_a_run_that_failed_says_so(tmp_path: Path) -> None:
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}
    path = written(tmp_path / "n.ipynb", cell(["x = ", "1"], outputs=[{"output_type": "stream"}, error]))
    assert [(run.source, run.error) for run in runs_in_file(path)] == [("x = 1", "ValueError: no")]


NO_RUNS = [
    cell("x", None),
    cell("x", True),
    {"cell_type": "markdown", "source": "x", "execution_count": 1},
    {"cell_type": "code", "execution_count": 1},
    "no cell",
    None,
]


@pytest.mark.parametrize("node", NO_RUNS, ids=repr)
def test_what_is_no_run_is_passed_over(tmp_path: Path, node: Any) -> None:
    assert runs_in_file(written(tmp_path / "n.ipynb", node)) == ()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"cells": 3}', b"\xff\xfe", b"# %%\nx = 1"])
def test_a_file_that_cannot_be_read_tells_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "n.ipynb").write_bytes(content)
    assert runs_in_file(tmp_path / "n.ipynb") == () == runs_in_file(tmp_path / "nowhere.ipynb")


RUN = CellRun("one", "x = f()\n", 3, MAY_1, 8.0)
MATCHES = [
    ("number and text agree", Execution(0, "x = f()", Outcome.OK, count=3, known=False), True),
    ("the cell was edited since", Execution(0, "x = g()", Outcome.OK, count=3, known=False), False),
    ("the kernel was started anew", Execution(0, "x = f()", Outcome.OK, count=2, known=False), False),
    ("it was recorded", Execution(0, "x = f()", Outcome.OK, count=3), False),
]


@pytest.mark.parametrize(("sentence", "execution", "taken"), MATCHES, ids=[row[0] for row in MATCHES])
def test_a_run_is_taken_if(sentence: str, execution: Execution, taken: bool) -> None:
    (found,) = with_runs(Trace("3", "cpython", "", "", (execution,)), (RUN,)).executions
    assert (found.cell_id, found.started, found.seconds) == (("one", MAY_1, 8.0) if taken else ("", 0.0, 0.0))


FAILURES = [
    ("ValueError: no", Outcome.OK, Outcome.ERROR, "ValueError: no"),
    ("KeyboardInterrupt: ", Outcome.OK, Outcome.INTERRUPTED, "KeyboardInterrupt: "),
    ("ValueError: no", Outcome.INTERRUPTED, Outcome.INTERRUPTED, "said by the kernel"),
    ("", Outcome.ERROR, Outcome.ERROR, "said by the kernel"),
]


@pytest.mark.parametrize(("in_file", "known", "outcome", "error"), FAILURES)
def test_what_the_kernel_says_about_the_end_goes_before_the_file(
    in_file: str, known: Outcome, outcome: Outcome, error: str
) -> None:
    said = "" if known is Outcome.OK else "said by the kernel"
    execution = Execution(0, "x", known, count=1, known=False, error=said)
    (found,) = with_runs(Trace("3", "cpython", "", "", (execution,)), (CellRun("", "x", 1, error=in_file),)).executions
    assert (found.outcome, found.error) == (outcome, error)


@pytest.mark.parametrize(("seconds", "expected"), [(8.0, [4.0, 4.0]), (0.0, [UNKNOWN_SECONDS] * 2)])
def test_statements_share_the_seconds_of_their_cell(seconds: float, expected: list[float]) -> None:
    here = Place(1, 0, 1, 1)
    statements = tuple(
        Statement(
            node, node, StatementKind.OTHER, here, python=f"{name} = f()",
            accesses=(Access(name, AccessKind.BIND, Certainty.MUST, here),),
        )
        for node, name in enumerate("xy")
    )  # fmt: skip
    execution = Execution(0, "x = f(); y = f()", Outcome.OK, count=1, known=False, seconds=seconds)
    graph = reconcile([CellFacts(statements)], Trace("3", "cpython", "", "", (execution,)))
    assert [step.seconds for step in graph.steps] == expected
