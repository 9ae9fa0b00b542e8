"""NumPy: arrays as memory and a portable description, so that 1.24 and 2.x read each other; views stay views.

    a = numpy.zeros((1000, 1000)); row = a[3]; flipped = a[::-1]
        each is (buffer, dtype, shape, strides, offset in the buffer); the three buffers are places in one region

Arrays of objects have no memory that could move: their elements are pickled, and a view of one is taken from its base.
"""

from __future__ import annotations

import sys
from typing import Any, Iterator, List, Optional, Tuple

from nbdag.portable.codecs.mappings import mapped_root, owners_of, reduce_window
from nbdag.portable.encoder import GroupEncoder, Refused
from nbdag.portable.extents import SPARSE, BufferExtent, address_of

GATHERED_AT_ONCE = 1 << 23  # bytes of a sparse view that are copied at a time

EXPORTED = "biufc?"  # kinds of dtype whose arrays have the buffer protocol in every release
BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


def choose_array_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Arrays, scalars, dtypes, universal functions and random generators, once NumPy is loaded."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "ndarray"):
        return None
    codec = _codec_of(kind, numpy)
    if codec is not None or issubclass(kind, numpy.generic):
        encoder.modules.add("numpy")
    return codec


def _codec_of(kind: type, numpy: Any) -> Any:
    if issubclass(kind, numpy.ndarray):
        return _choose_for_array(kind, numpy)
    if issubclass(kind, numpy.void):
        return _reduce_record
    if issubclass(kind, numpy.generic):
        return None  # a dtype and bytes: what NumPy itself writes is what every release reads
    if issubclass(kind, numpy.dtype):
        return _reduce_dtype
    if kind is numpy.ufunc:
        return _reduce_ufunc
    random: Any = sys.modules.get("numpy.random")
    if random is not None:
        if kind is random.Generator:
            return _reduce_generator
        if kind is random.RandomState:
            return _reduce_random_state
        if kind.__name__ in BIT_GENERATORS and issubclass(kind, random.BitGenerator):
            return _reduce_bit_generator
    return None


def _choose_for_array(kind: type, numpy: Any) -> Any:
    if kind is numpy.ndarray:
        return _reduce_array
    if kind is numpy.memmap:
        return _reduce_memmap
    if kind is numpy.ma.MaskedArray:
        return _reduce_masked
    if kind.__reduce__ is numpy.ndarray.__reduce__:
        return _reduce_subclass
    return None


def _reduce_memmap(array: Any, encoder: GroupEncoder) -> Any:
    root = mapped_root(array)
    return _reduce_subclass(array, encoder) if root is None else reduce_window(array, root, encoder)


def _reduce_subclass(array: Any, encoder: GroupEncoder) -> Any:
    plain = array.view(sys.modules["numpy"].ndarray)
    if array.dtype.fields is not None and issubclass(array.dtype.type, sys.modules["numpy"].record):
        plain = plain.view(_plain_fields(array.dtype))
    encoder.kept.append(plain)
    state = dict(getattr(array, "__dict__", None) or {}) if type(array) is not sys.modules["numpy"].memmap else {}
    return encoder.restorer("array_subclass"), (type(array), plain, dtype_code(array.dtype), state)


def _plain_fields(dtype: Any) -> Any:
    numpy = sys.modules["numpy"]
    return numpy.dtype((numpy.void, dtype))


def _reduce_masked(array: Any, encoder: GroupEncoder) -> Any:
    numpy = sys.modules["numpy"]
    mask = None if array.mask is numpy.ma.nomask else array._mask.view(numpy.ndarray)
    fill = None if array._fill_value is None else array.fill_value
    data = array._data.view(numpy.ndarray)
    encoder.kept.extend((data, mask))
    return encoder.restorer("masked_array"), (data, mask, fill, bool(array.hardmask))


def _reduce_array(array: Any, encoder: GroupEncoder) -> Any:
    dtype = array.dtype
    if dtype.kind == "T":
        return _reduce_string_array(array, encoder)
    if dtype.hasobject:
        return _reduce_object_array(array, encoder)
    owner = None
    if array.base is not None:
        root = None if id(array) in encoder.windows else mapped_root(array)
        if root is not None:
            return reduce_window(array, root, encoder)
        owner = _byte_owner(array)
    if owner is not None:  # numpy.frombuffer(bytearray): the bytearray is an object of its own
        offset = array.__array_interface__["data"][0] - address_of(owner)
        arguments = (owner, dtype_code(dtype), array.shape, array.strides, offset, array.flags.writeable)
        return encoder.restorer("array"), arguments
    flags = array.flags
    address = array.__array_interface__["data"][0]
    plain = flags.forc and dtype.kind in EXPORTED
    low, high = (0, array.nbytes) if flags.forc else _span(array)
    # A buffer that is pickled as read-only is copied by the restorer: a read-only view may still share its memory.
    exporter = array if plain and flags.writeable else _raw_memory(address + low, high - low, array)
    gather = None
    if high - low > SPARSE * array.nbytes:
        gather = Gathered(array)
    private = id(array) in encoder.private
    extent = BufferExtent(address + low, high - low, array, True, private, gather, _owner_of_memory(array))
    strides = None if flags.c_contiguous else array.strides
    code = dtype.str if plain and dtype.metadata is None else dtype_code(dtype)
    arguments = (encoder.memory(extent, exporter), code, array.shape, strides, -low, bool(flags.writeable))
    return encoder.restorer("array"), arguments


def _owner_of_memory(array: Any) -> Optional[int]:
    """The id of the array that ``array`` is a view of in the end; None where it has memory of its own."""
    base = array.base
    if base is None:
        return None
    numpy = sys.modules["numpy"]
    while isinstance(base, numpy.ndarray) and base.base is not None:
        base = base.base
    return id(base) if isinstance(base, numpy.ndarray) else None


def _span(array: Any) -> Tuple[int, int]:
    """The bytes an array spans, from its first element: (lowest, end of highest)."""
    if array.size == 0:
        return 0, 0
    low = high = 0
    for length, stride in zip(array.shape, array.strides):  # noqa: B905
        if stride < 0:
            low += (length - 1) * stride
        else:
            high += (length - 1) * stride
    return low, high + array.itemsize


class _RawMemory:
    """What NumPy's array interface needs to make an array of bytes over an address."""

    def __init__(self, address: int, length: int, keep: Any) -> None:
        self.__array_interface__ = {"data": (address, False), "shape": (length,), "typestr": "|u1", "version": 3}
        self.keep = keep


def _raw_memory(address: int, length: int, keep: Any) -> Any:
    if not length:
        return bytearray()
    return sys.modules["numpy"].asarray(_RawMemory(address, length, keep))


class Gathered:
    """The elements of a sparse view, close together, in C order."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __call__(self) -> memoryview:
        """All of them."""
        return self._compact(self.array)

    def pieces(self) -> Iterator[memoryview]:
        """One after another, a few megabytes at a time."""
        return self._pieces(self.array)

    def _pieces(self, array: Any) -> Iterator[memoryview]:
        if array.nbytes <= GATHERED_AT_ONCE or array.ndim == 0:
            yield self._compact(array)
            return
        row = array.nbytes // len(array)
        if row > GATHERED_AT_ONCE and array.ndim > 1:
            for one in array:
                yield from self._pieces(one)
            return
        rows = max(1, GATHERED_AT_ONCE // row)
        for begin in range(0, len(array), rows):
            yield self._compact(array[begin : begin + rows])

    def _compact(self, array: Any) -> memoryview:
        compact = sys.modules["numpy"].ascontiguousarray(array)
        return memoryview(_raw_memory(compact.__array_interface__["data"][0], compact.nbytes, compact))


def _byte_owner(array: Any) -> Optional[Any]:
    """The bytearray or array.array whose memory this is."""
    for base in owners_of(array):
        if type(base) is bytearray or type(base).__module__ == "array":
            return base
    return None


def _reduce_string_array(array: Any, encoder: GroupEncoder) -> Any:
    """NumPy 2's variable-width strings."""
    marker = getattr(array.dtype, "na_object", encoder)
    coerce = bool(getattr(array.dtype, "coerce", True))
    has_marker = marker is not encoder
    values = array.ravel().tolist()
    return encoder.restorer("string_array"), (values, array.shape, coerce, (marker,) if has_marker else ())


def _reduce_object_array(array: Any, encoder: GroupEncoder) -> Any:
    base = _object_base(array)
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    if base is not array:
        alone = encoder.options.get("alone", frozenset())
        encoder.object_views.setdefault(id(base), []).append(array)
        if id(base) not in alone:
            offset = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
            return encoder.restorer("object_view"), (
                base,
                dtype_code(array.dtype),
                array.shape,
                array.strides,
                offset,
                bool(array.flags.writeable),
            )
    else:
        encoder.object_bases.add(id(array))
    arguments = (dtype_code(array.dtype), array.shape, order)
    state = (_elements(array, order), bool(array.flags.writeable))
    return encoder.restorer("object_array"), arguments, state, None, None, encoder.restorer("object_elements")


def _elements(array: Any, order: str) -> Any:
    """The elements in memory order; for structured arrays by field, objects and numbers alike."""
    if array.dtype.fields is None:
        return array.ravel(order).tolist()
    numpy = sys.modules["numpy"]
    return {name: numpy.array(array[name], copy=True) for name in array.dtype.names}


def _object_base(array: Any) -> Any:
    """The array that holds the elements which ``array`` is a view of; itself if it holds them."""
    numpy = sys.modules["numpy"]
    found = array
    while type(found.base) is numpy.ndarray and found.base.dtype.hasobject:
        found = found.base
    return found


def lessons_about_views(encoder: GroupEncoder) -> Any:
    """After a round: which bases of object views to leave out in the next one, None if no other round is needed.

    A small view of a large base goes alone if nothing else of the group leads to that base. The first round cannot
    know; the second tries it, and takes back what meets its base after all.
    """
    alone = encoder.options.get("alone")
    if alone is None:
        bases = frozenset(
            base
            for base, views in encoder.object_views.items()
            if len(views) == 1 and _object_base(views[0]).size > SPARSE * max(views[0].size, 1)
        )
        return bases or None
    met = alone & encoder.object_bases
    return alone - met if met else None


def dtype_code(dtype: Any) -> Any:
    """A dtype as strings, numbers and tuples: ``"<f8"``, or how a structured or subarray dtype is built."""
    if dtype.kind == "T":
        return ("strings", bool(getattr(dtype, "coerce", True)))
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return ("subarray", dtype_code(base), shape)
    if dtype.fields is not None:
        names: List[Any] = list(dtype.names)
        fields = [dtype.fields[name] for name in names]
        record = issubclass(dtype.type, sys.modules["numpy"].record)
        return (
            "fields",
            tuple(names),
            tuple([dtype_code(field[0]) for field in fields]),
            tuple([field[1] for field in fields]),
            tuple([field[2] if len(field) > 2 else None for field in fields]),
            dtype.itemsize,
            bool(dtype.isalignedstruct),
            record,
        )
    if not dtype.isbuiltin and dtype.kind == "V" and dtype.type.__module__ != "numpy":
        raise Refused(dtype, "a dtype of %s" % dtype.type.__module__)
    return dtype.str if dtype.metadata is None else ("metadata", dtype.str, dict(dtype.metadata))


def _reduce_dtype(dtype: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("dtype"), (dtype_code(dtype),)


def _reduce_scalar(scalar: Any, encoder: GroupEncoder) -> Any:
    if scalar.dtype.hasobject:
        return NotImplemented
    return encoder.restorer("scalar"), (dtype_code(scalar.dtype), scalar.tobytes())


def _reduce_record(scalar: Any, encoder: GroupEncoder) -> Any:
    """``r = a[3]`` of an array of records is a window into the array: ``r["x"] = 1`` writes there."""
    numpy = sys.modules["numpy"]
    if type(scalar.base) is not numpy.ndarray or scalar.dtype.names is None:
        return _reduce_scalar(scalar, encoder)
    place = scalar.__array_interface__["data"][0] - scalar.base.__array_interface__["data"][0]
    plain = scalar.base
    if plain.dtype != scalar.dtype or not 0 <= place < plain.nbytes or not plain.flags.c_contiguous:
        return _reduce_scalar(scalar, encoder)
    window = plain.reshape(-1)[place // plain.itemsize :][:1].reshape(())
    if window.dtype.hasobject:
        encoder.kept.append(window)
        return encoder.restorer("array_record"), (window,)
    encoder.kept.append(window)
    return encoder.restorer("array_record"), (window,)


def _reduce_ufunc(function: Any, encoder: GroupEncoder) -> Any:
    numpy: Any = sys.modules["numpy"]
    name: str = function.__name__
    if getattr(numpy, name, None) is function:
        encoder.modules.add("numpy")
        return encoder.restorer("attribute"), ("numpy", name)
    return NotImplemented


def _reduce_bit_generator(bits: Any, encoder: GroupEncoder) -> Any:
    seeds: Any = getattr(bits, "seed_seq", None) or getattr(bits, "_seed_seq", None)
    sequence = None
    if type(seeds).__name__ == "SeedSequence":
        sequence = (seeds.entropy, tuple(seeds.spawn_key), seeds.pool_size, seeds.n_children_spawned)
    return encoder.restorer("bit_generator"), (type(bits).__name__, bits.state, sequence)


def _reduce_generator(generator: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("generator"), (generator.bit_generator,)


def _reduce_random_state(state: Any, encoder: GroupEncoder) -> Any:
    numpy = sys.modules["numpy"]
    if state is getattr(numpy.random.mtrand, "_rand", None):
        return encoder.restorer("global_random_state"), ()
    return encoder.restorer("random_state"), (state._bit_generator, state.get_state(legacy=False))
