"""pandas by its parts, so that 1.5 and 3 read each other: blocks, axes, and extension arrays as NumPy memory.

With copy-on-write (pandas 3, or switched on before) frames share memory and copy it when one is written to; what they
know of each other does not survive. So a block that another pandas object refers to gets memory of its own after the
restore: the same blob, mapped once more. Text in Arrow memory goes as offsets and bytes, readable without pyarrow.
"""

from __future__ import annotations

import sys
from typing import Any, Tuple

from nbdag.portable.buffers import copies_on_write
from nbdag.portable.codecs.moments import portable_zone
from nbdag.portable.encoder import GroupEncoder

MASKED_ARRAYS = ("IntegerArray", "FloatingArray", "BooleanArray")


def choose_frame_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Frames, series and the extension arrays of pandas itself; what derives from them is left to pickle."""
    pandas: Any = sys.modules.get("pandas")
    if pandas is None or not hasattr(pandas, "DataFrame"):
        return None
    codec: Any = None
    if kind is pandas.DataFrame or kind is pandas.Series:
        codec = _reduce_frame
    elif kind.__module__.partition(".")[0] == "pandas":
        codec = EXTENSION_CODECS.get(kind.__name__)
        if codec is None and kind.__module__ == "pandas.core.internals.blocks":
            codec = _reduce_block
        if codec is None and _pickles_its_attributes(kind) and not issubclass(kind, _dtype_class()):
            codec = _reduce_internal
    if codec is not None:
        encoder.modules.add("pandas")
    return codec


def _dtype_class() -> Any:
    return getattr(sys.modules["pandas.api.extensions"], "ExtensionDtype")  # noqa: B009


def _pickles_its_attributes(kind: Any) -> bool:
    return (
        kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
        and not issubclass(kind, type)
        and not hasattr(kind, "__setstate__")
    )


def _reduce_internal(value: Any, encoder: GroupEncoder) -> Any:
    """A group-by, a window: private attributes, which another release would load and then stumble over."""
    reduction = value.__reduce_ex__(4)
    if reduction[0].__name__ != "__newobj__" or len(reduction[1]) != 1 or reduction[3:] not in ((), (None, None)):
        return NotImplemented
    release = ".".join(sys.modules["pandas"].__version__.split(".")[:2])
    return encoder.restorer("same_release"), (type(value), "pandas", release), reduction[2]


def _reduce_frame(frame: Any, encoder: GroupEncoder) -> Any:
    manager = frame._mgr
    if not hasattr(manager, "blocks"):
        return NotImplemented
    state = (dict(frame.attrs), bool(frame.flags.allows_duplicate_labels))
    if frame.ndim == 1:
        block = manager.blocks[0]
        arguments: Tuple[Any, ...] = (_values_of(block, encoder), frame.index, frame.name, *state)
        return encoder.restorer("series"), arguments
    blocks = [(_values_of(block, encoder), block.mgr_locs.as_array) for block in manager.blocks]
    return encoder.restorer("frame"), (blocks, frame.index, frame.columns, *state)


def _reduce_block(block: Any, encoder: GroupEncoder) -> Any:
    """A block of a subclass of DataFrame, which pickles in its own way."""
    restore, (_, *others) = block.__reduce__()
    return restore, (_values_of(block, encoder), *others)


def _values_of(block: Any, encoder: GroupEncoder) -> Any:
    values = block.values
    if type(values) is not sys.modules["numpy"].ndarray or not copies_on_write() or not block.refs.has_reference():
        return values
    values = values.view()
    encoder.kept.append(values)
    encoder.private.add(id(values))
    return values


def _reduce_categorical(array: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("categorical"), (
        array._ndarray if hasattr(array, "_ndarray") else array.codes,
        array.categories,
        bool(array.ordered),
    )


def _reduce_datetimes(array: Any, encoder: GroupEncoder) -> Any:
    """Datetimes and timedeltas: NumPy's own memory, the time zone by name, the frequency."""
    return encoder.restorer("datetimes"), (
        type(array).__name__,
        array._ndarray,
        portable_zone(getattr(array, "tz", None)),
        getattr(array, "freq", None),  # of the index alone since pandas 3.1
    )


def _reduce_datetime_index(index: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("datetime_index"), (type(index).__name__, index._data, index.freq, index.name)


def _reduce_periods(array: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("periods"), (array._ndarray, array.dtype.name)


def _reduce_intervals(array: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("intervals"), (array.left, array.right, array.closed)


def _reduce_masked_column(array: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("masked_column"), (type(array).__name__, array._data, array._mask)


def _reduce_text(array: Any, encoder: GroupEncoder) -> Any:
    """Text as pandas 3 holds it: (values or Arrow memory, storage, whether missing is NaN)."""
    missing = getattr(array.dtype, "na_value", None)
    with_nan = isinstance(missing, float)
    storage = getattr(array.dtype, "storage", "python")
    if not type(array).__name__.startswith("Arrow"):
        return encoder.restorer("text"), (array._ndarray, None, storage, with_nan)
    numpy: Any = sys.modules["numpy"]
    chunks = array._pa_array if hasattr(array, "_pa_array") else array._data  # before pandas 2
    chunk = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()
    if type(chunk).__name__ == "ChunkedArray":
        chunk = chunk.chunk(0) if chunk.num_chunks else sys.modules["pyarrow"].array([], chunk.type)
    wide = str(chunk.type) == "large_string"
    if not wide and str(chunk.type) != "string":
        return NotImplemented
    _, offsets_memory, text_memory = chunk.buffers()
    length = len(chunk)
    offsets = numpy.zeros(1, "<i8" if wide else "<i4")
    if offsets_memory is not None and length:
        offsets = numpy.frombuffer(offsets_memory, offsets.dtype)[chunk.offset : chunk.offset + length + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    if first:
        offsets = offsets - first
    text = numpy.zeros(0, "u1") if last == first else numpy.frombuffer(text_memory, "u1")[first:last]
    valid = None
    if chunk.null_count:
        valid = numpy.packbits(chunk.is_valid().to_numpy(zero_copy_only=False), bitorder="little")
    encoder.kept.extend((offsets, text, valid, chunk))
    return encoder.restorer("text"), (None, (length, offsets, text, valid), storage, with_nan)


def _reduce_sparse_column(array: Any, encoder: GroupEncoder) -> Any:
    """The values that differ from the usual one, and where they are: places, or runs of places."""
    index = array.sp_index
    runs = (index.blocs, index.blengths) if type(index).__name__ == "BlockIndex" else None
    places = None if runs is not None else index.indices
    arguments = (array.sp_values, len(array), places, runs, array.fill_value, array.dtype.subtype)
    return encoder.restorer("sparse_column"), arguments


def _reduce_arrow_column(array: Any, encoder: GroupEncoder) -> Any:
    encoder.modules.add("pyarrow")
    chunks = array._pa_array if hasattr(array, "_pa_array") else array._data
    return encoder.restorer("arrow_column"), (chunks,)


EXTENSION_CODECS = {
    "ArrowExtensionArray": _reduce_arrow_column,
    "SparseArray": _reduce_sparse_column,
    "Categorical": _reduce_categorical,
    "DatetimeArray": _reduce_datetimes,
    "TimedeltaArray": _reduce_datetimes,
    "DatetimeIndex": _reduce_datetime_index,
    "TimedeltaIndex": _reduce_datetime_index,
    "PeriodArray": _reduce_periods,
    "IntervalArray": _reduce_intervals,
    "ArrowStringArray": _reduce_text,
    "ArrowStringArrayNumpySemantics": _reduce_text,
    "StringArray": _reduce_text,
    **dict.fromkeys(MASKED_ARRAYS, _reduce_masked_column),
}
