"""Functions and classes that are known by what holds them, and not by a name that a statement gave them.

    def make(): return lambda x: x + 1        N = namedtuple("M", "x")
    a = make(); b = a                         n = N(1)

``a is b`` and ``type(n) is N`` hold only as long as both travel in one piece, although nothing in the function or the
class ever changes. What replay defines by name is found again by that name and ties nobody together; neither does what
is reached only through it, such as the function that a decorator has wrapped.
"""

from __future__ import annotations

import types
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Set, Tuple

from nbdag.portable.kinds import REACH_ARRAY, REACH_CLASS, REACH_FUNCTION
from nbdag.portable.links import NOTHING_REACHED, Reach, group, reach_of_walk
from nbdag.portable.objects import (
    ATOM_TYPES,
    CollectorPaused,
    class_namespace,
    is_in_body_of,
    is_session_class,
    is_session_function,
    mro_of,
)
from nbdag.portable.walk import ObjectWalk


class IdentityWalk(ObjectWalk):
    """A walk that notes, besides, the session's functions and classes that it meets outside of ``named`` ones."""

    def __init__(self, root: object, named: FrozenSet[int]) -> None:
        super().__init__(root)
        self.named = named
        self.identities: Set[int] = set()
        self.behind: List[Any] = []  # named definitions: followed last, when nothing is noted any more
        self.noting = True

    def run(self) -> None:
        super().run()
        self.noting = False
        self.follow(self.behind)

    def _fresh(self, level: List[Any]) -> Dict[int, Any]:
        known = len(self.kinds)
        fresh = super()._fresh(level)
        if self.noting:
            if len(self.kinds) != known:
                for cls in list(self.kinds)[known:]:
                    if is_session_class(cls) and id(cls) not in self.named:
                        self.identities.add(id(cls))
            for cls in set(map(type, fresh.values())):
                if self.kinds[cls] in (REACH_FUNCTION, REACH_CLASS):
                    self._note([obj for obj in fresh.values() if type(obj) is cls], fresh)
        return fresh

    def _note(self, definitions: List[Any], fresh: Dict[int, Any]) -> None:
        for obj in definitions:
            if id(obj) in self.named:
                self.behind.append(obj)
                self.seen.discard(id(obj))
                del fresh[id(obj)]
            elif is_session_function(obj) if type(obj) is types.FunctionType else is_session_class(obj):
                self.identities.add(id(obj))


def reach_with_identities(
    value: object, named: FrozenSet[int] = frozenset(), arrays: Optional[Set[int]] = None
) -> Tuple[Reach, FrozenSet[int]]:
    """What ``value`` reaches, and the ids of the functions and classes whose identity counts.

    Into ``arrays``, where given, come the ids of the arrays on the way.
    """
    if type(value) in ATOM_TYPES:
        return NOTHING_REACHED, frozenset()
    walk = IdentityWalk(value, named)
    with CollectorPaused():
        walk.run()
    if arrays is not None:
        kinds = {cls for cls, kind in walk.kinds.items() if kind == REACH_ARRAY}
        if kinds:  # most values hold no array at all
            arrays.update(id(obj) for level in walk.visited for obj in level if type(obj) in kinds)
    return reach_of_walk(walk), frozenset(walk.identities)


def named_definitions(definitions: Iterable[Any]) -> FrozenSet[int]:
    """The ids of these functions and classes, and of what stands in the bodies of the classes."""
    found: Set[int] = set()
    pending = list(definitions)
    while pending:
        obj = pending.pop()
        if id(obj) in found:
            continue
        found.add(id(obj))
        if type not in mro_of(type(obj)) or not is_session_class(obj):
            continue
        for value in class_namespace(obj).values():
            inner: Any = value.__func__ if type(value) in (staticmethod, classmethod) else value
            parts: List[Any] = [inner.fget, inner.fset, inner.fdel] if type(inner) is property else [inner]
            for part in parts:
                if type(part) is types.FunctionType or (type in mro_of(type(part)) and is_in_body_of(part, obj)):
                    pending.append(part)
    return frozenset(found)


def group_with_identities(reaches: Mapping[str, Reach], identities: Mapping[str, FrozenSet[int]]) -> List[List[str]]:
    """Co-variables, where a function or class that two names hold ties them together as well."""
    tied = {}
    for name, found in reaches.items():
        extra = identities.get(name)
        tied[name] = Reach(sorted({*found.ids, *extra}), found.extents, frozenset(), ()) if extra else found
    return group(tied)


def holders_of(identities: Mapping[str, FrozenSet[int]]) -> List[List[str]]:
    """For each function or class that two names or more hold: these names. Sorted, each group once."""
    holders: Dict[int, List[str]] = {}
    for name in sorted(identities):
        for key in identities[name]:
            holders.setdefault(key, []).append(name)
    return [list(names) for names in sorted({tuple(names) for names in holders.values() if len(names) > 1})]
