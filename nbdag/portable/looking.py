"""What a statement and an execution did to the session's values: the rules that turn looks into evidence.

    value                         after each statement that reached it      at the end of the execution
    plain (number, text ...)      identity only                             -
    small                         fingerprint                               again if it was bound here or links changed
    large, or new and unknown     "unseen"                                  fingerprint
    without a fingerprint         changed                                   -

A change found at the end is reported by the last statement; every statement that had the name ``unseen`` may have
made it.
"""

from __future__ import annotations

from typing import Any, Dict, Set

from nbdag.portable.frames import Frame, OpenStatement, Record
from nbdag.portable.reach import Reacher, can_change
from nbdag.portable.watch import WORKING_LIMIT, Identity, Watch, is_cheap


def statement_look(
    watch: Watch,
    reacher: Reacher,
    frame: Frame,
    statement: OpenStatement,
    items: Dict[str, Any],
    after: Dict[str, Identity],
    completed: bool,
    record: Record,
) -> None:
    """Fill ``bound``, ``deleted``, ``reached``, ``changed`` and ``unseen`` of one statement's record."""
    before = statement.before
    index = len(frame.statements)
    moved = set() if before is after else {name for name, identity in after.items() if before.get(name) != identity}
    bound = set(moved)
    if completed:
        bound |= {name for name in statement.stores if name in after}
    deleted = [] if not moved and len(before) == len(after) else [name for name in before if name not in after]
    reached = statement.reached
    changed: Set[str] = set()
    unseen: Set[str] = set()

    watch.forget(moved)
    watch.forget(deleted)
    watch.unlink(moved)
    watch.unlink(deleted)
    for name in moved:
        if can_change(items[name]) and is_cheap(items[name]):
            watch.look(name, items[name])
        if name not in before:
            frame.first_bound.setdefault(name, index)
    for name in (reached | bound) - moved:
        if name not in items or not can_change(items[name]):
            continue
        if name not in watch.prints or (watch.prints[name] is not None and not watch.is_small(name)):
            unseen.add(name)
        elif watch.look(name, items[name]):
            changed.add(name)
    # A function that may rebind a global was reachable: the same address can hold a new value, seen by its content.
    changed |= {name for name in statement.changed_inside if name in items and name not in moved}
    changed = {name for name in watch.link_closure(changed) if name in items}

    reacher.forget(moved)
    reacher.forget(deleted)
    reacher.forget(changed)
    reacher.taint_with(unseen, statement.code, reached)
    frame.bound = (frame.bound | bound) - set(deleted)
    frame.touched |= reached | bound
    frame.pending = (frame.pending | unseen) - moved - set(deleted)
    if changed or deleted or unseen or any(can_change(items[name]) or name in watch.grouped for name in bound):
        frame.relink = True
        working = [name for name in frame.touched if name in items and watch.can_follow(name)]
        if 2 <= len(working) <= WORKING_LIMIT and (changed or moved):
            watch.link_some(reacher, items, working)
    watch.known = after
    record["bound"] = sorted(bound)
    record["deleted"] = deleted
    record["reached"] = sorted(reached)
    record["changed"] = sorted(changed)
    record["unseen"] = sorted(unseen)


def close_look(watch: Watch, reacher: Reacher, frame: Frame, items: Dict[str, Any]) -> None:
    """Look at what the statements left, find the links anew, and spread both over the execution's statements."""
    if not frame.statements:
        return
    pending = {name for name in frame.pending if name in items}
    fresh = {name for name in frame.bound if name in items}
    changed: Set[str] = set()
    looked: Set[str] = set()
    look_at(watch, items, pending, fresh, changed, looked)
    reacher.forget(changed)
    for name in looked:
        reacher.taint.pop(name, None)
    if frame.relink or changed:
        watch.link_all(reacher, items)
    spread_links(watch, frame, items)
    known = set(changed)
    also = {name for record in frame.statements for name in record["unseen"] if name in items} - looked
    look_at(watch, items, also, set(), changed, looked)
    changed = {name for name in watch.link_closure(changed) if name in items}
    if changed and not (changed <= looked):
        for name in changed - looked:
            watch.look(name, items[name])
    explain(frame, changed)
    last = frame.statements[-1]
    last["changed"] = sorted(changed.union(last["changed"]))
    reacher.forget(changed - known)


def look_at(
    watch: Watch, items: Dict[str, Any], pending: Set[str], fresh: Set[str], changed: Set[str], looked: Set[str]
) -> None:
    """Fingerprint these names. One without an earlier look counts as changed if a statement reached it meanwhile."""
    for name in sorted(pending | fresh):
        value = items[name]
        if not can_change(value):
            continue
        known = name in watch.prints
        looked.add(name)
        if watch.look(name, value) and (name in pending or (known and watch.prints[name] is not None)):
            changed.add(name)


def spread_links(watch: Watch, frame: Frame, items: Dict[str, Any]) -> None:
    """A statement that reached a name reached what is linked to it, if that was there already.

    ys = xs            # linked now
    xs.append(1)       # mentions xs, reaches ys
    """
    if not watch.linked:
        return
    for index, record in enumerate(frame.statements):
        reached = set(record["reached"])
        extra = {
            name
            for name in watch.link_closure(reached) - reached
            if name in items and frame.existed(name, index) and name not in record["bound"]
        }
        if extra:
            record["reached"] = sorted(reached | extra)
            record["unseen"] = sorted(extra.union(record["unseen"]))


def explain(frame: Frame, changed: Set[str]) -> None:
    """A change that no statement's reach explains may have happened in any statement since the name was bound."""
    for name in changed:
        if any(name in record["unseen"] or name in record["changed"] for record in frame.statements):
            continue
        for index, record in enumerate(frame.statements):
            if frame.existed(name, index):
                record["reached"] = sorted({name, *record["reached"]})
                record["unseen"] = sorted({name, *record["unseen"]})
