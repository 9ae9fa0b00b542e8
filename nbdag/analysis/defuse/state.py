"""The running state of evaluation: the session's names, the scope at hand, and what the statement was seen to do."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from nbdag.analysis.defuse.session import MANY_ROOTS, Visit
from nbdag.analysis.defuse.tree import Expr, Function, Stmt
from nbdag.analysis.defuse.values import (
    ANYTHING,
    NOTHING,
    UNKNOWN,
    Frame,
    UserFunction,
    Value,
    join,
)
from nbdag.model.facts import AccessKind, Certainty, EffectKind

BUILTINS = frozenset(dir(builtins)) | {"__file__", "__path__", "__annotations__", "WindowsError", "ExceptionGroup"}
KERNEL_NAMES = frozenset(("get_ipython", "display", "exit", "quit", "open", "__session__"))
HISTORY_NAME = re.compile(r"_{1,3}|_i{1,3}|_i?\d+|In|Out|_[oid]h")
_WORD = re.compile(r"[^\W\d]\w*")
LONG_TEXT = 20_000  # a longer string is data, not code

READ, BIND, MUTATE, DELETE = AccessKind.READ, AccessKind.BIND, AccessKind.MUTATE, AccessKind.DELETE
MUST, MAY = Certainty.MUST, Certainty.MAY


class Magic(Protocol):
    """What evaluation needs of a magic; ``ipython_syntax.Magic`` is one."""

    @property
    def reads(self) -> tuple[str, ...]: ...
    @property
    def binds(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def effects(self) -> tuple[tuple[EffectKind, Certainty, str], ...]: ...
    @property
    def opaque(self) -> bool: ...
    @property
    def gives(self) -> str: ...
    @property
    def text(self) -> str: ...


class Recorded:
    """What one statement does, each access once, in the order of its first occurrence."""

    __slots__ = ("accesses", "effects", "opaque")

    def __init__(self) -> None:
        self.accesses: dict[tuple[str, AccessKind, bool], tuple[Certainty, int, int]] = {}
        self.effects: dict[tuple[EffectKind, str, bool], tuple[Certainty, int, int]] = {}
        self.opaque = False


class State:
    """Reads, binds, changes and effects, sent to the statement that is being recorded."""

    def __init__(
        self,
        session: Visit,
        magics: Sequence[Magic] = (),
        timed: Mapping[int, Function] | None = None,
        lazy_annotations: bool = False,
    ) -> None:
        self.session = session
        self.magics = magics
        self.timed = timed or {}
        self.out = Recorded()
        self.frame: Frame | None = None
        self.definite: set[str] = set()  # bound for sure by now within the statement
        self.last: dict[str, int] = {}  # where a name was last seen
        self.doubt = 0  # > 0: what is evaluated may not happen
        self.branch = 0  # > 0: a binding may leave the old value
        self.early = False  # the function may have returned already
        self.deferred = False
        self.site: tuple[int, int] | None = None  # the call that is being followed
        self.callee: Value = UNKNOWN
        self.depth = 0
        self.quiet = 0  # > 0: strings cannot be code
        self.lazy_annotations = lazy_annotations
        self.returned: list[Value] = []
        self.active: list[object] = []
        self.followed: dict[object, Value] = {}
        self.steps = 0
        self.changes: set[tuple[object, ...]] = set()  # that the statement was seen to make
        self.changes_at = -1  # how often the session had been written to by then

    # To be provided further down the line of inheritance.
    def expr(self, node: Expr) -> Value:
        raise NotImplementedError

    def run(self, body: Iterable[Stmt]) -> bool:
        raise NotImplementedError

    def assign(self, target: Expr, value: Value) -> None:
        raise NotImplementedError

    def follow(self, function: UserFunction, arguments: list[tuple[str, str, Value]], callee: Value) -> Value:
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------ emission

    def certainty(self) -> Certainty:
        return MAY if self.doubt or self.early else MUST

    def access(self, name: str, kind: AccessKind, certainty: Certainty, at: int) -> None:
        key = (name, kind, self.deferred)
        before = self.out.accesses.get(key)
        if before is not None and (before[0] is MUST or certainty is MAY):
            return
        start, end = self.site or (at, at + len(name))
        self.out.accesses[key] = (certainty, start, end)

    def effect(self, kind: EffectKind, detail: str, certainty: Certainty, at: int, end: int) -> None:
        if certainty is MUST:
            certainty = self.certainty()
        key = (kind, detail, self.deferred)
        before = self.out.effects.get(key)
        if before is not None and (before[0] is MUST or certainty is MAY):
            return
        start, end = self.site or (at, end)
        self.out.effects[key] = (certainty, start, end)

    # ------------------------------------------------------------------------------------------ names

    def read(self, name: str, at: int) -> Value:
        """The value of ``name`` in the scope at hand; a read of the session is recorded."""
        frame = self.frame
        while frame is not None:
            if name in frame.globals:
                break
            if frame.kind == "class":
                if (frame is self.frame and name in frame.variables) or name == "__class__":
                    return frame.variables.get(name, UNKNOWN)
            elif name in frame.names:
                value = frame.variables.get(name, UNKNOWN)
                if frame is not self.frame and frame.kind == "function" and self.site is not None:
                    return self._captured(value, frame)
                return value
            frame = frame.parent
        return self._read_global(name, at)

    def _closed_over(self, home: Frame) -> frozenset[str]:
        """The session's names that hold functions made in ``home``: they see what one of them does to its variables."""
        return self.session.closed_over(home)

    def _captured(self, value: Value, home: Frame) -> Value:
        """``value`` as the state of the closure that is being followed: a change of it changes the closure."""
        frame = self.frame
        while frame is not None and frame.kind != "function":
            frame = frame.parent
        roots = self.callee.own | self.callee.shared
        if not roots or value.immutable or value.path:
            return value
        roots |= self._closed_over(home)
        return Value(
            value.type, value.path, value.own, value.shared | roots, value.inner, value.functions, value.klass,
            value.made,
        )  # fmt: skip

    def _read_global(self, name: str, at: int) -> Value:
        session = self.session
        value = session.get(name)
        if value is None:
            if not session.exists(name):
                if name in BUILTINS or name in KERNEL_NAMES:
                    if session.comes_later(name):
                        self.access(name, READ, MAY, at)
                    return Value(path="builtins." + name)
                if HISTORY_NAME.fullmatch(name):
                    self.effect(EffectKind.HISTORY, name, MUST, at, at + len(name))
                    return Value("object")
            value = Value(own=frozenset((name,)))
        self.last[name] = at
        if name not in self.definite or self.deferred:
            self.access(name, READ, self.certainty(), at)
        return value

    def bind(self, name: str, value: Value, at: int, walrus: bool = False) -> None:
        frame = self.frame
        while frame is not None and (frame.kind == "types" or (frame.kind == "comprehension" and walrus)):
            frame = frame.parent
        if frame is not None and name in frame.nonlocals:
            outer = frame.parent
            while outer is not None:
                if outer.kind == "function" and name in outer.names:
                    old = outer.variables.get(name)
                    outer.variables[name] = value if old is None else join(old, value)
                    self.mutate(Value(shared=self.callee.own | self.callee.shared | self._closed_over(outer)), at)
                    return
                outer = outer.parent
            return
        if frame is not None and name not in frame.globals:
            if self.branch and name in frame.variables:
                value = join(frame.variables[name], value)
            frame.variables[name] = value
            return
        self.last[name] = at
        certainty = self.certainty()
        self.access(name, BIND, certainty, at)
        if self.deferred:
            return
        self.session.bind(name, value, weak=self.branch > 0 or certainty is MAY)
        if self.depth == 0 or certainty is MUST:
            self.definite.add(name)

    def settle(self, before: set[str]) -> None:
        """What is bound on every way through a statement is bound: ``before`` was for sure in front of it."""
        if self.deferred or self.certainty() is MAY:
            return
        for name in self.definite - before:
            key = (name, BIND, False)
            found = self.out.accesses.get(key)
            if found is not None and found[0] is MAY:
                self.out.accesses[key] = (MUST, *found[1:])

    def delete(self, name: str, at: int) -> None:
        frame = self.frame
        while frame is not None and frame.kind in ("types", "comprehension"):
            frame = frame.parent
        if frame is not None and name not in frame.globals:
            frame.variables.pop(name, None)
            return
        certainty = self.certainty()
        self.access(name, DELETE, certainty, at)
        if not self.deferred:
            if certainty is MUST:
                self.session.drop(name)
            self.definite.discard(name)

    # ------------------------------------------------------------------------------------------ changes in place

    def mutate(
        self, value: Value, at: int, certain: bool = True, deep: bool = False, spared: frozenset[str] = NOTHING
    ) -> None:
        """``value`` is changed in place: so are the objects it is a part of, and what shares them.

        ``deep``: so may be what it holds. ``spared``: types of values that share it and yet do not see this change.
        """
        if value.immutable:
            return
        certainty = self.certainty() if certain else MAY
        if not self._is_new((value.own, value.shared, value.inner if deep else None, certainty, self.deferred, spared)):
            return
        for root in _ordered(value.own):
            self._mutate_root(root, certainty, at, spared)
        shared = value.shared | value.inner if deep else value.shared
        if not shared:
            return
        if ANYTHING in shared:
            self.opaque()
            shared -= {ANYTHING}
        if len(shared) > MANY_ROOTS:
            self._mutate_many(shared - value.own, at, spared)
            return
        for root in _ordered(shared):
            if root not in value.own:
                self._mutate_root(root, MAY, at, spared)

    def _is_new(self, change: tuple[object, ...]) -> bool:
        """Whether the statement was not seen to do ``change`` since who sees what changed last: a method
        that calls others a hundred times over changes the same objects each time."""
        if self.changes_at != self.session.writes:
            self.changes_at = self.session.writes
            self.changes.clear()
        known = len(self.changes)
        self.changes.add(change)
        return len(self.changes) > known

    def opaque(self) -> None:
        """The code at hand may touch anything."""
        if not self.deferred:
            self.out.opaque = True

    def _mutate_many(self, roots: frozenset[str], at: int, spared: frozenset[str]) -> None:
        """The same for many roots, which are not asked one by one who sees them: x2 = x1.f(); x3 = x2.f(); ..."""
        for root in sorted(roots):
            self.access(root, MUTATE, MAY, self.last.get(root, at))
        if not self.deferred:
            for name in self.session.viewers_of(roots):
                if not (spared and self._is_spared(name, spared)):
                    self.access(name, MUTATE, MAY, at)

    def _mutate_root(self, root: str, certainty: Certainty, at: int, spared: frozenset[str]) -> None:
        self.access(root, MUTATE, certainty, self.last.get(root, at))
        if not self.deferred:
            for name in self.session.viewers(root):
                if spared and self._is_spared(name, spared):
                    continue
                self.access(name, MUTATE, MAY, at)

    def _is_spared(self, name: str, spared: frozenset[str]) -> bool:
        value = self.session.get(name)
        return value is not None and value.type in spared

    def put_into(self, holder: Value, others: list[Value]) -> None:
        """``others`` are held by ``holder`` from now on."""
        others = [other for other in others if not other.immutable and (other.roots or other.functions or other.klass)]
        if not others or self.deferred:
            return
        for root in holder.own | holder.shared:
            if root != ANYTHING:
                self.session.hold(root, others)
        if ANYTHING in holder.shared:
            for root in frozenset().union(*(other.roots for other in others)) - {ANYTHING}:
                self.session.let_go(root)
        if holder is UNKNOWN or holder.immutable:
            return  # one for all
        for other in others:
            holder.inner |= other.roots - holder.own

    def mention(self, text: str) -> None:
        """``text`` is a string that somebody might run: the session's names in it may be read."""
        if self.quiet or len(text) > LONG_TEXT:
            return
        for word in self.session.known(_WORD.findall(text)):
            if word not in self.definite or self.deferred:
                self.access(word, READ, MAY, self.last.get(word, self.statement_at))

    statement_at = 0


def _ordered(names: frozenset[str]) -> Iterable[str]:
    return names if len(names) < 2 else sorted(names)
