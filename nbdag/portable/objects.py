"""What kind of thing a Python object is, asked without running any code of the user's.

Every question goes to the type (``type(obj)``, never ``obj.__class__``) and through the slots of ``type`` itself, so
that metaclasses, ``__getattribute__`` and properties that lie, raise or block are never called. Libraries are only
looked up in ``sys.modules``: a library that the session did not import cannot have made one of its values.

*Session* classes and functions are those made in ``__main__``, the notebook; all others are *foreign*.
"""

from __future__ import annotations

import ctypes
import gc
import types
import weakref
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Set, Tuple

_RAW_MRO = type.__dict__["__mro__"]
_RAW_DICT = type.__dict__["__dict__"]
_RAW_MODULE = type.__dict__["__module__"]
_RAW_QUALNAME = type.__dict__["__qualname__"]
_RAW_FLAGS = type.__dict__["__flags__"]
_RAW_DICTOFFSET = type.__dict__["__dictoffset__"]
_RAW_MODULE_DICT: Any = vars(types.ModuleType)["__dict__"]
_RAW_BASE = type.__dict__["__base__"]
_RAW_BASICSIZE = type.__dict__["__basicsize__"]
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement or at run time, so it can go away

SESSION_MODULE = "__main__"

# Immutable, without references to anything mutable: never shared state, never followed.
ATOM_TYPES = frozenset(
    [int, float, complex, bool, str, bytes, type(None), type(Ellipsis), type(NotImplemented), range, types.CodeType]
)


def mro_of(cls: type) -> Tuple[type, ...]:
    """The method resolution order, also of a class whose metaclass hides it."""
    return _RAW_MRO.__get__(cls) or (cls,)


def class_namespace(cls: type) -> Mapping[str, Any]:
    """The class's own attributes as they are, descriptors not called."""
    return _RAW_DICT.__get__(cls)  # type: ignore[no-any-return]


def class_module(cls: type) -> str:
    """The name of the module that made the class, "" where that is not a string."""
    try:
        module = _RAW_MODULE.__get__(cls)
    except AttributeError:
        return ""
    return module if type(module) is str else ""


def class_qualname(cls: type) -> str:
    return _RAW_QUALNAME.__get__(cls)  # type: ignore[no-any-return]


def is_heap_type(cls: type) -> bool:
    """False for types that are part of an extension's static data and live for ever."""
    return bool(_RAW_FLAGS.__get__(cls) & _HEAP_TYPE)


def has_hidden_state(cls: type) -> bool:
    """Whether a class keeps more in its instances than a dict and slots: fields that only its C code knows.

    Since Python 3.10 classes of the standard library's C code turn into heap types one by one (``_random.Random``,
    ``ctypes.Structure``), so that flag does not tell; the size of an instance does.
    """
    if cls is object:
        return False
    if not is_heap_type(cls):
        return True
    own = sum(type(value) is types.MemberDescriptorType for value in class_namespace(cls).values())
    grown = _RAW_BASICSIZE.__get__(cls) - _RAW_BASICSIZE.__get__(_RAW_BASE.__get__(cls))
    return bool(grown > tuple.__itemsize__ * (own + 2))  # a pointer each; two are for __dict__ and __weakref__


def has_instance_dict(cls: type) -> bool:
    return bool(_RAW_DICTOFFSET.__get__(cls) != 0)


def is_session_class(cls: type) -> bool:
    return class_module(cls) == SESSION_MODULE


def is_session_function(function: types.FunctionType) -> bool:
    """By its globals: ``functools.wraps`` copies ``__module__``, so a library's wrapper would look like the user's."""
    return function.__globals__.get("__name__") == SESSION_MODULE


def stream_behind(function: types.FunctionType) -> Any:
    """The stream whose ``write`` the function stands for; None for all but what IPython puts there while a cell runs.

    It leads to the shell, and whoever keeps it (a progress bar) would lead there, too.
    """
    while function.__qualname__ == "InteractiveShell._tee.<locals>.write":
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))  # noqa: B905
        original = cells["original_write"].cell_contents
        if not isinstance(original, types.FunctionType):
            return getattr(original, "__self__", None)
        function = original
    return None


def wraps_session_function(function: types.FunctionType) -> bool:
    """Whether a library made the function around one of the session's, whose name and module it took over.

    @functools.singledispatch      # f is now a function of functools, and what is registered with it is its state
    def f(x): ...
    """
    module: object = function.__module__
    return "__wrapped__" in function.__dict__ and type(module) is str and module == SESSION_MODULE


def is_handmade_module(module: object) -> bool:
    """Whether no import made the module: ``m = types.ModuleType("m"); exec(text, m.__dict__)``."""
    return type(module) is types.ModuleType and is_handmade_namespace(_RAW_MODULE_DICT.__get__(module))


def is_handmade_namespace(namespace: Mapping[str, Any]) -> bool:
    """Whether these are the globals of such a module, or of no module at all."""
    name = namespace.get("__name__")
    if type(name) is not str:
        return name is None
    known = namespace.get("__spec__") is not None or namespace.get("__loader__") is not None or "__file__" in namespace
    return not known and name != SESSION_MODULE and not name.startswith("nbdag")


def is_in_body_of(cls: type, owner: object) -> bool:
    """Whether a class stands in the body of the class ``owner``: ``Outer.Inner``."""
    if type not in mro_of(type(owner)):
        return False
    body: Any = owner
    name = class_qualname(cls)
    if name.startswith(class_qualname(body) + "."):
        return True
    # The owner may have another name by now.
    return "." in name and not is_local_name(name) and any(item is cls for item in class_namespace(body).values())


def is_local_name(qualname: str) -> bool:
    """Made inside a function: no path of attributes from a module leads there."""
    return "<locals>" in qualname


def base_labels(cls: type) -> List[str]:
    """``package.ClassName`` of the class and all its bases: independent of where in a package a class lives.

    pandas 3 moved its classes to ``pandas``, pandas 2 has them in ``pandas.core.frame``: both give "pandas.DataFrame".
    Remembered for classes of libraries as long as they live: every look at a value asks for those of each type in it.
    """
    key = id(cls)
    known = _LABELS.get(key)
    if known is not None and known[0]() is cls:
        return known[1]
    labels = [class_module(base).partition(".")[0] + "." + class_qualname(base) for base in mro_of(cls)]
    if not any(label.startswith(_SESSION_LABEL) for label in labels):

        def forget(reference: Any) -> None:
            entry = _LABELS.get(key)
            if entry is not None and entry[0] is reference:
                del _LABELS[key]

        _LABELS[key] = (weakref.ref(cls, forget), labels)
    return labels


_LABELS: Dict[int, Tuple[Any, List[str]]] = {}  # by address; never of a session class, which may change its bases
_SESSION_LABEL = SESSION_MODULE + "."


def packages_of(cls: type) -> Set[str]:
    """The packages that the class and its bases come from."""
    return {label.partition(".")[0] for label in base_labels(cls)}


def slot_descriptors(cls: type) -> List[Tuple[str, Any]]:
    """``(name, descriptor)`` of every ``__slots__`` entry of the class and its bases, base classes first."""
    found: List[Tuple[str, Any]] = []
    for base in reversed(mro_of(cls)):
        if is_heap_type(base):
            for name, value in class_namespace(base).items():
                if type(value) is types.MemberDescriptorType and name != "__weakref__":
                    found.append((name, value))
    return found


def instance_dict(obj: object) -> Optional[Dict[str, Any]]:
    """The real ``__dict__`` of an instance, None where it has none. Never calls a property of that name."""
    if not has_instance_dict(type(obj)):
        return None
    cls = type(obj)
    own = class_namespace(cls).get("__dict__")
    if own is None:
        for base in mro_of(cls):
            own = class_namespace(base).get("__dict__")
            if own is not None:
                break
    if own is not None and type(own) is not types.GetSetDescriptorType:
        return _hidden_dict(obj)  # class Liar: __dict__ = property(lambda self: {})
    try:
        found = object.__getattribute__(obj, "__dict__")
    except AttributeError:
        return None
    return found if isinstance(found, dict) else None


def _hidden_dict(obj: object) -> Optional[Dict[str, Any]]:
    """The ``__dict__`` of an instance whose class has an attribute of that name in front of the real one."""
    for base in mro_of(type(obj)):
        descriptor = class_namespace(base).get("__dict__")
        if type(descriptor) is types.GetSetDescriptorType:
            real = descriptor.__get__(obj, type(obj))
            return real if isinstance(real, dict) else None
    try:
        get: Any = ctypes.pythonapi.PyObject_GenericGetDict
        get.restype, get.argtypes = ctypes.py_object, [ctypes.py_object, ctypes.c_void_p]
        found = get(obj, None)
    except AttributeError:
        return None
    return found if isinstance(found, dict) else None


ADDRESS_SIZE = ctypes.sizeof(ctypes.c_void_p)


def addresses_of(values: Tuple[Any, ...]) -> bytes:
    """The addresses of the values, one after another: the memory of a tuple is the list of them."""
    return ctypes.string_at(id(values) + tuple.__basicsize__, ADDRESS_SIZE * len(values))


def addresses_by_id(values: Tuple[Any, ...]) -> bytes:
    """The same, where a tuple is not laid out as in CPython."""
    return b"".join(id(value).to_bytes(ADDRESS_SIZE, "little") for value in values)


def address_reader() -> Callable[[Tuple[Any, ...]], bytes]:
    """The faster of the two that is right in this Python."""
    sample: Tuple[Any, ...] = (object(), 3, "x")
    try:
        known_layout = tuple.__basicsize__ in (3 * ADDRESS_SIZE, 4 * ADDRESS_SIZE)
        if known_layout and addresses_of(sample) == addresses_by_id(sample):
            return addresses_of
    except Exception:  # no ctypes.string_at
        pass
    return addresses_by_id


_READER: List[Callable[[Tuple[Any, ...]], bytes]] = []


def ids_of(values: Iterable[Any]) -> List[int]:
    """``id`` of each; with an audit hook in place, each call of that is a call of the hook."""
    together = tuple(values)
    if len(together) < 4:
        return [id(value) for value in together]
    if not _READER:
        _READER.append(address_reader())
    return memoryview(_READER[0](together)).cast("P").tolist()


class CollectorPaused:
    """``with CollectorPaused():`` no cyclic collection: making 100,000 small tuples would start several full ones.

    Halves the time of walks and fingerprints (measured on 100,000 instances), and runs no finalizers meanwhile.
    """

    __slots__ = ("_was_enabled",)

    def __enter__(self) -> None:
        self._was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *reason: object) -> None:
        if self._was_enabled:
            gc.enable()


def only_atoms(elements: Iterable[Any]) -> bool:
    """Whether all elements are atoms; one pass at C speed (11 ms for a million)."""
    return set(map(type, elements)) <= ATOM_TYPES


def is_plain_array(value: Any, kind: type) -> bool:
    """Whether the value is an ``ndarray`` itself, of numbers: half of all looks in notebooks that compute."""
    if is_heap_type(kind) or class_qualname(kind) != "ndarray" or class_module(kind) != "numpy":
        return False
    return not value.dtype.hasobject


def registered_with(cls: type) -> List[type]:
    """The classes that ``cls.register`` made virtual subclasses, in the order of their names."""
    try:
        from _abc import _get_dump  # type: ignore[import-not-found]

        references = _get_dump(cls)[0]
    except Exception:  # no abstract base, or no CPython
        return []
    found = [kind for kind in (reference() for reference in references) if kind is not None]
    return sorted(found, key=lambda kind: (class_module(kind), class_qualname(kind)))
