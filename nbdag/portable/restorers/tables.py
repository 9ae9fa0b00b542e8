"""Restorers of polars frames; counterpart of ``codecs/tables.py``. Written for polars 0.20 and later."""

from __future__ import annotations

from typing import Any

from nbdag.portable.restorers.definitions import restore_module


def restore_polars_frame(stream: Any, orders: Any, objects: Any) -> Any:
    """A frame from its IPC stream, and its columns of Python objects."""
    import io

    polars = restore_module("polars")
    frame = polars.read_ipc_stream(io.BytesIO(stream))
    for name, order, categories in orders:
        if order == "enum":
            frame = frame.with_columns(polars.col(name).cast(polars.String).cast(polars.Enum(categories)))
        elif getattr(frame.schema[name], "ordering", order) != order:
            frame = frame.with_columns(polars.col(name).cast(polars.Categorical(order)))
    for place, column in sorted(objects.items()):
        frame = frame.insert_column(place, column)
    return frame


def restore_polars_series(stream: Any, orders: Any) -> Any:
    """A series from the IPC stream of a frame of one column."""
    return restore_polars_frame(stream, orders, {}).to_series(0)


def restore_polars_objects(name: str, values: Any) -> Any:
    """A series of Python objects."""
    polars = restore_module("polars")
    return polars.Series(name, values, dtype=polars.Object)
