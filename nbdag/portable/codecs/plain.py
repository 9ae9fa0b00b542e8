"""Small values of the standard library whose pickles are tied to a version, or that pickle refuses without need."""

from __future__ import annotations

import ast
import functools
import gc
import itertools
import pathlib
import sys
import threading
import types
import typing
import weakref
from typing import Any, Dict

from nbdag.portable.codecs.imported import is_importable
from nbdag.portable.encoder import GroupEncoder, Refused
from nbdag.portable.extents import address_of

DICT_VIEWS = {type({}.keys()): "keys", type({}.values()): "values", type({}.items()): "items"}


def choose_plain_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Paths, memoryviews, properties, proxies, dict views, counters, weak references, bound methods, caches, locks."""
    if issubclass(kind, pathlib.PurePath):
        return _reduce_path if kind.__module__.partition(".")[0] == "pathlib" else None
    if kind.__module__ == "decimal" and kind.__name__ == "Context":
        return _reduce_decimal_context
    return PLAIN_REDUCERS.get(kind)


def _reduce_decimal_context(value: Any, encoder: GroupEncoder) -> Any:
    """``ctx = getcontext()`` stays the context that counts: ``ctx.prec = 5`` has an effect."""
    if value is sys.modules["decimal"].getcontext():
        return encoder.restorer("decimal_context"), (value.copy(),)
    return NotImplemented


def _reduce_path(value: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("path"), (type(value).__name__, str(value))


def _reduce_memoryview(value: Any, encoder: GroupEncoder) -> Any:
    """A window into an object that is stored too: bytearray, bytes, array, ndarray."""
    try:
        owner = value.obj
    except ValueError:
        raise Refused(value, "a memoryview that was released") from None
    if owner is None or not (type(owner) in (bytes, bytearray) or type(owner).__module__ in ("array", "numpy")):
        raise Refused(value, "a memoryview of a %s" % type(owner).__name__)
    offset = address_of(value) - address_of(owner) if value.nbytes else 0
    return encoder.restorer("memoryview"), (
        owner,
        offset,
        value.format,
        value.shape,
        value.strides,
        value.readonly,
    )


def _reduce_property(value: Any, encoder: GroupEncoder) -> Any:
    return property, (value.fget, value.fset, value.fdel, value.__doc__)


def _reduce_wrapped(value: Any, encoder: GroupEncoder) -> Any:
    return type(value), (value.__func__,)


def _reduce_mappingproxy(value: Any, encoder: GroupEncoder) -> Any:
    mapping = gc.get_referents(value)[0]
    if type(mapping) is dict and "__dict__" in mapping and "__module__" in mapping:
        raise Refused(value, "the attributes of a class")
    return encoder.restorer("mappingproxy"), (mapping,)


def _reduce_dict_view(value: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("dict_view"), (DICT_VIEWS[type(value)], gc.get_referents(value)[0])


def _reduce_count(value: Any, encoder: GroupEncoder) -> Any:
    """``itertools.count``: since Python 3.14 only its repr tells where it stands."""
    try:
        arguments = ast.literal_eval(repr(value)[len("count") :])
    except (SyntaxError, ValueError):
        raise Refused(value, "a counter of other things than numbers") from None
    return encoder.restorer("count"), arguments if isinstance(arguments, tuple) else (arguments,)


def _reduce_weakref(value: Any, encoder: GroupEncoder) -> Any:
    target = value()
    if value.__callback__ is not None:
        raise Refused(value, "a weak reference with a callback")
    if target is None:
        return encoder.restorer("dead_weakref"), ()
    return encoder.restorer("weakref"), (target,)


def _reduce_proxy(value: Any, encoder: GroupEncoder) -> Any:
    """A weak proxy: pickle would take what it stands for, and make one object of the two."""
    try:
        target = value.__reduce_ex__.__self__
    except Exception:
        raise Refused(value, "a weak proxy whose object is gone") from None
    kind: Any = type(value)
    if kind.__repr__(value).rpartition(" at ")[2].rstrip(">") != "0x%x" % id(target):
        raise Refused(value, "a weak proxy of something that hides itself")
    return weakref.proxy, (target,)


def _reduce_method(value: Any, encoder: GroupEncoder) -> Any:
    """A bound method; by name if the object knows it by its name, else the function itself is bound again."""
    function, owner = value.__func__, value.__self__
    known = getattr(type(owner) if not isinstance(owner, type) else owner, "__dict__", {})
    name = getattr(function, "__name__", "")
    if name not in getattr(owner, "__dict__", {}) or isinstance(owner, type):
        try:
            if getattr(owner, name) == value and not (name.startswith("__") and name not in known):
                return getattr, (owner, name)
        except Exception:
            pass
    return encoder.restorer("method"), (function, owner)


def _reduce_cache(value: Any, encoder: GroupEncoder) -> Any:
    """``functools.lru_cache``: the wrapper by name, or made again around its function; what it cached is not kept."""
    name = encoder.by_name.get(id(value))
    if name is not None and not is_importable(value, encoder):
        return encoder.named(name)
    module = sys.modules.get(value.__module__)
    if value.__module__ != "__main__" and getattr(module, value.__qualname__, None) is value:
        encoder.modules.add(value.__module__)
        return NotImplemented
    if hasattr(value, "cache_parameters"):
        parameters = value.cache_parameters()
    else:  # Python 3.8 does not tell whether types count
        parameters = {"maxsize": value.cache_info().maxsize, "typed": False}
    return encoder.restorer("lru_cache"), (value.__wrapped__, parameters["maxsize"], parameters["typed"])


def _reduce_cached_property(value: Any, encoder: GroupEncoder) -> Any:
    """Before Python 3.12 it holds a lock, which one from later would miss."""
    return encoder.restorer("cached_property"), (value.func, value.attrname, value.__doc__)


def _reduce_type_variable(value: Any, encoder: GroupEncoder) -> Any:
    """By name if the session or a module has it, else made again: ``T`` of ``def f[T](x)``, or of a function's body."""
    module = getattr(value, "__module__", None)
    name = value.__name__
    if vars(sys.modules.get(module or "", types)).get(name) is value or encoder.namespace.get(name) is value:
        return NotImplemented
    options = {}
    for option in ("covariant", "contravariant", "infer_variance"):
        if getattr(value, "__%s__" % option, False):
            options[option] = True
    bound = getattr(value, "__bound__", None)
    if bound is not None:
        options["bound"] = bound
    constraints = tuple(getattr(value, "__constraints__", ()))
    return encoder.restorer("type_variable"), (type(value).__name__, name, module, constraints, options)


def _reduce_lock(value: Any, encoder: GroupEncoder) -> Any:
    """A lock that nobody holds is as good as a new one."""
    if not repr(value).startswith("<unlocked"):
        raise Refused(value, "a lock that is held belongs to its process")
    return encoder.restorer("lock"), (type(value) is RLOCK_TYPE,)


LOCK_TYPE, RLOCK_TYPE = type(threading.Lock()), type(threading.RLock())
PLAIN_REDUCERS: Dict[Any, Any] = {
    functools.cached_property: _reduce_cached_property,
    **{
        getattr(typing, name): _reduce_type_variable
        for name in ("TypeVar", "ParamSpec", "TypeVarTuple")
        if hasattr(typing, name)
    },
    LOCK_TYPE: _reduce_lock,
    RLOCK_TYPE: _reduce_lock,
    memoryview: _reduce_memoryview,
    property: _reduce_property,
    staticmethod: _reduce_wrapped,
    classmethod: _reduce_wrapped,
    types.MappingProxyType: _reduce_mappingproxy,
    itertools.count: _reduce_count,
    weakref.ref: _reduce_weakref,
    weakref.ProxyType: _reduce_proxy,
    weakref.CallableProxyType: _reduce_proxy,
    types.MethodType: _reduce_method,
    type(functools.lru_cache()(len)): _reduce_cache,
    **dict.fromkeys(DICT_VIEWS, _reduce_dict_view),
}
