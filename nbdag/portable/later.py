"""Looks at small values that wait for the end of an execution, because the recorder's share of the time is used up.

A value that is then as it was before was changed by no statement. If one is not, nobody knows which statement changed
it, and what it has led to meanwhile:

    a.append(xs)        a and xs are looked at later
    a[0].append(1)      changes xs; mentions a, of which nobody knew that it held xs
    a.pop()             and a is as it was

So every statement counts as having reached what an earlier one could have put into what it had at hand (``haze.py``).
"""

from __future__ import annotations

from typing import Any, FrozenSet, Iterable, List, Mapping, NamedTuple, Set

from nbdag.portable.frames import Frame
from nbdag.portable.haze import Haze
from nbdag.portable.watch import Watch


class Later(NamedTuple):
    """One statement that had ``names`` at hand, whose looks wait. If they turn out to be unchanged, it has put nothing
    into the hazy names ``spared``."""

    number: int
    names: FrozenSet[str]
    spared: FrozenSet[str]
    mentioned: FrozenSet[str]
    at_hand: FrozenSet[str]


def note_unsettled(frame: Frame, names: Set[str]) -> None:
    """These names were found changed, or stand for something new now: the looks that waited for them tell nothing."""
    for later in frame.later:
        frame.unsettled |= names & later.names


def retrace(watch: Watch, frame: Frame, items: Mapping[str, Any], changed: Set[str], put_off: Set[str]) -> None:
    """The looks were taken; if one of them has found a change, note which statements could have made it."""
    note_unsettled(frame, changed | put_off)
    if not frame.unsettled:
        return
    suspects = frame.unsettled | changed | put_off
    haze = Haze()
    waiting: List[Later] = list(frame.later)
    for number, record in enumerate(frame.statements):
        reached = set(record["reached"])
        extra = {
            name
            for name in (haze.closure(reached, {}) - reached) & suspects
            if name in items and frame.existed(name, number) and name not in record["bound"]
        }
        if extra:
            record["reached"] = sorted(reached | extra)
            record["unseen"] = sorted(extra.union(record["unseen"]))
        while waiting and waiting[0].number == number:
            later = waiting.pop(0)
            haze.cover(later.names | later.spared, later.mentioned, later.at_hand)
            if later.spared:
                watch.haze.cover(later.spared & watch.haze.names, later.mentioned, later.at_hand.intersection(items))


def explain(frame: Frame, changed: Iterable[str]) -> None:
    """A change that no statement's reach explains may have happened in any statement since the name was bound."""
    explained = {name for record in frame.statements for name in [*record["unseen"], *record["changed"]]}
    unexplained = set(changed) - explained
    if not unexplained:
        return
    for index, record in enumerate(frame.statements):
        extra = {name for name in unexplained if frame.existed(name, index)}
        record["reached"] = sorted(extra.union(record["reached"]))
        record["unseen"] = sorted(extra.union(record["unseen"]))
