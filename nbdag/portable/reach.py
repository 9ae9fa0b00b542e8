"""Which names a statement could read: those its code mentions, and those that the values behind them mention.

    rate = 2
    class Account:
        def pay(self): return self.sum * rate
    a = Account()
    handlers = {"pay": a.pay}
    handlers["pay"]()        # mentions handlers; reaches Account.pay through it, and so rate

:func:`nbdag.portable.links.reach` finds the code that a value leads to; here its names are closed over. What a value
mentions is remembered until it may have changed. Reached besides: the classes of its instances and the functions it
holds, where they have a name, and what weak references lead to; that is no link, but their state is in reach. A large
value that was not looked at since a statement could have put a function into it mentions, besides, what that
statement's functions mention (its *taint*), or whatever it had at hand (``haze.py``): cheaper than a walk.
"""

from __future__ import annotations

import opcode
import types
from typing import Any, Callable, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from nbdag.portable.codescan import CodeNames, scan_code
from nbdag.portable.fingerprint import TookTooLong
from nbdag.portable.haze import Cloud, Haze
from nbdag.portable.links import NOTHING_REACHED, Reach, common_ids, reach
from nbdag.portable.objects import is_handmade_module
from nbdag.portable.open_figures import figures_in, pyplot_managers

# Values that refer to nothing and cannot change in place.
LEAF_TYPES = (
    int, float, complex, bool, str, bytes, type(None), type(Ellipsis), type(NotImplemented), range,
    types.ModuleType, types.CodeType, types.WrapperDescriptorType, types.MethodDescriptorType,
    types.ClassMethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType,
)  # fmt: skip
# f.__code__ = other; a trace function or the callback of a tool runs without events
RUN_UNSEEN = frozenset(["__code__", "CodeType", "settrace", "setprofile", "register_callback", "switch", "greenlet"])
LEAF_TYPE_IDS: FrozenSet[int] = frozenset(map(id, LEAF_TYPES))


def can_change(value: Any) -> bool:
    """Whether a value could change in place; modules do not count, unless they were made by hand."""
    return id(type(value)) not in LEAF_TYPE_IDS or (type(value) is types.ModuleType and is_handmade_module(value))


def is_interrupt(fault: BaseException) -> bool:
    """Whether the user pressed interrupt: code that itself raises KeyboardInterrupt did not hear it from a signal."""
    if type(fault) is not KeyboardInterrupt:
        return False
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return True
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] != opcode.opmap["RAISE_VARARGS"]


def is_drawn_on(value: Any, figures: Set[int]) -> bool:
    """Whether a value is, belongs to or holds one of the figures with these ids, as far as a glance shows."""
    try:
        return any(
            id(figure) in figures or id(getattr(figure, "figure", None)) in figures  # that of a part of one
            for figure in figures_in(value, 2)
        )
    except Exception:  # of a class that cannot be asked
        return True


class Mentions(NamedTuple):
    """What the code that a value leads to mentions; ``stores`` are globals that it may rebind when called."""

    names: FrozenSet[str]
    stores: FrozenSet[str]
    opaque: bool


NO_MENTIONS = Mentions(frozenset(), frozenset(), False)


def mentions_of(codes: Iterable[types.CodeType]) -> Mentions:
    """What these code objects mention together."""
    names: Set[str] = set()
    stores: Set[str] = set()
    opaque = False
    for code in codes:
        scanned = scan_code(code)
        names |= scanned.loads | scanned.words
        stores |= scanned.stores | scanned.late_stores
        opaque = opaque or scanned.opaque
    return Mentions(frozenset(names), frozenset(stores), opaque)


def runs_unseen(code: CodeNames) -> bool:
    """Whether this code could make functions run whose start ``monitoring.py`` does not see."""
    return not RUN_UNSEEN.isdisjoint(code.attributes) or not RUN_UNSEEN.isdisjoint(code.loads)


class Reached(NamedTuple):
    """The names a statement could read, and the globals that functions it could call may rebind.

    ``indirect``: of the names, those that only the objects lead to: the classes of instances and functions in lists.
    The rest is for :meth:`Reacher.touched`: where the walk began, where it went from each name on other grounds than
    what functions mention, and the functions it came by.
    """

    names: Set[str]
    stores: Set[str]
    indirect: Set[str]
    mentioned: Set[str]  # all names that the code could ask for, those that are not there yet included
    roots: Set[str]
    ways: Dict[str, Set[str]]
    codes: Tuple[types.CodeType, ...]
    opaque: bool  # whether any name can be touched, whatever functions run


class Reacher:
    """Answers what code and values reach, by name, remembering each walk until :meth:`forget`. Keeps no value."""

    def __init__(self, haze: Optional[Haze] = None) -> None:
        self.haze = Haze() if haze is None else haze
        self.reaches: Dict[str, Reach] = {}
        self.mentioned: Dict[str, Mentions] = {}
        self.taint: Dict[str, Set[str]] = {}
        self.holders: Dict[int, str] = {}  # id of a class or function of the session -> a name that was bound to it

    def forget(self, names: Iterable[str]) -> None:
        """The values of these names changed, or others are there now."""
        for name in names:
            self.reaches.pop(name, None)
            self.mentioned.pop(name, None)
            self.taint.pop(name, None)

    def reach_of(self, name: str, value: Any, check: Optional[Callable[[int], None]] = None) -> Reach:
        """What the value of a name reaches, from memory or by a walk; TookTooLong if ``check`` raises that."""
        if not can_change(value):
            return NOTHING_REACHED
        known = self.reaches.get(name)
        if known is None:
            try:
                known = reach(value, check)
            except TookTooLong:
                raise
            except BaseException as fault:  # of a metaclass that cannot be asked
                if is_interrupt(fault):
                    raise
                known = NOTHING_REACHED
            self.reaches[name] = known
            if id(value) in known.definitions:
                self.holders[id(value)] = name
        return known

    def renew(self, name: str, value: Any, check: Optional[Callable[[int], None]] = None) -> bool:
        """Walk through the value anew, whatever was known; whether it reaches something else now. A walk that ends
        with TookTooLong leaves what was known."""
        before = self.reaches.pop(name, None)
        try:
            found = self.reach_of(name, value, check)
        except TookTooLong:
            if before is not None:
                self.reaches[name] = before
            raise
        self.mentioned.pop(name, None)
        self.taint.pop(name, None)
        if before is None or found != before:
            return True
        self.reaches[name] = before
        return False

    def mentions(self, name: str, value: Any) -> Mentions:
        """What the value of one name mentions."""
        if name not in self.mentioned:
            self.reach_of(name, value)
        return self.known_mentions(name)

    def known_mentions(self, name: str) -> Mentions:
        """What the value of one name mentions as far as the last walk saw; no walk is made for it.

        A name that was reached by its links only may have been walked through, and not asked for what it mentions.
        """
        known = self.mentioned.get(name)
        if known is None:
            found = self.reaches.get(name, NOTHING_REACHED)
            known = mentions_of(found.codes) if found.codes else NO_MENTIONS
            if name in self.reaches:
                self.mentioned[name] = known
        return known

    def has_finalizer(self, name: str) -> bool:
        """Whether code runs when the value of a name goes away, as far as is known without looking anew."""
        known = self.reaches.get(name)
        return known is not None and any(code.co_name == "__del__" for code in known.codes)

    def holding(self, weak: Set[int], items: Mapping[str, Any], names: Set[str]) -> List[str]:
        """The names, beside ``names``, that reach one of the objects that weak references lead to."""
        return [
            name
            for name, value in items.items()
            if name not in names
            and can_change(value)
            and (name in self.haze or not weak.isdisjoint(self.reach_of(name, value).ids))
        ]

    def drawn_on(self, items: Mapping[str, Any]) -> List[str]:
        """The names that lead to a figure which pyplot has open: any call may draw on it, and none has to name it.

        fig = plt.figure(); plt.plot(xs); sns.lineplot(table)
        """
        try:
            figures = {id(manager.canvas.figure) for manager in pyplot_managers().values()}
        except Exception:  # of a canvas that somebody else made
            return []
        if not figures:
            return []
        found = []
        for name, value in items.items():
            known = self.reaches.get(name)
            holds = known is not None and bool(common_ids(figures, known.ids))
            if not holds and (known is None or name in self.haze) and can_change(value):
                holds = is_drawn_on(value, figures)
            if holds:
                found.append(name)
        return found

    def half_known(self, names: Iterable[str], items: Mapping[str, Any]) -> Set[str]:
        """Those of the names through which code may get at more than a walk has shown, or walks do not show it all."""
        found: Set[str] = set()
        for name in names:
            if name not in items or not can_change(items[name]):
                continue
            known = self.reaches.get(name)
            if name in self.haze or known is None or known.ajar or name in self.taint:
                found.add(name)
                continue
            for key in known.definitions:  # the state of a class is its name's; of one without a name nobody knows it
                holder = self.holders.get(key, "")
                if holder not in items or id(items[holder]) != key:
                    found.add(name)
                    break
        return found

    def taint_with(self, names: Iterable[str], code: CodeNames, reached: Iterable[str]) -> None:
        """A statement may have put functions of its own or of what it reached into these values, unlooked at."""
        carriers = {name for name in reached if self.known_mentions(name) is not NO_MENTIONS}
        carriers |= code.inner_loads
        if carriers:
            for name in names:
                self.taint.setdefault(name, set()).update(carriers)

    def reach_code(self, code: CodeNames, items: Mapping[str, Any]) -> Reached:
        """Close the names that ``code`` mentions over what their values mention, among the session's ``items``."""
        stores: Set[str] = set(code.late_stores)
        opaque = code.opaque
        sure_opaque = opaque or runs_unseen(code)
        names: Set[str] = set()
        todo = [name for name in code.loads | code.words if name in items]
        # class Log: def __del__(self): lines.append(1)        log = Log()        log = None
        todo += [name for name in code.stores if name in items and (name in self.haze or self.has_finalizer(name))]
        if code.loads or code.attributes - code.stores:  # else nothing is called
            todo += self.drawn_on(items)
        indirect: Set[str] = set()
        named: Set[str] = set(code.loads | code.words)
        weak: Set[int] = set()
        told: List[Cloud] = []
        roots = set(todo)
        ways: Dict[str, Set[str]] = {}
        codes: List[types.CodeType] = []
        while todo or weak:
            if not todo:
                todo = self.holding(weak, items, names)
                roots.update(todo)
                weak = set()
                continue
            name = todo.pop()
            if name in names:
                continue
            names.add(name)
            value = items[name]
            if not can_change(value):
                continue
            if name in self.haze:
                # Too dear to walk through now: what was known of it, and what may have come into it since.
                mentioned = self.known_mentions(name)
                found = self.reaches.get(name, NOTHING_REACHED)
                hazy_mentions = self.haze.mentions(name, told)
                named |= hazy_mentions
                todo += [other for other in hazy_mentions if other in items and other not in names]
                ways[name] = hazy_mentions.union(mentioned.names)
                sure_opaque = sure_opaque or mentioned.opaque
            else:
                mentioned = self.mentions(name, value)
                found = self.reaches[name]
                ways[name] = set()
                codes += found.codes
            stores |= mentioned.stores
            opaque = opaque or mentioned.opaque
            more = mentioned.names
            if name in self.taint:
                more = more | self.taint[name]
                ways[name] |= self.taint[name]
            named |= more
            todo += [other for other in more if other in items and other not in names]
            weak |= found.weak
            # class C: seen = []        c = C(); c.seen.append(1)        mentions c, and changes C
            for key in found.definitions:
                holder = self.holders.get(key, name)
                if holder in items and id(items[holder]) == key:
                    ways[name].add(holder)
                    if holder not in names:
                        todo.append(holder)
                        indirect.add(holder)
        indirect -= code.loads | code.words
        names = set(items) if opaque else names
        return Reached(names, stores, indirect, named, roots, ways, tuple(codes), sure_opaque)

    def touched(
        self, reached: Reached, ran: Iterable[types.CodeType], others: Callable[[], Dict[str, Any]]
    ) -> Set[str]:
        """Of the names that a statement reached, those it touched if of the session's functions only ``ran`` ran.

        A function that nobody could foresee, called back by a library, adds what it reaches among the ``others``.
        """
        foreseen = set(map(id, reached.codes))
        roots = set(reached.roots)
        if reached.opaque:
            return set(reached.names)
        touched: Set[str] = set()
        # A finalizer may run when nobody listens any more: it counts as having run.
        for code in [*ran, *(code for code in reached.codes if code.co_name == "__del__")]:
            scanned = scan_code(code)
            if scanned.opaque or runs_unseen(scanned):
                return set(reached.names)
            roots |= scanned.loads | scanned.words
            if id(code) not in foreseen:
                touched |= self.reach_code(scanned, others()).names
        todo = list(roots)
        closed: Set[str] = set()
        while todo:
            name = todo.pop()
            if name not in closed:
                closed.add(name)
                todo += reached.ways.get(name, ())
        return touched | (closed & reached.names)
