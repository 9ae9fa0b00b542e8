"""Canonical heads and children of what numpy, pandas, scipy and matplotlib make; see ``canonical.py``.

Values are read through the libraries' public interfaces and never through how a release lays them out: a frame is its
columns, whatever blocks they are in. Nothing here imports a library.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

from nbdag.portable.objects import base_labels, instance_dict, is_session_class, mro_of

_Encoded = Tuple[Tuple[Any, ...], List[Any]]


class Bulk:
    """An ndarray whose elements are to be hashed where they are."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array


def _label(obj: object) -> str:
    cls = type(obj)
    return "__main__." + cls.__qualname__ if is_session_class(cls) else base_labels(cls)[0]


# ------------------------------------------------------------------------------------------------ numpy


def _dtype_text(dtype: Any) -> str:
    return str(dtype.str) if dtype.names is None and dtype.kind not in "VT" else repr(dtype)


def _encode_array(obj: Any) -> _Encoded:
    ndarray: Any = next(base for base in mro_of(type(obj)) if base_labels(base)[0] == "numpy.ndarray")
    plain = obj if type(obj) is ndarray else ndarray.view(obj, ndarray)
    order = "F" if plain.flags.f_contiguous and not plain.flags.c_contiguous else "C"
    head = ("array", _label(obj), _dtype_text(plain.dtype), plain.shape, order, bool(obj.flags.writeable))
    children: List[Any] = []
    if is_session_class(type(obj)):
        children.append(instance_dict(obj))
    if plain.dtype.hasobject or plain.dtype.kind == "T":
        children.append(plain.ravel().tolist())
    else:
        children.append(Bulk(plain))
    return head, children


def _encode_masked(obj: Any) -> _Encoded:
    # What lies under the mask is no value: operations leave anything there.
    filled = obj.filled() if obj.dtype.names is None else obj.data
    mask = obj.mask if obj.mask.shape else bool(obj.mask)
    return ("masked array", _label(obj), bool(obj.hardmask)), [filled, mask, obj.fill_value]


def _encode_scalar(obj: Any) -> _Encoded:
    if obj.dtype.hasobject:
        return ("scalar", _dtype_text(obj.dtype)), [obj.item()]
    return ("scalar", _dtype_text(obj.dtype), "nan" if obj != obj and obj.dtype.kind == "f" else obj.tobytes()), []


def _encode_numpy_generator(obj: Any) -> _Encoded:
    return ("random", _label(obj)), [obj.bit_generator.state]


def _encode_bit_generator(obj: Any) -> _Encoded:
    return ("random", _label(obj)), [obj.state]


def _encode_random_state(obj: Any) -> _Encoded:
    return ("random", _label(obj)), [obj.get_state(legacy=False)]


# ------------------------------------------------------------------------------------------------ pandas


def _column(values: Any) -> Any:
    """An array of pandas as arrays and lists, missing values apart."""
    dtype = values.dtype
    if "pandas.ExtensionDtype" not in base_labels(type(dtype)):
        return values.to_numpy() if hasattr(values, "to_numpy") else values
    kind = type(dtype).__name__
    if kind == "CategoricalDtype":
        return [kind, list(map(int, values.codes)) if len(values) < 64 else values.codes, values.categories,
                bool(values.ordered)]  # fmt: skip
    if kind in ("DatetimeTZDtype", "PeriodDtype"):
        return [kind, str(dtype), values.asi8]
    if kind == "IntervalDtype":
        return [kind, str(dtype), values.left, values.right]
    if kind == "SparseDtype":
        return [kind, str(dtype), values.to_dense()]
    missing = values.isna()
    present = values[~missing]
    numeric = getattr(dtype, "numpy_dtype", None)
    kept = present.to_numpy(dtype=numeric) if numeric is not None and numeric.kind in "biufM" else None
    return [kind, str(dtype), missing, list(present.astype(object)) if kept is None else kept]


def _encode_frame(obj: Any) -> _Encoded:
    names = [name for name in obj._metadata if is_session_class(type(obj))]
    children: List[Any] = [obj.index, obj.columns, obj.attrs, bool(obj.flags.allows_duplicate_labels)]
    children.extend(getattr(obj, name, None) for name in names)
    children.extend(_column(obj.iloc[:, place].array) for place in range(obj.shape[1]))
    return ("frame", _label(obj), obj.shape[0], tuple(names)), children


def _encode_series(obj: Any) -> _Encoded:
    return ("series", _label(obj)), [obj.index, obj.name, obj.attrs, _column(obj.array)]


def _encode_range_index(obj: Any) -> _Encoded:
    return ("index", _label(obj)), [obj.start, obj.stop, obj.step, obj.name]


def _encode_multi_index(obj: Any) -> _Encoded:
    return ("index", _label(obj)), [list(obj.names), *(obj.get_level_values(place) for place in range(obj.nlevels))]


def _encode_index(obj: Any) -> _Encoded:
    return ("index", _label(obj), str(getattr(obj, "freqstr", None))), [obj.name, _column(obj.array)]


def _encode_extension_array(obj: Any) -> _Encoded:
    return ("extension array", _label(obj)), [_column(obj)]


def _encode_repr(obj: Any) -> _Encoded:
    return ("value", _label(obj), repr(obj)), []


def _encode_timestamp(obj: Any) -> _Encoded:
    return ("value", _label(obj), repr(obj), str(getattr(obj, "unit", ""))), []


# ------------------------------------------------------------------------------------------------ scipy


_SPARSE_PARTS = frozenset(["data", "indices", "indptr", "row", "col", "offsets", "rows", "coords", "_dict"])


def _encode_sparse(obj: Any) -> _Encoded:
    parts = instance_dict(obj) or {}
    names = sorted(name for name in parts if name in _SPARSE_PARTS)
    return ("sparse", _label(obj), tuple(obj.shape), tuple(names)), [parts[name] for name in names]


# ------------------------------------------------------------------------------------------------ matplotlib


def _encode_figure(obj: Any) -> _Encoded:
    """What a figure shows: sizes, and the axes in order. Styles are compared only where a line or text states them."""
    title = obj.get_suptitle() if hasattr(obj, "get_suptitle") else ""
    head = ("figure", tuple(map(float, obj.get_size_inches())), float(obj.get_dpi()), title)
    return head, list(obj.axes)


def _encode_axes(obj: Any) -> _Encoded:
    labels = (obj.get_title(), obj.get_xlabel(), obj.get_ylabel(), obj.get_xscale(), obj.get_yscale())
    limits = (*map(float, obj.get_xlim()), *map(float, obj.get_ylim()))
    children: List[Any] = []
    for line in obj.lines:
        children.append(["line", str(line.get_label()), str(line.get_color()), str(line.get_linestyle()),
                         str(line.get_marker()), line.get_xdata(orig=False), line.get_ydata(orig=False)])  # fmt: skip
    for patch in obj.patches:
        children.append(["patch", patch.get_path().vertices, list(map(float, patch.get_facecolor()))])
    for collection in obj.collections:
        children.append(["collection", type(collection).__name__, collection.get_offsets()])
    for image in obj.images:
        children.append(["image", image.get_array()])
    for text in obj.texts:
        children.append(["text", text.get_text(), list(map(float, text.get_position()))])
    return ("axes", labels, limits, obj.get_legend() is not None), children


def _encode_artist(obj: Any) -> _Encoded:
    return ("artist", _label(obj), str(obj.get_label())), [getattr(obj, "axes", None)]


def _encode_callbacks(obj: Any) -> _Encoded:
    """The callbacks that a pickle keeps; its counter of ids moves whenever somebody asks for its state."""
    kept = getattr(obj, "_pickled_cids", ())
    found = [(name, cid, proxy) for name, known in obj.callbacks.items() for cid, proxy in known.items() if cid in kept]
    found.sort(key=lambda entry: (str(entry[0]), entry[1]))
    return ("callbacks",), [part for name, _, proxy in found for part in (name, proxy())]


# ------------------------------------------------------------------------------------------------ others


def _encode_dispatcher(obj: Any) -> _Encoded:
    """What numba compiles, and how; not what it has compiled so far, unless it may compile no more."""
    signatures = [] if obj._can_compile else sorted(map(str, obj.signatures))
    return ("compiled function", _label(obj), *signatures), [obj.py_func, obj.locals, obj.targetoptions]


def _encode_cython_function(obj: Any) -> _Encoded:
    return ("function", str(getattr(obj, "__module__", "")), str(getattr(obj, "__qualname__", ""))), []


LIBRARY_ENCODERS: Dict[str, Callable[[Any], _Encoded]] = {
    "numpy.MaskedArray": _encode_masked,
    "numpy.ndarray": _encode_array,
    "numpy.generic": _encode_scalar,
    "numpy.dtype": lambda obj: (("dtype", _dtype_text(obj)), []),
    "numpy.ufunc": lambda obj: (("ufunc", obj.__name__), []),
    "numpy.Generator": _encode_numpy_generator,
    "numpy.BitGenerator": _encode_bit_generator,
    "numpy.RandomState": _encode_random_state,
    "pandas.DataFrame": _encode_frame,
    "pandas.Series": _encode_series,
    "pandas.RangeIndex": _encode_range_index,
    "pandas.MultiIndex": _encode_multi_index,
    "pandas.Index": _encode_index,
    "pandas.ExtensionArray": _encode_extension_array,
    "pandas.ExtensionDtype": lambda obj: (("dtype", str(obj), repr(obj)), []),
    "pandas.Timestamp": _encode_timestamp,
    "pandas.Timedelta": _encode_timestamp,
    "pandas.NaTType": _encode_repr,
    "pandas.NAType": _encode_repr,
    "pandas.Period": _encode_repr,
    "pandas.Interval": _encode_repr,
    "pandas.BaseOffset": _encode_repr,
    "scipy._spbase": _encode_sparse,
    "scipy.spmatrix": _encode_sparse,
    "matplotlib.Figure": _encode_figure,
    "matplotlib.Axes": _encode_axes,
    "matplotlib.Artist": _encode_artist,
    "matplotlib.CallbackRegistry": _encode_callbacks,
    "numba.Dispatcher": _encode_dispatcher,
    "builtins.cython_function_or_method": _encode_cython_function,
    "_cython_3_0_0.cython_function_or_method": _encode_cython_function,
}
