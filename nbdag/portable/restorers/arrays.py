"""Restorers of NumPy values; counterpart of ``codecs/arrays.py``. Written for NumPy 1.17 and later."""

from __future__ import annotations

from typing import Any, Dict

from nbdag.portable.restorers.definitions import restore_module

KNOWN_DTYPES: Dict[str, Any] = {}


def restore_dtype(code: Any) -> Any:
    """A dtype from its portable description."""
    if isinstance(code, str):
        found = KNOWN_DTYPES.get(code)
        if found is None:
            found = KNOWN_DTYPES[code] = restore_module("numpy").dtype(code)
        return found
    numpy = restore_module("numpy")
    what = code[0]
    if what == "metadata":
        return numpy.dtype(code[1], metadata=code[2])
    if what == "subarray":
        return numpy.dtype((restore_dtype(code[1]), tuple(code[2])))
    if what == "strings":
        return numpy.dtypes.StringDType(coerce=code[1])
    _, names, formats, offsets, titles, itemsize, aligned, record = code
    parts = {
        "names": list(names),
        "formats": [restore_dtype(part) for part in formats],
        "offsets": list(offsets),
        "itemsize": itemsize,
    }
    if any(title is not None for title in titles):
        parts["titles"] = list(titles)
    dtype = numpy.dtype(parts, align=aligned)
    return numpy.dtype((numpy.record, dtype)) if record else dtype


def restore_array(buffer: Any, code: Any, shape: Any, strides: Any, offset: int, writeable: bool) -> Any:
    """An array over ``buffer``. What is read-only was given for one array alone, and is copied."""
    numpy = restore_module("numpy")
    dtype = restore_dtype(code)
    size = dtype.itemsize
    for length in shape:
        size *= length
    memory = memoryview(buffer)
    if size == 0:
        array = numpy.empty(shape, dtype)
    else:
        if strides is not None and memory.nbytes == size and _spanned(shape, strides, dtype.itemsize) > size:
            strides, offset = None, 0  # a sparse view that was gathered
        array = numpy.ndarray(shape, dtype, memory, offset, strides)
        if memory.readonly:
            if array.flags.forc:
                array = array.copy("K")
            else:
                array = numpy.ndarray(shape, dtype, bytearray(memory), offset, strides)
    if array.flags.writeable != writeable:
        array.flags.writeable = writeable
    return array


def restore_array_record(window: Any) -> Any:
    """The record in an array without dimensions: a window into its memory."""
    return window[()]


def _spanned(shape: Any, strides: Any, itemsize: int) -> int:
    span: int = itemsize
    for length, stride in zip(shape, strides):  # noqa: B905
        span += (length - 1) * abs(stride)
    return span


def restore_string_array(values: Any, shape: Any, coerce: bool, marker: Any) -> Any:
    """An array of NumPy 2's variable-width strings."""
    numpy = restore_module("numpy")
    if not hasattr(numpy, "dtypes") or not hasattr(numpy.dtypes, "StringDType"):  # before NumPy 2
        array = numpy.empty(len(values), object)
        array[:] = values
        return array.reshape(shape)
    options = {"na_object": marker[0]} if marker else {}
    array = numpy.empty(len(values), numpy.dtypes.StringDType(coerce=coerce, **options))
    array[:] = values
    return array.reshape(shape)


def restore_object_array(code: Any, shape: Any, order: str) -> Any:
    """An array of objects, still without them."""
    numpy = restore_module("numpy")
    return numpy.empty(shape, restore_dtype(code), order)


def restore_object_elements(array: Any, state: Any) -> None:
    """The elements of an array of objects, in memory order."""
    elements, writeable = state
    if isinstance(elements, dict):
        for name, column in elements.items():
            array[name] = column
    elif array.ndim == 0:
        array[()] = elements[0]
    elif array.size:
        numpy = restore_module("numpy")
        flat = numpy.empty(len(elements), object)
        flat[:] = elements
        array[...] = flat.reshape(array.shape, order="C" if array.flags.c_contiguous else "F")
    array.flags.writeable = writeable


def restore_object_view(base: Any, code: Any, shape: Any, strides: Any, offset: int, writeable: bool) -> Any:
    """A view of an array of objects."""
    numpy = restore_module("numpy")
    view = numpy.ndarray(shape, restore_dtype(code), base, offset, strides)
    if not writeable:
        view.flags.writeable = False
    return view


def restore_array_subclass(kind: Any, plain: Any, code: Any, state: Any) -> Any:
    """A matrix, a record array, an array class of the session."""
    dtype = restore_dtype(code)
    array = plain.view(dtype, kind) if plain.dtype != dtype or isinstance(code, tuple) else plain.view(kind)
    if state:
        array.__dict__.update(state)
    return array


def restore_masked_array(data: Any, mask: Any, fill: Any, hard: bool) -> Any:
    """A masked array over ``data`` and ``mask``."""
    numpy = restore_module("numpy")
    array = numpy.ma.MaskedArray(data, numpy.ma.nomask if mask is None else mask, copy=False, hard_mask=hard)
    if fill is not None:
        array.fill_value = fill
    return array


def restore_scalar(code: Any, raw: bytes) -> Any:
    """A NumPy scalar."""
    numpy = restore_module("numpy")
    return numpy.ndarray((), restore_dtype(code), bytearray(raw) if raw else bytearray(1))[()]


def _numpy_with_random() -> Any:
    restore_module("numpy.random")
    return restore_module("numpy")


def restore_bit_generator(name: str, state: Any, seeds: Any) -> Any:
    """A bit generator in this state, able to spawn what the original would spawn."""
    numpy = _numpy_with_random()
    sequence = None
    if seeds is not None:
        entropy, spawn_key, pool_size, spawned = seeds
        sequence = numpy.random.SeedSequence(
            entropy, spawn_key=spawn_key, pool_size=pool_size, n_children_spawned=spawned
        )
    bits = getattr(numpy.random, name)(sequence)
    if seeds is None and hasattr(bits, "_legacy_seeding"):
        bits._legacy_seeding(0)  # seeded as RandomState is: it has nothing to spawn from
    bits.state = state
    return bits


def restore_generator(bits: Any) -> Any:
    """``numpy.random.Generator``."""
    numpy = _numpy_with_random()
    return numpy.random.Generator(bits)


def restore_random_state(bits: Any, state: Any) -> Any:
    """``numpy.random.RandomState``."""
    numpy = _numpy_with_random()
    made = numpy.random.RandomState(bits)
    made.set_state(state)
    return made


def restore_global_random_state() -> Any:
    """The generator behind ``numpy.random.rand``."""
    numpy = _numpy_with_random()
    return numpy.random.mtrand._rand
