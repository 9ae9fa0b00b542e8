"""Facts of a whole session: each cell evaluated with what the cells before it have defined.

cell 1: def clean(d): d.dropna(inplace=True); note.append(1)
cell 2: clean(df)
# resolved, cell 2 reads clean, note and df, changes df and note, and changes nothing else
"""

from __future__ import annotations

from collections.abc import Sequence

from nbdag.analysis.cell_code import Lowered, lower_cell, without_collections
from nbdag.analysis.memory import Memory, memory
from nbdag.model.facts import CellFacts


def resolve(
    cells: Sequence[CellFacts], session_names: frozenset[str] = frozenset(), remembered: Memory | None = None
) -> tuple[CellFacts, ...]:
    """``cells`` in the order they run, with what their statements do through what earlier cells defined.

    The order is that of the notebook or that in which things really ran; a cell may occur several times. Facts without
    code (not made by ``analyze_cell``) are returned as they are. Cells that were evaluated before and depend on nothing
    that is different now are taken out of ``remembered``, which is this thread's memory if not given.
    """
    lowered = [facts.code for facts in cells if isinstance(facts.code, Lowered)]
    resolved = iter(_evaluated(lowered, session_names, remembered))
    return tuple(next(resolved) if isinstance(facts.code, Lowered) else facts for facts in cells)


def analyze_session(
    sources: Sequence[str], session_names: frozenset[str] = frozenset(), remembered: Memory | None = None
) -> tuple[CellFacts, ...]:
    """The facts of every text of ``sources`` in the order given, resolved against those before it.

    Trees are kept by content and evaluations in ``remembered``: analyzing again after one edit costs that cell, and
    those that depend on what it does otherwise than before.
    """
    with without_collections():
        lowered = []
        known = set(session_names)
        for source in sources:
            code = lower_cell(source, known)
            known |= code.bound
            lowered.append(code)
        return tuple(_evaluated(lowered, session_names, remembered))


def _evaluated(lowered: Sequence[Lowered], session_names: frozenset[str], remembered: Memory | None) -> list[CellFacts]:
    from nbdag.analysis.defuse.session import Session

    later = session_names.union(*(code.bound for code in lowered))
    with without_collections():
        return (memory() if remembered is None else remembered).evaluate(lowered, Session(session_names, later))
