"""Functions, classes and modules: by name where replay or an import gives them, by source where nothing does.

    cell 1   def area(r): return PI * r ** 2         by name: the plan runs cell 1 again
    cell 2   def power(n): return lambda v: v ** n
             cube = power(3)                         by source: text of cell 2, "<lambda>", line 1, and n = 3

The contents of closure cells are filled in last of all, so that functions which share a cell share it again, and
functions that refer to themselves through one are no problem.
"""

from __future__ import annotations

import hashlib
import sys
import types
from typing import Any, Dict, List, Mapping, Optional, Tuple

from nbdag.portable.codecs.classes import reduce_class_by_source
from nbdag.portable.codecs.imported import found_in, is_importable, is_made_in_session
from nbdag.portable.codecs.written import annotations_since, attributes_gone, is_plain_annotation
from nbdag.portable.encoder import RESTORERS_MODULE, GroupEncoder, Refused, belongs_to_nbdag
from nbdag.portable.objects import is_handmade_module, is_in_body_of, registered_with, stream_behind

CellType = type((lambda cell: lambda: cell)(0).__closure__[0])  # type: ignore[index]
MAIN = "__main__"


def choose_definition_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Functions, closure cells, modules, and classes of every metaclass."""
    if kind is types.FunctionType:
        return reduce_function
    if kind is CellType:
        return _reduce_cell
    if kind is types.ModuleType:
        return _reduce_module
    if issubclass(kind, type):
        return reduce_class
    return None


def reduce_function(function: Any, encoder: GroupEncoder) -> Any:
    """A Python function."""
    if function.__module__ == RESTORERS_MODULE:
        return NotImplemented
    name = encoder.by_name.get(id(function))
    if name is not None and not is_importable(function, encoder):
        return encoder.named(name)
    home = function.__globals__
    if belongs_to_nbdag(home.get("__name__")):
        raise Refused(function, "it belongs to nbdag itself")
    if home is not encoder.namespace:
        return _reduce_library_function(function, encoder)
    within = _name_within(function, encoder)
    if within is not None:
        return encoder.named(within)
    place = encoder.sources.place_of(function.__code__)
    if place is None:
        raise Refused(function, "its source text is not known, so that no other Python could run it")
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))  # noqa: B905
    arguments = (place.text, place.name, place.line, place.ordinal, place.features, cells)
    state = function_state(function)
    return encoder.restorer("function"), arguments, state, None, None, encoder.restorer("function_state")


def function_state(function: Any) -> Dict[str, Any]:
    """What a function is beside its code. Unset parts are left out."""
    state: Dict[str, Any] = {
        "__name__": function.__name__,
        "__qualname__": function.__qualname__,
        "__module__": function.__module__,
        "__doc__": function.__doc__,
        "__defaults__": function.__defaults__,
        "__kwdefaults__": function.__kwdefaults__,
        "__dict__": dict(function.__dict__),
    }
    try:
        state["__annotations__"] = dict(function.__annotations__)
    except Exception:  # evaluated late since Python 3.14: may name what does not exist
        pass
    if getattr(function, "__type_params__", ()):
        state["__type_params__"] = function.__type_params__
    return {name: value for name, value in state.items() if value not in (None, {}) or name == "__doc__"}


def _reduce_library_function(function: Any, encoder: GroupEncoder) -> Any:
    """A function of an imported module: by name, if it can be found there."""
    stream = stream_behind(function)
    if stream is not None:
        return getattr, (stream, "write")
    if is_made_in_session(sys.modules.get(function.__globals__.get("__name__", "")), encoder):
        raise Refused(function, "a function of a module that no import gives")
    module = function.__globals__.get("__name__")
    for owner in (function.__module__, module):
        if isinstance(owner, str) and owner != MAIN and found_in(owner, function.__qualname__) is function:
            encoder.modules.add(owner)
            if owner == function.__module__:
                return NotImplemented
            return encoder.restorer("attribute"), (owner, function.__qualname__)
    decorator = _decorator_of(function)
    if decorator is not None:
        return _reduce_decorated(function, *decorator, encoder)
    # def f(): ... made inside a library: the library's own text on the target makes it again.
    if isinstance(module, str) and module != MAIN and sys.modules.get(module) is not None:
        place = encoder.sources.place_of(function.__code__)
        if place is not None:
            encoder.modules.add(module)
            cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))  # noqa: B905
            digest = hashlib.sha256(place.text.encode("utf-8", "surrogatepass")).hexdigest()  # 190 kB of text
            arguments = (module, place.name, function.__code__.co_firstlineno, place.ordinal, digest, cells)
            return (
                encoder.restorer("library_function"),
                arguments,
                function_state(function),
                None,
                None,
                encoder.restorer("function_state"),
            )
    raise Refused(function, "a function that was made inside %s and has no name there" % (module or "a library"))


# Functions that these make are the same everywhere, while the text of their modules is not.
DECORATORS = {
    ("functools", "wrapper"): "singledispatch",
    ("contextlib", "helper"): "contextmanager",
}


def _decorator_of(function: Any) -> Optional[Tuple[str, str]]:
    """(module, name) of the decorator of the standard library that made the function around another."""
    module = function.__globals__.get("__name__")
    name = DECORATORS.get((module, function.__code__.co_name))
    if name is None or not function.__closure__:
        return None
    if name == "singledispatch":
        return (module, name) if {"registry", "dispatch", "register"} <= function.__dict__.keys() else None
    maker = function.__code__.co_names
    if "_AsyncGeneratorContextManager" in maker:
        name = "asynccontextmanager"
    return (module, name) if "__wrapped__" in function.__dict__ else None


def _reduce_decorated(function: Any, module: str, name: str, encoder: GroupEncoder) -> Any:
    encoder.modules.add(module)
    own = function.__dict__
    if name != "singledispatch":
        added = {key: item for key, item in own.items() if key != "__wrapped__"}
        state = {"__dict__": added} if added else {}
        arguments = (module, name, own["__wrapped__"])
        return encoder.restorer("decorated"), arguments, state, None, None, encoder.restorer("function_state")
    first = own["registry"][object]
    registered = [(kind, handler) for kind, handler in own["registry"].items() if kind is not object]
    known = ("registry", "dispatch", "register", "_clear_cache", "__wrapped__")
    added = {key: item for key, item in own.items() if key not in known}
    return (
        encoder.restorer("decorated"),
        (module, name, first),
        (registered, added),
        None,
        None,
        encoder.restorer("single_dispatch"),
    )


def _name_within(value: Any, encoder: GroupEncoder) -> Optional[str]:
    """``Model.fit`` for a function or class that stands in a class which replay defines."""
    first, *parts = value.__qualname__.split(".")
    owner = encoder.namespace.get(first)
    if not parts or owner is None or encoder.by_name.get(id(owner)) != first:
        return None
    found = owner
    for part in parts:
        found = vars(found).get(part) if isinstance(found, type) else getattr(found, part, None)
        if isinstance(found, (staticmethod, classmethod)):
            found = found.__func__
    return value.__qualname__ if found is value else None


def _reduce_cell(cell: Any, encoder: GroupEncoder) -> Any:
    if id(cell) not in encoder.filled:
        encoder.filled.add(id(cell))
        encoder.kept.append(cell)
        try:
            encoder.finish_later("cell_contents", cell, (cell.cell_contents,))
        except ValueError:  # empty
            pass
    return encoder.restorer("cell"), ()


def _reduce_module(module: Any, encoder: GroupEncoder) -> Any:
    name = module.__name__
    if name == MAIN:
        return encoder.restorer("main_module"), ()
    if sys.modules.get(name) is not module or is_handmade_module(module):
        raise Refused(module, "a module that no import gives")
    if belongs_to_nbdag(name):
        raise Refused(module, "it belongs to nbdag itself")
    encoder.modules.add(name)
    return encoder.restorer("module"), (name,)


def reduce_class(kind: Any, encoder: GroupEncoder) -> Any:
    """A class: of a library by name, of the session by name if replay defines it, else from its parts."""
    name = encoder.by_name.get(id(kind))
    if name is not None and not is_importable(kind, encoder):
        return encoder.named(name)
    module = kind.__module__
    if belongs_to_nbdag(module):
        raise Refused(kind, "it belongs to nbdag itself")
    if module != MAIN and module is not None and encoder.namespace.get("__name__") != module:
        if is_made_in_session(sys.modules.get(module), encoder):
            raise Refused(kind, "a class of a module that no import gives")
        if found_in(module, kind.__qualname__) is kind:
            if module != "builtins":
                encoder.modules.add(module)
            return NotImplemented
        if kind in NAMELESS_TYPES:
            return (
                NotImplemented if kind in (type(None), type(NotImplemented), type(...)) else _by_example(kind, encoder)
            )
        if module in sys.modules and "<locals>" not in kind.__qualname__:
            other = next((key for key, item in list(vars(sys.modules[module]).items()) if item is kind), None)
            if other is not None:  # functools._CacheInfo calls itself CacheInfo
                encoder.modules.add(module)
                return encoder.restorer("attribute"), (module, other)
            raise Refused(kind, "a class that %s no longer knows under its name" % module)
    within = _name_within(kind, encoder)
    if within is not None:
        return encoder.named(within)
    known = encoder.namespace.get(kind.__qualname__)
    if isinstance(known, type) and known is not kind and known.__module__ == module:
        raise Refused(kind, "the class %s was defined again since: this belongs to the old one" % kind.__qualname__)
    return reduce_class_by_source(kind, encoder)


NAMELESS_TYPES: Dict[type, str] = {
    getattr(types, name): name
    for name in sorted(vars(types))
    if isinstance(getattr(types, name), type) and name.endswith("Type") and name != "GenericAlias"
}


def _by_example(kind: type, encoder: GroupEncoder) -> Any:
    return encoder.restorer("attribute"), ("types", NAMELESS_TYPES[kind])


# ------------------------------------------------------------------------------------------------ patches


def patches_of(values: Mapping[str, Any], encoder: GroupEncoder) -> List[Tuple[Any, Dict[str, Any]]]:
    """(function or class, its state) for those of ``values`` that replay defines again.

    A definition that runs again makes new defaults, closures and class attributes; the session may have changed its
    own since: ``def log(x, seen=[])`` after three calls.
    """
    patches = []
    for value in values.values():
        if id(value) in encoder.by_name:
            state = patch_of(value, 0)
            if isinstance(value, type) and value.__qualname__ != encoder.by_name[id(value)]:
                state["names"] = (value.__name__, value.__qualname__)  # C.__name__ = "Other"
            if state:
                patches.append((value, state))
    return patches


def patch_of(value: Any, depth: int) -> Dict[str, Any]:
    """The state of one definition; parts that are functions themselves are patched in place, not replaced."""
    if depth > 3:
        return {}
    if isinstance(value, types.FunctionType):
        return _function_patch(value, depth)
    if isinstance(value, type):
        return _class_patch(value, depth)
    return {}


def _function_patch(function: Any, depth: int) -> Dict[str, Any]:
    patch: Dict[str, Any] = {}
    if function.__defaults__:
        patch["defaults"] = function.__defaults__
    if function.__kwdefaults__:
        patch["kwdefaults"] = function.__kwdefaults__
    attributes = {name: item for name, item in function.__dict__.items() if name != "__wrapped__"}
    if attributes:
        patch["dict"] = attributes
    code = function.__code__
    if "__wrapped__" not in function.__dict__:  # functools.wraps sets them again
        if function.__name__ != code.co_name:
            patch["name"] = function.__name__
        if function.__doc__ is not None and function.__doc__ not in code.co_consts:
            patch["doc"] = function.__doc__
    annotated = annotations_since(function)
    if annotated:
        patch["annotated"] = annotated
    closure: Dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):  # noqa: B905
        try:
            content = cell.cell_contents
        except ValueError:
            continue
        if isinstance(content, (types.FunctionType, type)):
            inner = patch_of(content, depth + 1) if isinstance(content, types.FunctionType) else {}
            if inner:
                closure[name] = ("patch", inner)
        elif not isinstance(content, types.ModuleType):
            closure[name] = ("value", content)
    if closure:
        patch["closure"] = closure
    return patch


def _class_patch(kind: type, depth: int) -> Dict[str, Any]:
    if depth > 3:
        return {}
    attributes: Dict[str, Any] = {}
    for name, item in vars(kind).items():
        if name.startswith(("__", "_abc_")) or name in ("_fields", "_field_defaults") or _is_descriptor(item):
            continue
        if isinstance(item, types.FunctionType):
            if item.__qualname__ == "%s.%s" % (kind.__qualname__, name):
                inner = _function_patch(item, depth + 1)
                inner.pop("closure", None)
                if inner:
                    attributes[name] = ("patch", inner)
            else:
                attributes[name] = ("value", item)
        elif isinstance(item, type):
            nested: Any = item
            if not is_in_body_of(nested, kind):
                attributes[name] = ("value", item)
            elif name == nested.__name__:
                inner = _class_patch(nested, depth + 1)
                if inner:
                    attributes[name] = ("patch", inner)
        else:
            attributes[name] = ("value", item)
    if hasattr(kind, "__members__") or hasattr(kind, "_member_map_"):  # the members of an enum are its own
        return {}
    patch: Dict[str, Any] = {"attributes": attributes} if attributes else {}
    annotations = vars(kind).get("__annotations__")
    if annotations and all(map(is_plain_annotation, annotations.values())):
        patch["annotations"] = annotations
    gone = attributes_gone(kind)
    if gone:
        patch["gone"] = gone
    virtual = registered_with(kind)
    if virtual:
        patch["registered"] = virtual
    return patch


def _is_descriptor(item: Any) -> bool:
    """What the class body made of code: properties, slots, static methods."""
    return not isinstance(item, types.FunctionType) and (hasattr(item, "__get__") or hasattr(item, "__set_name__"))
