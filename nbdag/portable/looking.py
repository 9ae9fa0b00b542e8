"""What a statement and an execution did to the session's values: the rules that turn looks into evidence.

    value                         after each statement that reached it      at the end of the execution
    plain (number, text ...)      identity only                             -
    small                         fingerprint                               again if it was bound here or links changed
    small, the share is used up   "unseen"                                  fingerprint (``later.py``)
    large, or new and unknown     "unseen"                                  fingerprint, or put off
    without a fingerprint         changed                                   -

A change found at the end is reported by the last statement; every statement that had the name ``unseen`` may have
made it. A look that the budget does not allow is *put off*: the last statement then counts as having found a change
("doubts"), until a later look tells (``Watch.settle``).
"""

from __future__ import annotations

import time
import types
from typing import Any, Collection, Dict, Iterable, List, Mapping, Optional, Set

from nbdag.portable.fingerprint import Patience, TookTooLong
from nbdag.portable.frames import Frame, OpenStatement, Record
from nbdag.portable.later import Later, explain, note_unsettled, retrace
from nbdag.portable.objects import class_module
from nbdag.portable.reach import Reacher, can_change
from nbdag.portable.snapshot import Snapshot
from nbdag.portable.watch import NO_LINKS, Stop, Watch

Items = Mapping[str, Any]


def statement_look(
    watch: Watch,
    reacher: Reacher,
    frame: Frame,
    statement: OpenStatement,
    items: Items,
    after: Snapshot,
    completed: bool,
    record: Record,
) -> None:
    """Fill ``bound``, ``deleted``, ``reached``, ``changed`` and ``unseen`` of one statement's record."""
    before = statement.before
    index = len(frame.statements)
    moved, deleted = before.moved(after)
    bound = set(moved)
    if completed:
        bound |= {name for name in statement.stores if name in after}
    # def step(): global n; n += 1.0        step(); step(): the second number may be where the one before was
    plain = plain_values(statement.plain_before, items)
    bound |= {name for name, told in plain.items() if told != statement.plain_before[name]}
    reached = statement.reached
    suspect = reached.union(name for name in statement.late_stores if name in before)
    hurried = watch.budget.hurried
    changed: Set[str] = set()
    unseen: Set[str] = set()
    later: Set[str] = set()  # of those unseen, small values that are looked at for sure when the execution ends
    unknown: List[str] = []  # new values that are too dear to look at now

    for name in moved + deleted:
        # big = Big(xs); big.fill(); del big        nobody looked at big, so nobody knows that it could get at xs
        frame.pending |= frame.never_looked_at.pop(name, set())
    for name, with_it in frame.never_looked_at.items():
        if name in reached:
            with_it |= reached
    watch.forget(moved + deleted)
    for name in moved:
        if can_change(items[name]):
            if watch.is_cheap(name, items[name]) and watch.look_small(name, items[name]) is not None:
                frame.looked_at[name] = index
            else:
                unknown.append(name)
                frame.never_looked_at[name] = set(reached)
        if name not in before:
            frame.first_bound.setdefault(name, index)
    for name in (suspect | bound).difference(moved):
        if name not in items or not can_change(items[name]):
            continue
        if name not in watch.prints:
            unseen.add(name)
            if not watch.budget.unlimited and watch.is_cheap(name, items[name]):
                watch.look_small(name, items[name])  # something to compare with from now on
        elif watch.prints[name] is None and not watch.budget.unlimited:
            changed.add(name)  # as always: looking again would not tell
        elif watch.prints[name] is not None and not watch.is_small(name):
            unseen.add(name)
        elif hurried and watch.prints[name] is not None and name not in bound and name not in watch.haze:
            unseen.add(name)
            later.add(name)
        else:
            differs = watch.look_small(name, items[name])
            if differs is None:
                unseen.add(name)
            else:
                frame.looked_at[name] = index
            if differs:
                changed.add(name)
    changed |= joined_by_equals(watch, reacher, items, (suspect - bound - unseen).difference(changed), reached | bound)
    changed_nothing = not watch.budget.unlimited and is_as_it_was(
        watch, reacher, statement, items, (changed | unseen) - later
    )
    changed |= {name for name in statement.changed_inside if name in items and name not in bound}
    changed = {name for name in watch.link_closure(changed, statement.through) if name in items}

    if frame.later:
        note_unsettled(frame, changed.union(moved, deleted))
    reacher.forget(deleted)
    reacher.taint_with(unseen, statement.code, statement.reachable)
    renewed = (changed | bound) - unseen
    hazy: List[str] = []
    spared: Set[str] = set()  # hazy names into whose values the statement surely put nothing
    if not watch.budget.unlimited:
        hazy = [*unknown, *(unseen - later)]
        hazy += [
            name
            for name in renewed.difference(unknown)
            if name in items and can_change(items[name]) and watch.price(name) > max(watch.budget.left, 0.0)
        ]
        if changed_nothing:
            packages = libraries_at_hand(statement, items)
            spared = {
                name
                for name in watch.haze.names.intersection(hazy) - bound - statement.reach.names
                if package_of(type(items[name])) not in packages
            }
        giving = [name for name in hazy if name not in spared]
        if giving:
            others = [name for name in reached | bound if name in items and can_share(watch, reacher, name, items)]
            watch.haze.cover(giving, statement.mentioned | reached | bound, others)
    if later:
        at_hand = frozenset(reached | bound)
        frame.later.append(
            Later(index, frozenset(later), frozenset(spared), at_hand.union(statement.mentioned), at_hand)
        )
    renewed.difference_update(hazy)
    reacher.forget(renewed)
    frame.bound = (frame.bound | bound).difference(deleted)
    frame.pending = (frame.pending | unseen).difference(moved, deleted)
    watch.unlinked |= renewed
    if renewed:
        watch.link(reacher, items, [name for name in renewed if watch.can_follow(name) or name not in items])
    if spared and bound:
        # big = [ys]; part = ys[0]; ys = None        part was linked to ys, and ys perhaps to big
        watch.join_haze(spared, [name for name in bound if name in items and can_change(items[name])])
    watch.known = after
    record["bound"] = sorted(bound)
    record["deleted"] = deleted
    record["reached"] = sorted(reached)
    record["changed"] = sorted(changed)
    record["unseen"] = sorted(unseen)
    record["put_off"] = []
    record["doubts"] = []


def plain_values(names: Iterable[str], items: Items) -> Dict[str, Any]:
    """What tells the plain values of these names from others: their addresses are used again and again."""
    told: Dict[str, Any] = {}
    for name in names:
        value: Any = items.get(name)
        kind = type(value)
        if kind is int:  # hash(-1) == hash(-2)
            told[name] = ("int", hash(value), int.bit_length(value))
        elif kind is float or kind is complex:  # 0.0 == -0.0
            told[name] = (kind.__name__, hash(value), repr(value))
        elif kind is str or kind is bytes or kind is range:
            told[name] = (kind.__name__, hash(value), "")
    return told


def joined_by_equals(
    watch: Watch, reacher: Reacher, items: Items, same: Collection[str], at_hand: Collection[str]
) -> Set[str]:
    """Of small values with the ``same`` fingerprint, those that now hold something of another name's: so they changed.

    d = {"a": []}; xs = []
    d["a"] = xs                   one empty list is like the other
    xs.append(1)                  changes d
    """
    follow = [name for name in same if reacher.reaches.get(name) and watch.is_small(name) and name not in watch.haze]
    if not follow or sum(name in items and can_share(watch, reacher, name, items) for name in at_hand) < 2:
        return set()
    return relinked(watch, reacher, items, follow)


def relinked(watch: Watch, reacher: Reacher, items: Items, names: Iterable[str]) -> Set[str]:
    """Follow the links of these names anew; those of them that share something now with a name that they did not."""
    fresh = []
    for name in names:
        began = time.thread_time() if name in watch.dear else 0.0
        if reacher.renew(name, items[name]):
            fresh.append(name)
        if began:
            watch.dear[name] += time.thread_time() - began
    before = {name: watch.grouping.linked.get(name, NO_LINKS) | {name} for name in fresh}
    if fresh:
        watch.link(reacher, items, fresh)
    return {name for name in fresh if not watch.grouping.linked.get(name, NO_LINKS) <= before[name]}


def is_as_it_was(
    watch: Watch, reacher: Reacher, statement: OpenStatement, items: Items, touched: Collection[str]
) -> bool:
    """Whether all that the statement could get at by itself is surely as it was: so it has put nothing into it, and
    nothing into what is only linked to that.

    fig = plot(res)               fig is too dear to walk through: perhaps linked to res
    other = combine(res)          res is as it was: fig has got nothing, and holds of other no more than res does
    """
    reach = statement.reach
    if reach.opaque or statement.changed_inside or not reach.indirect <= reach.names:
        return False
    for name in reach.names & statement.reached:
        if name not in items or items_moved(statement, items, name):
            return False
        if not can_change(items[name]):
            continue
        known = reacher.reaches.get(name)
        if name in touched or name in watch.haze or watch.prints.get(name) is None or known is None or known.ajar:
            return False
        for key in known.definitions:  # the state of a class is its name's; of one without a name nobody knows it
            holder = reacher.holders.get(key, "")
            if holder not in items or id(items[holder]) != key:
                return False
    return True


def items_moved(statement: OpenStatement, items: Items, name: str) -> bool:
    """Whether the name stands for something else than before the statement: nobody can look at that any more."""
    return statement.before.address(name) != id(items[name])


def package_of(cls: type) -> str:
    """The package that a class comes from."""
    return class_module(cls).partition(".")[0]


def libraries_at_hand(statement: OpenStatement, items: Items) -> Set[str]:
    """The packages whose modules and functions a statement mentions: their global state may hold their objects.

    plt.plot(xs)        draws into a figure that nobody mentions
    """
    found: Set[str] = set()
    for name in statement.reach.names:
        value = items.get(name)
        if type(value) is types.ModuleType:
            found.add(str(vars(value).get("__name__")).partition(".")[0])
        elif type(value) is types.FunctionType:
            found.add(str(value.__module__).partition(".")[0])
    return found


def can_share(watch: Watch, reacher: Reacher, name: str, items: Items) -> bool:
    """Whether a value could share state with another: it is not known to be free of any."""
    if not can_change(items[name]):
        return False
    return name in watch.haze or name not in reacher.reaches or bool(reacher.reaches[name])


def close_look(watch: Watch, reacher: Reacher, frame: Frame, items: Items) -> None:
    """Look at what the statements left, find the links anew, and spread both over the execution's statements."""
    if not frame.statements:
        return
    last = frame.statements[-1]
    final = len(frame.statements) - 1
    changed: Set[str] = set()
    looked: Set[str] = set()
    put_off: Set[str] = set()
    fresh = {name for name in frame.bound if frame.looked_at.get(name) != final}
    pending = {name for name in frame.pending if name in items}
    look_at(watch, reacher, frame, items, pending, fresh, changed, looked, put_off)
    if watch.unlinked:
        watch.link(reacher, items, list(watch.unlinked))
    spread_links(watch, frame, items)
    if frame.later:
        retrace(watch, frame, items, changed, put_off)
    known = set(changed)
    also = {name for record in frame.statements for name in record["unseen"] if name in items} - looked - put_off
    if also:
        look_at(watch, reacher, frame, items, also, set(), changed, looked, put_off)
    if changed:
        changed = {name for name in watch.link_closure(changed) if name in items}
        for name in changed - looked - put_off:
            if watch.affords(name):
                look_patiently(watch, name, items[name])
        explain(frame, changed)
        last["changed"] = sorted(changed.union(last["changed"]))
        renewed = changed - known - watch.haze.names
        reacher.forget(renewed)
        watch.unlinked |= renewed
    if watch.unlinked:
        watch.link(reacher, items, list(watch.unlinked))
    if watch.came_back:
        back = watch.link_closure(watch.came_back)
        last["put_off"] = sorted(back.intersection(items).union(last["put_off"]))
        watch.came_back.clear()
    # What has no fingerprint counts as changed whenever it is reached.
    doubt(watch, frame, items, {name for name in put_off if watch.prints.get(name, last) is not None})


def doubt(watch: Watch, frame: Frame, items: Items, put_off: Set[str]) -> None:
    """Nobody knows whether this execution has changed what these names stand for, and with it what is linked to it."""
    last = frame.statements[-1]
    while put_off:
        members = {member for member in watch.link_closure([min(put_off)]) if member in items}
        because = put_off & members
        put_off = put_off - members
        if not because:
            continue
        explain(frame, members)
        last["doubts"].append((because, members))
        for name in because:
            watch.put_off.setdefault(name, []).append(last)


def look_at(
    watch: Watch,
    reacher: Reacher,
    frame: Frame,
    items: Items,
    pending: Collection[str],
    fresh: Collection[str],
    changed: Set[str],
    looked: Set[str],
    put_off: Set[str],
) -> None:
    """Fingerprint these names, as far as there is time. One without an earlier look counts as changed if a statement
    reached it meanwhile."""
    same: List[str] = []
    for name in sorted({*pending, *fresh}, key=lambda name: (watch.price(name), name)):
        if name not in items or not can_change(items[name]):
            continue
        known = name in watch.prints
        before = watch.prints.get(name)
        differs = look_patiently(watch, name, items[name]) if watch.affords(name) else None
        if differs is None:
            if name in pending:
                put_off.add(name)
            continue
        looked.add(name)
        reacher.taint.pop(name, None)
        if differs and (name in pending or (known and before is not None)):
            changed.add(name)
        if differs or name not in reacher.reaches:
            reacher.forget([name])
            watch.unlinked.add(name)
        elif name in pending and reacher.reaches[name]:
            same.append(name)
        watch.haze.lift(name)
    changed |= relinked(watch, reacher, items, same)


def look_at_last(
    watch: Watch, reacher: Reacher, name: str, value: Any, seconds: Optional[float] = None, stop: Optional[Stop] = None
) -> None:
    """Look at a value whose look was put off, and follow its links. Raises TookTooLong as :meth:`Watch.look` does."""
    known = watch.prints.get(name)
    if known is not None or name not in watch.prints:
        watch.look(name, value, seconds, stop)
    if can_change(value):
        patience = None if seconds is None else Patience(seconds, stop)
        reacher.renew(name, value, None if patience is None else lambda count: patience.check(800 * count))
    else:
        reacher.forget([name])
    watch.came_back.discard(name)  # no statement has looked
    watch.haze.lift(name)
    watch.unlinked.add(name)


def look_patiently(watch: Watch, name: str, value: Any) -> Optional[bool]:
    """Whether the value differs from the last look; None when that took more time than there is."""
    try:
        if watch.budget.unlimited or watch.is_small(name):
            return watch.look_small(name, value)
        return watch.look(name, value, max(watch.budget.left, 0.0))
    except TookTooLong:
        return None


def spread_links(watch: Watch, frame: Frame, items: Items) -> None:
    """A statement that reached a name reached what is linked to it, if that was there already.

    ys = xs            # linked now
    xs.append(1)       # mentions xs, reaches ys
    """
    if not watch.grouping.linked and not watch.haze.clouds:
        return
    for index, record in enumerate(frame.statements):
        reached = set(record["reached"])
        extra = {
            name
            for name in watch.link_closure(reached, frame.ways_in[index]) - reached
            if name in items and frame.existed(name, index) and name not in record["bound"]
        }
        if extra:
            record["reached"] = sorted(reached | extra)
            record["unseen"] = sorted(extra.union(record["unseen"]))
