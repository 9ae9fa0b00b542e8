"""Instances that are nothing but their attributes, in terms that mean the same in every process; see ``canonical.py``.

A session often has a few classes and a hundred thousand instances of each. What follows from the class alone (its
slots, where its ``__dict__`` is, what of it is a cache) is therefore found once, in an :class:`InstanceForm`, and what
follows from the names of the attributes once for all instances that have the same, in an :class:`InstanceLayout`.
"""

from __future__ import annotations

import functools
import types
from typing import Any, Dict, List, Optional, Sequence, Tuple

from nbdag.portable.canonical_code import Encoded, canonical_label
from nbdag.portable.contents import CONTENTS
from nbdag.portable.objects import class_namespace, has_instance_dict, instance_dict, mro_of, slot_descriptors

MOST_LAYOUTS = 256  # of one class: where the names of attributes are data, each instance has its own
_TEXT = frozenset([str])


class InstanceLayout:
    """The attributes that some instances of a class have, sorted by name: their order is no state anybody reads."""

    __slots__ = ("as_given", "head", "keys", "line")

    def __init__(self, label: str, given: Sequence[Any], kept: Sequence[Any], exact: bool) -> None:
        self.keys = sorted(kept, key=str)
        self.as_given = exact and self.keys == list(given)  # then the values are in this order already
        self.head = ("instance", label, tuple(map(str, self.keys)))
        self.line = b""  # for the digest: what it writes of the head


class InstanceForm:
    """How the instances of one class are encoded. Good for one look at a value: the class may change after it."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.label = canonical_label(cls)
        self.slots = [(str(name), descriptor) for name, descriptor in slot_descriptors(cls)]
        self.content = next((base for base in mro_of(cls) if base in CONTENTS), None)
        self.ordinary = _has_ordinary_dict(cls)
        self.layouts: Dict[Tuple[Any, ...], InstanceLayout] = {}

    def encode(self, obj: Any) -> Tuple[InstanceLayout, List[Any]]:
        """The layout and the children of an instance of this very class; no method of the class is called."""
        # A copy, since another thread may change the instance meanwhile.
        found: Dict[str, Any] = dict(self._dict_of(obj) or {})
        if self.slots:
            self._add_slots(obj, found)
        names = tuple(found)
        # vars(obj)[1] and vars(obj)[True] are equal and have different names; only text means the same if it is equal.
        exact = _TEXT.issuperset(map(type, names))
        layout: Optional[InstanceLayout] = self.layouts.get(names) if exact else None
        if layout is None:
            kept = names if self.slots else [name for name in names if not is_cached_property(self.cls, name)]
            layout = InstanceLayout(self.label, names, kept, exact)
            if exact and len(self.layouts) < MOST_LAYOUTS:
                self.layouts[names] = layout
        values = list(found.values()) if layout.as_given else [found[key] for key in layout.keys]
        if self.content is not None:
            if self.content in (set, frozenset):
                values.append(frozenset(self.content.__iter__(obj)))
            else:
                values.append(CONTENTS[self.content](obj))
        return layout, values

    def _dict_of(self, obj: Any) -> Optional[Dict[str, Any]]:
        if self.ordinary:
            try:
                found = _ordinary_dict(obj, "__dict__")
            except AttributeError:
                found = None
            if type(found) is dict:
                return found
        return instance_dict(obj)

    def _add_slots(self, obj: Any, found: Dict[str, Any]) -> None:
        """A slot of the name of a cached property is none, so caches are taken out first."""
        for name in [name for name in found if is_cached_property(self.cls, name)]:
            del found[name]
        for name, descriptor in self.slots:
            try:
                found[name] = descriptor.__get__(obj, self.cls)
            except AttributeError:
                continue


_ordinary_dict = object.__getattribute__


def encode_instance(obj: Any) -> Encoded:
    """Content of the built-in base, ``__dict__``, slots; no method of the class is called."""
    layout, values = InstanceForm(type(obj)).encode(obj)
    return layout.head, values


def is_cached_property(cls: type, name: str) -> bool:
    """Whether an attribute of this name is what a ``functools.cached_property`` of the class keeps."""
    for base in mro_of(cls):
        value = class_namespace(base).get(name)
        if value is not None:
            return type(value) is functools.cached_property
    return False


def _has_ordinary_dict(cls: type) -> bool:
    """Whether ``__dict__`` of an instance is the real one, as of nearly all; :func:`instance_dict` knows the others."""
    if not has_instance_dict(cls):
        return False
    for base in mro_of(cls):
        own = class_namespace(base).get("__dict__")
        if own is not None:
            return type(own) is types.GetSetDescriptorType
    return False
