"""Attributes that somebody hung on an object whose own pickle does not know them.

    df.note = 5                       pandas pickles its blocks and what a class names in _metadata, nothing else
    class Day(datetime.date): ...     Day(2024, 5, 1).holiday = True: date's own __reduce__ knows year, month and day

A class pickled by ``object.__reduce_ex__`` keeps its ``__dict__``; the others may not, and nobody is told. Which
entries of the dict are additions, and not a library's own caches, is told without a list of libraries: a name that no
function of the library's classes mentions was not put there by them. Of pandas and NumPy, whose methods mention
thousands of names, every public one counts that the class does not have as an attribute: ``df.name = "sales"``.

What a library hangs on another library's object is that library's affair. So an addition is a value of Python's own
types, of an array or a table, of a class of the session, or patsy's ``design_info`` on a frame, which holds the
variables that a formula names.
"""

from __future__ import annotations

import enum
import sys
import types
from typing import Any, Dict, FrozenSet, Iterator, Set

from nbdag.portable.objects import (
    base_labels,
    class_module,
    class_namespace,
    has_instance_dict,
    instance_dict,
    is_heap_type,
    is_session_class,
    mro_of,
)

# Their pickles keep the dict; modules, members of enums and loggers go by name.
_KEEPS_ITS_DICT = frozenset(
    ["builtins.BaseException", "builtins.type", "builtins.module", "enum.Enum", "logging.Logger", "io.IOBase",
     "_io._IOBase", "functools.partial", "functools._lru_cache_wrapper"]
)  # fmt: skip
_PUBLIC_COUNTS = frozenset(["pandas.NDFrame", "pandas.Index", "pandas.ExtensionArray", "numpy.MaskedArray"])
# Their methods are compiled, so that nobody sees which names they mention: Timedelta keeps its seconds once asked.
_KEPT_BY_C = frozenset(["pandas._Timedelta", "pandas._Timestamp"])

_OF_USERS = frozenset(
    ["builtins", "collections", "datetime", "decimal", "enum", "fractions", "functools", "pathlib", "re", "types",
     "uuid", "zoneinfo", "numpy", "pandas", "patsy"]
)  # fmt: skip

_MENTIONED: Dict[type, FrozenSet[str]] = {}  # of library classes only: these live as long as the process


def may_have_additions(cls: type) -> bool:
    """Whether instances have a dict, and another way of being pickled than the one that keeps it.

    A class of the session that says itself how it is pickled has the last word: what it drops is meant to go.
    """
    if not has_instance_dict(cls) or type in mro_of(cls) or enum.Enum in mro_of(cls):
        return False
    labels = base_labels(cls)
    if not _KEEPS_ITS_DICT.isdisjoint(labels):
        return False
    if not is_session_class(cls) and not is_heap_type(cls):
        return False  # a type written in C fills its dict by itself
    for base, label in zip(mro_of(cls), labels):  # noqa: B905
        if base is object:
            return False
        if label.startswith("pandas."):
            return True  # taken apart by its parts
        own = class_namespace(base)
        if "__reduce__" in own or "__reduce_ex__" in own or base in sys.modules["copyreg"].dispatch_table:
            return not is_session_class(base)
        if "__getstate__" in own:
            return False  # libraries that write this leave things out of a copy of the dict on purpose
    return False


def added_attributes(obj: object) -> Dict[str, Any]:
    """The additions to ``obj``, by name in the order of the names; {} for nearly every object."""
    attributes = instance_dict(obj)
    if not attributes:
        return {}
    cls = type(obj)
    public = not _PUBLIC_COUNTS.isdisjoint(base_labels(cls))
    taken: Set[str] = set()
    for base in mro_of(cls):
        taken.update(class_namespace(base))
        metadata = class_namespace(base).get("_metadata")
        if isinstance(metadata, (list, tuple)):  # what pandas carries along for its subclasses
            taken.update(name for name in metadata if type(name) is str)
    names = [name for name in attributes if type(name) is str and name not in taken and not _is_dunder(name)]
    if not is_session_class(cls) and any(label in _KEPT_BY_C for label in base_labels(cls)):
        names = [name for name in names if not name.startswith("_")]
    if not names:
        return {}
    mentioned = frozenset().union(*(_mentioned_by(base) for base in mro_of(cls) if not is_session_class(base)))
    return {
        name: attributes[name]
        for name in sorted(names)
        if (name not in mentioned or (public and not name.startswith("_") and attributes[name] is not None))
        and _is_of_users(type(attributes[name]))
    }


def _is_of_users(cls: type) -> bool:
    return is_session_class(cls) or class_module(cls).split(".")[0] in _OF_USERS


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _mentioned_by(cls: type) -> FrozenSet[str]:
    """Every name and every word of text in the functions of a library's class."""
    known = _MENTIONED.get(cls)
    if known is None:
        found: Set[str] = set()
        for code in _codes_of(cls):
            found.update(code.co_names)
            found.update(item for item in code.co_consts if type(item) is str)
        known = _MENTIONED[cls] = frozenset(found)
    return known


def _codes_of(cls: type) -> Iterator[types.CodeType]:
    pending = []
    for item in list(class_namespace(cls).values()):
        for part in (item, *(getattr(item, "__dict__", None) or {}).values()) if callable(item) else (item,):
            if type(part) in (staticmethod, classmethod):
                part = part.__func__
            for function in (part.fget, part.fset) if type(part) is property else (part,):
                code = getattr(function, "__code__", None) if type(function) is types.FunctionType else None
                if code is not None:
                    pending.append(code)
    while pending:
        code = pending.pop()
        yield code
        pending.extend(item for item in code.co_consts if type(item) is types.CodeType)
