"""Which variables share state: co-variables.

Two names are linked when their object graphs contain the same mutable object, or memory that overlaps::

    xs = [1]; pair = (xs, 2)         # xs -- pair
    a = np.zeros(9); b = a[:3]       # a -- b: one buffer; so are a[:3] and a[5:], which do not overlap

:func:`reach` says what one value reaches (``portable/walk.py`` knows how); groups come from comparing that. So a caller
that keeps the reaches has to look again only at the values that code could have touched (:func:`regroup`).

Not seen: two mappings of one file, memory that only C code knows to be shared, and what a traceback's frames hold.
"""

from __future__ import annotations

import array
import itertools
import types
from bisect import bisect_left
from typing import Dict, FrozenSet, Iterable, List, Optional, Sequence, Set, Tuple

from nbdag.portable.objects import ATOM_TYPES, CollectorPaused
from nbdag.portable.walk import MemoryExtent, ObjectWalk


class Reach:
    """What one value reaches, as plain numbers: nothing in it keeps an object of the user's alive.

    ``ids`` are the addresses of the mutable objects, sorted; ``extents`` the memory of arrays. Valid as long as the
    value is alive and unchanged. ``definitions`` are the ids of session functions and classes it depends on (what
    runs when it is used) and ``codes`` their code objects, methods of the classes of its instances included.
    """

    __slots__ = ("codes", "definitions", "extents", "ids")

    def __init__(
        self,
        ids: Sequence[int],
        extents: Tuple[MemoryExtent, ...],
        definitions: FrozenSet[int],
        codes: Tuple[types.CodeType, ...],
    ) -> None:
        self.ids = ids
        self.extents = extents
        self.definitions = definitions
        self.codes = codes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reach):
            return NotImplemented
        return self.ids == other.ids and self.extents == other.extents and self.definitions == other.definitions

    def __hash__(self) -> int:
        return hash((len(self.ids), self.extents, self.definitions))

    def __bool__(self) -> bool:
        """Whether it can be linked to anything at all."""
        return bool(self.ids or self.extents)


NOTHING_REACHED = Reach((), (), frozenset(), ())


def reach(value: object) -> Reach:
    """What ``value`` reaches. Never raises on account of the value; takes about 1 us for a small one."""
    if type(value) in ATOM_TYPES:
        return NOTHING_REACHED
    walk = ObjectWalk(value)
    with CollectorPaused():
        walk.run()
    # 8 bytes an object: a set would take ten times as much, for as long as the variable lives.
    ids: Sequence[int] = array.array("Q", sorted(walk.ids)) if walk.ids else ()
    extents = tuple(sorted(set(walk.extents)))
    return Reach(ids, extents, frozenset(walk.definitions), tuple(walk.codes.values()))


def covariables(namespace: Dict[str, object], names: Iterable[str]) -> List[List[str]]:
    """The partition of ``names`` into co-variables; sorted inside, groups by their first name.

    Names that the namespace does not hold are left out.
    """
    return group({name: reach(namespace[name]) for name in sorted(set(names)) if name in namespace})


def group(reaches: Dict[str, Reach]) -> List[List[str]]:
    """Names into co-variables by what they reach: one pass over all ids, one sweep over the sorted extents."""
    leaders = {name: name for name in reaches}
    first_holder: Dict[int, str] = {}
    for name in sorted(reaches):
        for key in reaches[name].ids:
            holder = first_holder.setdefault(key, name)
            if holder is not name:
                _unite(leaders, holder, name)
    _unite_overlapping(leaders, [(e, name) for name in reaches for e in reaches[name].extents])
    return _partition(leaders)


def regroup(reaches: Dict[str, Reach], groups: Iterable[Sequence[str]], touched: Iterable[str]) -> List[List[str]]:
    """``group(reaches)`` when it was ``groups`` before only the ``touched`` names got other reaches (or are new).

    Costs what the touched names and their former groups cost, plus one look at each other name; names that are gone
    from ``reaches`` are dropped.
    """
    changed = set(touched)
    former = [list(members) for members in groups]
    grouped = set(itertools.chain.from_iterable(former))
    changed.update(reaches.keys() - grouped)
    affected = changed | (grouped - reaches.keys())
    kept = []
    for members in former:
        if affected.isdisjoint(members):
            kept.append(members)
        else:
            # cell 1: a = []; b = [a]; c = [a]     cell 2: a = 0; b.clear(): what linked b and c may be gone
            changed.update(members)
    changed.intersection_update(reaches)
    # Within the names that changed, as if there were no others; each group that was kept counts as its first name.
    leaders = {name: name for name in changed}
    holders: Dict[int, str] = {}
    for name in sorted(changed):
        for key in reaches[name].ids:
            holder = holders.setdefault(key, name)
            if holder is not name:
                _unite(leaders, holder, name)
    extents = [(extent, name) for name in changed for extent in reaches[name].extents]
    keys = set(holders)
    result = []
    joining: Dict[str, List[str]] = {}
    for members in kept:
        found = {holders[key] for name in members for key in _common(keys, reaches[name].ids)}
        reached_memory = (
            [(extent, members[0]) for name in members for extent in reaches[name].extents] if extents else []
        )
        if not found and not reached_memory:
            result.append(members)
            continue
        leaders[members[0]] = members[0]
        joining[members[0]] = members
        extents.extend(reached_memory)
        for name in found:
            _unite(leaders, name, members[0])
    _unite_overlapping(leaders, extents)
    for partial in _partition(leaders):
        result.append(sorted(name for first in partial for name in joining.get(first, [first])))
    result.sort()
    return result


def _common(keys: Set[int], ids: Sequence[int]) -> List[int]:
    """Which of ``keys`` are in the sorted ``ids``, by whichever way is shorter."""
    if not ids:
        return []
    if len(ids) <= 16 * len(keys):
        return [] if keys.isdisjoint(ids) else [key for key in ids if key in keys]
    found = []
    for key in keys:
        place = bisect_left(ids, key)
        if place < len(ids) and ids[place] == key:
            found.append(key)
    return found


def _leader(leaders: Dict[str, str], name: str) -> str:
    while leaders[name] != name:
        leaders[name] = name = leaders[leaders[name]]
    return name


def _unite(leaders: Dict[str, str], first: str, second: str) -> None:
    one, other = sorted((_leader(leaders, first), _leader(leaders, second)))
    leaders[other] = one


def _partition(leaders: Dict[str, str]) -> List[List[str]]:
    members: Dict[str, List[str]] = {}
    for name in sorted(leaders):
        members.setdefault(_leader(leaders, name), []).append(name)
    return sorted(members.values())


def _unite_overlapping(leaders: Dict[str, str], extents: List[Tuple[MemoryExtent, str]]) -> None:
    """Unites names whose extents overlap, unless nobody may write to either.

    One sweep by first byte. Writable extents that contain one point overlap each other, so the one that ends last
    stands for all of them; read-only ones are kept until a writable one has united them.
    """
    last_writable: Optional[Tuple[int, str]] = None
    read_only: List[Tuple[int, str]] = []
    for (start, end, writable), name in sorted(extents):
        if last_writable is not None and last_writable[0] > start:
            _unite(leaders, last_writable[1], name)
        if not writable:
            read_only.append((end, name))
            continue
        read_only = [entry for entry in read_only if entry[0] > start]
        for _, other in read_only:
            _unite(leaders, other, name)
        read_only = [max(read_only)] if read_only else []
        if last_writable is None or last_writable[0] < end:
            last_writable = (end, name)
