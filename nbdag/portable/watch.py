"""Remembers what the session's values were without keeping them: identities, fingerprints and links, by name.

The namespace stays a plain dict. What was bound shows by identity; what changed in place shows by fingerprints, which
are only taken of names that a statement could reach. Small values are looked at after every statement while there is
time for it, large ones once at the end of the execution, or later still when the budget does not allow it
(``budget.py``): until then the name is *put off*, and every statement that could reach it is noted as one that may have
changed it.
"""

from __future__ import annotations

import gc
import time
import types
from typing import Any, Callable, Dict, FrozenSet, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from nbdag.portable.budget import SMALL_PRICE, UNKNOWN_PRICE, Budget
from nbdag.portable.fingerprint import Ceiling, Fingerprint, LowCeiling, Patience, TookTooLong, fingerprint
from nbdag.portable.foreign import MODULES_ONLY, cover_packages_met
from nbdag.portable.grouping import Grouping
from nbdag.portable.haze import Cloud, Haze
from nbdag.portable.kinds import REACH_ATOM, kind_of
from nbdag.portable.links import Reach, common_ids
from nbdag.portable.objects import class_module, ids_of, is_plain_array, is_session_class
from nbdag.portable.reach import LEAF_TYPE_IDS, Reacher, can_change, is_interrupt
from nbdag.portable.snapshot import Snapshot

CHEAP_SIZE = 256 * 1024  # bytes that a fingerprint covers: about 0.2 ms of work
CHEAP_OBJECTS = 2_000  # objects in a small value, and that the guess before the first look follows
FEW_OBJECTS = 100  # the same when time is short
SMALL_SECONDS = 0.01  # CPU time after which a value that seemed small is not small, ten times what one takes
PACKAGE_SECONDS = 0.01  # that it takes to index what the modules of a large package hold
LONGEST_LOOK = 30.0  # CPU time after which a value counts as one that has no fingerprint: its state need not end

CONTAINER_TYPE_IDS = frozenset(map(id, (list, dict, tuple, set, frozenset)))

Stop = Callable[[], bool]


def identities(items: Mapping[str, Any]) -> Dict[str, int]:
    """Name -> address of its value. An address may be used again once the value is gone, so what a statement's own
    code stores counts as bound in any case."""
    return {name: id(value) for name, value in items.items()}


def is_cheap(value: Any, most: int = CHEAP_OBJECTS) -> bool:
    """Whether a first fingerprint of the value is surely little work; large or unknown values are left for later."""
    if is_plain_array(value, type(value)):
        return bool(value.nbytes + 64 <= CHEAP_SIZE)
    seen: Set[int] = set()
    keep: List[Any] = []
    neutral: Set[int] = set()
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
        elif id(kind) in LEAF_TYPE_IDS or kind is types.FunctionType or issubclass(kind, type) or id(kind) in neutral:
            room -= 32
        elif id(kind) in CONTAINER_TYPE_IDS and len(item) > 4 * most:
            return False
        else:
            if id(kind) not in CONTAINER_TYPE_IDS and not is_session_class(kind) and kind_of(kind) == REACH_ATOM:
                neutral.add(id(kind))  # a thread keeps sys.stderr, which leads into all of the kernel
                continue
            references = gc.get_referents(item)
            keep.append(references)
            todo.extend(references)
            room -= 64 + (0 if id(kind) in CONTAINER_TYPE_IDS else buffer_size(item, kind))
        if room < 0 or len(seen) > most or len(todo) > 4 * most:
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

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.most_objects = CHEAP_OBJECTS if budget.unlimited else FEW_OBJECTS
        self.known = NO_NAMES
        self.prints: Dict[str, Optional[Fingerprint]] = {}  # None: cannot be fingerprinted; absent: never looked at
        self.dear: Dict[str, float] = {}  # name -> seconds that its last look took, or more than which it would take
        self.endless: Set[str] = set()  # names whose fingerprint was given up
        self.grouping = Grouping()
        self.unlinked: Set[str] = set()  # names whose links have to be found anew
        self.doubted: Set[str] = set()  # names that may be linked by what is a library's
        self.haze = Haze()
        self.put_off: Dict[str, List[Dict[str, Any]]] = {}  # name -> statements after which its look was put off
        self.came_back: Set[str] = set()  # names that such a look has just found as they were before all of these

    @property
    def groups(self) -> Tuple[Tuple[str, ...], ...]:
        """The groups of two and more linked names."""
        return self.grouping.groups

    def forget(self, names: Sequence[str]) -> None:
        """These names are bound to something new, or gone: nothing is known of their values."""
        for name in names:
            self.prints.pop(name, None)
            self.dear.pop(name, None)
            self.endless.discard(name)
            self.put_off.pop(name, None)
            self.haze.forget(name)
            self.unlinked.add(name)
        if names:
            self.grouping.update(dict.fromkeys(names))

    def look(
        self,
        name: str,
        value: Any,
        seconds: Optional[float] = None,
        stop: Optional[Stop] = None,
        small: bool = False,
    ) -> bool:
        """Take the fingerprint of a value; whether it differs from the last one (or cannot be known to be the same).

        Raises TookTooLong when that takes more than ``seconds``, or ``stop`` says so; ``small`` is SMALL_SECONDS, or
        what the budget has if that is more. With neither it is given up after LONGEST_LOOK: no cell and no survey
        waits for ever for a state that has no end.
        """
        if not can_change(value):
            self.prints.pop(name, None)
            return False
        before = self.prints.get(name)
        if name in self.endless:
            return self.give_up(name)
        began = time.thread_time()
        try:
            if seconds is not None:
                now = take_fingerprint(value, Patience(seconds, stop))
            elif small:
                now = take_fingerprint(value, LowCeiling(max(SMALL_SECONDS, self.budget.left)))
            else:
                now = take_fingerprint(value, Ceiling(LONGEST_LOOK))
        except TookTooLong:
            if seconds is None and not small:
                return self.give_up(name)
            seconds_taken = time.thread_time() - began
            self.budget.spend(seconds_taken)
            self.dear[name] = max(2 * seconds_taken, 1.5 * self.dear.get(name, 0.0), UNKNOWN_PRICE)
            raise
        seconds_taken = time.thread_time() - began
        self.budget.spend(seconds_taken)
        if now is None or not self.is_small_print(now):
            self.dear[name] = seconds_taken
        else:
            self.dear.pop(name, None)
        self.prints[name] = now
        changed = before is None or now is None or now != before
        self.settle(name, changed)
        return changed

    def look_small(self, name: str, value: Any) -> Optional[bool]:
        """:meth:`look` at a value that should be small; None where it is not: its look has to wait."""
        if self.budget.unlimited or name in self.endless:
            return self.look(name, value)
        try:
            return self.look(name, value, small=True)
        except TookTooLong:
            return None

    def give_up(self, name: str) -> bool:
        """From now on the value counts as one that has no fingerprint: changed by whatever reaches it. Returns True."""
        self.endless.add(name)
        self.prints[name] = None
        self.settle(name, True)
        return True

    def price(self, name: str) -> float:
        """Seconds that looking at a name will take, as far as that is known; 0 for what is small."""
        if self.is_small(name):
            return 0.0
        price = self.dear.get(name, UNKNOWN_PRICE)
        return 0.0 if price < SMALL_PRICE else price

    def is_cheap(self, name: str, value: Any) -> bool:
        """Whether a value that was never looked at is surely small; remembered where it is not."""
        if name in self.dear:
            return False
        cheap = is_cheap(value, self.most_objects)
        if not cheap:
            self.dear[name] = UNKNOWN_PRICE
        return cheap

    def affords(self, name: str) -> bool:
        """Whether there is time to look at this name now; for a small value there always is."""
        price = self.price(name)
        return price == 0.0 or self.budget.allows(price)

    def is_small(self, name: str) -> bool:
        """Whether the last look found little to look at."""
        last = self.prints.get(name)
        return last is not None and name not in self.dear and self.is_small_print(last)

    def is_small_print(self, found: Fingerprint) -> bool:
        """Whether a fingerprint covers so little that it is taken after every statement."""
        return found.size <= CHEAP_SIZE and found.cost <= self.most_objects

    def cannot_compare(self, names: Iterable[str], items: Mapping[str, Any]) -> Set[str]:
        """Those of the names that a look would not show to be unchanged."""
        return {name for name in names if name in items and self.prints.get(name) is None}

    def can_follow(self, name: str) -> bool:
        """Whether the links of a name are followed from statement to statement: it is small, or a handle."""
        return name in self.prints and (self.prints[name] is None or self.is_small(name))

    # ------------------------------------------------------------------------------------ put off

    def hazy_names(self, items: Mapping[str, Any]) -> List[str]:
        """The names that were not looked at in time and still can be."""
        return sorted(name for name in {*self.haze.names, *self.put_off} if name in items)

    def settle(self, name: str, changed: bool) -> None:
        """What the statements did whose look was put off: nothing, if the value is the same after all of them.

        Then they keep the name as ``put_off``: one may have changed it and another changed it back.
        """
        if name in self.put_off and not changed:
            self.came_back.add(name)  # the statement that looks may be the one that changed it back
        for record in self.put_off.pop(name, ()):
            if changed:
                continue
            remaining = []
            for because, members in record["doubts"]:
                because.discard(name)
                if because:
                    remaining.append((because, members))
                else:
                    record["put_off"] = sorted(members.union(record["put_off"]))
            record["doubts"] = remaining

    # ------------------------------------------------------------------------------------ links

    def link_closure(self, names: Iterable[str], through: Optional[Set[str]] = None) -> Set[str]:
        """The names and everything linked to them, or perhaps linked; ``through`` as in :meth:`Haze.closure`."""
        linked = self.grouping.linked
        if self.haze.clouds:
            return self.haze.closure(names, linked, through)
        closed = set(names)
        if linked:
            for name in list(closed):
                closed |= linked.get(name, NO_LINKS)
        return closed

    def join_haze(self, hazy: Set[str], names: Iterable[str]) -> None:
        """Values that a statement made without a change to anything share with hazy ones what their links share."""

        def may_share(name: str, cloud: Cloud) -> bool:
            linked = self.grouping.linked.get(name, NO_LINKS)
            return name in self.unlinked or not (linked.isdisjoint(cloud.others) and linked.isdisjoint(cloud.hazy))

        self.haze.join(hazy, list(names), may_share)

    def link(self, reacher: Reacher, items: Mapping[str, Any], names: Iterable[str]) -> None:
        """Find the links of these names to all others."""
        found: Dict[str, Optional[Reach]] = {}
        for name in names:
            if name in self.haze and name in items:
                continue
            self.unlinked.discard(name)
            if name in items and can_change(items[name]):
                began = time.thread_time() if name in self.dear and name not in reacher.reaches else 0.0
                found[name] = reacher.reach_of(name, items[name])
                if began:
                    self.dear[name] += time.thread_time() - began
            elif name in self.grouping.reaches:
                found[name] = None
        self.grouping.update(found)
        if MODULES_ONLY[0]:
            doubtful = self.doubtful_links(items, found)
            ready = {name for name in doubtful if name not in self.haze and name not in self.dear}
            if not self.budget.allows(PACKAGE_SECONDS):
                ready = set()
            self.doubted |= doubtful - ready
            if ready and cover_packages_met():
                reacher.forget(ready)
                self.grouping.update({name: reacher.reach_of(name, items[name]) for name in ready})

    def doubtful_links(self, items: Mapping[str, Any], names: Iterable[str]) -> Set[str]:
        """Of the names, and of those that they are linked to, the ones that share no memory of arrays and nothing that
        has a name itself: it may be a library's, of a module that the index of its globals does not have."""
        doubtful: Set[str] = set()
        for name in names:
            reach = self.grouping.reaches.get(name)
            others = self.grouping.linked.get(name, NO_LINKS)
            if reach is None or not others:
                continue
            present = [other for other in others if other in items and other in self.grouping.reaches]
            named = set(ids_of(items[other] for other in present))
            keys = set(reach.ids)
            for other in present:
                reached = self.grouping.reaches[other]
                if other != name and set(reach.extents).isdisjoint(reached.extents):
                    common = common_ids(keys, reached.ids)
                    if common and named.isdisjoint(common):
                        doubtful |= {name, other}
        return doubtful


NO_NAMES = Snapshot([], b"", {}, frozenset(), frozenset())
NO_LINKS: FrozenSet[str] = frozenset()


def take_fingerprint(value: Any, patience: Optional[Patience] = None) -> Optional[Fingerprint]:
    """The fingerprint of a value; None where it has none. Raises KeyboardInterrupt when the user wants us to stop.

    With ``patience``, TookTooLong.
    """
    try:
        return fingerprint(value, patience)
    except TookTooLong:
        raise
    except BaseException as fault:
        if is_interrupt(fault):
            raise
        return None
