"""Facts of cells -> what each defines and uses, and the edges between cells."""

from __future__ import annotations

from collections.abc import Sequence

from nbdag.analysis.cell_code import without_collections
from nbdag.model.facts import AccessKind, CellFacts, Certainty
from nbdag.model.graph import Edge, Evidence
from nbdag.model.notebook import Cell
from nbdag.model.results import CellSummary

READ, BIND, MUTATE, DELETE = AccessKind.READ, AccessKind.BIND, AccessKind.MUTATE, AccessKind.DELETE

LAST_CHANGES = 50  # xs.append(1) in a thousand cells has half a million edges, all but a thousand for nothing


class _Flow:
    """What one cell does to names, followed from its first statement to its last."""

    def __init__(self, facts: CellFacts) -> None:
        self.defs: set[str] = set()
        self.uses: set[str] = set()
        self.mutates: set[str] = set()
        self.deletes: set[str] = set()
        self.deferred: set[str] = set()
        self.deferred_defs: set[str] = set()
        self.effects: set[str] = set()
        self.opaque = False
        bound: set[str] = set()
        for statement in facts.statements:
            before: dict[str, bool] = {}
            self.opaque |= statement.opaque
            self.effects.update(effect.kind.value for effect in statement.effects if not effect.deferred)
            for access in statement.accesses:
                name, kind = access.name, access.kind
                if access.deferred:
                    (self.deferred_defs if kind is BIND else self.deferred).add(name)
                elif kind is BIND:
                    before[name] = name in self.defs and access.certainty is Certainty.MAY
                    self.defs.add(name)
                    bound.add(name)
                    self.deletes.discard(name)
                elif kind is DELETE:
                    self._delete(name, access.certainty, before, bound)
                else:
                    if kind is MUTATE:
                        self.mutates.add(name)
                    if name not in self.defs:
                        self.uses.add(name)
        self.deferred -= self.uses | bound

    def _delete(self, name: str, certainty: Certainty, before: dict[str, bool], bound: set[str]) -> None:
        if certainty is Certainty.MAY and name in before:
            # except E as e: bound in the handler and unbound behind it
            if not before[name]:
                self.defs.discard(name)
            return
        if certainty is Certainty.MUST:
            if name not in bound:
                self.deletes.add(name)
            self.defs.discard(name)


def summarize_cell(cell: Cell, facts: CellFacts) -> CellSummary:
    """One row of ``nbdag analyze``: sorted names.

    ``defs`` are still bound at the end of the cell, ``uses`` were read or changed before the cell itself bound them,
    ``deferred_uses`` are read only when a function made here is called, ``deletes`` existed before the cell.
    """
    flow = _Flow(facts)
    lines = (line.strip() for line in cell.source.splitlines())
    return CellSummary(
        index=cell.index,
        position=cell.position,
        id=cell.id,
        defs=tuple(sorted(flow.defs)),
        uses=tuple(sorted(flow.uses)),
        deferred_uses=tuple(sorted(flow.deferred)),
        mutates=tuple(sorted(flow.mutates)),
        deletes=tuple(sorted(flow.deletes)),
        effects=tuple(sorted(flow.effects)),
        opaque=flow.opaque,
        first_line=next((line for line in lines if line), ""),
        statements=facts.statements,
    )


def static_edges(cells: Sequence[CellFacts]) -> tuple[Edge, ...]:
    """Which cell uses names that an earlier one made, in the order of ``cells``: from the last cell that bound the
    name or changed it in place. Deferred uses make an edge from the last definition anywhere before.

    Of more than ``LAST_CHANGES`` changes of one name the last ones: each of those uses what those before it left.
    """
    with without_collections():
        return tuple(_edges([_Flow(facts) for facts in cells]))


def _edges(flows: list[_Flow]) -> list[Edge]:
    made_by: dict[str, int] = {}
    changed_by: dict[str, tuple[int, ...]] = {}
    found: dict[tuple[int, int], list[str]] = {}  # rows of sorted names, which sort in no time
    for target, flow in enumerate(flows):
        by_changes: dict[tuple[int, ...], list[str]] = {}  # many names have been changed by the same cells
        for name in sorted(flow.uses | flow.deferred):
            changes = changed_by.get(name, ())
            if changes:
                by_changes.setdefault(changes, []).append(name)
            if name in made_by and made_by[name] not in changes:
                found.setdefault((made_by[name], target), []).append(name)
        for sources, names in by_changes.items():
            for source in sources:
                found.setdefault((source, target), []).extend(names)
        for name in flow.defs | flow.deferred_defs:
            made_by[name] = target
            changed_by.pop(name, None)
        for name in flow.mutates - flow.defs:
            changed_by[name] = (*changed_by.get(name, ()), target)[-LAST_CHANGES:]
        for name in flow.deletes:
            made_by.pop(name, None)
            changed_by.pop(name, None)
    return [
        Edge(source, target, tuple(sorted(names)), Evidence.STATIC) for (source, target), names in sorted(found.items())
    ]
