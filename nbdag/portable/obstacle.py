"""The way from a variable to the object that cannot be stored, spelled as Python: ``model["steps"][3].fh``."""

from __future__ import annotations

import gc
import types
from collections import deque
from typing import Any, Deque, Dict, Iterator, List, Mapping, Optional, Tuple

OBSTACLE_LIMIT = 500_000  # objects looked at; beyond it the variable's name has to do


def path_to(target: Any, values: Mapping[str, Any]) -> Optional[str]:
    """The shortest such way from one of ``values`` to ``target`` (or to the first instance of it, for a class)."""
    came_from: Dict[int, Tuple[int, str]] = {}
    pending: Deque[Any] = deque()
    for name, value in values.items():
        if id(value) not in came_from:
            came_from[id(value)] = (0, name)
            pending.append(value)
    kept: List[Any] = []  # ids must stay taken while they are keys
    while pending and len(kept) < OBSTACLE_LIMIT:
        value = pending.popleft()
        kept.append(value)
        if value is target or type(value) is target:
            return _spelled(id(value), came_from)
        for label, part in held_parts(value):
            if id(part) not in came_from:
                came_from[id(part)] = (id(value), label)
                pending.append(part)
    return None


def _spelled(identity: int, came_from: Dict[int, Tuple[int, str]]) -> str:
    labels: List[str] = []
    while identity:
        identity, label = came_from[identity]
        labels.append(label)
    return "".join(reversed(labels))


def held_parts(value: Any) -> Iterator[Tuple[str, Any]]:
    """What a value directly holds, with how one gets there from it."""
    if isinstance(value, (str, bytes, int, float, types.ModuleType)):
        return
    if isinstance(value, dict):
        for key, item in list(value.items()):
            yield "[%s]" % _short(key), item
        for key in list(value):
            yield ".key(%s)" % _short(key), key
    elif isinstance(value, (list, tuple, deque)):
        for number, item in enumerate(list(value)):
            yield "[%d]" % number, item
    elif isinstance(value, (set, frozenset)):
        for item in list(value):
            yield ".item(%s)" % _short(item), item
    elif isinstance(value, types.FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or ()):  # noqa: B905
            yield ".<%s>" % name, cell
            try:
                yield ".<%s>" % name, cell.cell_contents
            except ValueError:
                pass
        for number, item in enumerate(value.__defaults__ or ()):
            yield ".__defaults__[%d]" % number, item
        for name, item in (value.__kwdefaults__ or {}).items():
            yield ".__kwdefaults__[%r]" % name, item
    elif isinstance(value, types.MethodType):
        yield ".__self__", value.__self__
        yield ".__func__", value.__func__
    elif isinstance(value, type):
        for name, item in list(vars(value).items()):
            if not (name.startswith("__") and name.endswith("__")):
                yield ".%s" % name, item
        return
    else:
        yield from _hidden_held_parts(value)
    state = getattr(value, "__dict__", None)
    if type(state) is dict:
        for name, item in list(state.items()):
            yield ".%s" % name, item
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            descriptor = vars(kind).get(name)
            if isinstance(descriptor, types.MemberDescriptorType):
                try:
                    yield ".%s" % name, descriptor.__get__(value, kind)
                except AttributeError:
                    pass


def _hidden_held_parts(value: Any) -> Iterator[Tuple[str, Any]]:
    """What objects of C hold: object arrays their elements, partial and iterators what the collector sees."""
    if type(value).__module__ == "numpy" and hasattr(value, "dtype") and getattr(value.dtype, "hasobject", False):
        for number, item in enumerate(value.ravel().tolist()):
            yield ".flat[%d]" % number, item
    elif type(value).__module__ in ("functools", "itertools", "builtins", "_asyncio"):
        for item in gc.get_referents(value):
            if not isinstance(item, type):
                yield ".<part>", item


def _short(key: Any) -> str:
    """A key as Python, if it is short."""
    if isinstance(key, (str, bytes, int, float, bool, type(None))):
        text = repr(key).replace("'", '"') if isinstance(key, str) and '"' not in key else repr(key)
        return text if len(text) <= 60 else text[:57] + "..."
    return "<%s>" % type(key).__name__
