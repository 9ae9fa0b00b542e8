"""Did a value change in place? The hash of its state, cheap enough to take after every statement.

    before = fingerprint(xs); run(statement); fingerprint(xs) != before      # the statement changed xs

The C pickler writes the state into a hash (no copy is kept, arrays are hashed where they are) with the reductions of
``states.py`` for what pickle refuses or would run user code for. It keeps identity too: ``[s, s]`` is not
``[s, copy(s)]``. A graph too deep for its recursion is hashed breadth first instead, by :func:`_hash_breadth_first`.

Sensitive to the slightest change of state (type of a number, sign of a zero, order of a dict, flags of an array), and
deliberately blind to caches: results of ``lru_cache``, pandas' cached items. A rename of an equal value (``xs[0] =
str(xs[0])``) may count as a change. The state of classes and functions with a name is their name's, not that of every
instance. Fingerprints mean nothing in another process.
"""

from __future__ import annotations

import collections
import copyreg
import pickle
import sys
import time
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from nbdag.portable.buffers import feed_array, hash_atoms
from nbdag.portable.hashing import new_state_hash
from nbdag.portable.objects import ATOM_TYPES, CollectorPaused, class_module, class_qualname, is_plain_array, only_atoms
from nbdag.portable.states import SMALL_ARRAY, StateReducer

# Above this a chain could overflow the C stack: before Python 3.12 the recursion limit is all that stops C code too.
SAFE_RECURSION = 3000


class Fingerprint:
    """Equal as long as the value did not change. ``size``: bytes hashed, ``cost``: objects that took Python code."""

    __slots__ = ("cost", "digest", "size")

    def __init__(self, digest: bytes, size: int, cost: int) -> None:
        object.__setattr__(self, "digest", digest)
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "cost", cost)

    digest: bytes
    size: int
    cost: int

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a fingerprint does not change")

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Fingerprint) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return "Fingerprint(%s, size=%d, cost=%d)" % (self.digest.hex()[:12], self.size, self.cost)


class TookTooLong(Exception):
    """The fingerprint is not worth its time now."""


class Patience:
    """Raises TookTooLong once ``seconds`` of CPU time are over, or where one buffer alone would take longer.

    ``interrupted`` is asked now and then, too: the user waits for something.
    """

    hurried = True  # to be asked for every object

    def __init__(self, seconds: float, interrupted: Optional[Callable[[], bool]] = None) -> None:
        self.end = time.thread_time() + seconds
        self.interrupted = interrupted
        self.calls = 0

    def check(self, size: int = 0) -> None:
        """To be called for every object, with the bytes that it will take to hash."""
        self.calls += 1
        if size < PATIENT_SIZE and self.calls & 31:
            return
        if time.thread_time() + size / HASHED_A_SECOND > self.end:
            raise TookTooLong
        if self.interrupted is not None and self.interrupted():
            raise TookTooLong


class Ceiling(Patience):
    """The same for what is believed to end: asked once for each megabyte that is written, so it costs nothing.

    A library's reduction need not end: ``__reduce__`` returns ``(list, (), itertools.count())``.
    """

    hurried = False

    def check(self, size: int = 0) -> None:
        self.calls += 1
        if not self.calls & 15 and time.thread_time() > self.end:
            raise TookTooLong


class LowCeiling(Ceiling):
    """The same for what is believed to be small: asked once for each 64 KB, which a small value seldom writes."""

    def check(self, size: int = 0) -> None:
        if time.thread_time() > self.end:
            raise TookTooLong


PATIENT_SIZE = 1 << 18
HASHED_A_SECOND = 1.5e9  # bytes: the standard library's best hash on a machine of today


def fingerprint(value: object, patience: Optional[Patience] = None) -> Optional[Fingerprint]:
    """The fingerprint of ``value``, None where its state cannot be seen.

    Raises nothing but KeyboardInterrupt and, with ``patience``, TookTooLong.
    """
    for attempt in (1, 2):
        try:
            with CollectorPaused():
                return _fingerprint(value, patience)
        except (KeyboardInterrupt, TookTooLong):
            raise
        except RuntimeError:
            if attempt == 2:  # else another thread changed the size of something while we looked
                return None
        except BaseException:  # of library code, or of a user's class that a library's reduction calls
            return None
    return None


def _fingerprint(value: Any, patience: Optional[Patience]) -> Fingerprint:
    kind = type(value)
    if kind in ATOM_TYPES:
        return Fingerprint(hash_atoms([value]), len(value) if kind in (str, bytes) else 8, 1)
    if is_plain_array(value, kind):
        return _hash_array(value, patience)
    if patience is not None and kind in _FLAT_CONTAINERS:
        patience.check(16 * len(value))
    if kind in _FLAT_CONTAINERS and only_atoms(value):
        if kind is dict:
            values = list(value.values())
            if only_atoms(values):
                return Fingerprint(
                    hash_atoms([b"dict"]) + hash_atoms(list(value)) + hash_atoms(values), 16 * len(values), 1
                )
        else:
            return Fingerprint(hash_atoms([kind.__name__]) + hash_atoms(list(value)), 8 * len(value), 1)
    try:
        return _hash_pickle(value, patience)
    except RecursionError:
        return _hash_breadth_first(value, patience)


_FLAT_CONTAINERS = frozenset([list, tuple, set, frozenset, dict])


def _hash_array(array: Any, patience: Optional[Patience]) -> Fingerprint:
    """What the pickler would hash of such an array, without the pickler: 8 us instead of 30."""
    if patience is not None:
        patience.check(array.nbytes)
    dtype = array.dtype
    described = dtype.str if dtype.names is None else repr(dtype.descr)
    hasher = new_state_hash()
    hasher.update(repr(("array", described, array.shape, array.strides, array.flags.writeable)).encode())
    if array.nbytes <= SMALL_ARRAY and dtype.names is None:
        hasher.update(array.tobytes())
    else:
        feed_array(hasher, array)
    return Fingerprint(b"array" + hasher.digest(), array.nbytes, 1)


class _Sink:
    """A file that hashes what is written; ``size`` counts it."""

    def __init__(self, hasher: Any, patience: Optional[Patience]) -> None:
        self.hasher = hasher
        self.size = 0
        self.patience = patience

    def write(self, data: Any) -> int:
        self.hasher.update(data)
        length = len(data)
        if self.patience is not None:
            self.patience.check(PATIENT_SIZE)
        self.size += length
        return length


class _StatePickler(pickle.Pickler):
    def __init__(self, sink: _Sink, buffers: Any, reducer: StateReducer) -> None:
        super().__init__(sink, 5, buffer_callback=buffers)
        # An attribute would do for C, but before 3.13 only a method of the class is looked for.
        self._reduce = reducer.reduce

    def reducer_override(self, obj: Any) -> Any:
        return self._reduce(obj)


class _HurriedPickler(_StatePickler):
    def __init__(self, sink: _Sink, buffers: Any, reducer: StateReducer, patience: Patience) -> None:
        super().__init__(sink, buffers, reducer)
        self._check = patience.check

    def reducer_override(self, obj: Any) -> Any:
        self._check(size_to_hash(obj))
        return self._reduce(obj)


def size_to_hash(obj: Any) -> int:
    """Bytes that the reduction of a library's array will hash at once, as far as it says so itself."""
    kind = type(obj)
    if class_module(kind).partition(".")[0] != "numpy" or class_qualname(kind) not in ("ndarray", "memmap", "recarray"):
        return 0
    try:
        return int(obj.nbytes) * (8 if obj.dtype.hasobject else 1)  # marshal writes some 60 bytes for a string
    except Exception:
        return 0


def _hash_pickle(value: Any, patience: Optional[Patience]) -> Fingerprint:
    reducer = StateReducer(value)
    sink = _Sink(new_state_hash(), patience)
    outside = new_state_hash()  # buffers that libraries hand over uncopied, arrow's for one

    def hash_buffer(buffer: Any) -> None:
        try:
            raw = buffer.raw()
        except BufferError:
            raw = memoryview(memoryview(buffer).tobytes())
        if patience is not None:
            patience.check(raw.nbytes)
        reducer.covered += raw.nbytes
        outside.update(b"%d:" % raw.nbytes)
        outside.update(raw)

    limit = sys.getrecursionlimit()
    lowered = sys.version_info < (3, 12) and limit > SAFE_RECURSION
    try:
        if lowered:
            sys.setrecursionlimit(SAFE_RECURSION)
        if patience is None or not patience.hurried:
            _StatePickler(sink, hash_buffer, reducer).dump(value)
        else:
            _HurriedPickler(sink, hash_buffer, reducer, patience).dump(value)
    finally:
        if lowered:
            sys.setrecursionlimit(limit)
        reducer.reducers.clear()  # they refer back to the reducer: a cycle would keep the value alive
    return Fingerprint(sink.hasher.digest() + outside.digest(), sink.size + reducer.covered, reducer.objects)


def _hash_breadth_first(value: Any, patience: Optional[Patience] = None) -> Fingerprint:
    """The same state without recursion: each object is written as what it is and the numbers of its parts.

    Numbers are given in the order of the first visit, so the graph's shape is hashed, sharing and cycles included.
    """
    reducer = StateReducer(value)
    hasher = new_state_hash()
    numbers: Dict[int, int] = {id(value): 0}
    keep: List[Any] = [value]  # reductions are new objects: their ids must not be used again
    waiting = collections.deque([value])
    try:
        size = _hash_levels(waiting, numbers, keep, hasher, reducer, patience)
    finally:
        reducer.reducers.clear()
    return Fingerprint(hasher.digest(), size + reducer.covered, len(numbers))


def _hash_levels(
    waiting: Any,
    numbers: Dict[int, int],
    keep: List[Any],
    hasher: Any,
    reducer: StateReducer,
    patience: Optional[Patience],
) -> int:
    """Hashes what is ``waiting``, and what that leads to; returns the bytes written."""
    size = 0
    while waiting:
        obj = waiting.popleft()
        if patience is not None:
            patience.check()
        head, parts = _parts_of(obj, reducer, patience)
        line: List[Any] = [head]
        for part in parts:
            if type(part) in ATOM_TYPES:
                line.append(part)
            else:
                number = numbers.get(id(part))
                if number is None:
                    number = numbers[id(part)] = len(numbers)
                    keep.append(part)
                    waiting.append(part)
                line.append(b"#%d" % number)
                line.append(None)
        size += 8 * len(line)
        hasher.update(hash_atoms(line))
    return size


def _parts_of(obj: Any, reducer: StateReducer, patience: Optional[Patience]) -> Tuple[str, Iterable[Any]]:
    kind = type(obj)
    if kind is dict:
        return "dict", [part for item in list(obj.items()) for part in item]
    if kind in _FLAT_CONTAINERS:
        return kind.__name__, list(obj)
    if kind is bytearray:
        return "bytearray", [bytes(obj)]
    reduction = reducer.reduce(obj)
    if reduction is NotImplemented:
        if isinstance(obj, type):
            return "type", [id(obj)]
        registered = copyreg.dispatch_table.get(kind)
        # Protocol 4: with 5, buffers would not be in the reduction.
        reduction = obj.__reduce_ex__(4) if registered is None else registered(obj)
    if isinstance(reduction, str):
        return "global", [reduction]
    parts = [
        _listed(part, patience) if index in (3, 4) and part is not None else part
        for index, part in enumerate(reduction)
    ]
    return "reduction", parts


def _listed(parts: Iterable[Any], patience: Optional[Patience]) -> List[Any]:
    """What an iterator of a reduction gives: nothing says that it ends."""
    if patience is None:
        return list(parts)
    found = []
    for part in parts:
        patience.check()
        found.append(part)
    return found
