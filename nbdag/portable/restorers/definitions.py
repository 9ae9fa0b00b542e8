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


def restore_library_function(module: str, name: str, line: int, ordinal: int, text: str, cells: Any) -> Any:
    """A function that was made inside a library: from the library's own text here, if it is the same text."""
    import linecache

    from_here = restore_module(module)
    here = "".join(linecache.getlines(getattr(from_here, "__file__", None) or ""))
    if here != text:
        raise ImportError("%s is another version here, and a function made inside it was stored" % module)
    code = pick_code(text, from_here.__file__, name, line, ordinal, ())
    return _function_over(code, from_here.__dict__, cells)


def pick_code(text: str, filename: str, name: str, line: int, ordinal: int, features: Any) -> Any:
    """The code object; LookupError when this Python makes none like it, SyntaxError when it cannot compile."""
    import __future__

    flags = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for feature in features:
        flags |= getattr(__future__, feature).compiler_flag
    module = compile(text, filename, "exec", flags, True)
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


def restore_new_class(meta: Any, name: str, qualname: str, module: str, bases: Any, slots: Any, doc: Any) -> Any:
    """An empty class; :func:`restore_class_attributes` fills it."""
    body = {"__module__": module, "__qualname__": qualname, "__doc__": doc}
    if slots is not None:
        body["__slots__"] = slots
    return meta(name, bases, body)


def restore_class_attributes(made: Any, state: Any) -> None:
    """The attributes of a class; a dataclass is decorated again."""
    for name, item in state["attributes"].items():
        setattr(made, name, item)
        named = getattr(type(item), "__set_name__", None)
        if named is not None:
            named(item, made, name)
    if state["dataclass"] is None:
        return
    import dataclasses

    made.__annotations__ = {name: kind for name, kind, _ in state["fields"]}
    for name, _, options in state["fields"]:
        setattr(made, name, dataclasses.field(**options))
    dataclasses.dataclass(**state["dataclass"])(made)


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
