"""What the picture of a session shows, before any format: cells as rows, needs as lanes beside them.

Rows keep the order of the notebook, which is the order its reader knows. A cell that others need has one *lane*: a
vertical line from its row to the last row that needs it, with a branch into each.

    rows   lanes
    [1]  ──┬─┐          cell 1 is needed by 2 and 4
    [2]  ◀─┘ │ ─┐       cell 2 is needed by 3
    [3]  ◀───┼──┘
    [4]  ◀───┘

Lanes that share a row are in different *slots*. Short lanes get the slots next to the rows, so that the long ones
(imports) run outside and cross little: greedy colouring of intervals, shortest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nbdag.model.graph import Edge, Evidence
from nbdag.model.plan import Action, Decision
from nbdag.model.results import Analysis, CellSummary, VariableSummary
from nbdag.model.trace import Outcome


@dataclass(frozen=True, slots=True)
class Chip:
    """A name that a cell binds. ``current`` says that the session's value is the one made here.

    ``size`` is what its co-variable takes, and ``held`` what counts in sums: names that share state hold it once.
    """

    name: str
    current: bool
    type: str = ""
    size: int = 0
    held: int = 0
    action: Action | None = None  # None: no plan was made
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One code cell. ``seconds`` is None if it was not run."""

    index: int
    label: str
    source: str
    first_line: str
    chips: tuple[Chip, ...]
    changes: tuple[str, ...]
    tags: tuple[str, ...]
    seconds: float | None
    outcome: Outcome | None
    error: str

    @property
    def size(self) -> int:
        """Bytes of the current values made here."""
        return sum(chip.held for chip in self.chips)


@dataclass(frozen=True, slots=True)
class Branch:
    """A row that needs names of the lane's row."""

    target: int
    names: tuple[str, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Lane:
    """What the row ``source`` gives to others, in the vertical line number ``slot`` (0 is next to the rows)."""

    source: int
    slot: int
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """The whole picture. ``planned`` says that chips carry actions; ``ran`` that rows carry times."""

    title: str
    rows: tuple[Row, ...]
    lanes: tuple[Lane, ...]
    ran: bool
    planned: bool

    @property
    def slots(self) -> int:
        """How many vertical lines lie side by side."""
        return 1 + max((lane.slot for lane in self.lanes), default=-1)


def make_scene(
    analysis: Analysis, sources: Sequence[str] = (), decisions: Iterable[Decision] = (), title: str = ""
) -> Scene:
    """The picture of ``analysis``; ``sources`` are the texts of its cells, ``decisions`` those of a plan, if any."""
    decision_by_name = {name: decision for decision in decisions for name in decision.names}
    variable_by_name = {variable.name: variable for variable in analysis.variables}
    holders = _holders(analysis.variables)
    rows = tuple(
        _row(
            cell, sources[cell.index] if cell.index < len(sources) else "", variable_by_name, decision_by_name, holders
        )
        for cell in analysis.cells
    )
    return Scene(
        title=title or analysis.notebook or "session",
        rows=rows,
        lanes=_lanes([edge for edge in analysis.edges if not _refuted(edge, rows)], len(rows)),
        ran=any(row.seconds is not None for row in rows),
        planned=bool(decision_by_name),
    )


def _holders(variables: Iterable[VariableSummary]) -> frozenset[str]:
    """One name of each co-variable, which its bytes are counted for: the one that was made first."""
    found: set[str] = set()
    for variable in sorted(variables, key=lambda v: (v.made_by is None, v.made_by or 0)):
        if found.isdisjoint(variable.linked):
            found.add(variable.name)
    return frozenset(found)


def _row(
    cell: CellSummary,
    source: str,
    variables: Mapping[str, VariableSummary],
    decisions: Mapping[str, Decision],
    holders: frozenset[str],
) -> Row:
    names = list(cell.defs)
    # Bound where no static rule saw it: exec, a magic, a function with `global`.
    names += [v.name for v in variables.values() if v.made_by == cell.index and v.name not in cell.defs]
    return Row(
        index=cell.index,
        label=str(cell.index + 1),
        source=source,
        first_line=cell.first_line,
        chips=tuple(
            _chip(name, cell.index, variables.get(name), decisions.get(name), name in holders) for name in names
        ),
        changes=(*cell.mutates, *(f"del {name}" for name in cell.deletes)),
        tags=(*cell.effects, *(("opaque",) if cell.opaque else ())),
        seconds=cell.seconds,
        outcome=cell.outcome,
        error=cell.error,
    )


def _refuted(edge: Edge, rows: Sequence[Row]) -> bool:
    """The text allows this need, but both cells ran and the recorder saw nothing of it: f(wine) did not change wine."""
    if edge.evidence is not Evidence.STATIC or not max(edge.source, edge.target) < len(rows):
        return False
    return rows[edge.source].outcome is Outcome.OK and rows[edge.target].outcome is Outcome.OK


def _chip(name: str, index: int, variable: VariableSummary | None, decision: Decision | None, holds: bool) -> Chip:
    if variable is None or variable.made_by != index:
        return Chip(name, current=False)
    return Chip(
        name=name,
        current=True,
        type=variable.type,
        size=variable.size,
        held=variable.size if holds else 0,
        action=decision.action if decision else None,
        reason=decision.reason if decision else "",
    )


def _lanes(edges: Sequence[Edge], rows: int) -> tuple[Lane, ...]:
    branches_by_source: dict[int, list[Branch]] = {}
    for edge in edges:
        if edge.source != edge.target and 0 <= edge.source < rows and 0 <= edge.target < rows:
            branches_by_source.setdefault(edge.source, []).append(Branch(edge.target, edge.names, edge.evidence))
    spans = []
    for source, branches in branches_by_source.items():
        ends = [source, *(branch.target for branch in branches)]
        spans.append((max(ends) - min(ends), min(ends), max(ends), source))
    taken_by_slot: list[list[tuple[int, int]]] = []  # per slot, the spans in it
    slot_by_source: dict[int, int] = {}
    for _, first, last, source in sorted(spans):
        slot = next((n for n, taken in enumerate(taken_by_slot) if _is_free(taken, first, last)), len(taken_by_slot))
        if slot == len(taken_by_slot):
            taken_by_slot.append([])
        taken_by_slot[slot].append((first, last))
        slot_by_source[source] = slot
    return tuple(
        Lane(source, slot_by_source[source], tuple(sorted(branches, key=lambda branch: branch.target)))
        for source, branches in sorted(branches_by_source.items())
    )


def _is_free(taken: Sequence[tuple[int, int]], first: int, last: int) -> bool:
    return all(last < start or end < first for start, end in taken)
