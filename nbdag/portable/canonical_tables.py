"""Canonical heads and children of tensors and of the tables of Arrow and polars; see ``canonical.py``.

Their own reductions are of no use here: torch writes addresses of storages, and a slice of Arrow leads to all it
was cut from. The graph behind a computed tensor is not compared: no bundle holds one.
"""

from __future__ import annotations

import io
import sys
from typing import Any, Callable, Dict, List, Tuple

from nbdag.portable.canonical_library import Bulk
from nbdag.portable.objects import base_labels, class_qualname, instance_dict, is_session_class

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


TABLE_ENCODERS: Dict[str, Callable[[Any], _Encoded]] = {
    "torch.Tensor": _encode_tensor,
    "torch.UntypedStorage": _encode_storage,
    "torch.TypedStorage": _encode_storage,
    "torch.Generator": _encode_torch_generator,
    "pyarrow.Array": _encode_arrow_array,
    "pyarrow.ChunkedArray": _encode_arrow_array,
    "pyarrow.Table": _encode_arrow_table,
    "pyarrow.RecordBatch": _encode_arrow_table,
    "polars.DataFrame": _encode_polars_frame,
    "polars.Series": _encode_polars_series,
}
