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
        memory = _in_nanoseconds(memory, "M8[ns]" if kind == "DatetimeArray" else "m8[ns]")
    dtype = memory.dtype
    if zone is not None:
        dtype = pandas.DatetimeTZDtype(memory.dtype.name.partition("[")[2][:-1], zone)
    array = getattr(pandas.arrays, kind)._simple_new(memory, dtype=dtype)
    if frequency is not None and hasattr(type(array), "freq"):
        array._freq = frequency
    return array


def _in_nanoseconds(memory: Any, dtype: str) -> Any:
    """NumPy would wrap around silently: 64 bits of nanoseconds end in the year 2262."""
    found = memory.astype(dtype, copy=False)
    if not (found.astype(memory.dtype).view("i8") == memory.view("i8")).all():
        raise OverflowError("times beyond the years 1677 to 2262, which this pandas cannot hold")
    return found


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


def restore_sparse_column(values: Any, length: int, places: Any, runs: Any, usual: Any, dtype: Any) -> Any:
    """An array that holds what differs from its usual value."""
    pandas = restore_module("pandas")
    indices = restore_module("pandas._libs.sparse")
    index = indices.IntIndex(length, places) if runs is None else indices.BlockIndex(length, *runs)
    dtype = pandas.SparseDtype(dtype, usual)
    if hasattr(pandas.arrays.SparseArray, "from_indices"):  # since pandas 3.1, which wants places in any case
        places = index.to_int_index().indices
        kind = "integer" if runs is None else "block"
        return pandas.arrays.SparseArray.from_indices(
            values, places, length, fill_value=usual, kind=kind, dtype=dtype.subtype
        )
    return pandas.arrays.SparseArray(values, sparse_index=index, fill_value=usual, dtype=dtype)


def restore_arrow_column(chunks: Any) -> Any:
    """Arrow memory as a column of its own dtype."""
    pandas = restore_module("pandas")
    kind = getattr(pandas.arrays, "ArrowExtensionArray", None)
    if kind is None:
        raise ImportError("pandas %s has no columns of Arrow's types" % pandas.__version__)
    return kind(chunks)


def restore_same_release(kind: Any, library: str, release: str) -> Any:
    """An instance that gets the private attributes of this very release."""
    here = restore_module(library).__version__
    if ".".join(here.split(".")[:2]) != release:
        raise ImportError("a %s of %s %s is not one of %s %s" % (kind.__name__, library, release, library, here))
    return kind.__new__(kind)


def restore_text(values: Any, memory: Any, storage: str, with_nan: bool) -> Any:
    """Text in the best form that this pandas has: with its own dtype, or as an array of objects before pandas 3."""
    pandas = restore_module("pandas")
    recent = int(pandas.__version__.partition(".")[0]) >= 3
    missing = float("nan") if with_nan else pandas.NA
    dtype = _text_dtype(pandas, storage, missing, recent)
    if memory is not None and (recent or not with_nan) and getattr(dtype, "storage", "python") == "pyarrow":
        chunks = _arrow_text(memory)
        kind = dtype.construct_array_type()
        if recent:
            return kind(chunks, dtype=dtype)
        try:
            return kind(chunks)
        except ValueError:  # before pandas 2.2 it wants narrow offsets
            return kind(chunks.cast("string"))
    if values is None:
        values = _decoded(memory, missing)
    return values if with_nan and not recent else pandas.array(values, dtype=dtype)


def _text_dtype(pandas: Any, storage: str, missing: Any, recent: bool) -> Any:
    """The dtype of text nearest to what the session had."""
    try:
        if storage == "pyarrow":
            restore_module("pyarrow")
        return pandas.StringDtype(storage, na_value=missing) if recent else pandas.StringDtype(storage)
    except (ImportError, TypeError, ValueError):  # no pyarrow here; one way of keeping text only before pandas 1.3
        return pandas.StringDtype("python", na_value=missing) if recent else pandas.StringDtype()


def _arrow_text(memory: Any) -> Any:
    """The column in Arrow's own memory: what was mapped, not copied."""
    pyarrow = restore_module("pyarrow")
    length, offsets, text, valid = memory
    kind = pyarrow.large_string() if offsets.dtype.itemsize == 8 else pyarrow.string()
    validity = None if valid is None else pyarrow.py_buffer(valid)
    parts = [validity, pyarrow.py_buffer(offsets), pyarrow.py_buffer(text)]
    return pyarrow.chunked_array([pyarrow.Array.from_buffers(kind, length, parts)])


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
