"""The walk through the object graph of one value: what it reaches that somebody else could reach too.

The walk goes through the graph of one value breadth first, a whole level at a time through ``gc.get_referents``, which
calls no code of any object. What that does not show or shows too much of is a case of ``_EXPAND``:

===============  ====================================================================================================
ndarray          hides its base and its elements from the collector; the owner of the memory stands for all its views
function         cells, defaults and attributes are its state; ``__globals__`` is not, and a function without state
                 links nobody
class            a *dependency*: instances of one session class are not linked by it. Its attributes are the state of
                 the class's own name only. A class made inside a function has no name, so it does link
library objects  modules, types, functions, loggers, dtypes, enum members and whatever is global to a library
                 (``ForeignGlobals``) are pruned: every figure leads to ``rcParams``
weakref          is not ownership, and not followed; what it leads to is only noted. A plain ``ref`` to an instance of
                 a session class links all the same: ``r() is c``. Caches (with callbacks) do not, for they do not move
===============  ====================================================================================================
"""

from __future__ import annotations

import collections
import contextlib
import functools
import gc
import sys
import types
import weakref
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from nbdag.portable.foreign import REFRESH_SELDOM, ForeignGlobals, cover_modules, foreign_globals
from nbdag.portable.kinds import (
    REACH_ARRAY,
    REACH_ATOM,
    REACH_BLOCKS,
    REACH_BORROWED,
    REACH_CACHE,
    REACH_CELL,
    REACH_CLASS,
    REACH_CONTAINER,
    REACH_FOREIGN,
    REACH_FUNCTION,
    REACH_INDEX,
    REACH_LEAF,
    REACH_MODULE,
    REACH_PLAIN,
    REACH_SUSPENDED,
    REACH_TENSOR,
    REACH_THROUGH,
    REACH_VIEW,
    REACH_WEAK,
    depends_on_session,
    kind_of,
    modules_behind,
)
from nbdag.portable.objects import (
    base_labels,
    class_module,
    class_namespace,
    class_qualname,
    has_instance_dict,
    ids_of,
    instance_dict,
    is_handmade_module,
    is_handmade_namespace,
    is_heap_type,
    is_in_body_of,
    is_local_name,
    is_session_class,
    is_session_function,
    mro_of,
    only_atoms,
    wraps_session_function,
)
from nbdag.portable.tensor_reach import tensor_reach

MemoryExtent = Tuple[int, int, bool]  # first byte, byte after the last, whether anybody may write there


# d = vars(obj): since 3.13 the collector shows the values of an instance and no longer its dict. Asking makes the dict
# where there is none (64 bytes), so only the first instances of a walk are asked.
_DICTS_UNSEEN = sys.version_info >= (3, 13)
MOST_DICTS_ASKED_FOR = 1000


class ObjectWalk:
    """One walk from one value. ``visited`` keeps every object alive until the end, so no address is used twice."""

    def __init__(self, root: object, check: Optional[Callable[[int], None]] = None) -> None:
        self.root = root
        self.check = check  # told the size of each level; may raise to end the walk
        self.ids: Set[int] = set()
        self.extents: List[MemoryExtent] = []
        self.definitions: Set[int] = set()
        self.codes: Dict[int, types.CodeType] = {}
        self.weak: Set[int] = set()
        self.seen: Set[int] = set()
        self.visited: List[List[Any]] = []
        self.kinds: Dict[type, int] = {}
        self.modules: Set[str] = set()  # of the classes of library objects met so far
        self.covered = 0  # how many of them the index of their globals has
        self.foreign: Optional[ForeignGlobals] = None
        self.ajar = False  # something was met of which a fingerprint covers a part only
        self.level: List[Any] = []  # what the level being expanded leads to, beyond its plain referents

    def run(self) -> None:
        """Go through everything that the root leads to."""
        self.follow([self.root])

    def follow(self, level: List[Any]) -> None:
        """Go through everything that these objects lead to, as far as it was not seen yet."""
        while level:
            self.level = []
            if self.check is not None:
                self.check(len(level))
            fresh = self._fresh(level)
            self.visited.append(level)
            plain = self._expand(fresh)
            level = self.level
            if plain:
                level.extend(gc.get_referents(*plain))

    def _fresh(self, level: List[Any]) -> Dict[int, Any]:
        """The objects of a level that were not seen before and can matter, by id."""
        kinds = self.kinds
        wanted = set()
        for cls in set(map(type, level)):
            kind = kinds.get(cls)
            if kind is None:
                kind = kinds[cls] = kind_of(cls)
                if kind != REACH_ATOM and is_heap_type(cls) and depends_on_session(cls):
                    self.depend_on_class(cls)
                if kind == REACH_FOREIGN:
                    self.modules |= modules_behind(cls)
            if kind != REACH_ATOM:
                wanted.add(cls)
        if len(self.modules) > self.covered:
            self.covered = len(self.modules)
            if self.foreign is None:
                self.foreign = foreign_globals(self.modules)
            elif REFRESH_SELDOM[0]:
                cover_modules(self.foreign, self.modules)
        if not wanted:
            return {}
        objects = [obj for obj in level if type(obj) in wanted]
        fresh = dict(zip(ids_of(objects), objects))  # noqa: B905 (Python 3.8)
        for key in self.seen.intersection(fresh):
            del fresh[key]
        self.seen.update(fresh)
        if self.foreign is not None:
            for key in self.foreign.places.keys() & fresh.keys():
                if self.foreign.confirm(fresh[key]):
                    del fresh[key]
        return fresh

    def _expand(self, fresh: Dict[int, Any]) -> List[Any]:
        """Notes what the objects are; returns those whose referents are simply to be followed."""
        kinds = self.kinds
        plain = []
        for key, obj in fresh.items():
            kind = kinds[type(obj)]
            if kind in (REACH_PLAIN, REACH_FOREIGN):
                self.ids.add(key)
                plain.append(obj)
            elif kind == REACH_CONTAINER:
                self.ids.add(key)
                if len(obj) < 64 or not _holds_only_atoms(obj):
                    plain.append(obj)
            elif kind == REACH_THROUGH:
                plain.append(obj)
            elif kind == REACH_LEAF:
                self.ids.add(key)
            else:
                _EXPAND[kind](self, obj)
        if _DICTS_UNSEEN and len(self.seen) < MOST_DICTS_ASKED_FOR:
            for obj in plain:
                if is_session_class(type(obj)) and has_instance_dict(type(obj)):
                    self.ids.add(id(instance_dict(obj)))
        return plain

    def depend_on_class(self, cls: type) -> None:
        """The session classes among the class and its bases: what runs when an instance is used."""
        for base in mro_of(cls):
            if is_session_class(base) and id(base) not in self.definitions:
                self.definitions.add(id(base))
                self._collect_codes(list(class_namespace(base).values()))
                if is_local_name(class_qualname(base)):
                    self.level.append(base)

    def _collect_codes(self, pending: List[Any]) -> None:
        """Code of the functions in a class body, through decorators and small containers."""
        looked_at = set()
        while pending:
            obj = pending.pop()
            if id(obj) in looked_at:
                continue
            looked_at.add(id(obj))
            cls = type(obj)
            if cls is types.FunctionType:
                if is_session_function(obj):
                    self.definitions.add(id(obj))
                    self.codes[id(obj.__code__)] = obj.__code__
                pending.extend(value for cell in obj.__closure__ or () for value in gc.get_referents(cell))
            elif cls in (list, tuple, dict):
                # class Shop: handlers = {"pay": lambda: rate}; a large table of data is not looked through
                pending.extend(gc.get_referents(obj) if len(obj) < 256 else ())
            elif cls in _METHOD_WRAPPERS or (cls is not types.ModuleType and class_module(cls) == "functools"):
                pending.extend(gc.get_referents(obj))


def _holds_only_atoms(container: Any) -> bool:
    try:
        if type(container) is dict:
            return only_atoms(container.values()) and only_atoms(container)
        return only_atoms(container)
    except RuntimeError:  # another thread changed its size meanwhile
        return False


_METHOD_WRAPPERS = frozenset(
    [staticmethod, classmethod, property, functools.partial, type(functools.lru_cache(maxsize=1)(len))]
)


# ------------------------------------------------------------------------------------------------ special cases


def _expand_function(walk: ObjectWalk, function: types.FunctionType) -> None:
    if is_session_function(function):
        walk.definitions.add(id(function))
        walk.codes[id(function.__code__)] = function.__code__
    elif not is_local_name(function.__qualname__) and not wraps_session_function(function):
        if is_handmade_namespace(function.__globals__):
            _expand_globals(walk, function.__globals__)
        return  # a library's function: what it carries is the library's
    walk.level.extend(function.__closure__ or ())
    walk.level.extend(function.__defaults__ or ())
    walk.level.extend((function.__kwdefaults__ or {}).values())
    attributes = function.__dict__
    if attributes:
        if attributes.keys() != {"__wrapped__"}:  # what functools.wraps leaves is no state
            walk.ids.add(id(attributes))
        walk.level.extend(attributes.values())


def _expand_module(walk: ObjectWalk, module: types.ModuleType) -> None:
    if is_handmade_module(module):
        walk.ids.add(id(module))
        _expand_globals(walk, vars(module))


def _expand_globals(walk: ObjectWalk, namespace: Dict[str, Any]) -> None:
    walk.ids.add(id(namespace))
    walk.level.extend(value for name, value in namespace.items() if not name.startswith("__"))


def _expand_class(walk: ObjectWalk, cls: type) -> None:
    if not is_session_class(cls):
        return
    walk.depend_on_class(cls)
    if cls is walk.root or is_local_name(class_qualname(cls)) or is_in_body_of(cls, walk.root):
        walk.ids.add(id(cls))
        walk.level.extend(class_namespace(cls).values())


def _expand_array(walk: ObjectWalk, obj: Any) -> None:
    ndarray: Any = next(base for base in mro_of(type(obj)) if base.__name__ == "ndarray")
    owner = obj
    base = ndarray.base.__get__(owner)
    while base is not None and ndarray in mro_of(type(base)):
        owner = base
        base = ndarray.base.__get__(owner)
    # matplotlib's paths share arrays of codes that nobody may write to.
    constant = walk.foreign is not None and base is None and not ndarray.flags.__get__(owner).writeable
    if not constant:
        walk.ids.add(id(owner))
    walk.visited.append([owner])
    if owner is not obj and owner.dtype.hasobject:  # part.base[9] = xs
        walk.ajar = True
    if base is not None:
        walk.level.append(base)
    if type(obj) is not ndarray:
        if has_instance_dict(type(obj)):
            walk.ids.add(id(obj))
            walk.level.append(instance_dict(obj))
        obj = ndarray.view(obj, ndarray)  # no subclass's own ravel
    if obj.dtype.hasobject:
        elements = obj.ravel("K").tolist()
        if not only_atoms(elements):
            walk.level.extend(elements)
    extent = memory_extent(ndarray.view(owner, ndarray), not constant and _is_writable_owner(base))
    if extent is not None:
        walk.extents.append(extent)


def _expand_tensor(walk: ObjectWalk, tensor: Any) -> None:
    held, extents = tensor_reach(tensor)
    walk.ids.add(id(tensor))
    walk.level.extend(held)
    walk.extents.extend(extents)


def _is_writable_owner(owner: Any) -> bool:
    """Whether anybody may write into memory that an array borrows from ``owner`` (None: the array's own memory)."""
    if type(owner) is memoryview:
        try:
            return not owner.readonly
        except ValueError:
            return True
    return type(owner) is not bytes and class_module(type(owner)).partition(".")[0] != "pyarrow"


def memory_extent(array: Any, writable: bool) -> Optional[MemoryExtent]:
    """The bytes between the lowest and the highest element of an ndarray, None if it has none."""
    if not array.size:
        return None
    low = array.__array_interface__["data"][0]
    high = low + array.itemsize
    for length, stride in zip(array.shape, array.strides):  # noqa: B905 (Python 3.8)
        if stride < 0:
            low += (length - 1) * stride
        else:
            high += (length - 1) * stride
    return (low, high, writable)


def _expand_view(walk: ObjectWalk, view: memoryview) -> None:
    try:
        walk.level.append(view.obj)
    except ValueError:  # released
        walk.ids.add(id(view))


def _expand_suspended(walk: ObjectWalk, obj: Any) -> None:
    """A generator or coroutine is its frame: locals and the iterators of its running loops."""
    walk.ids.add(id(obj))
    walk.ajar = True
    for referent in gc.get_referents(obj):
        if type(referent) is not types.FrameType:  # since Python 3.11 the frame is part of the generator
            walk.level.append(referent)
            continue
        outer = {id(referent.f_back), id(referent.f_globals), id(referent.f_builtins)}
        walk.level.extend(child for child in gc.get_referents(referent) if id(child) not in outer)
        if referent.f_globals.get("__name__") == "__main__":
            walk.codes[id(referent.f_code)] = referent.f_code


def _expand_cell(walk: ObjectWalk, cell: types.CellType) -> None:
    contents = gc.get_referents(cell)
    # A cell is a variable that several functions may assign to, so it links even around a number. What a decorator
    # keeps is a function, and __class__ a class: nobody assigns to those.
    if not contents or type(contents[0]) not in (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type):
        walk.ids.add(id(cell))
    walk.level.extend(contents)


def _expand_cache(walk: ObjectWalk, cache: Any) -> None:
    walk.ids.add(id(cache))
    walk.ajar = True
    # All lru_caches of a process hold one sentinel, between positional and keyword arguments of a key.
    probe = functools.lru_cache(maxsize=None)(lambda **options: None)
    probe(x=1)
    for referent in gc.get_referents(probe):
        keys = (
            [part for key in referent if type(key) is tuple for part in key] if type(referent) is dict else [referent]
        )
        walk.seen.update(id(obj) for obj in keys if type(obj) is object)
    walk.level.extend(gc.get_referents(cache))


def _expand_index(walk: ObjectWalk, index: Any) -> None:
    """pandas shares indexes between frames because they never change: memory nobody writes to."""
    found = (instance_dict(index) or {}).get("_data")
    values = getattr(found, "_ndarray", found)
    if "numpy.ndarray" in base_labels(type(values)):
        extent = memory_extent(values, False)
        if extent is not None:
            walk.extents.append(extent)


def _expand_blocks(walk: ObjectWalk, manager: Any) -> None:
    """The blocks of a frame; its axes and the look-up tables are shared between frames and replaced, not changed."""
    walk.ids.add(id(manager))
    blocks = getattr(manager, "blocks", None)
    if blocks is None:
        walk.level.extend(gc.get_referents(manager))
    else:
        walk.level.extend(blocks)


def _expand_weak(walk: ObjectWalk, reference: Any) -> None:
    if weakref.ref in mro_of(type(reference)):
        target = weakref.ref.__call__(reference)
        if target is not None:
            walk.weak.add(id(target))
            plain = type(reference) is weakref.ref and reference.__callback__ is None
            if plain and (
                type(target) is collections.OrderedDict  # of the hooks of a torch module, which a handle removes
                or (is_session_class(type(target)) and kind_of(type(target)) == REACH_PLAIN)
            ):
                walk.ids.add(id(target))
    else:  # <weakproxy at 0x7f12 to Tree at 0x7f34>: nothing else says what a proxy stands for
        spelled = weakref.ProxyType.__repr__(reference).rpartition(" at ")[2].rstrip(">")
        with contextlib.suppress(ValueError):
            walk.weak.add(int(spelled, 16))


def _expand_borrowed(walk: ObjectWalk, obj: Any) -> None:
    walk.ajar = True
    if hasattr(type(obj), "base"):
        walk.level.append(obj.base)
    else:
        walk.ids.add(id(obj))
        with contextlib.suppress(ValueError):  # an nditer that was closed
            walk.level.extend(obj.operands)


_EXPAND: Dict[int, Callable[[ObjectWalk, Any], None]] = {
    REACH_FUNCTION: _expand_function,
    REACH_CLASS: _expand_class,
    REACH_MODULE: _expand_module,
    REACH_ARRAY: _expand_array,
    REACH_VIEW: _expand_view,
    REACH_SUSPENDED: _expand_suspended,
    REACH_CELL: _expand_cell,
    REACH_CACHE: _expand_cache,
    REACH_INDEX: _expand_index,
    REACH_BLOCKS: _expand_blocks,
    REACH_BORROWED: _expand_borrowed,
    REACH_TENSOR: _expand_tensor,
    REACH_WEAK: _expand_weak,
}
