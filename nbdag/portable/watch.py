"""Remembers what the session's values were without keeping them: identities, fingerprints and links, by name.

The namespace stays a plain dict. What was bound shows by identity; what changed in place shows by fingerprints, which
are only taken of names that a statement could reach. Small values are looked at after every statement, large ones once
at the end of the execution; the size that decides is the one found by the last look, so the same session is always
observed in the same way.
"""

from __future__ import annotations

import gc
import types
from typing import Any, Dict, FrozenSet, Iterable, List, Optional, Set, Tuple

from nbdag.portable.fingerprint import Fingerprint, fingerprint
from nbdag.portable.links import Reach, group, regroup
from nbdag.portable.objects import class_module
from nbdag.portable.reach import LEAF_TYPE_IDS, Reacher, can_change, is_interrupt

CHEAP_SIZE = 256 * 1024  # bytes that a fingerprint covers: about 0.2 ms of work
CHEAP_OBJECTS = 2_000  # objects that the guess before the first look follows
WORKING_LIMIT = 200  # names whose links are followed from statement to statement

CONTAINER_TYPE_IDS = frozenset(map(id, (list, dict, tuple, set, frozenset)))

Identity = int


def identities(items: Dict[str, Any]) -> Dict[str, Identity]:
    """Name -> address of its value. An address may be used again once the value is gone, so what a statement's own
    code stores counts as bound in any case."""
    return dict(zip(items, map(id, items.values())))  # noqa: B905


def is_cheap(value: Any) -> bool:
    """Whether a first fingerprint of the value is surely little work; large or unknown values are left for later."""
    seen: Set[int] = set()
    keep: List[Any] = []
    todo: List[Any] = [value]
    room = CHEAP_SIZE
    while todo:
        item = todo.pop()
        kind = type(item)
        if id(item) in seen:
            continue
        seen.add(id(item))
        if kind is str or kind is bytes or kind is bytearray:
            room -= len(item)
        elif id(kind) in LEAF_TYPE_IDS or kind is types.FunctionType or issubclass(kind, type):
            room -= 32
        else:
            references = gc.get_referents(item)
            keep.append(references)
            todo.extend(references)
            room -= 64 + (0 if id(kind) in CONTAINER_TYPE_IDS else buffer_size(item, kind))
        if room < 0 or len(seen) > CHEAP_OBJECTS or len(todo) > 4 * CHEAP_OBJECTS:
            return False
    return True


def buffer_size(item: Any, kind: type) -> int:
    """Bytes that a library's value holds outside of Python objects, as far as it says so itself."""
    root = class_module(kind).partition(".")[0]
    if root in ("numpy", "pyarrow", "torch", "array", "mmap"):
        try:
            size = item.nbytes if hasattr(kind, "nbytes") else len(item)
            return int(size) * (8 if getattr(getattr(item, "dtype", None), "kind", "") == "O" else 1)
        except Exception:
            return CHEAP_SIZE
    return 0


class Watch:
    """What was last known of every name of the session."""

    def __init__(self) -> None:
        self.known: Dict[str, Identity] = {}
        self.table: Dict[str, Identity] = {}  # the last answer of identify(), and what it was made from
        self.names: List[str] = []
        self.addresses: List[int] = []
        self.prints: Dict[str, Optional[Fingerprint]] = {}  # None: cannot be fingerprinted; absent: never looked at
        self.linked: Dict[str, FrozenSet[str]] = {}  # name -> its group, for groups of two and more
        self.groups: Tuple[Tuple[str, ...], ...] = ()
        self.partition: List[List[str]] = []  # all names that can be linked, as regroup() wants them back
        self.grouped: Dict[str, Reach] = {}  # the reaches that the partition was made from

    def identify(self, items: Dict[str, Any]) -> Dict[str, Identity]:
        """:func:`identities`, by the very same table as last time when nothing was rebound: cheap to compare."""
        names, addresses = list(items), list(map(id, items.values()))
        if names != self.names or addresses != self.addresses:
            self.names, self.addresses = names, addresses
            self.table = dict(zip(names, addresses))  # noqa: B905
        return self.table

    def forget(self, names: Iterable[str]) -> None:
        """These names are bound to something new, or gone."""
        for name in names:
            self.prints.pop(name, None)

    def unlink(self, names: Iterable[str]) -> None:
        """These names stand for new values, which nothing is known to be linked to."""
        for name in names:
            self.linked.pop(name, None)

    def look(self, name: str, value: Any) -> bool:
        """Take the fingerprint of a value; whether it differs from the last one (or cannot be known to be the same)."""
        if not can_change(value):
            self.prints.pop(name, None)
            return False
        before = self.prints.get(name)
        now = take_fingerprint(value)
        self.prints[name] = now
        return before is None or now is None or now != before

    def is_small(self, name: str) -> bool:
        """Whether the last look found little to look at."""
        last = self.prints.get(name)
        return last is not None and last.size <= CHEAP_SIZE and last.cost <= CHEAP_OBJECTS

    def can_follow(self, name: str) -> bool:
        """Whether the links of a name are followed from statement to statement: it is small, or a handle."""
        return name in self.prints and (self.prints[name] is None or self.is_small(name))

    def link_closure(self, names: Iterable[str]) -> Set[str]:
        """The names and everything linked to them."""
        closed = set(names)
        for name in list(closed):
            closed |= self.linked.get(name, frozenset())
        return closed

    def link_some(self, reacher: Reacher, items: Dict[str, Any], names: Iterable[str]) -> None:
        """Add the links among a few names, found in the middle of an execution, to what is known."""
        for members in group({name: reacher.reach_of(name, items[name]) for name in names}):
            if len(members) > 1:
                joined = frozenset(self.link_closure(members))
                for name in joined:
                    self.linked[name] = joined

    def link_all(self, reacher: Reacher, items: Dict[str, Any]) -> None:
        """Find the groups of the whole session; only names whose reach is new cost anything."""
        touched = [name for name, value in items.items() if can_change(value) and name not in self.grouped]
        reaches = {name: reacher.reach_of(name, value) for name, value in items.items() if can_change(value)}
        touched += [name for name, found in reaches.items() if self.grouped.get(name) is not found]
        self.partition = regroup(reaches, self.partition, touched)
        self.grouped = reaches
        self.groups = tuple(tuple(members) for members in self.partition if len(members) > 1)
        self.linked = {name: frozenset(members) for members in self.groups for name in members}


def take_fingerprint(value: Any) -> Optional[Fingerprint]:
    """The fingerprint of a value; None where it has none. Raises KeyboardInterrupt when the user wants us to stop."""
    try:
        return fingerprint(value)
    except BaseException as fault:
        if is_interrupt(fault):
            raise
        return None
