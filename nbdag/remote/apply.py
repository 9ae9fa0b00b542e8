"""Makes the session here what it would be if the cell had run here: all of it in one step, or nothing.

Everything is decoded and compared with what the other side says it is, while the session is still untouched. Then
names are bound and deleted, definitions patched, random generators set. An array that was changed in place is filled in
place, so that whoever holds it sees the change; other changed objects are replaced together with all that they are
linked with.
"""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbdag.errors import IntegrityError
from nbdag.portable.delta import DeltaLoading, decode_states, group_with_bytes
from nbdag.portable.process_state import apply as apply_process_state
from nbdag.portable.randomness import set_states
from nbdag.portable.visit_changes import RESULT_NAME
from nbdag.portable.witness import testify
from nbdag.replay.verify import GOOD, Testimony, compare

_HISTORY = ("_", "__", "___")


class Lacking(Exception):
    """A value came back that needs a package which is not installed here: its name."""


class Unfit(Exception):
    """Values came back other than they were there: ``reasons`` by name."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name} {why}" for name, why in reasons.items()))
        self.reasons = reasons


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What came back, still outside of the session. ``doubts`` are sentences about values that came back different."""

    values: Mapping[str, Any]
    loading: DeltaLoading
    manifest: Mapping[str, Any]
    doubts: tuple[str, ...] = ()


@dataclass(slots=True)
class Applied:
    """What became of the session."""

    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def decode_result(namespace: dict[str, Any], manifest: Mapping[str, Any], store: str, lenient: bool) -> Decoded:
    """Unpickle and compare.

    Raises Unfit where a value is not what it was there, unless ``lenient``, Lacking, and IntegrityError where one
    cannot be loaded.
    """
    loading = DeltaLoading(store, namespace)
    values: dict[str, Any] = {}
    for group in manifest["groups"]:
        try:
            values.update(loading.load(group_with_bytes(group)))
        except ModuleNotFoundError as fault:
            if fault.name:
                raise Lacking(fault.name.partition(".")[0]) from None
            raise
        except Exception as fault:  # whatever a library's own restoring raises
            raise IntegrityError(
                f"what the cell made there cannot be loaded here: {type(fault).__name__}: {fault}",
                "the packages here may be others than there: %nbdag remote test NAME compares them",
            ) from None
    doubts = differences(manifest["witness"], values, namespace, {id(target) for target, _ in loading.patches})
    if doubts and not lenient:
        raise Unfit(doubts)
    return Decoded(values, loading, manifest, tuple(f"{name} {why}" for name, why in doubts.items()))


def differences(
    said: Mapping[str, Any], values: Mapping[str, Any], namespace: Mapping[str, Any], patched: Iterable[int] = ()
) -> dict[str, str]:
    """Which of ``values`` are not what the other side says of them, and how; ``patched`` ids are not compared."""
    skip = frozenset(patched)
    names = [name for name, value in values.items() if id(value) not in skip]
    ours = Testimony.parse(testify({**namespace, **values}, names))
    found = compare(Testimony.parse(said), ours, names)
    return {one.name: f"{one.result} {one.detail}".rstrip(" .") for one in found if one.result not in GOOD}


def disagreements(said: Mapping[str, Any], values: Mapping[str, Any], namespace: Mapping[str, Any]) -> list[str]:
    """The same in words."""
    return [f"{name} {why}" for name, why in differences(said, values, namespace).items()]


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """An interrupt that comes within waits for the end: KeyboardInterrupt is raised there, and nothing is half done.

    In a thread other than the main one there is nothing to do, as interrupts do not come there.
    """
    came: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if came:
        raise KeyboardInterrupt


def apply_result(shell: Any, decoded: Decoded, left_there: Mapping[str, Any] = {}) -> Applied:
    """Change the session, in one step that has nothing left to fail. ``left_there`` stand for values that stay."""
    namespace = shell.user_ns
    manifest = decoded.manifest
    values = dict(decoded.values)
    result = values.pop(RESULT_NAME, None)
    bound = set(manifest["bound"])
    before = {name: namespace[name] for name in values if name in namespace}
    in_place = fillable(before, values, bound, result)
    for name in sorted(in_place):
        fill(before[name], values[name])
        result = before[name] if result is values[name] else result
        values[name] = before[name]
    namespace.update(values)
    namespace.update(left_there)
    deleted = [name for name in manifest["deleted"] if name in namespace]
    for name in deleted:
        del namespace[name]
    decoded.loading.finish()
    moved = {
        id(before[name]): values[name] for name in before if name not in bound and before[name] is not values[name]
    }
    rename_in_history(shell, moved)
    elsewhere = held_elsewhere({name: before[name] for name in before if id(before[name]) in moved}, manifest["bound"])
    if manifest["result"]:
        remember_result(shell, result)
    applied = Applied(tuple(sorted(values)), tuple(deleted))
    failed = set_states(decode_states(manifest["random"]))
    applied.notes += [f"the random generator of {name} could not be set here" for name in failed]
    applied.notes += apply_process_state(manifest["process"], "before")
    applied.notes += apply_process_state(manifest["process"], "after")
    replaced = sorted(set(values) - set(manifest["changed"]) - in_place)
    if elsewhere:
        applied.notes.append(
            f"{', '.join(elsewhere)}: a new object took the place of the one here, and something outside of the"
            " session's variables (a library, an attribute of one) still holds the old one, as it was"
        )
    if replaced:
        applied.notes.append(f"replaced together with what they share state with: {', '.join(replaced)}")
    return applied


def held_elsewhere(old: Mapping[str, Any], bound: Iterable[str]) -> list[str]:
    """The names of those replaced objects that something holds which is not a part of one of them.

    Dictionaries that have an object under its own name are namespaces and our own surveys of them.
    """
    from nbdag.portable.links import reach

    asked = {name: value for name, value in old.items() if name not in bound and gc.is_tracked(value)}
    if not asked:
        return []
    inside = {id(one) for one in (asked, old)} | {id(part) for value in asked.values() for part in _own_dict(value)}
    for value in asked.values():
        inside.update(reach(value).ids)
    found: set[str] = set()
    for holder in gc.get_referrers(*asked.values()):
        if id(holder) in inside or isinstance(holder, types.FrameType):
            continue
        if type(holder) is dict and any(holder.get(name) is value for name, value in asked.items()):
            continue
        if type(holder) is tuple and not gc.is_tracked(holder):
            continue
        parts = {id(part) for part in gc.get_referents(holder)}
        found.update(name for name, value in asked.items() if id(value) in parts)
    return sorted(found)


def _own_dict(value: Any) -> list[Any]:
    return [vars(value)] if hasattr(value, "__dict__") else []


def fillable(before: Mapping[str, Any], after: Mapping[str, Any], bound: set[str], result: Any = None) -> set[str]:
    """Names of arrays that can be given their new content in place: nothing else that came back refers to them.

    ``result`` is what the cell displayed; it may be one of them.
    """
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        return set()
    found = set()
    for name, old in before.items():
        new = after[name]
        if type(old) is numpy.ndarray and type(new) is numpy.ndarray and name not in bound:
            alike = old.dtype == new.dtype and old.shape == new.shape and old.dtype.kind != "O" and old.flags.writeable
            if alike:
                found.add(name)
    others = [value for name, value in after.items() if name not in found]
    if all(result is not after[name] for name in found):
        others.append(result)
    if others and found:
        from nbdag.portable.links import group, reach

        reaches = {f"{number}": reach(value) for number, value in enumerate(others)}
        reaches.update({f"={name}": reach(after[name]) for name in found})
        for members in group(reaches):
            if any(not member.startswith("=") for member in members):
                found -= {member[1:] for member in members if member.startswith("=")}
    return found


def fill(old: Any, new: Any) -> None:
    """The content of one array into another of its kind."""
    import numpy

    numpy.copyto(old, new)


def rename_in_history(shell: Any, moved: Mapping[int, Any]) -> None:
    """``Out[3]`` is the object that the name stands for, after an object was replaced too."""
    outputs = shell.user_ns.get("_oh")
    if not moved or type(outputs) is not dict:
        return
    for number, value in list(outputs.items()):
        if id(value) in moved:
            outputs[number] = moved[id(value)]
            if f"_{number}" in shell.user_ns:
                shell.user_ns[f"_{number}"] = moved[id(value)]
    hook = shell.displayhook
    for name in _HISTORY:
        if id(shell.user_ns.get(name)) in moved and shell.user_ns.get(name) is getattr(hook, name, None):
            shell.user_ns[name] = moved[id(shell.user_ns[name])]
            setattr(hook, name, shell.user_ns[name])


def remember_result(shell: Any, value: Any) -> None:
    """``_`` and ``Out[n]``, as if the cell had displayed the value here."""
    hook = shell.displayhook
    hook.update_user_ns(value)
    with contextlib.suppress(AttributeError):  # outside of run_cell there is nothing to fill
        hook.fill_exec_result(value)
