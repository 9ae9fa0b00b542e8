"""Where the text of an execution and what the recorder saw contradict each other: findings that show both sides.

| the text | the recorder | taken (``reconcile.py``) | said |
|---|---|---|---|
| does not bind ``x`` | ``x`` was bound: ``exec``, a callback, a thread | bound | ``bound-unsaid`` |
| no statement may change ``xs`` | ``xs`` changed in place: an alias, a callback | changed | ``changed-unsaid`` |
| has other statements | saw runs that do not fit them | the cell is one step | ``not-aligned`` |

A generator or a connection counts as changed whenever it is reached, and so does what may share state with it, such as
the arrays that a fitted model keeps: changes are told of plain data only, and of statements that changed nothing else.
That the text admits more than happened is no disagreement: it says "may".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nbdag.analysis.alignment import Unit
from nbdag.analysis.mutation import said_to_bind, said_to_change
from nbdag.model.facts import CellFacts, StatementKind
from nbdag.model.findings import Diagnostic, Severity
from nbdag.model.trace import Execution, Trace

PLAIN = ("list", "dict", "set", "bytearray", "collections.deque", "numpy.ndarray")
MOST_NAMES = 5
ALWAYS = 3  # times, and never anything else: not looked at, but taken to be so


def plain_names(trace: Trace) -> frozenset[str]:
    """The variables whose state can be seen, so that a change of theirs is one.

    Not an array of objects that nobody can look into: to the recorder it changes in every statement that reaches it.
    """
    plain = {variable.name for variable in trace.variables if variable.storable and variable.type in PLAIN}
    seen: dict[str, list[bool]] = {}
    for run in (run for execution in trace.executions for run in execution.statements):
        for name in plain.intersection(run.reached).difference(run.bound, run.unseen):
            seen.setdefault(name, []).append(name in run.changed)
    return frozenset(plain - {name for name, found in seen.items() if len(found) >= ALWAYS and all(found)})


def disagreements(
    execution: Execution, facts: CellFacts, units: Sequence[Unit], plain: frozenset[str]
) -> tuple[Diagnostic, ...]:
    """What to tell about one execution, in the order of its statements; nothing about what was not recorded."""
    if len(facts.statements) > 1 and len(units) == 1 and units[0].run not in (None, *execution.statements):
        text = f"its text has {len(facts.statements)} statements, the recorder saw {len(execution.statements)} runs"
        return (_finding("not-aligned", execution, "", f"{text}: it counts as one step"),)
    found = []
    linked = {name: set(group) for group in execution.covariables for name in group}
    admitted: set[str] = set()
    said: set[str] = set()
    opaque = False
    for unit in units:
        said |= said_to_bind(unit)
        for name in said_to_change(unit):
            admitted |= linked.get(name, {name})
        opaque = opaque or unit.statement.opaque
        if unit.run is None or not unit.last:
            continue
        bound = frozenset(unit.run.bound) - said
        if bound and unit.statement.kind is not StatementKind.IMPORT:  # from m import *: nobody expects the text to say
            what = "nothing" if not said_to_bind(unit) else _listed(said_to_bind(unit))
            text = f"the recorder saw {_listed(bound)} bound; the text binds {what}"
            found.append(_finding("bound-unsaid", execution, unit.statement.python or "", text))
        changed = frozenset(unit.run.changed) - bound
        sure = changed <= plain  # else they may share state with what only may have changed
        changed -= admitted | said
        if changed and sure and not opaque:
            text = f"the recorder saw {_listed(changed)} change in place; no statement's text says that it may"
            found.append(_finding("changed-unsaid", execution, unit.statement.python or "", text))
    return tuple(found)


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:MOST_NAMES]) + (f" and {len(ordered) - MOST_NAMES} more" if ordered[MOST_NAMES:] else "")


def _finding(code: str, execution: Execution, python: str, text: str) -> Diagnostic:
    where = f"In [{execution.count}]" if execution.count is not None else f"execution {execution.ordinal}"
    line = python.strip().partition("\n")[0][:60]
    return Diagnostic(code, Severity.INFO, f"{where}{f', {line!r}' if line else ''}: {text}")
