"""The tables of ``nbdag analyze`` say what a reader would: nothing of libraries' caches or flags of the compiler."""

from __future__ import annotations

from dataclasses import replace

from nbdag.analysis.dataflow import summarize_cell
from nbdag.analysis.reconcile import reconcile
from nbdag.analysis.resolve import analyze_session
from nbdag.analysis.summary import add_runs, observed_edges
from nbdag.model.graph import SessionGraph
from nbdag.model.notebook import Cell
from nbdag.model.results import CellSummary
from nbdag.model.trace import Execution, Outcome, StatementRun, Trace


def traced(*cells: list[tuple[str, StatementRun]]) -> tuple[Trace, SessionGraph]:
    """The trace of cells of one-line statements, and its graph."""
    executions = tuple(
        Execution(
            ordinal,
            "\n".join(text for text, _ in cell),
            Outcome.OK,
            seconds=1.0,
            statements=tuple(run for _, run in cell),
        )
        for ordinal, cell in enumerate(cells)
    )
    trace = Trace("3.11", "cpython", "", "", executions, ())
    return trace, reconcile(analyze_session([execution.source for execution in executions]), trace)


def test_an_import_neither_reads_nor_writes_files() -> None:
    caches = StatementRun(0, 1, 1, 0.1, bound=("plt",), effects=("file-read", "file-write", "network"))
    saves = StatementRun(1, 2, 2, 0.1, reached=("plt",), effects=("file-write",))
    trace, graph = traced([("import matplotlib.pyplot as plt", caches)])
    assert add_runs([CellSummary(0, 0, "")], graph, trace, {0: 0})[0].effects == ("network",)
    trace, graph = traced([("import matplotlib.pyplot as plt", caches), ("plt.savefig('a.png')", saves)])
    assert add_runs([CellSummary(0, 0, "")], graph, trace, {0: 0})[0].effects == ("file-write", "network")


def test_a_branch_that_did_not_run_started_nothing() -> None:
    cells = [
        Cell(0, 0, "a", "try:\n    import json\nexcept ImportError:\n    !pip install json"),
        Cell(1, 1, "b", "!ls"),
    ]
    summaries = [
        summarize_cell(cell, facts)
        for cell, facts in zip(cells, analyze_session([cell.source for cell in cells]), strict=True)
    ]
    assert [summary.effects for summary in summaries] == [("network", "process"), ("process",)]
    runs = StatementRun(0, 1, 4, 0.1, bound=("json",)), StatementRun(0, 1, 1, 0.1)
    trace, graph = traced(*([(cell.source, run)] for cell, run in zip(cells, runs, strict=True)))
    assert [summary.effects for summary in add_runs(summaries, graph, trace, {0: 0, 1: 1})] == [(), ("process",)]
    installs = replace(runs[0], effects=("process",))
    trace, graph = traced([(cells[0].source, installs)])
    assert add_runs(summaries, graph, trace, {0: 0})[0].effects == ("process",)
    failed = replace(trace, executions=(replace(trace.executions[0], outcome=Outcome.ERROR),))
    assert add_runs(summaries, graph, failed, {0: 0})[0].effects == ("network", "process")


def test_a_future_import_is_nothing_that_a_cell_uses() -> None:
    future = StatementRun(0, 1, 1, 0.1, bound=("annotations",))
    made = StatementRun(0, 1, 1, 0.1, bound=("f",))
    uses = StatementRun(0, 1, 1, 0.1, bound=("x",), reached=("f",))
    cells = [("from __future__ import annotations", future)], [("def f(x: T): return x", made)], [("x = f(1)", uses)]
    graph = traced(*cells)[1]
    assert [version.name for version in graph.steps[1].inputs] == ["annotations"]
    assert observed_edges(graph, {0: 0, 1: 1, 2: 2}) == {(1, 2): frozenset({"f"})}
