"""Functions and classes of the session in terms that mean the same in every process; see ``canonical.py``."""

from __future__ import annotations

import collections
import enum
import gc
import inspect
import linecache
import sys
import textwrap
import types
from typing import Any, Callable, List, Tuple

from nbdag.portable.objects import (
    base_labels,
    class_namespace,
    class_qualname,
    is_local_name,
    is_session_class,
    is_session_function,
    mro_of,
    registered_with,
)
from nbdag.portable.sources import Sources

Encoded = Tuple[Tuple[Any, ...], List[Any]]  # head, children
EncoderOf = Callable[[Any], Encoded]


_RENAMED = {"enum.EnumType": "enum.EnumMeta"}  # Python 3.11


def canonical_label(cls: type) -> str:
    """``package.Class``: pandas, pathlib and numpy move their classes between modules from release to release."""
    if is_session_class(cls):
        return "__main__." + class_qualname(cls)
    label = base_labels(cls)[0]
    return _RENAMED.get(label, label)


def sorted_attributes(attributes: Any) -> Tuple[Tuple[str, ...], List[Any]]:
    names = sorted(attributes, key=str)
    return tuple(map(str, names)), [attributes[name] for name in names]


def function_text(function: types.FunctionType) -> Tuple[Any, ...]:
    """The code of a session function: its source text, else what the compiled code shows (same Python only)."""
    code = function.__code__
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if code.co_filename == "<string>":
        return ("generated", *arguments)  # by dataclass or namedtuple, differently in each Python
    block = _block(linecache.getlines(code.co_filename, function.__globals__), code.co_firstlineno)
    if not block:
        place = Sources().place_of(code)  # %%time and its like compile under a name without text
        block = _block(place.text.splitlines(True), place.line) if place is not None else ""
    if not block:
        return ("code", *sys.version_info[:2], *_code_shape(code))
    text = textwrap.dedent(block).rstrip()
    if code.co_name != "<lambda>":
        return ("source", text)
    # Several lambdas may stand on one line: what they mention tells them apart.
    constants = tuple(repr(value) for value in code.co_consts if isinstance(value, (str, float, bytes, int)))
    return ("lambda", text, arguments, code.co_names, constants)


def _block(lines: List[str], first: int) -> str:
    if not 0 < first <= len(lines):
        return ""
    try:
        return "".join(inspect.getblock(lines[first - 1 :]))
    except Exception:  # text that the tokenizer refuses
        return lines[first - 1]


def _code_shape(code: types.CodeType) -> Tuple[Any, ...]:
    constants = [_code_shape(value) if isinstance(value, types.CodeType) else repr(value) for value in code.co_consts]
    return (code.co_name, code.co_code, code.co_names, code.co_varnames, code.co_freevars, *constants)


def encode_function(function: types.FunctionType) -> Encoded:
    if not is_session_function(function) and not is_local_name(function.__qualname__):
        return ("function", str(function.__module__), function.__qualname__), []
    text = function_text(function) if is_session_function(function) else ("library", function.__module__)
    cells = [value for cell in function.__closure__ or () for value in (gc.get_referents(cell) or [Ellipsis])]
    state = [function.__defaults__, function.__kwdefaults__, *cells]
    names, values = sorted_attributes(function.__dict__)
    code = function.__code__
    given = () if function.__doc__ is None or function.__doc__ in code.co_consts else (function.__doc__,)
    if function.__name__ != code.co_name:
        given = (*given, "named", function.__name__)
    if sys.version_info < (3, 14) and function.__annotations__:  # since then asking runs code
        state.append(dict(function.__annotations__))
    return ("session function", function.__qualname__, text, names, *given), state + values


# ------------------------------------------------------------------------------------------------ classes


# What Python itself, dataclasses and abc put into a class, in each version a little differently.
_CLASS_DERIVED = frozenset(
    [
        "__dict__", "__weakref__", "__module__", "__qualname__", "__firstlineno__", "__static_attributes__",
        "__annotations__", "__annotations_cache__", "__annotate_func__", "__annotate__", "__match_args__",
        "__dataclass_fields__", "__dataclass_params__", "__replace__", "__parameters__", "__orig_bases__",
        "__type_params__", "__abstractmethods__", "_abc_impl", "__slots__", "__getnewargs__", "__hash__", "__doc__",
        "__classdictcell__", "__new__", "_generate_next_value_", "__reduce_ex__", "__getstate__", "__set_name__",
        "_fields_defaults", "_field_types", "__slotnames__",
        # made by pydantic of the fields, decorators and configuration, with addresses in it
        "__pydantic_core_schema__", "__pydantic_validator__", "__pydantic_serializer__",
        "__pydantic_setattr_handlers__",
    ]
)  # fmt: skip


def encode_class_name(cls: type) -> Encoded:
    return ("class", canonical_label(cls)), []


def encode_class(cls: type) -> Encoded:
    """A session class with all its attributes; methods count by their own source."""
    names: List[str] = []
    values: List[Any] = []
    members = class_namespace(cls).get("_member_map_") if enum.Enum in mro_of(cls) else None
    if isinstance(members, dict):
        names.extend(members)
        values.extend(members.values())
    for name, value in sorted(class_namespace(cls).items()):
        if _is_own(value) if members is not None else _counts(name, value):
            names.append(name)
            values.append(value)
    annotations = class_namespace(cls).get("__annotations__")
    if type(annotations) is dict and annotations:
        names.append("__annotations__")
        values.append(annotations)
    bases = tuple(canonical_label(base) for base in type.__dict__["__bases__"].__get__(cls))
    virtual = tuple(canonical_label(kind) for kind in registered_with(cls))
    head = ("session class", canonical_label(cls), canonical_label(type(cls)), bases, tuple(names))
    return (*head, virtual) if virtual else head, values


def _counts(name: str, value: Any) -> bool:
    """Whether a class attribute is the notebook's, or state of the class; not what dataclass or namedtuple made."""
    if isinstance(value, (types.FunctionType, staticmethod, classmethod)):
        return _is_own(value)
    if type(value) in (types.MemberDescriptorType, types.GetSetDescriptorType, _TUPLE_GETTER):
        return False
    return name not in _CLASS_DERIVED


def _is_own(method: Any) -> bool:
    """Whether a method is written in the notebook."""
    function = getattr(method, "__func__", method)
    if isinstance(function, types.FunctionType):
        return is_session_function(function) and function.__code__.co_filename != "<string>"
    return isinstance(method, (staticmethod, classmethod, property))


_TUPLE_GETTER = type(collections.namedtuple("_TUPLE_GETTER", "field").__dict__["field"])
