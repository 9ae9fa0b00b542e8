"""Restorers of pandas values; counterpart of ``codecs/frames.py``. Written for pandas 1.5 to 3."""

from __future__ import annotations

from typing import Any

from nbdag.portable.restorers.definitions import restore_module


def restore_frame(blocks: Any, index: Any, columns: Any, attributes: Any, duplicates: bool) -> Any:
    """A frame over ``blocks`` of (values, positions of its columns); nothing is copied where pandas allows it."""
    pandas = restore_module("pandas")
    frame = _assembled(pandas, blocks, index, columns)
    frame.attrs.update(attributes)
    if not duplicates:
        frame.flags.allows_duplicate_labels = False
    return frame


def _assembled(pandas: Any, blocks: Any, index: Any, columns: Any) -> Any:
    if int(pandas.__version__.partition(".")[0]) >= 3:
        return restore_module("pandas.api.internals").create_dataframe_from_blocks(blocks, index, columns)
    internals = restore_module("pandas.core.internals")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = [internals.make_block(_as_block(values), placement, ndim=2) for values, placement in blocks]
        return pandas.DataFrame(internals.BlockManager(made, [columns, index]))


def _as_block(values: Any) -> Any:
    """Text of pandas 3 is a plain array of objects before: one row, as blocks have it."""
    return values.reshape(1, -1) if getattr(values, "ndim", 2) == 1 and type(values).__name__ == "ndarray" else values


def restore_series(values: Any, index: Any, name: Any, attributes: Any, duplicates: bool) -> Any:
    """A series over ``values``."""
    pandas = restore_module("pandas")
    series = pandas.Series(values, index, values.dtype, name, copy=False)
    series.attrs.update(attributes)
    if not duplicates:
        series.flags.allows_duplicate_labels = False
    return series


def restore_categorical(codes: Any, categories: Any, ordered: bool) -> Any:
    """A categorical array."""
    pandas = restore_module("pandas")
    return pandas.Categorical.from_codes(codes, dtype=pandas.CategoricalDtype(categories, ordered))


def restore_datetimes(kind: str, memory: Any, zone: Any, frequency: Any) -> Any:
    """Datetimes or timedeltas; before pandas 2 in nanoseconds, as it knows no other unit."""
    pandas = restore_module("pandas")
    if int(pandas.__version__.partition(".")[0]) < 2:
        memory = memory.astype("M8[ns]" if kind == "DatetimeArray" else "m8[ns]", copy=False)
    dtype = memory.dtype
    if zone is not None:
        dtype = pandas.DatetimeTZDtype(memory.dtype.name.partition("[")[2][:-1], zone)
    array = getattr(pandas.arrays, kind)._simple_new(memory, dtype=dtype)
    if frequency is not None and hasattr(type(array), "freq"):
        array._freq = frequency
    return array


def restore_datetime_index(kind: str, array: Any, frequency: Any, name: Any) -> Any:
    """An index of datetimes or timedeltas, with its frequency."""
    index = getattr(restore_module("pandas"), kind)(array, name=name)
    if frequency is not None:
        index.freq = frequency
    return index


def restore_periods(ordinals: Any, dtype: str) -> Any:
    """Periods from their ordinals."""
    pandas = restore_module("pandas")
    made = restore_module("pandas").PeriodDtype(dtype[len("period[") : -1])
    return pandas.arrays.PeriodArray(ordinals, dtype=made)


def restore_intervals(left: Any, right: Any, closed: str) -> Any:
    """Intervals from their ends."""
    return restore_module("pandas").arrays.IntervalArray.from_arrays(left, right, closed)


def restore_masked_column(kind: str, values: Any, mask: Any) -> Any:
    """Nullable numbers or booleans."""
    return getattr(restore_module("pandas").arrays, kind)(values, mask)


def restore_text(values: Any, memory: Any, storage: str, with_nan: bool) -> Any:
    """Text in the best form that this pandas has: with its own dtype, or as an array of objects before pandas 3."""
    pandas = restore_module("pandas")
    recent = int(pandas.__version__.partition(".")[0]) >= 3
    if recent and memory is not None and storage == "pyarrow":
        try:
            pyarrow = restore_module("pyarrow")
        except ImportError:
            storage = "python"
        else:
            length, offsets, text, valid = memory
            kind = pyarrow.large_string() if offsets.dtype.itemsize == 8 else pyarrow.string()
            parts = [
                None if valid is None else pyarrow.py_buffer(valid),
                pyarrow.py_buffer(offsets),
                pyarrow.py_buffer(text),
            ]
            chunks = pyarrow.chunked_array([pyarrow.Array.from_buffers(kind, length, parts)])
            dtype = pandas.StringDtype("pyarrow", na_value=float("nan") if with_nan else pandas.NA)
            return dtype.construct_array_type()(chunks, dtype=dtype)
    if values is None:
        values = _decoded(memory, float("nan") if with_nan else pandas.NA)
    if recent:
        return pandas.array(values, dtype=pandas.StringDtype(storage, na_value=float("nan") if with_nan else pandas.NA))
    return values if with_nan else pandas.array(values, dtype="string")


def _decoded(memory: Any, missing: Any) -> Any:
    """An array of str objects from Arrow memory."""
    numpy = restore_module("numpy")
    length, offsets, text, valid = memory
    whole, places = text.tobytes(), offsets.tolist()
    values = numpy.empty(length, object)
    values[:] = [str(whole[places[n] : places[n + 1]], "utf-8") for n in range(length)]
    if valid is not None:
        values[~numpy.unpackbits(valid, count=length, bitorder="little").astype(bool)] = missing
    return values
