"""Which variables share state: co-variables.

Two names are linked when their object graphs contain the same mutable object, or memory that overlaps::

    xs = [1]; pair = (xs, 2)         # xs -- pair
    a = np.zeros(9); b = a[:3]       # a -- b: one buffer; so are a[:3] and a[5:], which do not overlap

:func:`reach` says what one value reaches (``portable/walk.py`` knows how); groups come from comparing that. So a caller
that keeps the reaches has to look again only at the values that code could have touched (``portable/grouping.py``).

Not seen: two mappings of one file, memory that only C code knows to be shared, and what a traceback's frames hold.
"""

from __future__ import annotations

import array
import types
from bisect import bisect_left
from typing import Any, Callable, Dict, FrozenSet, Iterable, List, Optional, Sequence, Set, Tuple

from nbdag.portable.objects import ATOM_TYPES, CollectorPaused, is_plain_array
from nbdag.portable.walk import MemoryExtent, ObjectWalk, memory_extent


class Reach:
    """What one value reaches, as plain numbers: nothing in it keeps an object of the user's alive.

    ``ids`` are the addresses of the mutable objects, sorted; ``extents`` the memory of arrays. Valid as long as the
    value is alive and unchanged. ``definitions`` are the ids of session functions and classes it depends on (what
    runs when it is used) and ``codes`` their code objects, methods of the classes of its instances included. ``weak``
    are the ids of what weak references lead to: not shared state, but code that has the value can get at them.
    ``ajar``: code can get at more than a fingerprint of the value covers, as at ``part.base`` of a view of objects.
    """

    __slots__ = ("ajar", "codes", "definitions", "extents", "ids", "weak")

    def __init__(
        self,
        ids: Sequence[int],
        extents: Tuple[MemoryExtent, ...],
        definitions: FrozenSet[int],
        codes: Tuple[types.CodeType, ...],
        weak: FrozenSet[int] = frozenset(),
        ajar: bool = False,
    ) -> None:
        self.ids = ids
        self.extents = extents
        self.definitions = definitions
        self.codes = codes
        self.weak = weak
        self.ajar = ajar

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


def reach(value: object, check: Optional[Callable[[int], None]] = None) -> Reach:
    """What ``value`` reaches. Never raises on account of the value; takes about 1 us for a small one.

    ``check`` is called with the number of objects before they are looked at: what it raises ends the walk.
    """
    if type(value) in ATOM_TYPES:
        return NOTHING_REACHED
    if is_plain_array(value, type(value)):
        found = reach_of_array(value)
        if found is not None:
            return found
    walk = ObjectWalk(value, check)
    with CollectorPaused():
        walk.run()
    return reach_of_walk(walk)


def reach_of_array(array_of_numbers: Any) -> Optional[Reach]:
    """What a walk from such an array would find, None where its memory is not an array's: 4 us instead of 14."""
    owner = array_of_numbers
    while owner.base is not None:
        if type(owner.base) is not type(array_of_numbers):
            return None
        owner = owner.base
    extent = memory_extent(owner, True)
    ajar = owner is not array_of_numbers and owner.dtype.hasobject
    ids = array.array("Q", (id(owner),))
    return Reach(ids, () if extent is None else (extent,), frozenset(), (), frozenset(), ajar)


def reach_of_walk(walk: ObjectWalk) -> Reach:
    """What a walk that has ended has found."""
    # 8 bytes an object: a set would take ten times as much, for as long as the variable lives.
    ids: Sequence[int] = array.array("Q", sorted(walk.ids)) if walk.ids else ()
    extents = tuple(sorted(set(walk.extents)))
    codes = tuple(walk.codes.values())
    return Reach(ids, extents, frozenset(walk.definitions), codes, frozenset(walk.weak), walk.ajar)


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
                unite(leaders, holder, name)
    unite_overlapping(leaders, [(e, name) for name in reaches for e in reaches[name].extents])
    return _partition(leaders)


def reaching_together(reaches: Dict[str, Reach], names: Iterable[str]) -> List[List[str]]:
    """For each object that several of ``names`` reach, these; where memory overlaps, the pairs. Each group once."""
    members = sorted(names)
    first: Dict[int, Tuple[str, ...]] = {}
    longer: Dict[Tuple[Tuple[str, ...], str], Tuple[str, ...]] = {}  # one tuple for all that the same names reach
    for name in members:
        alone = (name,)
        for key in reaches[name].ids:
            known = first.get(key)
            if known is None:
                first[key] = alone
            elif known is not alone:
                grown = longer.get((known, name))
                first[key] = longer.setdefault((known, name), (*known, name)) if grown is None else grown
    found = {group for group in first.values() if len(group) > 1}
    first.clear()
    extents = sorted((extent, name) for name in members for extent in reaches[name].extents)
    open_extents: List[Tuple[MemoryExtent, str]] = []
    for extent, name in extents:
        open_extents = [entry for entry in open_extents if entry[0][1] > extent[0]][-MOST_OVERLAPS:]
        found.update((min(name, other), max(name, other)) for one, other in open_extents
                     if other != name and (one[2] or extent[2]))  # fmt: skip
        open_extents.append((extent, name))
    return [list(group) for group in sorted(found)]


MOST_OVERLAPS = 100  # of one place in memory: more views of it are not told in pairs


def common_ids(keys: Set[int], ids: Sequence[int]) -> List[int]:
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


def unite(leaders: Dict[str, str], first: str, second: str) -> None:
    one, other = sorted((_leader(leaders, first), _leader(leaders, second)))
    leaders[other] = one


def _partition(leaders: Dict[str, str]) -> List[List[str]]:
    members: Dict[str, List[str]] = {}
    for name in sorted(leaders):
        members.setdefault(_leader(leaders, name), []).append(name)
    return sorted(members.values())


def unite_overlapping(leaders: Dict[str, str], extents: List[Tuple[MemoryExtent, str]]) -> None:
    """Unites names whose extents overlap, unless nobody may write to either.

    One sweep by first byte. Writable extents that contain one point overlap each other, so the one that ends last
    stands for all of them; read-only ones are kept until a writable one has united them.
    """
    last_writable: Optional[Tuple[int, str]] = None
    read_only: List[Tuple[int, str]] = []
    for (start, end, writable), name in sorted(extents):
        if last_writable is not None and last_writable[0] > start:
            unite(leaders, last_writable[1], name)
        if not writable:
            read_only.append((end, name))
            continue
        read_only = [entry for entry in read_only if entry[0] > start]
        for _, other in read_only:
            unite(leaders, other, name)
        read_only = [max(read_only)] if read_only else []
        if last_writable is None or last_writable[0] < end:
            last_writable = (end, name)
