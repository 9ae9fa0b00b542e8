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
import time
import warnings
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from nbdag.portable.blobs import CountingSink, HeadSink, SinkFailed, Writing
from nbdag.portable.codecs.arrays import lessons_about_views
from nbdag.portable.codecs.definitions import patches_of
from nbdag.portable.codecs.tensors import lessons_about_tensors
from nbdag.portable.encoder import GroupEncoder, Refused
from nbdag.portable.extents import regions_of
from nbdag.portable.obstacle import path_to
from nbdag.portable.picklers import LastPart, new_pickler
from nbdag.portable.sampling import SamplingSink, packed_size, slices_of_region

INLINE_LIMIT = 64 * 1024  # smaller buffers stand in data.msgpack: a file each would cost more than it saves
RECURSION_LIMIT = 3000  # C frames; a higher limit of the session's own must not overrun the stack of its thread
MOST_BYTES_WITH_NANS = 64 * 1024 * 1024  # a larger pickle is one of data, in which a NaN means a missing value


class Unstorable(Exception):
    """A value cannot be stored. ``path`` leads to the object that cannot: ``model["steps"][3].fh``."""

    def __init__(self, path: str, type_name: str, reason: str) -> None:
        super().__init__("%s: %s (%s)" % (path, reason, type_name))
        self.path = path
        self.type_name = type_name
        self.reason = reason


# Anything else comes from a value, also what is no Exception: the panic of a library written in Rust.
NOT_OF_VALUES = (KeyboardInterrupt, SystemExit, GeneratorExit)


def measure_group(values: Mapping[str, Any], by_name: Mapping[int, str], namespace: Dict[str, Any]) -> Dict[str, Any]:
    """``{"bytes": stored size, "seconds": time to encode without writing, "modules": what the reader needs}``.

    Buffers are counted, not copied. Raises :class:`Unstorable`.
    """
    started = time.perf_counter()
    encoder, sink = _pickle_group(values, by_name, namespace, CountingSink)
    regions, _ = regions_of(encoder.extents)
    size = sink.size + sum(region.size() for region in regions)
    modules = sorted({module.partition(".")[0] for module in encoder.modules} - {"builtins"})
    return {"bytes": size, "seconds": time.perf_counter() - started, "modules": modules}


def weigh_group(values: Mapping[str, Any], by_name: Mapping[int, str], namespace: Dict[str, Any]) -> Dict[str, int]:
    """``{"bytes": stored size, "packed": about what it would be if its blobs were packed}``; raises Unstorable."""
    encoder, sink = _pickle_group(values, by_name, namespace, SamplingSink)
    size, packed = sink.size, packed_size(sink.size, sink.slices) if sink.size >= INLINE_LIMIT else sink.size
    for region in regions_of(encoder.extents)[0]:
        size += region.size()
        large = region.size() >= INLINE_LIMIT
        packed += packed_size(region.size(), list(slices_of_region(region))) if large else region.size()
    return {"bytes": size, "packed": packed}


def write_group(
    values: Mapping[str, Any],
    by_name: Mapping[int, str],
    namespace: Dict[str, Any],
    directory: str,
    held: Mapping[int, str] = {},
    check: Callable[[GroupEncoder], None] = lambda encoder: None,
    writing: Optional[Writing] = None,
) -> Dict[str, Any]:
    """Write the group's buffers of 64 KiB and more to ``directory/blobs/<sha256>``; returns its JSON-able index.

    ``docs/format.md`` explains the index; bytes stand in it as base64. ``held`` are values by id that the reader has
    under these names already: they are referred to, and ``check`` may look at what was pickled besides. ``writing`` is
    given where several groups are written as one. Raises :class:`Unstorable`, and OSError where the disk is full or
    read-only; then no part of a blob is left under its final name.
    """
    writing = writing or Writing(directory, INLINE_LIMIT)
    advance = writing.advance
    encoder, sink = _pickle_group(values, by_name, namespace, lambda: HeadSink(directory, INLINE_LIMIT, advance), held)
    try:
        check(encoder)
    except BaseException:
        sink.discard()
        raise
    head = sink.finish()
    regions, places = regions_of(encoder.extents)
    return {
        "names": list(values),
        "head": head,
        "regions": writing.regions(regions),
        "buffers": [[region, offset, length, own] for region, offset, length, own in places],
        "needs": sorted(encoder.needs),
        "modules": sorted({module.partition(".")[0] for module in encoder.modules} - {"builtins"}),
        "restorers": sorted(encoder.restorers),
        **({"files": sorted(encoder.opened)} if encoder.opened else {}),
    }


def _pickle_group(
    values: Mapping[str, Any],
    by_name: Mapping[int, str],
    namespace: Dict[str, Any],
    new_sink: Callable[[], Any],
    held: Mapping[int, str] = {},
) -> Tuple[GroupEncoder, Any]:
    """Pickle into a new sink. What is too deep for recursion is tried flat, then without recursion at all."""
    options: Dict[str, Any] = {}
    while True:
        encoder = GroupEncoder(by_name, namespace, options)
        encoder.held = held
        sink = new_sink()
        pickler = new_pickler(sink, encoder)
        try:
            _dump(pickler, values)
            if held:
                encoder.pickled = frozenset(pickler.memo.copy())
        except BaseException as error:
            sink.discard()
            if isinstance(error, SinkFailed):
                raise error.cause from None
            if isinstance(error, NOT_OF_VALUES):
                raise
            if isinstance(error, RecursionError) and "deep" not in options:
                options = dict(options, deep=True) if options.pop("flat", False) else dict(options, flat=True)
            else:
                raise _unstorable(error, pickler, values) from None
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
        spans = lessons_about_tensors(encoder)
        if spans is not None:
            options = dict(options, spans=spans)
            sink.discard()
            continue
        return encoder, sink


def _dump(pickler: Any, values: Mapping[str, Any]) -> None:
    """One pickle of the whole group."""
    encoder = pickler.encoder
    root = (list(values), list(values.values()), patches_of(values, encoder), LastPart())
    limit = sys.getrecursionlimit()
    collecting = gc.isenabled()
    gc.disable()  # weak caches must not lose entries between the memo and the write
    try:
        with warnings.catch_warnings(), encoder:
            warnings.simplefilter("ignore")
            if limit > RECURSION_LIMIT:
                sys.setrecursionlimit(RECURSION_LIMIT)
            pickler.dump(root)
    finally:
        sys.setrecursionlimit(limit)
        if collecting:
            gc.enable()


def _unstorable(error: BaseException, pickler: Any, values: Mapping[str, Any]) -> Unstorable:
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
