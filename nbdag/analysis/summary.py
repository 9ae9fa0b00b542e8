"""Session graph and static facts -> the tables of ``nbdag analyze``: cells, edges, variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nbdag.analysis.reconcile import OPTIONS
from nbdag.model.facts import Certainty, EffectKind
from nbdag.model.graph import Edge, Evidence, SessionGraph
from nbdag.model.notebook import Cell
from nbdag.model.results import CellSummary, VariableSummary
from nbdag.model.trace import Execution, Outcome, Trace, ValueKind

WATCHED = frozenset({EffectKind.PROCESS, EffectKind.NETWORK})
"""Effects that no statement has unseen."""


def cell_of_execution(cells: Sequence[Cell], executions: Sequence[Execution]) -> dict[int, int]:
    """Execution ordinal -> cell index: by cell id, or else by text; executions of no cell are left out."""
    by_id = {cell.id: cell.index for cell in cells if cell.id}
    by_source = {cell.source: cell.index for cell in reversed(cells)}
    found = {}
    for execution in executions:
        index = by_id.get(execution.cell_id, by_source.get(execution.source))
        if index is not None:
            found[execution.ordinal] = index
    return found


def cells_of_executions(executions: Sequence[Execution]) -> tuple[Cell, ...]:
    """Cells for a session without a notebook file: the distinct texts that ran, in the order of their last run."""
    last: dict[tuple[str, str], int] = {}
    for execution in executions:
        if execution.parent is None and not execution.silent:
            key = (execution.cell_id, "" if execution.cell_id else execution.source)
            last.pop(key, None)
            last[key] = execution.ordinal
    sources = {execution.ordinal: execution for execution in executions}
    return tuple(
        Cell(index, index, sources[ordinal].cell_id or f"execution-{ordinal}", sources[ordinal].source)
        for index, ordinal in enumerate(last.values())
    )


def add_runs(
    summaries: Sequence[CellSummary], graph: SessionGraph, trace: Trace, cell_of: Mapping[int, int]
) -> tuple[CellSummary, ...]:
    """``summaries`` with what the last run of each cell took, how it ended, and what it really changed."""
    by_cell: dict[int, list[Execution]] = {}
    for execution in trace.executions:
        if execution.ordinal in cell_of and execution.parent is None:
            by_cell.setdefault(cell_of[execution.ordinal], []).append(execution)
    mutated: dict[int, set[str]] = {}
    for step in graph.steps:
        changed = {version.name for version in step.outputs} - set(step.binds) - {OPTIONS}
        mutated.setdefault(step.execution, set()).update(changed)
    result = []
    for summary in summaries:
        runs = by_cell.get(summary.index, [])
        if not runs:
            result.append(summary)
            continue
        last = runs[-1]
        seen = _seen_effects(last)
        reached = {name for run in last.statements for name in (*run.reached, *run.beyond)}
        whole = last.known and last.outcome is Outcome.OK and last.statements
        result.append(
            replace(
                summary,
                runs=len(runs),
                count=last.count,
                seconds=last.seconds if last.known else None,
                outcome=last.outcome,
                error=last.error,
                # Aliases that the text allows and the running code did not reach are none.
                uses=tuple(name for name in summary.uses if name in reached) if whole else summary.uses,
                mutates=tuple(sorted(mutated.get(last.ordinal, set()))) if last.known else summary.mutates,
                effects=tuple(sorted(seen.union(_kept_effects(summary) if whole else summary.effects))),
            )
        )
    return tuple(result)


def _kept_effects(summary: CellSummary) -> set[str]:
    """The effects that the text of a cell has, without those that it may have and the recorder would have seen:
    ``except ImportError: !pip install x`` starts nothing where the package is there."""
    sure = {
        effect.kind
        for statement in summary.statements
        for effect in statement.effects
        if effect.certainty is Certainty.MUST
    }
    return {effect for effect in summary.effects if effect not in WATCHED or effect in sure}


def _seen_effects(execution: Execution) -> set[str]:
    """What the recorder saw the cell do; not the files of an import, which are the library and its caches."""
    lines = execution.source.splitlines()
    seen: set[str] = set()
    for run in execution.statements:
        begins = lines[run.line - 1] if 0 < run.line <= len(lines) else ""
        of_library = {"file-read", "file-write"} if begins.startswith(("import ", "from ")) else set()
        seen |= set(run.effects) - of_library
    return seen


def observed_edges(graph: SessionGraph, cell_of: Mapping[int, int]) -> dict[tuple[int, int], frozenset[str]]:
    """(source cell, target cell) -> names, from the versions that steps read."""
    found: dict[tuple[int, int], set[str]] = {}
    for step in graph.steps:
        target = cell_of.get(step.execution)
        used = {*step.reads, *(version.name for version in step.outputs)} - {OPTIONS}
        for version in step.inputs:
            if version.made_by < 0 or version.name not in used or target is None:
                continue  # nobody would call it a use that options or a __future__ import were in force
            source = cell_of.get(graph.steps[version.made_by].execution)
            if source is not None and source != target:
                found.setdefault((source, target), set()).add(version.name)
    return {pair: frozenset(names) for pair, names in found.items()}


def join_edges(static: Sequence[Edge], observed: Mapping[tuple[int, int], frozenset[str]]) -> tuple[Edge, ...]:
    """Static and observed edges between the same cells as one, with who says so."""
    said = {(edge.source, edge.target): frozenset(edge.names) for edge in static}
    joined = []
    for pair in sorted(said.keys() | observed.keys()):
        evidence = Evidence.BOTH
        if pair not in observed:
            evidence = Evidence.STATIC
        elif pair not in said:
            evidence = Evidence.OBSERVED
        names = said.get(pair, frozenset()) | observed.get(pair, frozenset())
        joined.append(Edge(pair[0], pair[1], tuple(sorted(names)), evidence))
    return tuple(joined)


def summarize_variables(graph: SessionGraph, trace: Trace, cell_of: Mapping[int, int]) -> tuple[VariableSummary, ...]:
    """One row per active variable, modules last, otherwise by name."""
    made_by: dict[str, int | None] = {}
    linked: dict[str, tuple[str, ...]] = {}
    for covariable in graph.covariables:
        for version in covariable.versions:
            step = graph.steps[version.made_by] if version.made_by >= 0 else None
            made_by[version.name] = cell_of.get(step.execution) if step else None
            linked[version.name] = tuple(name for name in covariable.names if name != version.name)
    rows = [
        VariableSummary(
            name=variable.name,
            type=variable.type,
            kind=variable.kind,
            size=variable.size,
            storable=variable.storable,
            obstacle=variable.obstacle,
            made_by=made_by.get(variable.name),
            linked=linked.get(variable.name, ()),
        )
        for variable in trace.variables
    ]
    return tuple(sorted(rows, key=lambda row: (row.kind is ValueKind.MODULE, row.name)))
