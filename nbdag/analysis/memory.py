"""What evaluating cells has shown before, kept so that an unchanged cell is not evaluated again.

A *record* is one evaluation of one cell: what the cell looked at (``Seen``), what it changed (``Changes``), its facts.
It is used again where the same text comes upon a session that confirms what was seen; then the facts are those and the
changes are made as they were. So an edit costs the edited cell and the cells that depend on what it does otherwise
than before, whatever the order of the cells, and nothing has to be declared out of date::

    cell 1: n = 10          edited: n = 20          evaluated: its text is new
    cell 2: xs = [0] * n                            n is still an int: not evaluated
    cell 3: import os                               not evaluated

Not kept are cells that see or make instances and classes of the notebook, or functions that share variables
(closures): a later cell can change those without binding a name, and they would have to be watched one by one. Such
cells are evaluated every time. A record is used once per session, as each evaluation makes function objects of its own.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbdag.analysis.cells import visit
from nbdag.model.facts import CellFacts

if TYPE_CHECKING:
    from nbdag.analysis.cell_code import Lowered
    from nbdag.analysis.defuse.session import Changes, Seen, Session

KEPT_RECORDS = 20_000
TRIED = 8  # records of one text that are compared before it is evaluated


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One evaluation of a cell."""

    seen: Seen
    changes: Changes
    facts: CellFacts


class Memory:
    """Records by cell, the cells used last at the end."""

    def __init__(self, kept: int = KEPT_RECORDS) -> None:
        self._kept = kept
        self._records: OrderedDict[Lowered, list[Record]] = OrderedDict()
        self._count = 0
        self.evaluated = 0  # cells that were not found here

    def evaluate(self, cells: Iterable[Lowered], session: Session) -> list[CellFacts]:
        """The facts of ``cells``, which run one after the other in ``session``."""
        used: dict[Lowered, list[Record]] = {}
        facts = []
        for cell in cells:
            record = self._find(cell, session)
            if record is None:
                self.evaluated += 1
                found, visited = visit(cell, session)
                seen, changes = visited.done()
                record = Record(seen, changes, found)
                if seen.is_plain() and changes.is_plain():
                    used.setdefault(cell, []).append(record)
            else:
                used.setdefault(cell, []).append(record)
            session.change(record.changes)
            facts.append(record.facts)
        self._keep(used)
        return facts

    def _find(self, cell: Lowered, session: Session) -> Record | None:
        """A record of ``cell`` that holds in ``session``; it is taken out, so that it is used once."""
        records = self._records.get(cell)
        if records:
            for number, record in enumerate(records[:TRIED]):
                if session.confirms(record.seen):
                    self._count -= 1
                    return records.pop(number)
        return None

    def _keep(self, used: dict[Lowered, list[Record]]) -> None:
        """Puts back what a session has used, before what it has not: it will be asked for in that order."""
        for cell, records in used.items():
            spare = self._records.pop(cell, [])
            kept = records + spare[:TRIED]
            self._count += len(kept) - len(spare)
            self._records[cell] = kept
        while self._count > self._kept:
            _, dropped = self._records.popitem(last=False)
            self._count -= len(dropped)

    def forget(self) -> None:
        self._records.clear()
        self._count = 0


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.memory = Memory()


_OF_THREAD = _OfThread()


def memory() -> Memory:
    """The memory of this thread."""
    return _OF_THREAD.memory
