"""Classes of the session that no replayed statement defines: made inside a function, or by a call."""

from __future__ import annotations

import abc
import types
from typing import Any, Dict, FrozenSet, Tuple

from nbdag.portable.encoder import GroupEncoder, Refused
from nbdag.portable.objects import is_session_class, registered_with

# What the interpreter puts into a class by itself.
CLASS_FURNITURE = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__module__",
        "__qualname__",
        "__doc__",
        "__static_attributes__",
        "__firstlineno__",
        "__abstractmethods__",
        "_abc_impl",
        "__annotate__",
        "__annotations_cache__",
        "__annotate_func__",
    ]
)
DATACLASS_PARAMETERS = ("init", "repr", "eq", "order", "unsafe_hash", "frozen")
# What @dataclass writes into a class: made by it again.
DATACLASS_METHODS = frozenset(
    [
        "__init__",
        "__repr__",
        "__eq__",
        "__lt__",
        "__le__",
        "__gt__",
        "__ge__",
        "__hash__",
        "__setattr__",
        "__delattr__",
        "__match_args__",
        "__dataclass_fields__",
        "__dataclass_params__",
        "__replace__",
    ]
)


def reduce_class_by_source(kind: Any, encoder: GroupEncoder) -> Any:
    """A named tuple from its fields, an enum from its members, any other class from its bases and attributes."""
    if issubclass(kind, tuple) and hasattr(kind, "_fields") and kind.__bases__ == (tuple,):
        defaults = tuple(getattr(kind, "_field_defaults", {}).values())
        arguments: Tuple[Any, ...] = (kind.__name__, kind._fields, defaults, kind.__module__, kind.__qualname__)
        added = {name: item for name, item in vars(kind).items() if name not in _furniture_of_namedtuple(kind)}
        if not added:
            return encoder.restorer("namedtuple"), arguments
        state: Dict[str, Any] = {"attributes": added, "dataclass": None, "fields": None}
        return encoder.restorer("namedtuple"), arguments, state, None, None, encoder.restorer("class_attributes")
    if type(kind).__name__ in ("EnumMeta", "EnumType"):
        return _reduce_enum(kind, encoder)
    if "__slots__" in vars(kind):
        slots: Tuple[str, ...] = tuple(
            (vars(kind)["__slots__"],) if isinstance(vars(kind)["__slots__"], str) else vars(kind)["__slots__"]
        )
    else:
        slots = ()
    attributes: Dict[str, Any] = {}
    dataclass = _dataclass_parameters(kind)
    for name, item in vars(kind).items():
        if name in CLASS_FURNITURE or name in slots or isinstance(item, types.GetSetDescriptorType):
            continue
        if dataclass is not None and name in DATACLASS_METHODS and not _written_by_hand(item, encoder):
            continue
        attributes[name] = item
    arguments = (
        type(kind),
        kind.__name__,
        kind.__qualname__,
        kind.__module__,
        kind.__bases__,
        slots if "__slots__" in vars(kind) else None,
        kind.__doc__,
    )
    if "__orig_bases__" in attributes:  # typing asks for them when the class is made
        arguments += ({"__orig_bases__": attributes.pop("__orig_bases__")},)
    state = {"attributes": attributes, "dataclass": dataclass, "fields": _fields_of(kind) if dataclass else None}
    if isinstance(kind, abc.ABCMeta):
        state["abstract"] = sorted(kind.__abstractmethods__)
    virtual = registered_with(kind)
    if virtual:
        state["registered"] = virtual
    return encoder.restorer("new_class"), arguments, state, None, None, encoder.restorer("class_attributes")


def _reduce_enum(kind: Any, encoder: GroupEncoder) -> Any:
    """From its members; methods are in its body from the start, as a member may be made by one."""
    body = {name: item for name, item in vars(kind).items() if isinstance(item, ENUM_PARTS) and not _of_enum(item)}
    body.pop("__new__", None)  # always Enum's own: that of the class statement has another name
    if any("__new_member__" in vars(base) for base in kind.__mro__ if is_session_class(base)):
        raise Refused(kind, "an enum whose __new__ makes its members, and that no top-level statement defines")
    members = [(name, member.value) for name, member in kind.__members__.items()]
    names = (kind.__module__, kind.__qualname__)
    if not body and len(kind.__bases__) == 1:
        return encoder.restorer("enum"), (kind.__bases__[0], kind.__name__, members, *names)
    return encoder.restorer("enum_class"), (kind.__bases__, kind.__name__, members, body, *names)


def _furniture_of_namedtuple(kind: Any) -> FrozenSet[str]:
    """What ``collections.namedtuple`` puts into such a class by itself."""
    import collections

    plain = vars(collections.namedtuple("plain", ()))
    return CLASS_FURNITURE.union(plain, kind._fields, ("__orig_bases__", "_field_types"))


ENUM_PARTS = (types.FunctionType, property, staticmethod, classmethod)


def _of_enum(item: Any) -> bool:
    """Whether the enum module put it there."""
    function = getattr(item, "fget", None) or getattr(item, "__func__", item)
    code = getattr(function, "__code__", None)
    return code is None or function.__module__ == "enum" or code.co_filename.endswith("enum.py")


def _dataclass_parameters(kind: type) -> Any:
    parameters = vars(kind).get("__dataclass_params__")
    if parameters is None:
        return None
    return {name: getattr(parameters, name) for name in DATACLASS_PARAMETERS}


def _fields_of(kind: Any) -> Any:
    """The fields that ``kind`` itself declares, as (name, type, how it is made)."""
    import dataclasses

    own = []
    annotations = vars(kind).get("__annotations__", None)
    if annotations is None:
        annotations = getattr(kind, "__annotations__", {})
    for field in kind.__dataclass_fields__.values():
        if field.name not in annotations:
            continue
        options: Dict[str, Any] = {
            name: getattr(field, name)
            for name in ("init", "repr", "hash", "compare")
            if getattr(field, name) is not None
        }
        if getattr(field, "kw_only", False) is True:
            options["kw_only"] = True
        if field.metadata:
            options["metadata"] = dict(field.metadata)
        if field.default is not dataclasses.MISSING:
            options["default"] = field.default
        if field.default_factory is not dataclasses.MISSING:
            options["default_factory"] = field.default_factory
        own.append((field.name, field.type, options))
    return own


def _written_by_hand(item: Any, encoder: GroupEncoder) -> bool:
    if not isinstance(item, types.FunctionType) or item.__globals__ is not encoder.namespace:
        return False
    return encoder.sources.place_of(item.__code__) is not None
