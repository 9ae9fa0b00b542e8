"""What an instance of a subclass of a built-in type holds in the built-in part, read past the subclass's methods."""

from __future__ import annotations

import array
import collections
from typing import Any, Callable, Dict


def _ordered_content(obj: Any) -> Any:
    return [(key, dict.__getitem__(obj, key)) for key in collections.OrderedDict.__iter__(obj)]


def _raw(cls: Any, name: str) -> Callable[[Any], Any]:
    """The getter of a built-in type's attribute: a subclass's property of that name is not asked."""
    getter: Callable[[Any], Any] = cls.__dict__[name].__get__
    return getter


def _deque_content(obj: Any) -> Any:
    return (_raw(collections.deque, "maxlen")(obj), list(collections.deque.__iter__(obj)))


def _default_content(obj: Any) -> Any:
    return (_raw(collections.defaultdict, "default_factory")(obj), list(dict.items(obj)))


def _exception_content(obj: Any) -> Any:
    return (_raw(BaseException, "args")(obj), _raw(BaseException, "__cause__")(obj))


CONTENTS: Dict[type, Callable[[Any], Any]] = {
    collections.OrderedDict: _ordered_content,
    collections.defaultdict: _default_content,
    collections.deque: _deque_content,
    list: lambda obj: list(list.__iter__(obj)),
    dict: lambda obj: list(dict.items(obj)),
    set: lambda obj: list(set.__iter__(obj)),
    frozenset: lambda obj: list(frozenset.__iter__(obj)),
    tuple: lambda obj: list(tuple.__iter__(obj)),
    int: lambda obj: int.__repr__(obj),
    float: lambda obj: float.hex(obj),
    complex: lambda obj: complex.__repr__(obj),
    str: lambda obj: str.__str__(obj),
    bytes: lambda obj: bytes.__add__(obj, b""),
    bytearray: lambda obj: bytes(memoryview(obj)),
    array.array: lambda obj: (_raw(array.array, "typecode")(obj), memoryview(obj).tobytes()),
    BaseException: _exception_content,
}
