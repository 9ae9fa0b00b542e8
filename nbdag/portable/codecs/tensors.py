"""torch by storage: tensors of one storage share it again, with each other and with NumPy.

    w = layer.weight; t = w.t(); first = w[0]     one storage, three tensors: (storage, dtype, size, stride, offset)

A storage is memory like an array's: what overlaps is one region. Of a storage that little is used of (a row of a large
tensor) the used span moves; only a second round knows it. What lies on a device is copied to memory and comes back on
that device, or in memory where the target has none. The graph behind a computed tensor stays behind, as in
``torch.save``, and the target says so. Gradients come along, which ``torch.save`` leaves out.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any, Dict, Tuple

from nbdag.portable.encoder import GroupEncoder, Refused, StandIn
from nbdag.portable.extents import SPARSE, BufferExtent

ALIGNMENT = 64  # a span begins where every dtype can


class TensorMemory(StandIn):
    """One storage in one encoding: all that is pickled of it refers to this."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage
        self.low, self.high = storage.nbytes(), 0
        self.whole = False

    def reduce(self, encoder: GroupEncoder) -> Any:
        """The bytes of it that move, and the device they lay on."""
        storage = self.storage
        device = str(storage.device)
        low, high = _kept_span(self, encoder)
        if storage.device.type != "cpu":
            storage = storage.cpu()
            encoder.kept.append(storage)
        if high == low:
            return encoder.restorer("tensor_memory"), (bytearray(), device)
        if not storage.data_ptr():
            raise Refused(storage, "a tensor without memory")
        address = storage.data_ptr() + low
        exporter = (ctypes.c_ubyte * (high - low)).from_address(address)
        extent = BufferExtent(address, high - low, (storage, exporter))
        return encoder.restorer("tensor_memory"), (encoder.memory(extent, exporter), device)


def choose_tensor_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Tensors, storages and generators, once torch is loaded."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "Tensor") or not hasattr(torch, "UntypedStorage"):
        return None
    codec: Any = None
    if issubclass(kind, torch.Tensor):
        codec = _reduce_tensor if _is_plain(kind, torch) else None
    elif kind is torch.UntypedStorage:
        codec = _reduce_storage
    elif kind is torch.storage.TypedStorage:
        codec = _reduce_typed_storage
    elif kind is torch.Generator:
        codec = _reduce_torch_generator
    if codec is not None:
        encoder.modules.add("torch")
    return codec


def _is_plain(kind: Any, torch: Any) -> bool:
    """Whether torch itself pickles it, and by its storage."""
    own = next(base for base in kind.__mro__ if "__reduce_ex__" in vars(base)).__module__
    return own.partition(".")[0] == "torch" and "__torch_dispatch__" not in {
        name for base in kind.__mro__ if not base.__module__.startswith("torch") for name in vars(base)
    }


def _memory_of(storage: Any, encoder: GroupEncoder) -> TensorMemory:
    memories: Dict[int, TensorMemory] = encoder.tensor_memories
    known = memories.get(storage._cdata)
    if known is None:
        known = memories[storage._cdata] = TensorMemory(storage)
    return known


def _reduce_tensor(tensor: Any, encoder: GroupEncoder) -> Any:
    torch: Any = sys.modules["torch"]
    with torch._C.DisableTorchFunctionSubclass():
        if tensor.layout is not torch.strided or tensor.is_quantized or getattr(tensor, "is_nested", False):
            return NotImplemented
        if tensor.device.type not in ("cpu", "cuda", "mps", "xpu"):
            return NotImplemented
        memory = _memory_of(tensor.untyped_storage(), encoder)
        width = tensor.element_size()
        first = tensor.storage_offset() * width
        reach = sum((length - 1) * step for length, step in zip(tensor.size(), tensor.stride()))  # noqa: B905
        if tensor.numel():
            memory.low = min(memory.low, first)
            memory.high = max(memory.high, first + (reach + 1) * width)
        low = _kept_span(memory, encoder)[0] if tensor.numel() else first
        attributes = dict(getattr(tensor, "__dict__", None) or {})
        arguments = (
            memory,
            tensor.dtype,
            tuple(tensor.size()),
            tuple(tensor.stride()),
            (first - low) // width,
            bool(tensor.requires_grad),
            (tensor.is_conj(), tensor.is_neg()),
            type(tensor),
            tensor.grad_fn is not None,
        )
        state = (tensor.grad if tensor.is_leaf else None, tensor._backward_hooks, attributes)
    make = encoder.restorer("tensor")
    if not any(part for part in state[1:]) and state[0] is None:
        return make, arguments
    return make, arguments, state, None, None, encoder.restorer("tensor_state")


def _kept_span(memory: TensorMemory, encoder: GroupEncoder) -> Tuple[int, int]:
    """Which bytes of a storage move: all of them, unless an earlier round has learnt that few are used."""
    spans: Dict[int, Tuple[int, int]] = encoder.options.get("spans", {})
    return spans.get(memory.storage._cdata, (0, memory.storage.nbytes()))


def lessons_about_tensors(encoder: GroupEncoder) -> Any:
    """After the first round: the spans of storages that little is used of; None if there are none."""
    if "spans" in encoder.options:
        return None
    spans = {}
    for key, memory in encoder.tensor_memories.items():
        if not memory.whole and memory.high and (memory.high - memory.low) * SPARSE < memory.storage.nbytes():
            spans[key] = (memory.low // ALIGNMENT * ALIGNMENT, memory.high)
    return spans or None


def _reduce_storage(storage: Any, encoder: GroupEncoder) -> Any:
    memory = _memory_of(storage, encoder)
    memory.whole = True
    return encoder.restorer("tensor_storage"), (memory,)


def _reduce_typed_storage(storage: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("typed_storage"), (storage._untyped_storage, storage.dtype)


def _reduce_torch_generator(generator: Any, encoder: GroupEncoder) -> Any:
    torch: Any = sys.modules["torch"]
    if generator is torch.default_generator:
        return encoder.restorer("attribute"), ("torch", "default_generator")
    state = bytes(generator.get_state().numpy().tobytes())
    return encoder.restorer("torch_generator"), (str(generator.device), generator.initial_seed(), state)
