"""Restorers of small standard library values; counterpart of ``codecs/plain.py`` and ``codecs/instances.py``."""

from __future__ import annotations

from typing import Any

from nbdag.portable.open_figures import give_number, pyplot_managers


def restore_path(kind: str, text: str) -> Any:
    """A path; a concrete path of the other system's kind becomes one of this system's."""
    import pathlib

    if kind in ("PosixPath", "WindowsPath"):
        return pathlib.Path(text)
    return getattr(pathlib, kind)(text)


def restore_memoryview(owner: Any, offset: int, form: str, shape: Any, strides: Any, readonly: bool) -> Any:
    """The window of ``owner`` at ``offset``: cut from its bytes, then given its format, shape and step again."""
    whole: Any = memoryview(owner).cast("B") if memoryview(owner).nbytes else memoryview(owner)
    itemsize = _cast(memoryview(bytes(16)), form).itemsize if form != "B" else 1
    count = 1
    for length in shape:
        count *= length
    if len(shape) == 1 and count and strides[0] != itemsize:
        span = whole[_window(whole, offset, count, itemsize, strides[0])]
        window = _cast(span, form)[:: strides[0] // itemsize]
    else:
        window = whole[offset : offset + count * itemsize]
        if form != "B" or len(shape) != 1:
            window = window.cast(form, tuple(shape)) if len(shape) != 1 else window.cast(form)
    return window.toreadonly() if readonly and not window.readonly else window


def _cast(window: Any, form: str) -> Any:
    return window.cast(form)


def _window(whole: memoryview, offset: int, count: int, itemsize: int, step: int) -> slice:
    """The bytes that a stepped window spans, from its lowest item on."""
    low = min(offset, offset + (count - 1) * step)
    high = max(offset, offset + (count - 1) * step) + itemsize
    return slice(low, high)


def restore_mappingproxy(mapping: Any) -> Any:
    """A read-only view of ``mapping``."""
    return type(type.__dict__)(mapping)


def restore_dict_view(which: str, mapping: Any) -> Any:
    """``mapping.keys()``, ``.values()`` or ``.items()``."""
    return getattr(mapping, which)()


def restore_count(start: Any, step: Any = 1) -> Any:
    """``itertools.count(start, step)``."""
    import itertools

    return itertools.count(start, step)


def restore_weakref(target: Any) -> Any:
    """A weak reference; alive as long as something else of the session holds ``target``."""
    import weakref

    return weakref.ref(target)


def restore_dead_weakref() -> Any:
    """A weak reference whose target is gone."""
    import weakref

    return weakref.ref(type("Gone", (), {})())


def restore_method(function: Any, owner: Any) -> Any:
    """``function`` bound to ``owner``."""
    import types

    return types.MethodType(function, owner)


def restore_decimal_context(state: Any) -> Any:
    """The context that counts in this thread, as ``state`` says."""
    import decimal

    context = decimal.getcontext()
    for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp", "flags", "traps"):
        setattr(context, name, getattr(state, name))
    return context


def restore_lru_cache(function: Any, maxsize: Any, typed: bool) -> Any:
    """An empty cache around ``function``."""
    import functools

    return functools.lru_cache(maxsize, typed)(function)


def restore_cached_property(function: Any, name: Any, doc: Any) -> Any:
    """A property that remembers what it once computed."""
    import functools

    made = functools.cached_property(function)
    made.attrname, made.__doc__ = name, doc
    return made


def restore_lock(reentrant: bool) -> Any:
    """A lock that nobody holds."""
    import threading

    return threading.RLock() if reentrant else threading.Lock()


def restore_exception(kind: Any, arguments: Any) -> Any:
    """An exception with these arguments, whatever its class wants to be called with."""
    made = kind.__new__(kind)
    made.args = arguments
    return made


def restore_exception_links(value: Any, links: Any) -> None:
    """What an exception came from."""
    value.__cause__, value.__context__, value.__suppress_context__ = links


def restore_raw_instance(kind: Any) -> Any:
    """An instance without attributes, made by the built-in type below its class: no code of the class runs."""
    base: Any = next(base for base in kind.__mro__ if not base.__flags__ & (1 << 9))
    return base.__new__(kind)


def restore_raw_state(value: Any, state: Any) -> None:
    """The attributes and items of an instance, past everything that its class does when they are set."""
    attributes, slots, items, pairs = state
    if attributes is not None:
        object.__setattr__(value, "__dict__", attributes)  # itself: somebody else may hold it
    for name, item in slots.items():
        object.__setattr__(value, name, item)
    if items is not None:
        list.extend(value, items)
    for key, item in pairs or ():
        dict.__setitem__(value, key, item)


def restore_figure_number(figure: Any, number: int) -> None:
    """Have pyplot know the figure by ``number``, unless it has given that to another."""
    manager = getattr(figure.canvas, "manager", None)
    if manager is not None and number not in pyplot_managers():
        give_number(manager, number)


def restore_shared_dict(value: Any, state: Any) -> None:
    """An instance whose ``__dict__`` somebody else holds, too."""
    object.__setattr__(value, "__dict__", state)


def restore_styles(value: Any, state: Any) -> None:
    """Have holoviews know the options of a plot, by the number they had or, if others have that, by a new one."""
    import sys

    module: Any = sys.modules["holoviews.core.options"]
    number, options = state
    known = module.Store._custom_options
    if any(number in trees and trees[number] is not options.get(backend) for backend, trees in known.items()):
        number = max([module.StoreOptions.id_offset()] + [taken + 1 for trees in known.values() for taken in trees])
    for backend, tree in options.items():
        known.setdefault(backend, {})[number] = tree
    object.__getattribute__(value, "__dict__")["_id"] = None  # the setter throws the options of an old number away
    value.id = number


def restore_additions(value: Any, added: Any) -> None:
    """Attributes that the class's own pickle does not keep."""
    if hasattr(value, "__dict__"):  # not where it comes back as another type, as a mapped array does
        object.__getattribute__(value, "__dict__").update(added)


def restore_state(value: Any, state: Any) -> None:
    """What pickle's BUILD does: the attributes of an instance."""
    setstate = getattr(value, "__setstate__", None)
    if setstate is not None:
        setstate(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        value.__dict__.update(state)
    for name, item in (slots or {}).items():
        object.__setattr__(value, name, item)


class Rest:
    """Applies (restorer, value, state) triples as they arrive: the last part of every pickle. Skips None."""

    def append(self, item: Any) -> None:
        """One triple."""
        if item is not None:
            restorer, value, state = item
            restorer(value, state)

    def extend(self, items: Any) -> None:
        """Many."""
        for item in items:
            self.append(item)


def restore_rest() -> Rest:
    """The receiver of what is filled in last."""
    return Rest()
