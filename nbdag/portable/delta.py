"""Some variables of a session as one pickle for the other side, which holds others of them already, and back.

What the other side holds is referred to by name, so that ``pair = (a, b)`` is there made of its own ``a`` and ``b``.
Definitions go by source, or by name and as a patch of what the other side has under it.
"""

from __future__ import annotations

import base64
import types
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Set, Tuple

from nbdag.portable.decode import Loading
from nbdag.portable.encode import Unstorable, measure_group, write_group
from nbdag.portable.encoder import GroupEncoder
from nbdag.portable.links import reach
from nbdag.portable.objects import is_session_class
from nbdag.portable.restorers.registry import RESTORERS

LONG_TEXT = 10_000  # characters from which on a text that the other side has is referred to


class Detached(Exception):
    """A value shares a part with one that the other side holds: sent alone, it would have a copy of that part."""


def is_session_definition(value: Any) -> bool:
    """Whether a value is a function or a class that the session made."""
    if type(value) is types.FunctionType:
        return value.__module__ == "__main__"
    return issubclass(type(value), type) and is_session_class(value)


def is_told_apart(value: Any) -> bool:
    """Whether it counts which object an immutable value is: a NaN, and what is not worth a copy."""
    return (type(value) is float and value != value) or (type(value) in (str, bytes) and len(value) >= LONG_TEXT)


def write_delta(
    values: Mapping[str, Any],
    held: Mapping[str, Any],
    linked: Iterable[str],
    namespace: Dict[str, Any],
    directory: str,
) -> Dict[str, Any]:
    """The index of ``values``, whose blobs are in ``directory`` afterwards.

    ``held`` are variables of this session that the other side has, unchanged; ``linked`` are those of them that share
    state with one of ``values``. A function or class in both is sent as a patch of what is there. Raises
    :class:`Detached`, :class:`Unstorable`, OSError.
    """
    by_name = {id(value): name for name, value in held.items() if is_session_definition(value)}
    near = {name: held[name] for name in linked if name in held and id(held[name]) not in by_name}
    whole = {id(value): name for name, value in near.items()}
    whole.update({id(value): name for name, value in held.items() if is_told_apart(value)})

    def check(encoder: GroupEncoder) -> None:
        for name, value in near.items():
            found = reach(value)
            if not encoder.pickled.isdisjoint(found.ids):
                raise Detached(name)
            for extent in encoder.extents:
                for low, high, _ in found.extents:
                    if extent.length and extent.address < high and low < extent.address + extent.length:
                        raise Detached(name)

    return write_group(values, by_name, namespace, directory, whole, check)


def refused_names(
    groups: Iterable[List[str]], items: Mapping[str, Any], namespace: Dict[str, Any], apart: FrozenSet[str]
) -> Dict[str, str]:
    """Those of these co-variables that cannot be pickled, each name with its reason; ``apart`` are not on the other
    side, and so cannot be referred to.
    """
    found: Dict[str, str] = {}
    for group in groups:
        values = {name: items[name] for name in group}
        try:
            measure_group(
                values,
                {
                    id(value): name
                    for name, value in items.items()
                    if name not in values and name not in apart and is_session_definition(value)
                },
                namespace,
            )
        except Unstorable as refusal:
            found.update(dict.fromkeys(group, "%s: %s" % (refusal.path, refusal.reason)))
    return found


class DeltaLoading(Loading):
    """Loads a delta. Patches of definitions wait in ``patches`` for :meth:`finish`: until then nothing has changed."""

    def __init__(self, directory: str, namespace: Dict[str, Any]) -> None:
        super().__init__(directory, namespace, eager=True)
        self.patches: List[Tuple[Any, Any]] = []

    def nan(self, name: str) -> Any:
        """What the other side calls ``name``: a NaN, or a variable that this side holds."""
        if name[:1] == "=":
            return self.namespace[name[1:]]
        return super().nan(name)

    def patch(self, target: Any, patch: Any) -> None:
        """Remember the state of a definition."""
        self.patches.append((target, patch))

    def finish(self) -> None:
        """Give the definitions their states."""
        for target, patch in self.patches:
            RESTORERS["patch"](target, patch)
        self.patches = []


def group_with_bytes(index: Mapping[str, Any]) -> Dict[str, Any]:
    """An index of ``write_group`` as ``Loading`` takes it: with bytes instead of base64."""
    return dict(
        index, head=part_with_bytes(index["head"]), regions=[part_with_bytes(part) for part in index["regions"]]
    )


def part_with_bytes(part: Dict[str, Any]) -> Any:
    """One part of it."""
    return base64.b64decode(part["inline"]) if "inline" in part else part


def encode_states(states: Mapping[str, bytes]) -> Dict[str, str]:
    """Random states as JSON."""
    return {name: base64.b64encode(state).decode("ascii") for name, state in states.items()}


def decode_states(states: Optional[Mapping[str, str]]) -> Dict[str, bytes]:
    """And back."""
    return {name: base64.b64decode(state) for name, state in (states or {}).items()}


def names_of_groups(groups: Iterable[Iterable[str]], names: Set[str]) -> Set[str]:
    """``names`` and whatever is in a group with one of them."""
    found = set(names)
    for group in groups:
        members = set(group)
        if not members.isdisjoint(names):
            found |= members
    return found
