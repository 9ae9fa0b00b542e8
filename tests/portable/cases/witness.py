"""Says what a value is without asking the codecs: the same words for the same value, in any Python and any library.

Standard library only, Python 3.8: its text runs in the environments of ``benchmarks/matrix.py`` too. ``describe`` tells
everything a user could notice (types, dtypes, layout, flags, missing values, names, order); with ``loosely`` only the
values, so that a value that a library of another version can only hold in another type is told from a wrong one.
"""

from __future__ import annotations

import collections
import hashlib
import math
import struct
import sys
from typing import Any


def describe(value: Any, loosely: bool = False) -> Any:
    """Nested lists of strings and numbers; cycles and sharing of lists, dicts and instances as numbers of visits."""
    return _Describer(loosely).of(value)


def first_difference(one: Any, other: Any, path: str = "") -> str:
    """Where two descriptions part, and the two words found there; "" if they do not."""
    if type(one) is type(other) is list and len(one) == len(other):
        for place, (left, right) in enumerate(zip(one, other)):  # noqa: B905 (Python 3.8)
            found = first_difference(left, right, path + "/" + str(place))
            if found:
                return found
        return ""
    return "" if one == other else "%s instead of %s" % (_short(other), _short(one))


def _short(part: Any) -> str:
    text = part if isinstance(part, str) else repr(part)
    return text if len(text) <= 60 else text[:57] + "..."


class _Describer:
    def __init__(self, loosely: bool) -> None:
        self.loosely = loosely
        self.numbers: dict = {}
        self.keep: list = []

    def of(self, value: Any) -> Any:
        if value is None or value is Ellipsis:
            return repr(value)
        kind = type(value)
        if kind in (bool, int, str, bytes, complex):
            return [kind.__name__, repr(value)]
        if kind is float:
            return self.number(value)
        seen = self.numbers.get(id(value))
        if seen is not None:
            return "again %d" % seen
        package = kind.__module__.partition(".")[0]
        describe_library = getattr(self, "of_" + package, None)
        if describe_library is not None:
            return describe_library(value, kind)
        if kind in (tuple, frozenset):
            parts = [self.of(part) for part in value]
            return [kind.__name__, parts if kind is tuple else sorted(parts, key=repr)]
        self.numbers[id(value)] = len(self.numbers)
        self.keep.append(value)
        if kind in (list, collections.deque):
            return [kind.__name__, [self.of(part) for part in value]]
        if kind is collections.defaultdict:
            return ["defaultdict", repr(value.default_factory), [[self.of(key), self.of(value[key])] for key in value]]
        if kind in (dict, collections.OrderedDict):
            return [kind.__name__, [[self.of(key), self.of(part)] for key, part in value.items()]]
        if kind is set:
            return ["set", sorted([self.of(part) for part in value], key=repr)]
        if kind in (bytearray, memoryview):
            return [kind.__name__, bytes(value).hex()]
        if package in ("pathlib", "datetime", "decimal", "fractions", "uuid", "range", "builtins", "re", "zoneinfo"):
            return [kind.__name__, repr(value)]
        state = dict(getattr(value, "__dict__", {}))
        for base in kind.__mro__:
            slots = vars(base).get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if hasattr(value, name):
                    state[name] = getattr(value, name)
        return ["instance", kind.__qualname__, [[name, self.of(state[name])] for name in sorted(state)]]

    @staticmethod
    def number(value: float) -> Any:
        return ["float", "nan" if math.isnan(value) else struct.pack(">d", value).hex()]

    # -------------------------------------------------------------------------------------------- numpy

    def of_numpy(self, value: Any, kind: Any) -> Any:
        numpy = sys.modules["numpy"]
        if isinstance(value, numpy.generic):
            if self.loosely and value.dtype.kind == "f":
                return self.number(float(value))
            if value.dtype.names is not None:
                return [
                    "record",
                    kind.__name__,
                    repr(value.dtype),
                    [self.of(value[name]) for name in value.dtype.names],
                ]
            if value.dtype.kind in "Mm":
                return [kind.__name__, value.dtype.str, str(value)]
            return ["scalar", value.dtype.str, "nan" if value != value else value.tobytes().hex()]
        if isinstance(value, numpy.dtype):
            return ["dtype", _dtype(value), repr(dict(value.metadata or {}))]
        if isinstance(value, numpy.ma.MaskedArray):
            fill = value.fill_value
            mask = value.mask if value.mask is not numpy.ma.nomask else None
            return ["masked", kind.__name__, bool(value.hardmask), str(fill), self.of(mask), self.of(value.filled())]
        if isinstance(value, numpy.ndarray):
            return self.array(value, kind)
        if kind.__name__ in ("Generator", "RandomState") or hasattr(value, "state"):
            bits = getattr(value, "bit_generator", getattr(value, "_bit_generator", value))
            seeds = getattr(bits, "seed_seq", None) or getattr(bits, "_seed_seq", None)
            return [kind.__name__, type(bits).__name__, self.of(bits.state), repr(seeds).replace("\n", "")]
        if kind.__name__ == "ufunc":
            return ["ufunc", value.__name__]
        return [kind.__name__, repr(value)]

    def array(self, value: Any, kind: Any) -> Any:
        numpy = sys.modules["numpy"]
        plain = value.view(numpy.ndarray) if value.dtype.names is None else value
        flags = value.flags
        layout = [flags.c_contiguous, flags.f_contiguous, flags.writeable]
        if value.dtype.names is not None:
            parts = [self.array(numpy.asarray(value[name]), numpy.ndarray) for name in value.dtype.names]
        elif value.dtype.hasobject or value.dtype.kind == "T":
            parts = [self.of(part) for part in plain.ravel().tolist()]
        elif value.dtype.kind in "fc" and value.size < 10_000:
            parts = [str(part) for part in plain.ravel().tolist()]
        else:
            parts = hashlib.sha1(plain.tobytes()).hexdigest()
        if self.loosely:
            if value.dtype.kind in "Mm":
                parts = [str(part) for part in plain.ravel().astype(value.dtype.str[1:2] + "8[ns]").tolist()]
            return ["array", list(value.shape), parts]
        return ["array", kind.__name__, _dtype(value.dtype), list(value.shape), layout, parts]

    # -------------------------------------------------------------------------------------------- pandas

    def of_pandas(self, value: Any, kind: Any) -> Any:
        pandas = sys.modules["pandas"]
        if isinstance(value, pandas.DataFrame):
            columns = [self.column(value.iloc[:, place].array) for place in range(value.shape[1])]
            parts = [self.of(value.index), self.of(value.columns), columns, self.of(dict(value.attrs))]
            return ["frame", kind.__name__, list(value.shape), value.flags.allows_duplicate_labels, *parts]
        if isinstance(value, pandas.Series):
            parts = [self.of(value.index), self.of(value.name), self.column(value.array), self.of(dict(value.attrs))]
            return ["series", kind.__name__, value.flags.allows_duplicate_labels, *parts]
        if isinstance(value, pandas.MultiIndex):
            levels = [self.column(value.get_level_values(place).array) for place in range(value.nlevels)]
            return ["levels", self.of(list(value.names)), levels]
        if isinstance(value, pandas.RangeIndex) and not self.loosely:
            return ["range index", value.start, value.stop, value.step, self.of(value.name)]
        if isinstance(value, pandas.Index):
            name = "" if self.loosely else kind.__name__
            return ["index", name, self.of(value.name), str(getattr(value, "freqstr", "")), self.column(value.array)]
        if isinstance(value, pandas.api.extensions.ExtensionArray):
            return self.column(value)
        if isinstance(value, pandas.api.extensions.ExtensionDtype):
            return ["dtype", str(value)]
        if isinstance(value, (pandas.Timestamp, pandas.Timedelta)) and not self.loosely:
            return [kind.__name__, repr(value), str(getattr(value, "unit", "ns"))]
        return [kind.__name__, repr(value)]

    def column(self, values: Any) -> Any:
        """A column as its dtype and its values one by one, missing ones apart."""
        pandas, numpy = sys.modules["pandas"], sys.modules["numpy"]
        dtype, kind, name = values.dtype, type(values).__name__, str(values.dtype)
        parts: list = []
        if name == "category":
            parts = [self.of(values.categories), [int(code) for code in values.codes], bool(values.ordered)]
        else:
            if name.startswith("Sparse"):
                values = values.to_dense()
            missing = numpy.asarray(pandas.isna(values))
            for absent, part in zip(missing.tolist(), list(values.astype(object))):  # noqa: B905 (Python 3.8)
                listed = isinstance(part, (list, dict, set))
                parts.append("missing" if absent is True and not listed else self.element(part))
        if self.loosely:
            return parts
        if name in ("str", "string"):
            name += "[%s, %r]" % (dtype.storage, getattr(dtype, "na_value", None))
        return ["NumpyArray" if kind in ("PandasArray", "NumpyExtensionArray") else kind, name, parts]

    def element(self, part: Any) -> Any:
        if self.loosely and hasattr(part, "isoformat") and hasattr(part, "value"):
            return str(part)
        if type(part).__module__ == "numpy" and hasattr(part, "item"):
            part = part.item()
        return self.of(part)

    # -------------------------------------------------------------------------------------------- others

    def of_scipy(self, value: Any, kind: Any) -> Any:
        if not hasattr(value, "toarray"):
            return [kind.__name__, repr(value)]
        flags = [getattr(value, name, None) for name in ("has_sorted_indices", "has_canonical_format")]
        names = [name for name in ("data", "indices", "indptr", "offsets") if hasattr(value, name)]
        if value.format in ("dok", "lil"):
            names = []
        parts = [self.of(getattr(value, name)) for name in names]
        return ["sparse", "" if self.loosely else kind.__name__, value.format, str(value.dtype), list(value.shape),
                [bool(flag) for flag in flags], parts, self.of(value.toarray())]  # fmt: skip

    def of_pyarrow(self, value: Any, kind: Any) -> Any:
        if kind.__name__ in ("Table", "RecordBatch"):
            names = [repr(name) for name in value.schema.names]
            columns = [self.of(column) for column in value.columns]
            return [kind.__name__, names, [str(field) for field in value.schema], repr(value.schema.metadata), columns]
        if kind.__name__.endswith("Array"):
            chunks = [len(chunk) for chunk in value.chunks] if kind.__name__ == "ChunkedArray" else [len(value)]
            return [kind.__name__, str(value.type), chunks, [repr(part) for part in value.to_pylist()]]
        return [kind.__name__, str(value)]

    def of_polars(self, value: Any, kind: Any) -> Any:
        if kind.__name__ == "DataFrame":
            return ["polars frame", list(value.shape), [self.of(column) for column in value.get_columns()]]
        if kind.__name__ == "Series":
            parts = [repr(part) for part in value.to_list()]
            return ["polars series", value.name, "" if self.loosely else str(value.dtype), parts]
        return [kind.__name__, repr(value)]

    def of_torch(self, value: Any, kind: Any) -> Any:
        torch = sys.modules["torch"]
        if isinstance(value, torch.Tensor):
            if value.layout is not torch.strided:
                return ["tensor", str(value.layout), repr(value)]
            grad = None if not value.is_leaf else value.grad
            plain = value.detach().resolve_conj().resolve_neg()
            data = repr(plain.cpu().tolist())
            return ["tensor", kind.__name__, str(value.dtype), list(value.shape), list(value.stride()),
                    value.requires_grad, self.of(grad), data]  # fmt: skip
        if isinstance(value, torch.nn.Module):
            state = {name: part for name, part in vars(value).items() if not name.endswith("_hooks")}
            return ["module", kind.__qualname__, [[name, self.of(state[name])] for name in sorted(state)]]
        return [kind.__name__, repr(value)]


def _dtype(dtype: Any) -> str:
    return str(dtype.str) if dtype.names is None and dtype.kind not in "VT" else repr(dtype)
