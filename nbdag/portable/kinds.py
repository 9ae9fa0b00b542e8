"""What the walk through an object graph does with the objects of a type."""

from __future__ import annotations

import functools
import types
import weakref
from typing import Any, Dict, FrozenSet, Tuple

from nbdag.portable.objects import (
    ATOM_TYPES,
    base_labels,
    class_module,
    has_instance_dict,
    is_heap_type,
    is_session_class,
    mro_of,
)

REACH_ATOM = 0  # cannot lead to shared state
REACH_PLAIN = 1  # may be shared; follow its referents
REACH_CONTAINER = 2  # the same, but often full of atoms
REACH_THROUGH = 3  # immutable itself; follow its referents
REACH_FOREIGN = 4  # an object of a library: may lead to the library's globals
REACH_FUNCTION = 5
REACH_CLASS = 6
REACH_ARRAY = 7  # ndarray
REACH_VIEW = 8  # memoryview
REACH_SUSPENDED = 9  # generator, coroutine
REACH_CELL = 10
REACH_CACHE = 11  # lru_cache
REACH_INDEX = 12  # pandas index
REACH_BLOCKS = 13  # pandas block manager
REACH_BORROWED = 14  # works on the memory of its `base`, or of its `operands`
REACH_LEAF = 15  # may be shared; leads nowhere
REACH_WEAK = 16  # weak reference

REACH_MODULE = 17
REACH_TENSOR = 18  # torch

_BUILTIN_KINDS: Dict[type, int] = {
    list: REACH_CONTAINER,
    dict: REACH_CONTAINER,
    set: REACH_CONTAINER,
    bytearray: REACH_LEAF,
    object: REACH_LEAF,  # a sentinel: nothing in it, but its identity is its meaning
    tuple: REACH_THROUGH,
    frozenset: REACH_THROUGH,
    slice: REACH_THROUGH,
    types.MethodType: REACH_THROUGH,
    types.BuiltinFunctionType: REACH_THROUGH,  # xs.append holds xs
    types.MethodWrapperType: REACH_THROUGH,
    types.MappingProxyType: REACH_THROUGH,
    functools.partial: REACH_THROUGH,
    property: REACH_THROUGH,
    staticmethod: REACH_THROUGH,
    classmethod: REACH_THROUGH,
    types.MethodDescriptorType: REACH_ATOM,
    types.WrapperDescriptorType: REACH_ATOM,
    types.GetSetDescriptorType: REACH_ATOM,
    types.MemberDescriptorType: REACH_ATOM,
    types.ClassMethodDescriptorType: REACH_ATOM,
    types.TracebackType: REACH_ATOM,  # leads through frames to every caller, the kernel's own included
    types.FrameType: REACH_LEAF,
    types.FunctionType: REACH_FUNCTION,
    types.ModuleType: REACH_MODULE,
    types.GeneratorType: REACH_SUSPENDED,
    types.CoroutineType: REACH_SUSPENDED,
    types.AsyncGeneratorType: REACH_SUSPENDED,
    types.CellType: REACH_CELL,
    memoryview: REACH_VIEW,
    weakref.ref: REACH_WEAK,
    weakref.ProxyType: REACH_WEAK,
    weakref.CallableProxyType: REACH_WEAK,
    type(functools.lru_cache(maxsize=1)(len)): REACH_CACHE,
}

# Values and singletons of libraries by package and class, subclasses included: they never link two variables.
_NEUTRAL = frozenset(
    [
        "enum.Enum", "datetime.date", "datetime.time", "datetime.timedelta", "datetime.tzinfo", "decimal.Decimal",
        "fractions.Fraction", "uuid.UUID", "pathlib.PurePath", "re.Pattern", "re.Match", "zoneinfo.ZoneInfo",
        "logging.Logger", "logging.Manager", "logging.LoggerAdapter", "threading._MainThread",
        "threading._DummyThread", "builtins.module", "_abc._abc_data",
        "contextvars.ContextVar", "_contextvars.ContextVar", "_contextvars.Context", "builtins.ContextVar",
        "builtins.Context", "types.UnionType", "cycler.Cycler",
        "numpy.generic", "numpy.dtype", "numpy.ufunc",
        "pandas.ExtensionDtype", "pandas.Period", "pandas.Interval", "pandas.BaseOffset", "pandas.NAType",
        "pandas.BlockPlacement", "pandas.BlockValuesRefs", "pandas.Flags",
        "sqlalchemy.Mapper", "sqlalchemy.ClassManager", "sqlalchemy.registry", "sqlalchemy.QueryableAttribute",
        "sqlalchemy.Dialect", "sqlalchemy.Pool", "sqlalchemy.LRUCache", "sqlalchemy._Dispatch",
        "sqlalchemy.AttributeImpl", "sqlalchemy._AttributeImpl", "lxml._BaseParser", "lxml._ParserContext",
        "IPython.InteractiveShell", "traitlets.Configurable", "asyncio.AbstractEventLoop", "asyncio.BaseEventLoop",
        "selectors.BaseSelector", "matplotlib.RcParams", "matplotlib.Colormap", "matplotlib.ConversionInterface",
    ]
)  # fmt: skip
# Packages none of whose objects is a variable's own: types for annotations, the kernel's machinery, immutable arrays.
_NEUTRAL_PACKAGES = frozenset(
    ["typing", "typing_extensions", "ipykernel", "zmq", "tornado", "nbdag", "nbdag_agent", "pybind11_builtins"]
)

_KINDS_FOR_EVER: Dict[type, int] = {}  # only of static types: they live as long as the process
_KINDS: Dict[int, Tuple[Any, int, FrozenSet[str]]] = {}  # by address, of a library's classes as long as they live


def kind_of(cls: type) -> int:
    known = _BUILTIN_KINDS.get(cls)
    if known is None:
        known = _KINDS_FOR_EVER.get(cls)
    if known is None:
        entry = _KINDS.get(id(cls))
        if entry is not None and entry[0]() is cls:
            return entry[1]
        known = _classify(cls)
        if not is_heap_type(cls):
            _KINDS_FOR_EVER[cls] = known
        elif not depends_on_session(cls):  # one of the session's may change its bases
            key = id(cls)

            def forget(reference: Any) -> None:
                entry = _KINDS.get(key)
                if entry is not None and entry[0] is reference:
                    del _KINDS[key]

            modules = frozenset(map(class_module, mro_of(cls))) if known == REACH_FOREIGN else frozenset()
            _KINDS[key] = (weakref.ref(cls, forget), known, modules)
    return known


def depends_on_session(cls: type) -> bool:
    """Whether the class or one of its bases is of the session; remembered of a library's as long as they live."""
    entry = _KINDS.get(id(cls))
    if entry is not None and entry[0]() is cls:
        return False
    return any(is_session_class(base) for base in mro_of(cls))


def modules_behind(cls: type) -> FrozenSet[str]:
    """The modules that a class of kind REACH_FOREIGN and its bases come from."""
    entry = _KINDS.get(id(cls))
    return entry[2] if entry is not None and entry[0]() is cls else frozenset(map(class_module, mro_of(cls)))


def _classify(cls: type) -> int:
    if cls in ATOM_TYPES:
        return REACH_ATOM
    bases = mro_of(cls)
    if type in bases:
        return REACH_CLASS
    if weakref.ref in bases:
        return REACH_WEAK
    labels = base_labels(cls)
    if "numpy.ndarray" in labels:
        return REACH_ARRAY
    if "torch.Tensor" in labels:
        return REACH_TENSOR
    if not {"numpy.void", "numpy.flatiter", "numpy.nditer"}.isdisjoint(labels):
        return REACH_BORROWED  # a record taken from an array writes into the array
    if not _NEUTRAL.isdisjoint(labels) or labels[0].partition(".")[0] in _NEUTRAL_PACKAGES:
        return REACH_ATOM
    stateless = not has_instance_dict(cls)
    if stateless and not ATOM_TYPES.isdisjoint(bases):
        return REACH_ATOM
    if stateless and (tuple in bases or frozenset in bases):
        return REACH_THROUGH
    if "_io._IOBase" in labels and not is_session_class(cls) and labels[0] not in ("_io.BytesIO", "_io.StringIO"):
        return REACH_FOREIGN  # sys.stdout is one of these
    if is_session_class(cls) or class_module(cls) in ("builtins", "collections", "_io", "array", "mmap"):
        return REACH_PLAIN
    if labels[0].startswith("pandas."):
        if "pandas.Index" in labels:
            return REACH_INDEX
        if "pandas.BaseBlockManager" in labels:
            return REACH_BLOCKS
        if "pandas.NDFrame" in labels or "pandas.Block" in labels:
            return REACH_PLAIN
    if labels[0].startswith("pyarrow."):
        return REACH_ATOM
    return REACH_FOREIGN
