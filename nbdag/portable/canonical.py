"""What a value is, in terms that mean the same in every process and every Python from 3.8 on.

An *encoder* turns one object into a head (atoms: what it is) and children (objects: what it consists of)::

    Decimal("1.0")    -> ("value", "decimal.Decimal", "Decimal('1.0')"), []
    deque([a], 5)     -> ("deque", 5), [a]
    Account(owner=x)  -> ("instance", "__main__.Account", "owner"), [x]

:mod:`digest` hashes heads and walks the children. No address, no order of a set, no cache, no module in which a library
hides a class this release gets into a head. Attributes are sorted by name: their order is no state anybody reads.
What cannot be seen raises :class:`Incomparable`.
"""

from __future__ import annotations

import array
import collections
import copyreg
import functools
import gc
import os
import re
import sys
import types
import weakref
from typing import Any, Dict, List

from nbdag.portable.additions import added_attributes, may_have_additions
from nbdag.portable.canonical_code import (
    Encoded,
    EncoderOf,
    canonical_label,
    encode_class_name,
    encode_function,
    sorted_attributes,
)
from nbdag.portable.canonical_instances import encode_instance, is_cached_property
from nbdag.portable.canonical_library import LIBRARY_ENCODERS
from nbdag.portable.canonical_tables import TABLE_ENCODERS
from nbdag.portable.objects import (
    base_labels,
    class_module,
    class_namespace,
    instance_dict,
    is_handmade_module,
    is_session_class,
    mro_of,
    stream_behind,
)
from nbdag.portable.whole import is_taken_whole, left_out, styles_of


class Incomparable(Exception):
    """Two of these cannot be told equal: ``args[0]`` says what it is, such as "lock"."""


# ------------------------------------------------------------------------------------------------ instances


def _encode_styled(obj: Any) -> Encoded:
    """What holoviews shows, with its options; not the number by which they are found."""
    head, children = encode_instance(obj)
    names = head[2]
    kept = [place for place, name in enumerate(names) if name != "_id"]
    styles = styles_of(obj)
    head = (*head[:2], tuple(names[place] for place in kept), *styles)
    return head, [*(children[place] for place in kept), *children[len(names) :], *styles.values()]


def encode_reduced(obj: Any) -> Encoded:
    """A library's object as its own ``__reduce_ex__`` tells it."""
    cls = type(obj)
    special = copyreg.dispatch_table.get(cls)
    try:
        reduced = special(obj) if special is not None else obj.__reduce_ex__(4)
    except Exception as error:
        raise Incomparable(canonical_label(cls).rpartition(".")[2]) from error
    if isinstance(reduced, str):
        return ("global", canonical_label(cls), reduced), []
    parts = list(reduced)
    if len(parts) == 3 and type(parts[2]) is dict and not parts[2]:
        parts.pop()  # an exception has a __dict__ from the first look at it on
    left: Dict[str, Any] = {}
    if not is_session_class(cls):
        state = parts[2] if len(parts) > 2 else None
        left = {
            name: value
            for name, value in left_out(obj, state).items()
            if not is_cached_property(cls, name) and _is_comparable(type(value))
        }
        if left and type(state) is dict:  # of a copy in the state the original is told; both would be, level by level
            parts[2] = {**state, **{name: left.pop(name) for name in list(left) if name in state}}
    children: List[Any] = [canonical_label(cls)]
    for index, part in enumerate(parts):
        if index in (3, 4) and part is not None:
            part = list(part)
        elif index == 2 and type(part) is dict and not hasattr(cls, "keys"):
            part = list(sorted_attributes(part))  # made of a set of slots, it is in another order in every process
        children.append(part)
    return ("reduced", *left), [*children, *left.values()]


def _is_comparable(cls: type) -> bool:
    try:
        choose_encoder(cls)
    except Incomparable:
        return False
    return True


def _encode_exception(obj: Any) -> Encoded:
    """As it reduces itself, and what it came from, which its pickle leaves out."""
    head, children = encode_reduced(obj)
    links = [obj.__cause__, obj.__context__, bool(obj.__suppress_context__)]
    return (*head, "exception"), [*children, *links]


def _has_default_reduction(cls: type) -> bool:
    for base in mro_of(cls):
        if base is object:
            return True
        if is_session_class(base):
            continue  # the notebook's own __getstate__ is not run
        if not {"__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__"}.isdisjoint(class_namespace(base)):
            return False
    return True


# ------------------------------------------------------------------------------------------------ small values


def encode_repr(obj: Any) -> Encoded:
    """For immutable values whose repr shows everything."""
    return ("value", canonical_label(type(obj)), repr(obj)), []


def _encode_pattern(obj: Any) -> Encoded:
    return ("pattern", obj.pattern, int(obj.flags)), []


def _encode_member(obj: Any) -> Encoded:
    return ("member", canonical_label(type(obj)), str(obj._name_), repr(obj._value_)), []


def _encode_module(obj: Any) -> Encoded:
    if not is_handmade_module(obj):
        return ("module", str(obj.__name__)), []
    names, values = sorted_attributes({name: value for name, value in vars(obj).items() if not name.startswith("__")})
    return ("module made by hand", str(obj.__name__), names), values


def _encode_builtin(obj: Any) -> Encoded:
    owner = obj.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return ("builtin", str(obj.__module__), obj.__qualname__), []
    return ("builtin method", obj.__name__), [owner]


def _encode_generator(obj: Any) -> Encoded:
    """By name, position and what its frame holds: only the same Python counts instructions alike."""
    prefix = {types.GeneratorType: "gi_", types.CoroutineType: "cr_", types.AsyncGeneratorType: "ag_"}[type(obj)]
    frame = getattr(obj, prefix + "frame")
    code = getattr(obj, prefix + "code")
    if frame is None:
        return ("finished generator", obj.__qualname__), []
    held: List[Any] = []
    for referent in gc.get_referents(obj):
        if type(referent) is types.FrameType:
            outer = {id(referent.f_back), id(referent.f_globals), id(referent.f_builtins)}
            held.extend(part for part in gc.get_referents(referent) if id(part) not in outer)
        else:
            held.append(referent)
    locals_held = [
        part for part in held if part is not code and not (type(part) is types.FunctionType and part.__code__ is code)
    ]
    while locals_held and locals_held[-1] is None:  # "no exception is being handled": once there was one, or never
        locals_held.pop()
    return ("generator", obj.__qualname__, sys.version_info[:2], frame.f_lasti), locals_held


def _standard_stream(obj: Any) -> str:
    """ "stdin", "stdout" or "stderr"; "" for all else."""
    for name in ("stdin", "stdout", "stderr"):
        if obj is not None and (obj is getattr(sys, name, None) or obj is getattr(sys, "__%s__" % name, None)):
            return name
    return ""


def _encode_function(obj: Any) -> Encoded:
    stream = stream_behind(obj)
    return encode_function(obj) if stream is None else _encode_stream_method("write", stream)


def _encode_stream_method(name: str, stream: Any) -> Encoded:
    return ("builtin method", name), [stream]


def _encode_method(obj: Any) -> Encoded:
    if _standard_stream(obj.__self__):  # of Jupyter's streams in Python, of others in C
        return _encode_stream_method(obj.__func__.__name__, obj.__self__)
    return ("method", obj.__func__.__name__), [obj.__func__, obj.__self__]


def _encode_file(obj: Any) -> Encoded:
    stream = _standard_stream(obj)
    if stream:
        return ("standard stream", stream), []
    name = getattr(obj, "name", None)
    if obj.closed:
        return ("closed file", str(name)), []
    if not isinstance(name, (str, bytes)) or obj.writable():
        raise Incomparable("open file")  # tell() would flush what the session has not written yet
    # Two processes may spell the path differently (another working directory) and still have the same file open.
    status = os.fstat(obj.fileno())
    return ("file", status.st_dev, status.st_ino, str(getattr(obj, "mode", "")), obj.tell()), []


def _encode_memory_file(obj: Any) -> Encoded:
    if obj.closed:
        return ("closed file", ""), []
    return ("memory file", canonical_label(type(obj)), obj.tell(), obj.getvalue()), []


def _encode_weak(obj: Any) -> Encoded:
    target = weakref.ref.__call__(obj)
    return ("weak", "dead" if target is None else canonical_label(type(target))), []


def _encode_view(obj: memoryview) -> Encoded:
    return ("view", obj.format, obj.shape, obj.readonly, obj.tobytes()), []


def _encode_cache(obj: Any) -> Encoded:
    return ("cache", obj.cache_info().maxsize), [obj.__wrapped__]


def _encode_mapped(obj: Any) -> Encoded:
    return ("map", "closed") if obj.closed else ("map", len(obj), obj.tell(), obj[:]), []


EXACT_ENCODERS: Dict[type, EncoderOf] = {
    types.FunctionType: _encode_function,
    types.MethodType: _encode_method,
    types.BuiltinFunctionType: _encode_builtin,
    types.MethodWrapperType: lambda obj: (("builtin method", obj.__name__), [obj.__self__]),
    types.MethodDescriptorType: encode_repr,
    types.WrapperDescriptorType: encode_repr,
    types.ClassMethodDescriptorType: encode_repr,
    types.GetSetDescriptorType: lambda obj: (("descriptor", obj.__name__), []),
    types.MemberDescriptorType: lambda obj: (("descriptor", obj.__name__), []),
    types.CellType: lambda obj: (("cell",), gc.get_referents(obj)),
    types.MappingProxyType: lambda obj: (("proxy",), [dict(obj)]),
    types.SimpleNamespace: encode_instance,
    types.GeneratorType: _encode_generator,
    types.CoroutineType: _encode_generator,
    types.AsyncGeneratorType: _encode_generator,
    type({}.keys()): lambda obj: (("dict view", "keys"), list(obj)),
    type({}.values()): lambda obj: (("dict view", "values"), list(obj)),
    type({}.items()): lambda obj: (("dict view", "items"), list(obj)),
    slice: lambda obj: (("slice",), [obj.start, obj.stop, obj.step]),
    object: lambda obj: (("object",), []),
    property: lambda obj: (("property",), [obj.fget, obj.fset, obj.fdel]),
    staticmethod: lambda obj: (("staticmethod",), [obj.__func__]),
    classmethod: lambda obj: (("classmethod",), [obj.__func__]),
    functools.cached_property: lambda obj: (("cached_property",), [obj.func]),
    functools.partial: lambda obj: (("partial",), [obj.func, obj.args, obj.keywords, instance_dict(obj) or None]),
    type(functools.lru_cache(maxsize=1)(len)): _encode_cache,
    collections.deque: lambda obj: (("deque", obj.maxlen), list(obj)),
    collections.defaultdict: lambda obj: (("defaultdict",), [obj.default_factory, dict(obj)]),
    collections.OrderedDict: lambda obj: (("OrderedDict",), [part for item in obj.items() for part in item]),
    collections.Counter: lambda obj: (("Counter",), [dict(obj)]),
    array.array: lambda obj: (("array.array", obj.typecode, obj.tobytes()), []),
    re.Pattern: _encode_pattern,
    memoryview: _encode_view,
}

# By package and class, subclasses included (``base_labels``): the first base that is in the table decides.
BASE_ENCODERS: Dict[str, EncoderOf] = {
    "enum.Enum": _encode_member,
    "builtins.module": _encode_module,
    "weakref.ReferenceType": _encode_weak,
    "builtins.weakref": _encode_weak,
    "pathlib.PurePath": lambda obj: (("value", canonical_label(type(obj)), str(obj)), []),
    "logging.Logger": lambda obj: (("logger", obj.name), []),
    "_io.BytesIO": _encode_memory_file,
    "_io.StringIO": _encode_memory_file,
    "_io._IOBase": _encode_file,
    "mmap.mmap": _encode_mapped,
    "random.Random": lambda obj: (("value", canonical_label(type(obj))), [obj.getstate(), instance_dict(obj)]),
    "sklearn.BaseEstimator": encode_instance,
    "types.GenericAlias": encode_repr,
    "_abc._abc_data": lambda obj: (("registry",), []),
    **dict.fromkeys(
        [
            "datetime.date", "datetime.time", "datetime.timedelta", "datetime.timezone", "decimal.Decimal",
            "fractions.Fraction", "uuid.UUID", "zoneinfo.ZoneInfo", "ipaddress._IPAddressBase",
        ],
        encode_repr,
    ),
}  # fmt: skip

# Of these there is nothing to compare but that it is one.
INCOMPARABLE_BASES = {
    "_thread.lock": "lock",
    "_thread.RLock": "lock",
    "_thread._local": "thread-local data",
    "threading.Thread": "thread",
    "socket.socket": "socket",
    "_socket.socket": "socket",
    "weakref.finalize": "finalizer",  # what it will call, and when, is in a table of the module
    "sqlite3.Connection": "database connection",
    "sqlite3.Cursor": "database cursor",
    "duckdb.DuckDBPyRelation": "database relation",
    "subprocess.Popen": "process",
    "asyncio.Future": "task",
    "_asyncio.Future": "task",
    "concurrent.Executor": "executor",
    "concurrent.Future": "future",
    "builtins.frame": "frame",
    "builtins.traceback": "traceback",
    "IPython.InteractiveShell": "kernel",
    "asyncio.AbstractEventLoop": "event loop",
}


def is_immutable_value(cls: type) -> bool:
    """Whether two references to one such object mean no more than two equal objects."""
    if cls in EXACT_ENCODERS:
        return cls in _VALUE_TYPES
    return any(label in _VALUE_BASES for label in base_labels(cls))


def choose_encoder(cls: type) -> EncoderOf:
    """The encoder for objects of exactly this class; raises Incomparable where there can be none."""
    encoder = _encoder_of(cls)
    return encoder if encoder is encode_instance or not may_have_additions(cls) else _with_added(encoder)


def _with_added(encoder: EncoderOf) -> EncoderOf:
    """``encoder`` for a class that knows nothing of what was hung on its instances: ``df.note = 5``."""

    def encode(obj: Any) -> Encoded:
        added = added_attributes(obj)
        head, children = encoder(obj)
        return ((*head, "added", *added), [*children, *added.values()]) if added else (head, children)

    return encode


def _encoder_of(cls: type) -> EncoderOf:
    exact = EXACT_ENCODERS.get(cls)
    if exact is not None:
        return exact
    if type in mro_of(cls):
        return encode_class_name
    labels = base_labels(cls)
    for label in labels:
        if label in INCOMPARABLE_BASES:
            raise Incomparable(INCOMPARABLE_BASES[label])
    if is_taken_whole(cls):
        return _encode_styled if "holoviews.LabelledData" in labels else encode_instance
    for label in labels:
        encoder = BASE_ENCODERS.get(label) or LIBRARY_ENCODERS.get(label) or TABLE_ENCODERS.get(label)
        if encoder is not None:
            return encoder
    if BaseException in mro_of(cls):
        return _encode_exception
    if class_module(cls) == "itertools":
        raise Incomparable("iterator")  # pickles before 3.14 only, with a warning that the user would see
    return encode_instance if _has_default_reduction(cls) else encode_reduced


_VALUE_TYPES = frozenset(
    [types.MethodType, types.BuiltinFunctionType, types.MethodWrapperType, types.MappingProxyType, slice, re.Pattern]
)
_VALUE_BASES = frozenset(
    [
        "enum.Enum", "pathlib.PurePath", "logging.Logger", "types.GenericAlias", "datetime.date",
        "datetime.time", "datetime.timedelta", "datetime.timezone", "decimal.Decimal", "fractions.Fraction",
        "uuid.UUID", "zoneinfo.ZoneInfo", "ipaddress._IPAddressBase", "weakref.ReferenceType", "builtins.weakref",
        "numpy.generic", "numpy.dtype", "numpy.ufunc", "pandas.Index", "pandas.ExtensionDtype", "pandas.Period",
        "pandas.Interval", "pandas.BaseOffset", "pandas.NAType", "pandas.NaTType",
    ]
)  # fmt: skip
