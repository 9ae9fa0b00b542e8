"""Restorers of functions, classes and modules; counterpart of ``codecs/definitions.py`` and ``codecs/classes.py``.

Those that need the namespace of the session get the :class:`nbdag.portable.decode.Loading` as first argument.
"""

from __future__ import annotations

import sys
from typing import Any


def restore_named(loading: Any, name: str) -> Any:
    """What replay has defined under ``name``, which may be dotted."""
    first, _, rest = name.partition(".")
    if first not in loading.namespace:
        raise NameError("the session's %s is not there" % first)
    found = loading.namespace[first]
    for part in rest.split(".") if rest else ():
        found = getattr(found, part)
    return found


def restore_attribute(module: str, qualname: str) -> Any:
    """``qualname`` of an imported module."""
    __import__(module)
    found: Any = sys.modules[module]
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def restore_module(name: str) -> Any:
    """An imported module."""
    __import__(name)
    return sys.modules[name]


def restore_main_module() -> Any:
    """The module ``__main__``."""
    return sys.modules["__main__"]


def restore_globals(loading: Any) -> Any:
    """The namespace of the session, which a library keeps to look names up in."""
    return loading.namespace


def restore_cell() -> Any:
    """An empty closure cell; :func:`restore_cell_contents` fills it last of all."""
    import types

    return types.CellType()


def restore_cell_contents(cell: Any, contents: Any) -> None:
    """Fill a closure cell."""
    cell.cell_contents = contents[0]


def restore_function(loading: Any, text: str, name: str, line: int, ordinal: int, features: Any, cells: Any) -> Any:
    """The function that the ``ordinal``-th code object ``name`` in ``line`` of ``text`` makes, over these cells."""
    code = loading.code_of(text, name, line, ordinal, features)
    return _function_over(code, loading.namespace, cells)


def restore_library_function(module: str, name: str, line: int, ordinal: int, digest: str, cells: Any) -> Any:
    """A function that was made inside a library: from the library's own text here, if it is the same text."""
    import hashlib
    import linecache

    from_here = restore_module(module)
    text = "".join(linecache.getlines(getattr(from_here, "__file__", None) or ""))
    if hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() != digest:
        raise ImportError("%s is another version here, and a function made inside it was stored" % module)
    code = pick_code(text, from_here.__file__, name, line, ordinal, ())
    return _function_over(code, from_here.__dict__, cells)


def pick_code(text: str, filename: str, name: str, line: int, ordinal: int, features: Any) -> Any:
    """The code object; LookupError when this Python makes none like it, SyntaxError when it cannot compile."""
    import __future__

    flags = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for feature in features:
        flags |= getattr(__future__, feature).compiler_flag
    try:
        module = compile(text, filename, "exec", flags, True)
    except SyntaxError as error:
        line_of_it = (error.text or "").strip()
        version = "%d.%d" % sys.version_info[:2]
        raise SyntaxError(
            "Python %s cannot compile the cell that defines %s: its source is for a newer Python (line %s: %s)"
            % (version, name, error.lineno, line_of_it)
        ) from None
    found = []
    pending = [module]
    while pending:
        code = pending.pop()
        if code.co_name == name and code.co_firstlineno == line:
            found.append(code)
        pending.extend(reversed([item for item in code.co_consts if isinstance(item, type(code))]))
    if ordinal >= len(found):
        raise LookupError("no function %s in line %d of its cell" % (name, line))
    return found[ordinal]


def _function_over(code: Any, namespace: Any, cells: Any) -> Any:
    import types

    closure = tuple([cells.get(name) or types.CellType() for name in code.co_freevars])
    return types.FunctionType(code, namespace, code.co_name, None, closure or None)  # PyPy refuses ()


def restore_function_state(function: Any, state: Any) -> None:
    """Defaults, attributes, annotations and names of a function."""
    for name, value in state.items():
        if name == "__dict__":
            function.__dict__.update(value)
        else:
            try:
                setattr(function, name, value)
            except (AttributeError, TypeError):  # __type_params__ before Python 3.12
                pass


def restore_namedtuple(name: str, fields: Any, defaults: Any, module: str, qualname: str) -> Any:
    """A class as ``collections.namedtuple`` makes it."""
    import collections

    made = collections.namedtuple(name, fields, defaults=defaults, module=module)  # type: ignore[misc]
    made.__qualname__ = qualname
    return made


def restore_enum(base: Any, name: str, members: Any, module: str, qualname: str) -> Any:
    """A class as ``enum.Enum(name, members)`` makes it."""
    return base(name, members, module=module, qualname=qualname)


def restore_enum_class(bases: Any, name: str, members: Any, body: Any, module: str, qualname: str) -> Any:
    """An enum as its class statement makes it: with methods, or with members of another type."""
    meta = type(bases[-1])
    space = meta.__prepare__(name, bases)
    space["__module__"], space["__qualname__"] = module, qualname
    for key, item in body.items():
        space[key] = item
    for key, item in members:
        space[key] = item
    return meta(name, bases, space)


def restore_decorated(module: str, name: str, function: Any) -> Any:
    """``function`` as a decorator of a library wraps it here."""
    decorate: Any = restore_attribute(module, name)
    return decorate(function)


def restore_single_dispatch(function: Any, state: Any) -> None:
    """What was registered with a function of ``functools.singledispatch``, and its own attributes."""
    registered, attributes = state
    for kind, handler in registered:
        function.register(kind, handler)
    function.__dict__.update(attributes)


def restore_type_variable(kind: str, name: str, module: Any, constraints: Any, options: Any) -> Any:
    """A type variable, as ``typing`` here can make it."""
    typing = restore_module("typing")
    make = getattr(typing, kind, None)
    if make is None:
        raise ImportError("typing has no %s before a later Python" % kind)
    made = make(name, *constraints, **options)
    try:
        made.__module__ = module
    except AttributeError:
        pass
    return made


def restore_new_class(
    meta: Any, name: str, qualname: str, module: str, bases: Any, slots: Any, doc: Any, more: Any = ()
) -> Any:
    """An empty class; :func:`restore_class_attributes` fills it."""
    body = dict(more, __module__=module, __qualname__=qualname, __doc__=doc)
    if slots is not None:
        body["__slots__"] = slots
    # What the session's own metaclasses and __init_subclass__ did is in the attributes: none of it runs again.
    maker = next(base for base in meta.__mro__ if base.__module__ != "__main__")
    told = _first_to_be_told(bases)
    if told is None:
        return maker.__new__(meta, name, bases, body)
    own = told.__dict__["__init_subclass__"]
    type.__setattr__(told, "__init_subclass__", classmethod(lambda kind, **options: None))
    try:
        return maker.__new__(meta, name, bases, body)
    finally:
        type.__setattr__(told, "__init_subclass__", own)


def _first_to_be_told(bases: Any) -> Any:
    """The class of the session whose ``__init_subclass__`` a new class with these bases would call; None if no such."""
    for kind in type("Probe", (), {}).__mro__[1:] if not bases else [kind for base in bases for kind in base.__mro__]:
        if "__init_subclass__" in kind.__dict__:
            return kind if kind.__module__ == "__main__" else None
    return None


def restore_class_attributes(made: Any, state: Any) -> None:
    """The attributes of a class; a dataclass is decorated again."""
    for name, item in state["attributes"].items():
        type.__setattr__(made, name, item)
        named = getattr(type(item), "__set_name__", None)
        if named is not None and type(item).__module__ != "__main__":  # the session's have it in their state
            named(item, made, name)
    if "abstract" in state:
        made.__abstractmethods__ = frozenset(state["abstract"])
    for virtual in state.get("registered", ()):
        made.register(virtual)
    if state["dataclass"] is None:
        return
    import dataclasses

    if sys.version_info < (3, 10) and any("kw_only" in options for _, _, options in state["fields"]):
        raise ImportError("dataclasses have fields that are given by name only since Python 3.10")
    made.__annotations__ = {name: kind for name, kind, _ in state["fields"]}
    slots = {
        name: made.__dict__[name]
        for name, _, _ in state["fields"]
        if name in made.__dict__ and "__slots__" in made.__dict__
    }
    for name, _, options in state["fields"]:
        setattr(made, name, dataclasses.field(**options))
    dataclasses.dataclass(**state["dataclass"])(made)
    for name, slot in slots.items():
        setattr(made, name, slot)


def restore_patch(target: Any, patch: Any) -> None:
    """The state of a function or class that replay defined: what the session had changed since its definition."""
    if "defaults" in patch:
        target.__defaults__ = patch["defaults"]
    if "kwdefaults" in patch:
        target.__kwdefaults__ = patch["kwdefaults"]
    if "dict" in patch:
        target.__dict__.update(patch["dict"])
    if "name" in patch:
        target.__name__ = patch["name"]
    if "doc" in patch:
        target.__doc__ = patch["doc"]
    if "names" in patch:
        target.__name__, target.__qualname__ = patch["names"]
    if "annotations" in patch:
        known = vars(target).get("__annotations__")
        if known is not None and known != patch["annotations"]:
            known.clear()
            known.update(patch["annotations"])
    if "annotated" in patch:
        try:
            known = target.__annotations__
        except Exception:  # evaluated late since Python 3.14: what they name may not be here
            known = target.__annotations__ = {}
        known.update(patch["annotated"]["set"])
        for name in patch["annotated"]["gone"]:
            known.pop(name, None)
    for name in patch.get("gone", ()):
        if name in vars(target):
            delattr(target, name)
    for virtual in patch.get("registered", ()):
        target.register(virtual)
    cells = dict(zip(target.__code__.co_freevars, target.__closure__ or ())) if "closure" in patch else {}  # noqa: B905
    for name, (how, item) in patch.get("closure", {}).items():
        if name in cells and how == "value":
            cells[name].cell_contents = item
        elif name in cells:
            restore_patch(cells[name].cell_contents, item)
    for name, (how, item) in patch.get("attributes", {}).items():
        if how == "value":
            if target.__dict__.get(name, restore_patch) is not item:
                setattr(target, name, item)
        elif name in target.__dict__:
            restore_patch(target.__dict__[name], item)
