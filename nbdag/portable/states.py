"""The state of an object as a pickle reduction that is never unpickled: ``(list, (what it is,), its state)``.

Pickle refuses functions, classes of the notebook, modules and weak references, runs the user's ``__reduce__`` and
``__getstate__``, and copies arrays. For change detection only the real state counts, so for these types
:func:`reducer_for` gives another reduction. What an object *is* goes into the arguments (atoms only); everything that
could lead back to the object itself goes into the state, which pickle saves after it has remembered the object.

Ids of types and code stand for themselves: fingerprints never leave the process.
"""

from __future__ import annotations

import array
import enum
import functools
import gc
import mmap
import operator
import sys
import types
import weakref
from typing import Any, Callable, Dict, List, Optional, Tuple

from nbdag.portable.buffers import feed_array, hash_atoms
from nbdag.portable.contents import CONTENTS
from nbdag.portable.hashing import new_state_hash
from nbdag.portable.objects import (
    SESSION_MODULE,
    base_labels,
    class_module,
    class_namespace,
    class_qualname,
    has_hidden_state,
    has_instance_dict,
    instance_dict,
    is_handmade_module,
    is_in_body_of,
    is_local_name,
    is_session_class,
    is_session_function,
    mro_of,
    only_atoms,
    registered_with,
    slot_descriptors,
    wraps_session_function,
)
from nbdag.portable.pictures import seen_of_picture
from nbdag.portable.whole import attributes_of, is_taken_whole

Reduction = Tuple[Any, ...]
Reducer = Callable[[Any], Any]


class NoFingerprint(Exception):
    """The object's state cannot be seen from Python: ``args[0]`` says what it is."""


# By package and class, subclasses included. Drawing changes a figure, and a thread changes itself.
_UNSEEN = frozenset(
    [
        "_io._IOBase", "socket.socket", "_socket.socket", "_thread.lock", "_thread.RLock", "_thread._local",
        "threading.Thread", "threading.local", "sqlite3.Connection", "sqlite3.Cursor", "subprocess.Popen",
        "asyncio.Future", "_asyncio.Future", "matplotlib.Artist", "matplotlib.FigureCanvasBase", "matplotlib.Animation",
        "matplotlib.FigureManagerBase", "builtins.generator", "builtins.coroutine", "builtins.async_generator",
        "builtins.frame", "builtins.traceback", "multiprocessing.Process", "concurrent.Executor", "concurrent.Future",
        "IPython.InteractiveShell", "selectors.BaseSelector", "asyncio.AbstractEventLoop", "builtins.PyCapsule",
    ]
)  # fmt: skip
_SEEN = frozenset(["_io.BytesIO", "_io.StringIO"])
# itertools still pickle before 3.14, with a warning that the user would see.
_UNSEEN_PACKAGES = frozenset(["itertools", "zmq"])


def _is_unseen(cls: type, labels: List[str]) -> bool:
    if _SEEN.intersection(labels):
        return False
    return not _UNSEEN.isdisjoint(labels) or labels[0].partition(".")[0] in _UNSEEN_PACKAGES


SMALL_ARRAY = 2048  # bytes that are written as they are: a hash of their own costs 5 us


def state_of_atoms(tag: str, *atoms: Any) -> Reduction:
    return (list, (tag, *atoms))


class StateReducer:
    """Chooses and remembers a reducer for each type met while one value is fingerprinted."""

    def __init__(self, root: object) -> None:
        self.root = root
        self.covered = 0  # bytes of buffers hashed
        self.objects = 0  # objects that took a call of Python code
        self.reducers: Dict[type, Optional[Reducer]] = {}

    def reduce(self, obj: Any) -> Any:
        """``pickle.Pickler.reducer_override``: a reduction, or NotImplemented where pickle's own is right."""
        self.objects += 1
        cls = type(obj)
        try:
            reducer = self.reducers[cls]
        except KeyError:
            reducer = self.reducers[cls] = self._choose(cls)
        return NotImplemented if reducer is None else reducer(obj)

    def _choose(self, cls: type) -> Optional[Reducer]:
        known = _REDUCERS.get(cls)
        if known is not None:
            return functools.partial(known, self)
        chosen = _CHOSEN.get(id(cls))
        choice = chosen[1] if chosen is not None and chosen[0]() is cls else _remember(cls, _choice(cls))
        return None if choice is None else choice(self)

    # -------------------------------------------------------------------------------------------- arrays

    def _array(self, ndarray: Any, obj: Any) -> Any:
        if type(obj) is ndarray and obj.nbytes <= SMALL_ARRAY:
            dtype = obj.dtype
            if dtype.names is None and not dtype.hasobject:
                shape = (obj.shape, obj.strides, obj.flags.writeable)
                return (list, ("array", id(ndarray), dtype.str, *shape, obj.tobytes()))
        plain = obj if type(obj) is ndarray else ndarray.view(obj, ndarray)
        dtype = plain.dtype
        head = ("array", id(type(obj)), dtype.str if dtype.names is None else repr(dtype.descr),
                repr(plain.shape), repr(plain.strides), bool(ndarray.flags.__get__(obj).writeable))  # fmt: skip
        state: List[Any] = []
        if type(obj) is not ndarray:
            attributes = _attributes(obj)
            if attributes is not None and "_mask" in attributes and "_fill_value" in attributes:
                # Printing a masked array gives it the fill value that it had by default.
                fill = attributes["_fill_value"]
                fill = sys.modules["numpy.ma"].default_fill_value(dtype) if fill is None else fill
                attributes = dict(attributes, _fill_value=str(fill))
            state.append(attributes)
        if dtype.hasobject:
            elements = plain.ravel("K").tolist()
            if only_atoms(elements):
                self.covered += 8 * len(elements)
                return (list, (*head, hash_atoms(elements)), state)
            state.append(elements)
            return (list, head, state)
        self.covered += plain.nbytes
        hasher = new_state_hash()
        feed_array(hasher, plain)
        return (list, (*head, hasher.digest()), state) if state else (list, (*head, hasher.digest()))

    # -------------------------------------------------------------------------------------------- classes, instances

    def _class(self, cls: type) -> Any:
        if class_module(cls) == "builtins":
            return NotImplemented  # pickled by name, `list` of every reduction among them
        own = cls is self.root or is_local_name(class_qualname(cls)) or is_in_body_of(cls, self.root)
        if not is_session_class(cls) or not own:
            return state_of_atoms("class", id(cls))
        state: List[Any] = [id(base) for base in mro_of(cls)[1:]]
        state += [type.__dict__["__name__"].__get__(cls), class_qualname(cls)]
        attributes = [
            (name, value)
            for name, value in list(class_namespace(cls).items())
            if name not in _CLASS_MACHINERY
            and not (name == "__annotations__" and not value)
            # A | B of a Flag leaves a member without a name behind, for the next time.
            and not (name in ("_value2member_map_", "_unhashable_values_map_") and enum.Enum in mro_of(cls))
        ]
        state += [id(kind) for kind in registered_with(cls)]
        return (list, ("session class", id(cls)), (state, attributes))

    def _session_instance(self, cls: type) -> Optional[Reducer]:
        """Content of the built-in base, real ``__dict__`` and slots; nothing that the class defines is called."""
        content = None
        for base in mro_of(cls):
            if base in CONTENTS:
                content = CONTENTS[base]
                break
            if has_hidden_state(base) and not issubclass(base, BaseException):
                return None  # an extension's class with state of its own: only its own reduction knows it
        slots = [descriptor for _, descriptor in slot_descriptors(cls)]
        if content is None and not slots and sys.version_info >= (3, 11) and _is_plain_class(cls):
            return _InlineAttributes(cls)
        head = ("instance", id(cls))

        def reduce_instance(obj: Any) -> Reduction:
            state: List[Any] = [_attributes(obj)]
            for descriptor in slots:
                try:
                    state.append((descriptor.__get__(obj, cls),))
                except AttributeError:
                    state.append(())
            if content is not None:
                state.append(content(obj))
            return (list, head, state)

        return reduce_instance


# ------------------------------------------------------------------------------------------------ by type

Choice = Callable[[StateReducer], Optional[Reducer]]


def _choice(cls: type) -> Optional[Choice]:
    """How the reducer of a type is made for one look; None where pickle's own reduction is right.

    It keeps no class alive, save one of the session, whose choice nobody remembers.
    """
    bases, key = mro_of(cls), id(cls)
    if type in bases:
        return lambda reducer: reducer._class
    labels = base_labels(cls)
    if _is_unseen(cls, labels):
        return functools.partial(_refuse, labels[0])
    if weakref.ref in bases:
        return lambda reducer: functools.partial(_weak_reference, reducer)
    if "numpy.ndarray" in labels and types.ModuleType not in bases and enum.Enum not in bases:
        ndarray = next(base for base in bases if base_labels(base)[0] == "numpy.ndarray")
        return lambda reducer: functools.partial(reducer._array, ndarray)
    found = _library_reducer(bases, labels, key)
    if found is not None:
        return lambda reducer: found
    if is_session_class(cls) and "pathlib.PurePath" not in labels:
        return lambda reducer: reducer._session_instance(cls)
    return None


def _library_reducer(bases: Tuple[type, ...], labels: List[str], key: int) -> Optional[Reducer]:
    """The reducer of a library's type that needs nothing but the object."""
    if types.ModuleType in bases:
        return _module
    if enum.Enum in bases:
        return lambda member: state_of_atoms("member", key, str(instance_dict(member).get("_name_")))  # type: ignore[union-attr]
    if "numpy.dtype" in labels:
        return lambda dtype: state_of_atoms("dtype", dtype.str if dtype.names is None else repr(dtype.descr), key)
    if "numpy.generic" in labels and "numpy.void" not in labels and "numpy.object_" not in labels:
        return lambda scalar: state_of_atoms("scalar", key, scalar.dtype.str, scalar.tobytes())
    if "PIL.Image" in labels:  # its own pickle would decode it
        return lambda image: (list, ("picture", key, image.mode, repr(image.size)), seen_of_picture(image))
    if not _MAPPED.isdisjoint(labels):  # made again with its class; to ask for more may configure it
        return lambda mapped: state_of_atoms("mapped", id(mapped))
    if "sqlalchemy.MetaData" in labels:
        return lambda metadata: (list, ("metadata", key, repr(metadata.schema)), list(metadata.tables.items()))
    if "sqlalchemy.Table" in labels:
        return lambda table: (list, ("table", id(table), table.fullname), [list(map(id, table.columns)), table.info])
    if "sqlalchemy.ClauseElement" in labels:  # statements and columns remember what was asked of them
        return lambda clause: state_of_atoms("clause", id(clause))
    if "sqlalchemy.InstanceState" in labels:
        return lambda state: state_of_atoms("instance state", id(state), repr(state.key), bool(state.modified))
    if "pandas.NDArrayBacked" in labels:
        return functools.partial(_backed_array, key)
    if labels[0] in ("typing.TypeVar", "typing.ParamSpec", "typing.TypeVarTuple"):
        return lambda obj: state_of_atoms("constant", id(obj))
    if labels[0] in _GENERATORS:
        return _generator
    if not _SEARCH_TREES.isdisjoint(labels):  # it counts the calls: fields 7 to 10 of its state
        return lambda tree: (list, ("tree", key), [*tree.__getstate__()[:7], *tree.__getstate__()[11:]])
    if "scipy._cs_matrix" in labels:  # the answers to has_sorted_indices and has_canonical_format are kept
        return lambda matrix: (list, ("sparse", key), _without(matrix, _SPARSE_ANSWERS))
    if "pandas.BaseOffset" in labels:  # immutable, but pickled with what it has computed so far
        return lambda offset: state_of_atoms("offset", key, repr(offset), repr(offset.kwds))
    if labels[0] == "matplotlib.CallbackRegistry":  # the state that it tells counts how often it was asked
        return lambda registry: (list, ("callbacks", key), _without(registry, ("_cid_gen",)))
    if is_taken_whole(bases[0]) and labels[0].partition(".")[0] not in _CHANGED_BY_READING:
        return lambda obj: (list, ("whole", key), _without_session(attributes_of(obj)))
    return None


def _refuse(label: str, reducer: StateReducer) -> Optional[Reducer]:
    raise NoFingerprint(label)


def _remember(cls: type, choice: Optional[Choice]) -> Optional[Choice]:
    """Keep the choice for a class of a library as long as that lives; one of the session may change its bases."""
    if any(label.partition(".")[0] == SESSION_MODULE for label in base_labels(cls)):
        return choice
    key = id(cls)

    def forget(reference: Any) -> None:
        entry = _CHOSEN.get(key)
        if entry is not None and entry[0] is reference:
            del _CHOSEN[key]

    _CHOSEN[key] = (weakref.ref(cls, forget), choice)
    return choice


_CHOSEN: Dict[int, Tuple[Any, Optional[Choice]]] = {}  # by address of the type


class _InlineAttributes:
    """Reads attributes without ``__dict__``: since Python 3.11 asking makes one, for every instance there is.

    The collector shows the values, but not their names. So the names of one instance are tried on the next: where
    looking each up gives exactly the values the collector showed, these are its attributes; else its dict is asked for.
    Names are sorted: instances of a class share one order of keys until their dicts are made, and then show their own.
    """

    def __init__(self, cls: type) -> None:
        self.head = ("instance", id(cls))
        self.names: Tuple[str, ...] = ()
        self.known = {(): ()}  # type: Dict[Tuple[str, ...], Tuple[str, ...]]
        self.values: Callable[[Any], Any] = lambda obj: ()
        self.taken = {name for base in mro_of(cls) for name in class_namespace(base)}

    def __call__(self, obj: Any) -> Reduction:
        names = self.names
        if names:
            referents = gc.get_referents(obj)
            if len(referents) == len(names) + 1:
                try:
                    found = self.values(obj)
                except AttributeError:
                    found = ()
                shown = sorted([id(value) for value in referents if value is not type(obj)])
                if len(found) == len(names) and sorted(map(id, found)) == shown:
                    return (list, self.head, (names, found))
        attributes = instance_dict(obj) or {}
        names = tuple(sorted(attributes, key=str))
        names = self.known.setdefault(names, names)  # one object: written once, referred to afterwards
        if names is not self.names and self.taken.isdisjoint(names) and all(map(str.isidentifier, names)):
            self.names = names
            self.values = _tuple_getter(names)
        return (list, self.head, (names, tuple([attributes[name] for name in names])))


def _tuple_getter(names: Tuple[str, ...]) -> Callable[[Any], Tuple[Any, ...]]:
    if not names:
        return lambda obj: ()
    getter = operator.attrgetter(*names)
    return getter if len(names) > 1 else (lambda obj: (getter(obj),))


def _is_plain_class(cls: type) -> bool:
    """Attribute access on instances is the ordinary one, and their attributes are in a dict."""
    if not has_instance_dict(cls):
        return False
    for base in mro_of(cls):
        if base is not object and not {"__getattribute__", "__getattr__"}.isdisjoint(class_namespace(base)):
            return False
    return True


_MAPPED = frozenset(
    ["sqlalchemy.Mapper", "sqlalchemy.ClassManager", "sqlalchemy.registry", "sqlalchemy.QueryableAttribute"]
)
_GENERATORS = frozenset(["random.Random", "numpy.RandomState"])
_SEARCH_TREES = frozenset(["sklearn.BinaryTree", "sklearn.BinaryTree64", "sklearn.BinaryTree32"])
_SPARSE_ANSWERS = ("_has_sorted_indices", "_has_canonical_format")


_CHANGED_BY_READING = frozenset(["lmfit", "asteval"])  # who asks for the value of an expression has it evaluated


def _without_session(state: List[Any]) -> List[Any]:
    """With the notebook's namespace, where patsy looks names up, by its identity: its variables are no state of it."""
    spaces = (state[0] or {}).get("_namespaces")
    if type(spaces) is not list:
        return state
    known = [id(one) if type(one) is dict and one.get("__name__") == SESSION_MODULE else one for one in spaces]
    return [dict(state[0], _namespaces=known), *state[1:]]


def _without(obj: Any, caches: Tuple[str, ...]) -> Dict[str, Any]:
    return {name: value for name, value in (instance_dict(obj) or {}).items() if name not in caches}


def _attributes(obj: Any) -> Any:
    return instance_dict(obj) if has_instance_dict(type(obj)) else None


_CLASS_MACHINERY = frozenset(
    [
        "__dict__", "__weakref__", "__module__", "_abc_impl", "__annotations_cache__", "__annotate_func__",
        "__annotate__", "__slotnames__",  # copyreg leaves __slotnames__ when the first instance is pickled
    ]
)  # fmt: skip


# ------------------------------------------------------------------------------------------------ other types


def _function(reducer: StateReducer, function: types.FunctionType) -> Reduction:
    known = is_session_function(function) or is_local_name(function.__qualname__) or wraps_session_function(function)
    if not known:
        return state_of_atoms("library function", id(function), function.__qualname__)
    code = function.__code__
    if function.__globals__.get("__name__") == "functools" and "registry" in function.__dict__:
        return (list, ("single dispatch", id(code)), dict(function.__dict__["registry"]))  # beside it are caches
    state = (
        function.__defaults__,
        function.__kwdefaults__,
        function.__closure__,
        function.__dict__,
        function.__name__,
        function.__doc__,
        function.__annotations__ if sys.version_info < (3, 14) else None,  # since then asking runs code
    )
    return (list, ("function", id(code), hash(code)), state)


def _generator(generator: Any) -> Any:
    """The generator behind the functions of ``random`` or ``numpy.random`` is the process's: who only refers to it, as
    every distribution of scipy does, is as it was when somebody draws. Drawing is noted elsewhere (``drawing.py``)."""
    for package, asked in (("random", "getstate"), ("numpy.random", "get_state")):
        if getattr(getattr(sys.modules.get(package), asked, None), "__self__", None) is generator:
            return state_of_atoms("generator of the process", id(generator))
    return NotImplemented


def _module(module: types.ModuleType) -> Reduction:
    if not is_handmade_module(module):
        return state_of_atoms("module", id(module))
    values = [(name, value) for name, value in vars(module).items() if not name.startswith("__")]
    return (list, ("module made by hand", id(module)), values)


def _cell(reducer: StateReducer, cell: types.CellType) -> Reduction:
    return (list, ("cell",), gc.get_referents(cell))


def _method(reducer: StateReducer, method: types.MethodType) -> Reduction:
    return (list, ("method",), (method.__func__, method.__self__))


def _builtin(reducer: StateReducer, function: Any) -> Reduction:
    owner = function.__self__
    if owner is None or isinstance(owner, (types.ModuleType, type)):
        return state_of_atoms("builtin", function.__qualname__, id(owner))
    return (list, ("builtin method", function.__name__), (owner,))


def _referents(reducer: StateReducer, obj: Any) -> Reduction:
    """For small containers whose referents are all their state, in fixed order."""
    return (list, ("referents", id(type(obj))), gc.get_referents(obj))


def _cache(reducer: StateReducer, cache: Any) -> Reduction:
    """Without the cached results: filling a cache is not a change that anybody could want back."""
    return (list, ("cache",), instance_dict(cache))


def _cached_property(reducer: StateReducer, descriptor: Any) -> Reduction:
    return (list, ("cached property",), (descriptor.func, descriptor.attrname))


def _weak_reference(reducer: StateReducer, reference: Any) -> Reduction:
    target = weakref.ref.__call__(reference)
    return (list, ("weak", 0 if target is None else id(target)), _attributes(reference))


def _backed_array(key: int, obj: Any) -> Reduction:
    """pandas' dates and categories; their own reduction has what properties have cached."""
    return (list, ("backed array", key), (obj._ndarray, obj._dtype, _without(obj, ("_cache",))))


def _named(reducer: StateReducer, descriptor: Any) -> Reduction:
    return state_of_atoms("descriptor", descriptor.__name__, id(descriptor.__objclass__))


def _constant(reducer: StateReducer, obj: Any) -> Reduction:
    return state_of_atoms("constant", id(obj))


def _view(reducer: StateReducer, view: memoryview) -> Reduction:
    try:
        head = ("view", view.format, repr(view.shape), repr(view.strides), view.readonly)
    except ValueError:
        return state_of_atoms("released view")
    reducer.covered += view.nbytes
    hasher = new_state_hash()
    hasher.update(view if view.contiguous and view.ndim <= 1 else view.tobytes())
    return (list, (*head, hasher.digest()))


def _typed_array(reducer: StateReducer, obj: Any) -> Reduction:
    hasher = new_state_hash()
    hasher.update(memoryview(obj).cast("B") if len(obj) else b"")
    reducer.covered += len(obj) * obj.itemsize
    return state_of_atoms("array.array", obj.typecode, len(obj), hasher.digest())


def _mapped(reducer: StateReducer, obj: Any) -> Reduction:
    if obj.closed:
        return state_of_atoms("closed map")
    hasher = new_state_hash()
    with memoryview(obj) as view:
        hasher.update(view)
        reducer.covered += view.nbytes
    return state_of_atoms("map", obj.tell(), hasher.digest())


_REDUCERS: Dict[type, Callable[[StateReducer, Any], Any]] = {
    types.FunctionType: _function,
    types.CellType: _cell,
    types.MethodType: _method,
    types.BuiltinFunctionType: _builtin,
    types.MethodWrapperType: _referents,
    types.MappingProxyType: lambda reducer, proxy: (list, ("proxy",), dict(proxy)),
    types.MethodDescriptorType: _named,
    types.WrapperDescriptorType: _named,
    types.GetSetDescriptorType: _named,
    types.MemberDescriptorType: _named,
    types.ClassMethodDescriptorType: _named,
    types.CodeType: lambda reducer, code: state_of_atoms("code", id(code), hash(code)),
    object: _constant,
    property: lambda reducer, obj: (list, ("property",), (obj.fget, obj.fset, obj.fdel, obj.__doc__)),
    staticmethod: lambda reducer, obj: (list, ("staticmethod",), (obj.__func__,)),
    classmethod: lambda reducer, obj: (list, ("classmethod",), (obj.__func__,)),
    functools.cached_property: _cached_property,
    type(functools.lru_cache(maxsize=1)(len)): _cache,
    weakref.ref: _weak_reference,
    weakref.ProxyType: _constant,
    weakref.CallableProxyType: _constant,
    memoryview: _view,
    array.array: _typed_array,
    mmap.mmap: _mapped,
}
