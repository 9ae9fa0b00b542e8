"""A cell's text -> what it says: its statements, and what each may do to the session's names and to the world.

Parsing and lowering depend on the text alone and are kept by content; evaluation depends on what the session knows by
then (``resolve.py``). A cell is parsed twice: by libcst, whose tree is lowered (it knows the syntax of Pythons that are
newer than the one nbdag runs on), and by ``ast``, which is quick, knows where statements begin and end, and says what
is wrong with a cell the way the user's Python would say it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from nbdag.analysis.cell_code import Lowered, Unit, lower_cell, with_big_stack
from nbdag.model.facts import Access, AccessKind, CellFacts, Effect, EffectKind, Statement

if TYPE_CHECKING:
    from nbdag.analysis.defuse.evaluate import Evaluator
    from nbdag.analysis.defuse.session import Session, Visit
    from nbdag.analysis.defuse.state import Recorded


def analyze_cell(source: str, session_names: frozenset[str] = frozenset()) -> CellFacts:
    """What ``source`` says by itself; ``session_names`` are names that exist before it runs.

    Never raises: a cell that Python would refuse has no statements and a diagnostic with line and column. What other
    cells define is not known here: ``resolve`` adds it.
    """
    _, _, make_session = _evaluation()
    return visit(lower_cell(source, session_names), make_session(session_names, session_names))[0]


def visit(lowered: Lowered, session: Session) -> tuple[CellFacts, Visit]:
    """The facts of a lowered cell in ``session``; what they depend on, and what the session would know afterwards."""
    try:
        return _visit(lowered, session)
    except RecursionError:
        return with_big_stack(lambda: _visit(lowered, session))


# ---------------------------------------------------------------------------------------------- evaluation


@cache
def _evaluation() -> tuple[type[Evaluator], type[Visit], type[Session]]:
    """Imported when the first cell is evaluated: the tables take their time, and so does an import in every call."""
    from nbdag.analysis.defuse.evaluate import Evaluator
    from nbdag.analysis.defuse.session import Session, Visit

    return Evaluator, Visit, Session


def _visit(lowered: Lowered, session: Session) -> tuple[CellFacts, Visit]:
    make_evaluator, make_visit, _ = _evaluation()
    translated = lowered.translated
    visited = make_visit(session)
    evaluator = make_evaluator(visited, translated.magics, dict(lowered.timed), lowered.lazy_annotations)
    statements = []
    for index, unit in enumerate(lowered.units):
        recorded = evaluator.record(unit.body, unit.start)
        if recorded.opaque:
            visited.forget_types()
        statements.append(_statement(index, unit, recorded, lowered))
    return CellFacts(tuple(statements), lowered.diagnostics, translated.language, lowered), visited


def _statement(index: int, unit: Unit, recorded: Recorded, lowered: Lowered) -> Statement:
    lines = lowered.lines
    assert lines is not None
    accesses = tuple(
        [
            Access(name, kind, certainty, lines.place(start, end), deferred)
            for (name, kind, deferred), (certainty, start, end) in recorded.accesses.items()
        ]
    )
    effects: tuple[Effect, ...] = ()
    if recorded.effects:
        effects = tuple(
            [
                Effect(kind, certainty, lines.place(start, end), detail, deferred)
                for (kind, detail, deferred), (certainty, start, end) in recorded.effects.items()
            ]
        )
    text = unit.text
    if unit.timed and text is not None and _leaves_traces(accesses, effects):
        text = None
    return Statement(index, unit.node, unit.kind, unit.place, text, accesses, effects, recorded.opaque)


def _leaves_traces(accesses: tuple[Access, ...], effects: tuple[Effect, ...]) -> bool:
    """Whether running it any number of times leaves something behind."""
    if any(access.kind is not AccessKind.READ and not access.deferred for access in accesses):
        return True
    return any(effect.kind not in (EffectKind.DISPLAY, EffectKind.CLOCK, EffectKind.FILE_READ) for effect in effects)
