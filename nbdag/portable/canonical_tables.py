"""Canonical heads and children of tensors, images, and the tables of Arrow and polars; see ``canonical.py``.

Their own reductions are of no use here: torch writes addresses of storages, and a slice of Arrow leads to all it
was cut from. The graph behind a computed tensor is not compared: no bundle holds one.
"""

from __future__ import annotations

import io
import sys
from typing import Any, Callable, Dict, List, Tuple

from nbdag.portable.canonical_library import Bulk
from nbdag.portable.objects import base_labels, class_qualname, instance_dict, is_session_class
from nbdag.portable.pictures import core_parts, seen_of_picture

_Encoded = Tuple[Tuple[Any, ...], List[Any]]


def _table_kind_of(obj: Any) -> str:
    cls = type(obj)
    return "__main__." + class_qualname(cls) if is_session_class(cls) else base_labels(cls)[0]


def _encode_tensor(obj: Any) -> _Encoded:
    torch: Any = sys.modules["torch"]
    with torch._C.DisableTorchFunctionSubclass():
        head = (
            "tensor", _table_kind_of(obj), str(obj.dtype), tuple(obj.size()), str(obj.layout), obj.device.type,
            bool(obj.requires_grad),
        )  # fmt: skip
        gradient = obj.grad if obj.is_leaf else None
        plain = obj.detach()
        if plain.is_quantized or plain.device.type == "meta":
            return head, [repr(plain)]
        if plain.layout is not torch.strided:
            if plain.layout is torch.sparse_coo:
                return (*head, plain.is_coalesced()), [plain._indices(), plain._values(), gradient]
            return head, [plain.to_sparse_coo(), gradient]
        plain = plain.resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
        return head, [_flat_bytes_of(plain.view(torch.uint8)), gradient, instance_dict(obj) or None]


def _flat_bytes_of(flat: Any) -> Any:
    """The elements of a tensor of bytes."""
    if "numpy" in sys.modules:
        return Bulk(flat.numpy())
    storage = flat.untyped_storage()
    return bytes(storage)[flat.storage_offset() : flat.storage_offset() + flat.numel()]


def _encode_storage(obj: Any) -> _Encoded:
    torch: Any = sys.modules["torch"]
    untyped = getattr(obj, "_untyped_storage", obj)
    flat = torch.empty(0, dtype=torch.uint8).set_(untyped.cpu())
    return ("storage", _table_kind_of(obj), str(getattr(obj, "dtype", ""))), [_flat_bytes_of(flat)]


def _encode_torch_generator(obj: Any) -> _Encoded:
    return ("random", "torch", str(obj.device), obj.initial_seed()), [bytes(obj.get_state().tolist())]


def _encode_arrow_array(obj: Any) -> _Encoded:
    """Chunk by chunk as IPC writes it, which leaves out what a slice does not show."""
    arrow: Any = sys.modules["pyarrow"]
    chunks = obj.chunks if hasattr(obj, "chunks") else [obj]
    batches = [arrow.RecordBatch.from_arrays([chunk], names=["a"]) for chunk in chunks]
    parts = [batch.serialize().to_pybytes() for batch in batches]
    return ("arrow", "chunks" if hasattr(obj, "chunks") else "array", str(obj.type)), list(parts)


def _encode_arrow_table(obj: Any) -> _Encoded:
    metadata = sorted((obj.schema.metadata or {}).items())
    head = (
        "arrow table",
        _table_kind_of(obj),
        obj.num_rows,
        tuple(str(field) for field in obj.schema),
        tuple(metadata),
    )
    return head, list(obj.columns)


def _encode_polars_frame(obj: Any) -> _Encoded:
    return ("polars frame", obj.shape), list(obj.get_columns())


def _encode_polars_series(obj: Any) -> _Encoded:
    polars: Any = sys.modules["polars"]
    head = ("polars series", obj.name, str(obj.dtype), len(obj))
    if obj.dtype == polars.Object:
        return head, [obj.to_list()]
    levels = getattr(polars, "CompatLevel", None)
    sink = io.BytesIO()
    obj.rechunk().to_frame().write_ipc_stream(sink, **({"compat_level": levels.oldest()} if levels else {}))
    return head, [sink.getvalue()]


def _encode_picture(obj: Any) -> _Encoded:
    return ("picture", _table_kind_of(obj), obj.mode, tuple(obj.size)), seen_of_picture(obj)


def _encode_markup(obj: Any) -> _Encoded:
    """A node: the document, and which of its nodes it is."""
    trees: Any = sys.modules["lxml.etree"]
    root = obj
    while root.getparent() is not None:
        root = root.getparent()
    number = next(number for number, node in enumerate(root.iter()) if node is obj)
    return ("markup", _table_kind_of(obj), number, trees.tostring(root)), []


def _encode_orm_part(obj: Any) -> _Encoded:
    return ("mapped", _table_kind_of(obj), str(obj) if "sqlalchemy.registry" not in base_labels(type(obj)) else ""), []


def _encode_metadata(obj: Any) -> _Encoded:
    return ("metadata", str(obj.schema)), [obj.tables[key] for key in sorted(obj.tables)]


def _encode_sql_table(obj: Any) -> _Encoded:
    """A table of SQLAlchemy by what it says of itself: its reduction has ids and counters in it."""
    columns = tuple(repr(column) for column in obj.columns)
    more = sorted(str(part.name) + type(part).__name__ for part in (*obj.constraints, *obj.indexes))
    return ("table", obj.fullname, columns, tuple(more), repr(sorted(obj.info))), []


def _encode_sql(obj: Any) -> _Encoded:
    """A statement as SQL, and what is bound in it."""
    compiled = obj.compile()
    return ("sql", _table_kind_of(obj), str(compiled)), [dict(compiled.params)]


def _encode_instance_state(obj: Any) -> _Encoded:
    return ("instance state", _table_kind_of(obj), repr(obj.key), bool(obj.modified)), [sorted(obj.committed_state)]


def _encode_sql_session(obj: Any) -> _Encoded:
    return ("database session", _table_kind_of(obj), str(obj.bind and obj.bind.url), len(obj.identity_map)), []


def _encode_sql_engine(obj: Any) -> _Encoded:
    return ("engine", str(obj.url), type(obj.pool).__name__, repr(obj.echo)), []


TABLE_ENCODERS: Dict[str, Callable[[Any], _Encoded]] = {
    "torch.Tensor": _encode_tensor,
    "torch.UntypedStorage": _encode_storage,
    "torch.TypedStorage": _encode_storage,
    "torch.Generator": _encode_torch_generator,
    "pyarrow.Array": _encode_arrow_array,
    "pyarrow.ChunkedArray": _encode_arrow_array,
    "pyarrow.Table": _encode_arrow_table,
    "pyarrow.RecordBatch": _encode_arrow_table,
    "sqlalchemy.Mapper": _encode_orm_part,
    "sqlalchemy.ClassManager": lambda obj: (("mapped", obj.class_.__name__), []),
    "sqlalchemy.registry": lambda obj: (("registry",), []),
    "sqlalchemy.QueryableAttribute": _encode_orm_part,
    "sqlalchemy.MetaData": _encode_metadata,
    "sqlalchemy.Table": _encode_sql_table,
    "sqlalchemy.Column": lambda obj: (("column", repr(obj)), []),
    "sqlalchemy.ClauseElement": _encode_sql,
    "sqlalchemy.InstanceState": _encode_instance_state,
    "sqlalchemy.Session": _encode_sql_session,
    "sqlalchemy.Engine": _encode_sql_engine,
    "lxml._Element": _encode_markup,
    "lxml._ElementTree": lambda obj: (("markup tree",), [obj.getroot()]),
    "PIL.Image": _encode_picture,
    "builtins.ImagingCore": lambda obj: (("pixels",), list(core_parts(obj))),
    "polars.DataFrame": _encode_polars_frame,
    "polars.Series": _encode_polars_series,
}
