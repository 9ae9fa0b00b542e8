"""The session's names between cells, and what one cell sees and does of them.

A cell is evaluated on a ``Visit``: it copies out of the ``Session`` what the cell looks at, notes that it did, and
keeps what the cell binds to itself. Only when the cell is done the changes are made, in one step, from copies. So
nothing that evaluation holds on to can change what the session knows, and a cell whose ``Seen`` is still true need not
be evaluated again: its ``Changes`` are made once more (``nbdag/analysis/memory.py``).

cell 1: a = []          sees nothing                     changes a
cell 2: b = [a]         sees a                           changes b, which may see a change of a
cell 3: a.append(1)     sees a, and that b views a       changes a
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nbdag.analysis.defuse.values import ANYTHING, NOTHING, Frame, Value, is_plain, join, same

MANY_ROOTS = 40  # from here on asking every name whether it sees one of the roots is cheaper than asking every root


@dataclass(slots=True)
class Seen:
    """What a cell has looked at, as it was before the cell."""

    values: dict[str, Value | None] = field(default_factory=dict)
    existing: dict[str, bool] = field(default_factory=dict)  # whether nothing but their existence is known
    later: dict[str, bool] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)  # of strings that may be code
    known: frozenset[str] = NOTHING  # those of ``words`` that are names of the session
    views: dict[str, tuple[str, ...]] = field(default_factory=dict)
    everything: bool = False  # more than is noted here

    def is_plain(self) -> bool:
        """Whether it says all that the cell depends on: values that no later cell can change without binding them."""
        return not self.everything and all(value is None or is_plain(value) for value in self.values.values())


@dataclass(slots=True)
class Changes:
    """What a cell does to the session; a value of None: the name is gone."""

    values: dict[str, Value | None]
    forgot: bool = False  # opaque code ran

    def is_plain(self) -> bool:
        return all(value is None or is_plain(value) for value in self.values.values())


class _Views:
    """Which names may see a change of an object: name of the object -> names whose value shares or holds it."""

    __slots__ = ("_of", "_sorted")

    def __init__(self) -> None:
        self._of: dict[str, set[str]] = {}
        self._sorted: dict[str, tuple[str, ...]] = {}

    def change(self, name: str, old: Value | None, new: Value | None) -> None:
        before = NOTHING if old is None else old.shared | old.inner
        after = NOTHING if new is None else new.shared | new.inner
        if before is after or not (before or after):
            return
        for root in before - after:
            self._of[root].discard(name)
            self._sorted.pop(root, None)
        for root in after - before:
            self._of.setdefault(root, set()).add(name)
            self._sorted.pop(root, None)

    def of(self, root: str) -> tuple[str, ...]:
        """The names that see ``root`` and are another one, sorted."""
        found = self._sorted.get(root)
        if found is None:
            names = self._of.get(root)
            found = tuple(sorted(names - {root})) if names else ()
            self._sorted[root] = found
        return found


class Session:
    """The names so far. ``names`` exist but nothing is known of them, ``later`` may be bound by other cells."""

    def __init__(self, names: frozenset[str] = NOTHING, later: frozenset[str] = NOTHING) -> None:
        self.names = names
        self.later = later
        self.values: dict[str, Value] = {}
        self._views = _Views()
        self._remembered: set[str] | None = None  # bound since opaque code ran; None: none ever did
        self.closures: set[str] = set()  # names of functions that share variables with others

    def get(self, name: str) -> Value | None:
        """What is known of ``name``; nobody may change it."""
        value = self.values.get(name)
        if value is not None and self._remembered is not None and name not in self._remembered:
            value = self.values[name] = _forgotten(name, value)
            self._remembered.add(name)
        return value

    def knows(self, name: str) -> bool:
        return name in self.values or name in self.names

    def known(self, words: Iterable[str]) -> frozenset[str]:
        """Those of ``words`` that are names of the session."""
        values, names = self.values, self.names
        return frozenset([word for word in words if word in values or word in names])

    def viewers(self, root: str) -> tuple[str, ...]:
        """The names whose object may hold or be that of ``root``, sorted."""
        return _merged(self._views.of(root), self._views.of(ANYTHING))

    def confirms(self, seen: Seen) -> bool:
        """Whether a cell that has seen ``seen`` would see the same now."""
        get = self.get
        for name, value in seen.values.items():
            current = get(name)
            if current is not value and (current is None or value is None or not same(current, value)):
                return False
        for name, existing in seen.existing.items():
            if (name in self.names) is not existing:
                return False
        for name, later in seen.later.items():
            if (name in self.later) is not later:
                return False
        for root, viewers in seen.views.items():
            if self.viewers(root) != viewers:
                return False
        return not seen.words or self.known(seen.words) == seen.known

    def change(self, changes: Changes) -> None:
        """Does what a cell did; the values of ``changes`` are the session's from now on."""
        if changes.forgot:
            self._remembered = set()
        values = self.values
        for name, value in changes.values.items():
            self._views.change(name, values.get(name), value)
            if value is None:
                values.pop(name, None)
                self.closures.discard(name)
                continue
            values[name] = value
            if self._remembered is not None:
                self._remembered.add(name)
            if value.functions and any(function.closure is not None for function in value.functions):
                self.closures.add(name)
            elif self.closures:
                self.closures.discard(name)


class Visit:
    """The session as one cell sees and changes it."""

    __slots__ = ("_base", "_forgot", "_looked", "_views", "_wrote", "seen", "writes")

    def __init__(self, base: Session) -> None:
        self._base = base
        self.seen = Seen()
        self._looked: dict[str, Value | None] = {}  # copies: evaluation puts things into the values that it holds
        self._wrote: dict[str, Value | None] = {}
        self._views = _Views()
        self._forgot = False
        self.writes = 0  # that may change who sees a change of what

    # ------------------------------------------------------------------------------------------ what there is

    def get(self, name: str) -> Value | None:
        """What is known of ``name``."""
        if name in self._wrote:
            return self._wrote[name]
        looked = self._looked
        if name in looked:
            return looked[name]
        value = self._base.get(name)
        self.seen.values[name] = value
        if value is not None:
            value = _forgotten(name, value) if self._forgot else value.copy()
        looked[name] = value
        return value

    def exists(self, name: str) -> bool:
        """Whether ``name`` existed before the first cell; nothing else is known of it."""
        existing = self.seen.existing[name] = name in self._base.names
        return existing

    def knows(self, name: str) -> bool:
        return self.get(name) is not None or self.exists(name)

    def comes_later(self, name: str) -> bool:
        """Whether another cell may bind ``name``."""
        later = self.seen.later[name] = name in self._base.later
        return later

    def known(self, words: list[str]) -> list[str]:
        """Those of ``words`` that are names of the session, in their order."""
        self.seen.words.update(words)
        base, wrote = self._base, self._wrote
        return [
            word
            for word in words
            if (wrote[word] is not None or word in base.names if word in wrote else base.knows(word))
        ]

    def viewers(self, root: str) -> Iterable[str]:
        """The names whose object may hold or be that of ``root``, sorted."""
        base = self.seen.views[root] = self._base.viewers(root)
        wrote = self._wrote
        if not wrote:
            return base
        own = _merged(self._views.of(root), self._views.of(ANYTHING))
        if not base:
            return own
        if own or not wrote.keys().isdisjoint(base):
            return sorted([*(name for name in base if name not in wrote), *own])
        return base

    def viewers_of(self, roots: frozenset[str]) -> list[str]:
        """The names that see one of ``roots``, sorted."""
        self.seen.everything = True
        roots |= {ANYTHING}
        wrote = self._wrote
        held = [*((name, value) for name, value in self._base.values.items() if name not in wrote), *wrote.items()]
        return sorted(
            name
            for name, value in held
            if value is not None and not (value.shared.isdisjoint(roots) and value.inner.isdisjoint(roots))
        )

    def closed_over(self, home: Frame) -> frozenset[str]:
        """The names that hold functions made in ``home``: they see what one of them does to its variables."""
        found = []
        for name in (*(name for name in self._base.closures if name not in self._wrote), *self._wrote):
            value = self._wrote[name] if name in self._wrote else self._base.values[name]
            if value is not None and any(function.closure is home for function in value.functions):
                found.append(name)
        return frozenset(found)

    # ------------------------------------------------------------------------------------------ what changes

    def bind(self, name: str, value: Value, weak: bool = False) -> None:
        held = value.named(name)
        if weak:
            old = self.get(name)
            held = join(old, held) if old is not None else held
        self._write(name, held)

    def hold(self, name: str, others: Iterable[Value]) -> None:
        """``others`` were put into the object of ``name``."""
        old = self.get(name)
        known = Value(own=frozenset((name,))) if old is None else old
        held = known.holding(others)
        if held is not known:
            self._write(name, held)

    def let_go(self, name: str) -> None:
        """The object of ``name`` was put into something that may be anything: whatever changes, it may."""
        known = self.get(name)
        held = Value(own=frozenset((name,))) if known is None else known
        if ANYTHING not in held.shared:
            shared = held.shared | {ANYTHING}
            self._write(name, Value(held.type, held.path, held.own, shared, held.inner, held.functions, held.klass,
                                    held.made, held.elements))  # fmt: skip

    def drop(self, name: str) -> None:
        """``name`` is bound to nothing from now on."""
        self._write(name, None)

    def _write(self, name: str, value: Value | None) -> None:
        old = self._wrote.get(name)
        if (
            old is None
            or value is None
            or old.type != value.type
            or old.shared != value.shared
            or old.inner != value.inner
        ):
            self.writes += 1
        self._views.change(name, old, value)
        self._wrote[name] = value

    def forget_types(self) -> None:
        """Opaque code ran: any name may be bound to something else now."""
        self._forgot = True
        self._looked.clear()
        for name, value in self._wrote.items():
            if value is not None:
                self._wrote[name] = _forgotten(name, value)

    def done(self) -> tuple[Seen, Changes]:
        """What the cell has seen, and its changes in copies that evaluation has no hand on."""
        seen = self.seen
        if seen.words:
            seen.known = self._base.known(seen.words)
        copies = {name: None if value is None else value.copy() for name, value in self._wrote.items()}
        return seen, Changes(copies, self._forgot)


def _merged(names: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*names, *others})) if others else names


def _forgotten(name: str, value: Value) -> Value:
    if value.path or value.functions or value.klass is not None:
        return value.copy()
    return Value(own=frozenset((name,)), shared=value.roots - {name})
