"""The co-variables of a session, kept up to date: what changes costs what it reaches, not what the session holds.

:func:`nbdag.portable.links.group` compares all names. Here an index says which names hold an object, so that only the
names whose reach is new, and their former groups, are compared again::

    xs = [1]; ys = xs      {xs, ys}: both hold one list
    zs = [2]               looks up one address; nobody holds it
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, Mapping, Optional, Set, Tuple

from nbdag.portable.links import Reach, common_ids, unite, unite_overlapping

INDEXED = 256  # names that reach more objects are not in the index (100 bytes each) but searched by bisection


class Grouping:
    """A partition of names by what they reach. Keeps reaches, no values."""

    def __init__(self) -> None:
        self.reaches: Dict[str, Reach] = {}
        self.holders: Dict[int, Set[str]] = {}  # address -> names that reach it, for those that reach few
        self.large: Set[str] = set()
        self.mapped: Set[str] = set()  # names that reach memory of arrays
        self.linked: Dict[str, FrozenSet[str]] = {}  # name -> its group, for groups of two and more
        self._groups: Optional[Tuple[Tuple[str, ...], ...]] = ()

    @property
    def groups(self) -> Tuple[Tuple[str, ...], ...]:
        """The groups of two and more names, sorted."""
        if self._groups is None:
            self._groups = tuple(sorted(tuple(sorted(members)) for members in set(self.linked.values())))
        return self._groups

    def update(self, changed: Mapping[str, Optional[Reach]]) -> None:
        """These names reach something else now, or (None) are gone."""
        affected: Set[str] = set()
        for name, reach in changed.items():
            if self.reaches.get(name) is not reach:
                affected.add(name)
                affected |= self.linked.get(name, frozenset())
                self._drop(name)
                if reach is not None:
                    self._add(name, reach)
        if affected:
            self._regroup(affected)

    def _drop(self, name: str) -> None:
        reach = self.reaches.pop(name, None)
        if reach is None:
            return
        self.mapped.discard(name)
        if name in self.large:
            self.large.discard(name)
            return
        for key in reach.ids:
            names = self.holders.get(key)
            if names is not None:
                names.discard(name)
                if not names:
                    del self.holders[key]

    def _add(self, name: str, reach: Reach) -> None:
        self.reaches[name] = reach
        if reach.extents:
            self.mapped.add(name)
        if len(reach.ids) > INDEXED:
            self.large.add(name)
            return
        for key in reach.ids:
            self.holders.setdefault(key, set()).add(name)

    def _regroup(self, affected: Set[str]) -> None:
        for name in affected:
            self.linked.pop(name, None)
        present = sorted(affected & self.reaches.keys())
        leaders: Dict[str, str] = {name: name for name in present}

        def join(name: str, other: str) -> None:
            # A group that was not affected counts as its first name.
            group = self.linked.get(other)
            unit = min(group) if group else other
            leaders.setdefault(unit, unit)
            unite(leaders, name, unit)

        for name in present:
            for other in self._neighbours(name):
                join(name, other)
        if any(self.reaches[name].extents for name in present):
            self._join_memory(leaders)
        members: Dict[str, Set[str]] = {}
        for unit in leaders:
            root = unit
            while leaders[root] != root:
                root = leaders[root]
            members.setdefault(root, set()).update(self.linked.get(unit, (unit,)))
        for names in members.values():
            if len(names) > 1:
                together = frozenset(names)
                for name in together:
                    self.linked[name] = together
        self._groups = None

    def _neighbours(self, name: str) -> Iterable[str]:
        reach = self.reaches[name]
        found: Set[str] = set()
        for key in reach.ids:
            found |= self.holders.get(key, frozenset())
        if reach.ids and self.large:
            keys = set(reach.ids)
            for other in self.large:
                if other != name and common_ids(keys, self.reaches[other].ids):
                    found.add(other)
        found.discard(name)
        return found

    def _join_memory(self, leaders: Dict[str, str]) -> None:
        extents: List[Tuple[Tuple[int, int, bool], str]] = []
        units: Dict[str, str] = {}
        for name in self.mapped:
            group = self.linked.get(name)
            unit = min(group) if group else name
            units.setdefault(unit, unit)
            extents += [(extent, unit) for extent in self.reaches[name].extents]
        for unit in units:
            leaders.setdefault(unit, unit)
        unite_overlapping(leaders, extents)
