"""What two linked variables share, in words: ``x["y"] and y are one list``."""

from __future__ import annotations

import sys
import types
from collections import deque
from typing import Any, Deque, Iterator, List, Mapping, Sequence

from nbdag.portable.obstacle import held_parts, path_to

SHARING_LIMIT = 50_000  # objects looked at per variable; beyond it nothing is said

# What many values hold without being linked by it, and what cannot change.
NOT_SHARED = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, types.CodeType, tuple, frozenset)
NOT_SHARED_ATOMS = (str, bytes, int, float, complex, type(None), type(Ellipsis), range, slice)


def sharing_in_words(name: str, others: Sequence[str], items: Mapping[str, Any]) -> str:
    """What ``name`` and the first of ``others`` that holds a part of it share; "" where that is not seen."""
    if name not in items:
        return ""
    mine = {id(part) for part in _mutable_parts(items[name])}
    for other in others:
        for part in _mutable_parts(items[other]) if other in items else ():
            if id(part) in mine:
                ways = [path_to(part, {one: items[one]}) or one for one in (name, other)]
                return "%s and %s are one %s" % (ways[0], ways[1], type(part).__name__)
    for other in others:
        if other in items and _overlap(items[name], items[other]):
            return "%s and %s share memory" % (name, other)
    return ""


def _mutable_parts(value: Any) -> Iterator[Any]:
    """The value and what it holds, breadth first, as far as it can change."""
    seen = {id(value)}
    pending: Deque[Any] = deque([value])
    kept: List[Any] = []  # ids must stay taken while they are looked up
    while pending and len(kept) < SHARING_LIMIT:
        part = pending.popleft()
        kept.append(part)
        if not issubclass(type(part), NOT_SHARED + NOT_SHARED_ATOMS):
            yield part
        if issubclass(type(part), (types.ModuleType, type)):
            continue
        for _, held in held_parts(part):
            if id(held) not in seen:
                seen.add(id(held))
                pending.append(held)


def _overlap(one: Any, other: Any) -> bool:
    numpy = sys.modules.get("numpy")
    if numpy is None or not (type(one) is type(other) is getattr(numpy, "ndarray", None)):
        return False
    return bool(numpy.may_share_memory(one, other))
