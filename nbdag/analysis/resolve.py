"""Facts of a whole session: each cell evaluated with what the cells before it have defined.

cell 1: def clean(d): d.dropna(inplace=True); note.append(1)
cell 2: clean(df)
# resolved, cell 2 reads clean, note and df, changes df and note, and changes nothing else
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nbdag.analysis.cell_code import Lowered, lower_cell
from nbdag.analysis.cells import facts_of
from nbdag.model import CellFacts


def resolve(cells: Sequence[CellFacts], session_names: frozenset[str] = frozenset()) -> tuple[CellFacts, ...]:
    """``cells`` in the order they run, with what their statements do through what earlier cells defined.

    The order is that of the notebook or that in which things really ran; a cell may occur several times. Facts without
    code (not made by ``analyze_cell``) are returned as they are.
    """
    from nbdag.analysis.defuse.state import Session

    lowered = [facts.code for facts in cells]
    later = session_names.union(*(code.bound for code in lowered if isinstance(code, Lowered)))
    session = Session(session_names, later)
    return tuple(
        facts_of(code, session) if isinstance(code, Lowered) else facts
        for code, facts in zip(lowered, cells, strict=True)
    )


def analyze_session(sources: Sequence[str], session_names: frozenset[str] = frozenset()) -> tuple[CellFacts, ...]:
    """The facts of every text of ``sources`` in the order given, resolved against those before it.

    Parsing is kept by content: analyzing again after one edit costs that cell and the evaluation of the others.
    """
    from nbdag.analysis.defuse.state import Session

    with _without_collections():
        lowered = []
        known = set(session_names)
        for source in sources:
            code = lower_cell(source, frozenset(known) if "\n" not in source else session_names)
            known |= code.bound
            lowered.append(code)
        session = Session(session_names, frozenset(known))
        return tuple(facts_of(code, session) for code in lowered)


@contextmanager
def _without_collections() -> Iterator[None]:
    """Trees hold no cycles, and there are many of them: the garbage collector would go over them all, in vain."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
