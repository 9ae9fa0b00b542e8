"""Tables of Arrow and polars: columns that nobody may write to.

pyarrow takes its arrays apart into buffers by itself, and its releases agree on how: these are mapped on the target. A
slice leads to the buffers of all it was cut from, so a small one goes by way of Arrow IPC, which keeps what is in it.
polars goes as an Arrow IPC stream: its own pickles are read by the release that wrote them. It gets the oldest layout
of text that Arrow has, which every release reads.
"""

from __future__ import annotations

import io
import pickle
import sys
from typing import Any, Dict, List

from nbdag.portable.encoder import GroupEncoder

SMALL_PART = 2  # an array that uses less than one in so many bytes of its buffers is copied together


def choose_table_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Arrays of pyarrow, frames and series of polars."""
    package = kind.__module__.partition(".")[0]
    if package == "pyarrow":
        encoder.modules.add("pyarrow")
        arrow: Any = sys.modules.get("pyarrow")
        return _reduce_arrow_array if arrow is not None and issubclass(kind, arrow.Array) else None
    polars: Any = sys.modules.get("polars")
    if package != "polars" or polars is None:
        return None
    encoder.modules.add("polars")
    if kind is polars.DataFrame:
        return _reduce_polars_frame
    return _reduce_polars_series if kind is polars.Series else None


def _reduce_arrow_array(array: Any, encoder: GroupEncoder) -> Any:
    try:
        small = array.nbytes * SMALL_PART + 64 < array.get_total_buffer_size()
    except AttributeError:  # before pyarrow 7
        return NotImplemented
    if not small:
        return NotImplemented
    arrow: Any = sys.modules["pyarrow"]
    sink = arrow.BufferOutputStream()
    batch = arrow.RecordBatch.from_arrays([array], names=["a"])
    with arrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    compact = arrow.ipc.open_stream(sink.getvalue()).read_all().column(0).chunk(0)
    encoder.kept.append(compact)
    return compact.__reduce_ex__(5)


def _reduce_polars_series(series: Any, encoder: GroupEncoder) -> Any:
    polars: Any = sys.modules["polars"]
    if series.dtype == polars.Object:
        return encoder.restorer("polars_objects"), (series.name, series.to_list())
    return encoder.restorer("polars_series"), _stream_of(series.to_frame())


def _reduce_polars_frame(frame: Any, encoder: GroupEncoder) -> Any:
    polars: Any = sys.modules["polars"]
    objects: Dict[int, Any] = {
        place: column for place, column in enumerate(frame.get_columns()) if column.dtype == polars.Object
    }
    plain = frame.drop([column.name for column in objects.values()]) if objects else frame
    return encoder.restorer("polars_frame"), (*_stream_of(plain), objects)


def _stream_of(frame: Any) -> Any:
    """(the frame as an IPC stream, what that does not say of its categorical columns)."""
    polars: Any = sys.modules["polars"]
    sink = io.BytesIO()
    levels = getattr(polars, "CompatLevel", None)
    options = {"compat_level": levels.oldest()} if levels is not None else {}
    frame.write_ipc_stream(sink, **options)
    orders: List[Any] = []
    for name, dtype in frame.schema.items():
        if dtype == polars.Categorical and getattr(dtype, "ordering", None) == "lexical":
            orders.append((name, "lexical", None))
        elif dtype == getattr(polars, "Enum", None):
            orders.append((name, "enum", dtype.categories.to_list()))
    return pickle.PickleBuffer(sink.getbuffer()), orders
