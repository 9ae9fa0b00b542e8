"""Which statement of the text each recorded run was: static statements and runs of one execution, paired by node.

IPython runs every top-level node of a cell by itself, and the recorder sees those; the text may have more to say: the
body of a ``%%time`` cell is one node of several statements::

    %%time                      node 0, one run      ->  two units that share the run
    a = load()
    b = clean(a)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nbdag.model.facts import CellFacts, Statement, StatementKind
from nbdag.model.findings import Place
from nbdag.model.trace import Execution, Outcome, StatementRun


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of replay: a statement with the run that the recorder saw of it.

    ``run`` is None for what ran before the recorder came. ``share`` counts the units of the same run, ``last`` marks
    the last of them: what the run did is known once it has passed.
    """

    statement: Statement
    run: StatementRun | None
    share: int = 1
    last: bool = True


def align(facts: CellFacts, execution: Execution, nested: Sequence[Execution] = ()) -> tuple[Unit, ...]:
    """The units of ``execution`` in the order they ran; what never ran, after an error, is left out.

    ``nested`` are executions that ran inside this one (``%%capture``, ``run_cell``). Text and runs that do not fit
    together, and text that nobody could parse, become one unit for the whole cell.
    """
    if not execution.known:
        return tuple(Unit(statement, None) for statement in facts.statements)
    if execution.outcome is Outcome.REFUSED or not execution.statements:
        return ()
    by_node: dict[int, list[Statement]] = {}
    for statement in facts.statements:
        by_node.setdefault(statement.node, []).append(statement)
    ran = [run.node for run in execution.statements]
    complete = execution.outcome is Outcome.OK
    fits = ran == sorted(by_node)[: len(ran)] and (not complete or len(ran) == len(by_node))
    if not fits:
        return (Unit(_whole_cell(facts, execution), _merged(execution.statements)),)
    inner = {child.ordinal: child for child in nested}
    units: list[Unit] = []
    for run in execution.statements:
        statements = by_node[run.node]
        body = _body_runs(statements, inner, len(execution.statements))
        if body:
            units.extend(Unit(statement, own) for statement, own in zip(statements, body, strict=False))
            if len(statements) > len(body):
                units.append(Unit(statements[-1], _without(run, body)))
            continue
        for index, statement in enumerate(statements):
            units.append(Unit(statement, run, len(statements), index == len(statements) - 1))
    return tuple(units)


def _body_runs(statements: list[Statement], inner: dict[int, Execution], nodes: int) -> Sequence[StatementRun]:
    """The runs of a ``%%capture`` body, which IPython executes as a cell inside the cell; () where they do not fit.

    The last statement may be the magic itself: ``%%capture out`` binds ``out``.
    """
    if nodes != 1 or len(inner) != 1:
        return ()
    (child,) = inner.values()
    extra = statements[-1].kind is StatementKind.MAGIC and statements[-1].python is None
    if child.outcome is not Outcome.OK or len(child.statements) != len(statements) - extra:
        return ()
    return child.statements


def _without(run: StatementRun, body: Sequence[StatementRun]) -> StatementRun:
    """What is left of ``run`` for the magic itself when its ``body`` has been accounted for."""
    done = {name for inner in body for name in inner.bound}
    left = tuple(name for name in run.bound if name not in done)
    return StatementRun(node=run.node, line=run.line, end_line=run.line, seconds=0.0, bound=left)


def _merged(runs: Sequence[StatementRun]) -> StatementRun:
    """All runs of an execution as one."""

    def every(field: str) -> tuple[str, ...]:
        return tuple(sorted({name for run in runs for name in getattr(run, field)}))

    states: dict[str, bytes] = {}
    for run in runs:
        for generator, state in run.random_state:
            states.setdefault(generator, state)
    deleted = [name for run in runs for name in run.deleted]
    bound = [name for name in every("bound") if name not in deleted]
    return StatementRun(
        node=0,
        line=runs[0].line,
        end_line=runs[-1].end_line,
        seconds=sum(run.seconds for run in runs),
        completed=all(run.completed for run in runs),
        bound=tuple(bound),
        deleted=tuple(sorted(set(deleted))),
        reached=every("reached"),
        changed=every("changed"),
        beyond=every("beyond"),
        drew=every("drew"),
        random_state=tuple(sorted(states.items())),
        files=tuple(use for run in runs for use in run.files),
        effects=every("effects"),
    )


def _whole_cell(facts: CellFacts, execution: Execution) -> Statement:
    """One opaque statement that stands for all of a cell."""
    texts = [statement.python for statement in facts.statements]
    python = None if not texts or None in texts else "\n".join(text for text in texts if text)
    lines = execution.source.count("\n") + 1
    return Statement(
        index=0,
        node=0,
        kind=StatementKind.OTHER,
        place=Place(1, 0, lines, 0),
        python=python,
        accesses=tuple(access for statement in facts.statements for access in statement.accesses),
        effects=tuple(effect for statement in facts.statements for effect in statement.effects),
        opaque=True,
    )
