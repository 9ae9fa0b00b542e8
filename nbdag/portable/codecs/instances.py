"""Instances of ordinary classes, where pickle's default form is not enough.

    class Node: ...                       # head -> node -> node -> ... a hundred thousand times
    def __init__(self): self.__dict__ = Borg.state

When a structure is too deep for recursion, every node is first made without attributes and gets them last of all:
pickling one never pickles the next. Only for classes whose instances do not need their attributes to be hashed or
compared. And a ``__dict__`` that somebody else holds too stays that very dict: pickle would copy its items. Where the
class watches its attributes (``__getattr__``, ``__getattribute__``) none of its code runs: pickle would ask it for
``__setstate__`` before there is any state, and a proxy that asks what it stands for never ends. A library's class is
taken apart so only where that is shown.
"""

from __future__ import annotations

import copyreg
import sys
from typing import Any

from nbdag.portable.encoder import GroupEncoder, StandIn
from nbdag.portable.objects import (
    base_labels,
    class_namespace,
    has_instance_dict,
    instance_dict,
    is_heap_type,
    is_session_class,
    mro_of,
    slot_descriptors,
)
from nbdag.portable.whole import attributes_of, is_taken_whole, styles_of

LOSING_STATE = {("sklearn.utils._bunch", "Bunch")}
"""Classes of libraries whose ``__setstate__`` throws the attributes of instances away."""


def choose_instance_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Take instances with pickle's default form apart: all if the encoder works flat, else those that share a dict."""
    if kind in copyreg.dispatch_table or issubclass(kind, type):
        return None
    if issubclass(kind, BaseException):
        return _reduce_exception
    if is_taken_whole(kind):
        labels = base_labels(kind)
        if "holoviews.LabelledData" in labels:
            return _reduce_styled
        return _reduce_environment if labels[0] == "patsy.EvalEnvironment" else _reduce_whole
    if kind.__reduce_ex__ is not object.__reduce_ex__ or kind.__reduce__ is not object.__reduce__:
        return None
    if _watches_attributes(kind) and (is_session_class(kind) or _asks_for_ever(kind)):
        return _reduce_raw
    if (kind.__module__, kind.__name__) in LOSING_STATE:
        return _reduce_raw
    if encoder.options.get("flat"):
        return _reduce_flat if kind.__hash__ in (None, object.__hash__) else None
    if not is_session_class(kind) or hasattr(kind, "__setstate__") or slot_descriptors(kind):
        return None
    if getattr(kind, "__getstate__", None) is not getattr(object, "__getstate__", None) or not has_instance_dict(kind):
        return None
    return _reduce_over_shared_dict


def _watches_attributes(kind: type) -> bool:
    """Whether the class has a ``__getattr__`` of its own, and nothing else that pickle would have to ask."""
    own = {name for base in mro_of(kind) if is_heap_type(base) for name in class_namespace(base)}
    if own.isdisjoint(("__getattr__", "__getattribute__")):
        return False
    builtin = next(base for base in mro_of(kind) if not is_heap_type(base))
    return builtin in (object, dict, list) and own.isdisjoint(
        ("__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")
    )


def _asks_for_ever(kind: type) -> bool:
    """Whether an instance without attributes looks for ``__setstate__`` without end (the file of a tqdm bar)."""
    builtin: Any = next(base for base in mro_of(kind) if not is_heap_type(base))
    try:
        getattr(builtin.__new__(kind), "__setstate__", None)
    except RecursionError:
        return True
    except Exception:
        return False
    return False


class _Globals(StandIn):
    """Stands for the session's own namespace, which is no value of it."""

    def reduce(self, encoder: GroupEncoder) -> Any:
        return encoder.restorer("globals"), ()


def _reduce_environment(value: Any, encoder: GroupEncoder) -> Any:
    """Where patsy looks for the names of a formula: dicts of names, of which one may be the session's namespace."""
    attributes = dict(instance_dict(value) or {})
    found = [_Globals() if one is encoder.namespace else one for one in attributes.get("_namespaces", ())]
    attributes["_namespaces"] = found
    encoder.kept.append(found)
    return encoder.restorer("raw_instance"), (type(value),), attributes


def _reduce_whole(value: Any, encoder: GroupEncoder) -> Any:
    """By its attributes; what its library has under a name (``patsy.desc.INTERCEPT``) is the library's there, too."""
    home = type(value).__module__
    if not is_session_class(type(value)):
        for name, one in list(getattr(sys.modules.get(home), "__dict__", {}).items()):
            if one is value:
                return encoder.restorer("attribute"), (home, name)
    return _reduce_raw(value, encoder)


def _reduce_raw(value: Any, encoder: GroupEncoder) -> Any:
    kind = type(value)
    attributes, slots = attributes_of(value)[:2]
    bases = mro_of(kind)
    items = list(list.__iter__(value)) if list in bases else None
    pairs = list(dict.items(value)) if dict in bases else None
    state = (attributes, slots, items, pairs)
    make, arguments = encoder.restorer("raw_instance"), (kind,)
    hashed: Any = kind.__hash__
    if encoder.options.get("flat") and hashed in (None, object.__hash__):
        encoder.finish_later("raw_state", value, state)
        return make, arguments
    return make, arguments, state, None, None, encoder.restorer("raw_state")


def _reduce_styled(value: Any, encoder: GroupEncoder) -> Any:
    """A plot of holoviews, with the options that ``.opts()`` gave it: they are in a table of the library."""
    options = styles_of(value)
    if options:
        encoder.finish_later("styles", value, (instance_dict(value)["_id"], options))  # type: ignore[index]
    return _reduce_raw(value, encoder)


def _reduce_exception(value: Any, encoder: GroupEncoder) -> Any:
    """With what it came from (``raise A from b``); one of the session's classes without calling its ``__init__``."""
    links = (value.__cause__, value.__context__, value.__suppress_context__)
    if links != (None, None, False):
        encoder.finish_later("exception_links", value, links)
    kind: Any = type(value)
    if not is_session_class(kind) or kind.__reduce_ex__ is not object.__reduce_ex__:
        return NotImplemented
    builtin = next(base for base in mro_of(kind) if not is_heap_type(base))
    if kind.__reduce__ is not builtin.__reduce__ or builtin.__basicsize__ != BaseException.__basicsize__:
        return NotImplemented  # an OSError keeps more than its arguments
    return encoder.restorer("exception"), (kind, value.args), dict(instance_dict(value) or {}) or None


class _Alone:
    """An instance whose dict nobody else holds."""


def _references(value: Any) -> int:
    attributes = instance_dict(value)
    return sys.getrefcount(attributes)


def _reduce_over_shared_dict(value: Any, encoder: GroupEncoder) -> Any:
    if not hasattr(sys, "getrefcount") or _references(value) <= _references(_Alone()):
        return NotImplemented
    reduction = value.__reduce_ex__(4)
    more = reduction[2:] + (None,) * (5 - len(reduction))
    return (*reduction[:2], instance_dict(value), more[1], more[2], encoder.restorer("shared_dict"))


def _reduce_flat(value: Any, encoder: GroupEncoder) -> Any:
    reduction = value.__reduce_ex__(4)
    make, arguments = reduction[:2]
    more = reduction[2:] + (None,) * (5 - len(reduction))
    newobj = getattr(copyreg, "__newobj__")  # noqa: B009 - inside a class the plain spelling would be mangled
    if make is not newobj or len(arguments) != 1 or more[1] is not None or more[2] is not None:
        return reduction
    if more[0] is not None:
        encoder.finish_later("state", value, more[0])
    return make, arguments
