"""Who changed what in place, within one execution: what the text says, cut down by what the recorder saw.

The recorder looks at cheap values after every statement and at dear ones at the end of the execution, so a change it
reports may have happened in any statement since its last look:

    xs.sort()        reached xs, not looked at      <- the text says that it may change xs: this one
    print(xs)        reached xs, not looked at      <- the text says that it does not
    y = 1            end of the cell: xs changed

| the look at a name | the statements since the last look | verdict |
|---|---|---|
| changed | some may change it, by the text | those did |
| changed | none may | all of them that could reach it did, imports and plain `def`s last |
| unchanged | - | none did, whatever the text says |
| first look at a value made in this execution | some may change it, by the text | those did |
| first look at a value made in this execution | none may | none did |
| never recorded | some may change it, by the text | those did |
| put off to a later execution, and the same then | some may change it, by the text | those did (and undid it later) |
| put off to a later execution, and the same then | none may | none did |

A name that the running code could not reach, by what it mentions and by the objects behind that, was not changed,
whatever aliases the text allows for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from nbdag.analysis.alignment import Unit
from nbdag.model.facts import AccessKind, Statement, StatementKind


def said_to_change(unit: Unit) -> frozenset[str]:
    """Names that the text of ``unit`` may change in place."""
    return frozenset(
        access.name for access in unit.statement.accesses if access.kind is AccessKind.MUTATE and not access.deferred
    )


def said_to_bind(unit: Unit) -> frozenset[str]:
    """Names that the text of ``unit`` binds or may bind."""
    return frozenset(
        access.name for access in unit.statement.accesses if access.kind is AccessKind.BIND and not access.deferred
    )


def only_makes_names(statement: Statement) -> bool:
    """Whether it gets at no value of the session: an import, or a function without decorators and defaults.

    The recorder lays a look that it put off on all statements since. Definitions are replayed in any case, and must not
    need all that; nor is a change lost if it was an import after all (of a module that knows the same object).
    """
    immediate = (access for access in statement.accesses if not access.deferred)
    return (
        statement.kind in (StatementKind.FUNCTION, StatementKind.IMPORT)
        and not statement.opaque
        and not statement.effects
        and all(access.kind is AccessKind.BIND for access in immediate)
    )


def changed_in_place(units: Sequence[Unit], linked: Mapping[str, frozenset[str]]) -> tuple[frozenset[str], ...]:
    """For each unit, the names whose values it changed in place.

    ``linked`` gives for a name all names that share state with it after the execution.
    """
    changed: list[set[str]] = [set() for _ in units]
    since: dict[str, list[int]] = {}  # name -> units that could reach it since it was last looked at
    fresh: set[str] = set()  # made in this execution and not looked at yet
    said = [_credible(unit, _with_linked(said_to_change(unit), linked)) for unit in units]

    def blame(name: str, suspects: Iterable[int], sure: bool) -> None:
        suspects = list(suspects)
        guilty = [index for index in suspects if name in said[index] or units[index].statement.opaque]
        if not guilty and sure:
            guilty = [index for index in suspects if not only_makes_names(units[index].statement)] or suspects
        for index in guilty:
            changed[index].add(name)

    for index, unit in enumerate(units):
        run = unit.run
        if run is None:
            changed[index] |= said[index]
            continue
        bound = set(run.bound) & said_to_bind(unit) if unit.share > 1 else set(run.bound)
        for name in bound.union(run.deleted):
            # xs.sort(); ys = list(xs); xs = None: where the look at xs was put off, nobody can look any more.
            waiting = [i for i in since.pop(name, ()) if (before := units[i].run) and name in before.unseen]
            if waiting and unit.share == 1:
                blame(name, waiting, sure=True)
            fresh.discard(name)
            if name in bound and (name in run.unseen or unit.share > 1):
                fresh.add(name)
        for name in (set(run.reached) | said[index]) - bound:
            since.setdefault(name, []).append(index)
        if not unit.last:
            continue
        for name in run.changed:
            fresh.discard(name)
            blame(name, since.pop(name, [index]), sure=True)
        for name in set(run.put_off).difference(run.changed):
            fresh.discard(name)
            blame(name, since.pop(name, [index]), sure=False)
        for name in set(run.reached) - set(run.unseen) - set(run.changed) - set(run.put_off):
            suspects = since.pop(name, [])
            if name in fresh:
                fresh.discard(name)
                blame(name, suspects, sure=False)
    for name, suspects in since.items():
        # Looked at after the last statement, and not reported: unchanged, unless there was nothing to compare with.
        if name in fresh or any(name not in (run.reached if (run := units[i].run) else ()) for i in suspects):
            blame(name, suspects, sure=False)
    return tuple(frozenset(names) for names in changed)


def _credible(unit: Unit, names: frozenset[str]) -> frozenset[str]:
    """Of ``names``, those that the running code could reach: the recorder followed the objects, the text only names."""
    if unit.run is None:
        return names
    return names & frozenset(unit.run.reached).union(unit.run.bound, unit.run.changed)


def _with_linked(names: frozenset[str], linked: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return names.union(*(linked.get(name, frozenset()) for name in names))
