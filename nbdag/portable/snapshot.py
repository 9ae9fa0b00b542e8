"""The names of a session and where their values are, at one moment: taken and compared at C speed, keeping no value.

    before = Camera(names).take()[0]      x = [1]; del y      after = Camera(names).take()[0]
    before.moved(after) == (["x"], ["y"])

It is taken around every statement, so it must not cost one step of Python per name. ``id`` would: with an audit hook
in place each call of it is a call of the hook (240 us for 2,000 names, measured; this way 15). The values are put
into a tuple, and the memory of a tuple is the list of their addresses.
"""

from __future__ import annotations

import itertools
import operator
from typing import AbstractSet, Any, Dict, FrozenSet, Iterator, List, Mapping, Optional, Tuple

from nbdag.portable.objects import ADDRESS_SIZE, address_reader

BLOCK = 64 * ADDRESS_SIZE  # bytes that are compared at a time where something differs


class Snapshot:
    """Names and addresses. ``name in snapshot`` and ``address`` answer for names of the session only."""

    __slots__ = ("addresses", "kernels", "names", "never", "places")

    def __init__(
        self,
        names: List[Any],
        addresses: bytes,
        places: Dict[Any, int],
        never: AbstractSet[str],
        kernels: FrozenSet[str],
    ) -> None:
        self.names = names
        self.addresses = addresses
        self.places = places  # name -> position; may know more names than were there
        self.never = never  # IPython's names whatever they stand for
        self.kernels = kernels  # names that stand for something of IPython's now

    def is_session_name(self, name: Any) -> bool:
        return type(name) is str and name not in self.never and name not in self.kernels

    def __contains__(self, name: Any) -> bool:
        place = self.places.get(name)
        return place is not None and place < len(self.names) and self.is_session_name(name)

    def __iter__(self) -> Iterator[str]:
        return filter(self.is_session_name, self.names)

    def address(self, name: str) -> Optional[int]:
        """Where the value of a name is, None where the name is not there."""
        if name not in self:
            return None
        begin = self.places[name] * ADDRESS_SIZE
        return int.from_bytes(self.addresses[begin : begin + ADDRESS_SIZE], "little")

    def moved(self, after: Snapshot) -> Tuple[List[str], List[str]]:
        """``(bound to something else or new, gone)`` from this snapshot to a later one."""
        if after is self:
            return [], []
        few, many = len(self.names), len(after.names)
        if many >= few and (after.names is self.names or after.names[:few] == self.names):
            found = [after.names[place] for place in self._different(after)]
            found += after.names[few:]
            moved = [name for name in found if after.is_session_name(name)]
            gone = []
        else:
            moved = [name for name in after if self.address(name) != after.address(name)]
            gone = [name for name in self if name not in after]
        for name in self.kernels ^ after.kernels:  # for _ in x: ...    makes _ the user's
            if name in after.kernels:
                gone += [name] if name in self and name not in gone else []
            elif name in after and name not in moved:
                moved.append(name)
        return moved, gone

    def _different(self, after: Snapshot) -> List[int]:
        """Positions whose address differs, among those that both have."""
        one, other = self.addresses, after.addresses
        length = min(len(one), len(other))
        if one == other[:length]:
            return []
        found: List[int] = []
        for begin in range(0, length, BLOCK):
            end = min(begin + BLOCK, length)
            if one[begin:end] != other[begin:end]:
                before = memoryview(one[begin:end]).cast("P")
                now = memoryview(other[begin:end]).cast("P")
                first = begin // ADDRESS_SIZE
                places = range(first, first + len(before))
                found += itertools.compress(places, map(operator.ne, before, now))
        return found


class SessionItems(Mapping[str, Any]):
    """The session's names and values out of a copy of the namespace; holds the values, so it does not live long."""

    __slots__ = ("found", "kernels", "never")

    def __init__(self, found: Dict[Any, Any], never: AbstractSet[str], kernels: FrozenSet[str]) -> None:
        self.found = found
        self.never = never
        self.kernels = kernels

    def __contains__(self, name: Any) -> bool:
        return name in self.found and type(name) is str and name not in self.never and name not in self.kernels

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return self.found[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.found if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Camera:
    """Takes snapshots of one namespace; two of them in which nothing moved are one and the same object."""

    def __init__(self, names: Any) -> None:
        self.names = names  # a SessionNames
        self.addresses = address_reader()
        self.last: Optional[Snapshot] = None

    def take(self) -> Tuple[Snapshot, SessionItems]:
        """What is there now."""
        found, never, kernels = self.names.look()
        present = list(found)
        addresses = self.addresses(tuple(found.values()))
        last = self.last
        if last is not None:
            count = len(last.names)
            if len(present) == count and present == last.names:
                if addresses != last.addresses or kernels != last.kernels:
                    self.last = last = Snapshot(last.names, addresses, last.places, never, kernels)
                return last, SessionItems(found, never, kernels)
            if len(present) > count and present[:count] == last.names and len(last.places) == count:
                places = last.places  # names only came: the table serves both snapshots
                for place in range(count, len(present)):
                    places[present[place]] = place
                self.last = Snapshot(present, addresses, places, never, kernels)
                return self.last, SessionItems(found, never, kernels)
        places = dict(zip(present, range(len(present))))  # noqa: B905 (Python 3.8)
        self.last = Snapshot(present, addresses, places, never, kernels)
        return self.last, SessionItems(found, never, kernels)
