"""Turns a group of linked variables into a pickle, the memory beside it, and an index that says what is where.

Protocol 5, C pickler. Objects whose form in plain pickle is tied to one version of Python or of a library are taken
apart by the codecs (``codecs/registry.py``) and put together by restorers that ``restore.py`` carries; pickles refer
to those by names of a module that exists nowhere, ``nbdag_restorers``. One pickle holds

    (names, values, patches, rest)

``patches`` are the states of those values that are functions and classes which replay defines again; ``rest`` fills in,
last of all, what may refer back to anything: the contents of closure cells and, when a structure is too deep for
recursion (a linked list), the attributes of each instance.
"""

from __future__ import annotations

import _pickle
import gc
import sys
import threading
import time
import warnings
from typing import Any, Callable, Dict, List, Mapping, Tuple

from nbdag.portable.additions import added_attributes, may_have_additions
from nbdag.portable.blobs import CountingSink, HeadSink, SinkFailed, write_blob
from nbdag.portable.codecs.arrays import lessons_about_views
from nbdag.portable.codecs.definitions import patches_of
from nbdag.portable.codecs.registry import CODECS
from nbdag.portable.encoder import GroupEncoder, Refused, belongs_to_nbdag
from nbdag.portable.extents import regions_of
from nbdag.portable.obstacle import path_to

INLINE_LIMIT = 64 * 1024  # smaller buffers stand in data.msgpack: a file each would cost more than it saves
RECURSION_LIMIT = 3000  # C frames; a higher limit of the session's own must not overrun the stack of its thread
DEEP_STACK = 512 * 1024 * 1024  # bytes of address space, used as far as the structure is deep
MOST_BYTES_WITH_NANS = 64 * 1024 * 1024  # a larger pickle is one of data, in which a NaN means a missing value
STACK_OF_ONE_LEVEL = 2048  # bytes that one level of nesting takes on it: measured 500 to 1,300


class Unstorable(Exception):
    """A value cannot be stored. ``path`` leads to the object that cannot: ``model["steps"][3].fh``."""

    def __init__(self, path: str, type_name: str, reason: str) -> None:
        super().__init__("%s: %s (%s)" % (path, reason, type_name))
        self.path = path
        self.type_name = type_name
        self.reason = reason


class _Rest:
    """Pickled last; takes what the encoder has left for the end as its items."""


class GroupPickler(_pickle.Pickler):
    """A C pickler that asks the codecs first. ``current`` is the object it was last asked about."""

    def __init__(self, sink: Any, encoder: GroupEncoder) -> None:
        super().__init__(sink, 5, buffer_callback=encoder.take_buffer)
        self.encoder = encoder
        self.current: Any = None
        self.codec_by_type: Dict[type, Any] = {}

    def reducer_override(self, value: Any) -> Any:
        """The reduction of ``value`` by the codec of its type, NotImplemented where pickle's own will do."""
        self.current = value
        kind = type(value)
        try:
            codec = self.codec_by_type[kind]
        except KeyError:
            codec = self.codec_by_type[kind] = self.codec_of(kind)
        return NotImplemented if codec is None else codec(value, self.encoder)

    def codec_of(self, kind: type) -> Any:
        """The first codec that takes values of this type."""
        if kind is _Rest:
            return _reduce_rest
        if belongs_to_nbdag(getattr(kind, "__module__", None)):
            return _refuse_own
        for choose in CODECS:
            codec = choose(kind, self.encoder)
            if codec is not None:
                break
        else:
            codec = None
        return _with_additions(codec) if may_have_additions(kind) else codec


class NanPickler(GroupPickler):
    """Also keeps apart which NaN is which: ``nan in [nan]`` asks for the very object. Four times as slow."""

    def persistent_id(self, value: Any) -> Any:
        """The name of a NaN, None for anything else."""
        return None if type(value) is not float or value == value else self.encoder.name_of_nan(value)


def _reduce_rest(value: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("rest"), (), None, encoder.drain()


def _with_additions(codec: Any) -> Any:
    """``codec`` for a type whose pickle drops what was hung on an object: that is set again when all else exists."""

    def reduce(value: Any, encoder: GroupEncoder) -> Any:
        added = added_attributes(value)
        if added:
            encoder.finish_later("additions", value, added)
        return NotImplemented if codec is None else codec(value, encoder)

    return reduce


def _refuse_own(value: Any, encoder: GroupEncoder) -> Any:
    raise Refused(value, "it belongs to nbdag itself")


def measure_group(values: Mapping[str, Any], by_name: Mapping[int, str], namespace: Dict[str, Any]) -> Dict[str, Any]:
    """``{"bytes": stored size, "seconds": time to encode without writing}``; raises :class:`Unstorable`.

    Buffers are counted, not copied.
    """
    started = time.perf_counter()
    encoder, sink = _pickle_group(values, by_name, namespace, CountingSink)
    regions, _ = regions_of(encoder.extents)
    size = sink.size + sum(region.size() for region in regions)
    return {"bytes": size, "seconds": time.perf_counter() - started}


def write_group(
    values: Mapping[str, Any], by_name: Mapping[int, str], namespace: Dict[str, Any], directory: str
) -> Dict[str, Any]:
    """Write the group's buffers of 64 KiB and more to ``directory/blobs/<sha256>``; returns its JSON-able index.

    ``docs/format.md`` explains the index; bytes stand in it as base64. Raises :class:`Unstorable`, and OSError
    where the disk is full or read-only; then no part of a blob is left under its final name.
    """
    encoder, sink = _pickle_group(values, by_name, namespace, lambda: HeadSink(directory, INLINE_LIMIT))
    head = sink.finish()
    regions, places = regions_of(encoder.extents)
    return {
        "names": list(values),
        "head": head,
        "regions": [write_blob(directory, region.memory(), INLINE_LIMIT) for region in regions],
        "buffers": [[region, offset, length, own] for region, offset, length, own in places],
        "needs": sorted(encoder.needs),
        "modules": sorted({module.partition(".")[0] for module in encoder.modules} - {"builtins"}),
        "restorers": sorted(encoder.restorers),
    }


def _pickle_group(
    values: Mapping[str, Any], by_name: Mapping[int, str], namespace: Dict[str, Any], new_sink: Callable[[], Any]
) -> Tuple[GroupEncoder, Any]:
    """Pickle into a new sink. What is too deep for recursion is tried flat, then flat on a large stack."""
    options: Dict[str, Any] = {}
    while True:
        encoder = GroupEncoder(by_name, namespace, options)
        sink = new_sink()
        pickler = (NanPickler if "nans" in options else GroupPickler)(sink, encoder)
        try:
            _dump(pickler, values)
        except BaseException as error:
            sink.discard()
            if isinstance(error, SinkFailed):
                raise error.cause from None
            if isinstance(error, RecursionError) and "flat" not in options:
                options = dict(options, flat=True)
            elif isinstance(error, RecursionError) and "stack" not in options and _stack_is_the_limit():
                options = dict(options, stack=DEEP_STACK)
            elif isinstance(error, Exception):
                raise _unstorable(error, pickler, values) from None
            else:
                raise
            continue
        if sink.nan and "nans" not in options and sink.size <= MOST_BYTES_WITH_NANS:
            options = dict(options, nans=True)
            sink.discard()
            continue
        alone = lessons_about_views(encoder)
        if alone is not None:
            options = dict(options, alone=alone)
            sink.discard()
            continue
        return encoder, sink


def _dump(pickler: GroupPickler, values: Mapping[str, Any]) -> None:
    """One pickle of the whole group, on a thread with a large stack where the options say so."""
    encoder = pickler.encoder
    root = (list(values), list(values.values()), patches_of(values, encoder), _Rest())
    stack = encoder.options.get("stack")
    limit = sys.getrecursionlimit()
    collecting = gc.isenabled()
    gc.disable()  # weak caches must not lose entries between the memo and the write
    try:
        with warnings.catch_warnings(), encoder:
            warnings.simplefilter("ignore")
            if stack is None:
                if limit > RECURSION_LIMIT:
                    sys.setrecursionlimit(RECURSION_LIMIT)
                pickler.dump(root)
            else:
                sys.setrecursionlimit(stack // STACK_OF_ONE_LEVEL)
                _on_large_stack(lambda: pickler.dump(root), stack)
    finally:
        sys.setrecursionlimit(limit)
        if collecting:
            gc.enable()


def _stack_is_the_limit() -> bool:
    """Whether a larger stack allows deeper recursion in C: not on Python 3.12 and 3.13, which count frames."""
    return sys.version_info < (3, 12) or sys.version_info >= (3, 14)


def _on_large_stack(call: Callable[[], Any], size: int) -> None:
    raised: List[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    before = threading.stack_size(size)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    if raised:
        raise raised[0]


def _unstorable(error: Exception, pickler: GroupPickler, values: Mapping[str, Any]) -> Unstorable:
    """What went wrong in words, and the way from a variable to the object that is to blame."""
    if isinstance(error, Refused):
        offender, reason = error.value, error.reason
    elif isinstance(error, RecursionError):
        offender, reason = None, "nested too deeply"
    elif isinstance(error, MemoryError):
        offender, reason = None, "not enough memory to encode it"
    else:
        offender, reason = pickler.current, "%s: %s" % (type(error).__name__, str(error)[:200])
        if isinstance(error, (TypeError, _pickle.PicklingError)):
            reason = str(error)[:200]
    path = path_to(offender, values) if offender is not None else None
    name = type(offender).__name__ if offender is not None else "object"
    if isinstance(offender, type):
        name = offender.__name__
    return Unstorable(path or ", ".join(values), name, reason)
