"""Restorers of torch values; counterpart of ``codecs/tensors.py``. Written for torch 2.0 and later."""

from __future__ import annotations

from typing import Any

from nbdag.portable.restorers.definitions import restore_module


class RestoredMemory:
    """A storage, where tensors can take it from."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage


def restore_tensor_memory(loading: Any, buffer: Any, device: str) -> RestoredMemory:
    """The storage over ``buffer``; on ``device`` if the target has it."""
    torch = restore_module("torch")
    if not len(buffer):
        storage = torch.UntypedStorage(0)
    else:
        storage = torch.frombuffer(buffer, dtype=torch.uint8).untyped_storage()
    if device != "cpu":
        if _has_device(torch, device):
            storage = torch.empty(0, dtype=torch.uint8).set_(storage).to(device).untyped_storage()
        else:
            loading.note("tensors of %s are in memory: there is no such device here" % device)
    return RestoredMemory(storage)


def _has_device(torch: Any, device: str) -> bool:
    kind, _, number = device.partition(":")
    backend = getattr(torch, kind, None) or getattr(torch.backends, kind, None)
    if backend is None or not backend.is_available():
        return False
    count = getattr(backend, "device_count", None)
    return count is None or int(number or 0) < count()


def restore_tensor(
    loading: Any,
    memory: Any,
    dtype: Any,
    size: Any,
    stride: Any,
    offset: int,
    requires_grad: bool,
    lazily: Any,
    kind: Any,
    computed: bool,
) -> Any:
    """A tensor over a storage."""
    torch = restore_module("torch")
    tensor = torch.empty((0,), dtype=dtype, device=memory.storage.device)
    with torch.no_grad():
        tensor.set_(memory.storage, offset, tuple(size), tuple(stride))
        conjugated, negated = lazily
        if conjugated:
            tensor = torch._C._VariableFunctions._conj(tensor) if hasattr(torch, "_conj") else tensor.conj()
        if negated:
            tensor = tensor._neg_view()
    if kind is torch.nn.Parameter:
        tensor = torch.nn.Parameter(tensor, requires_grad)
    else:
        if kind is not torch.Tensor:
            tensor = tensor.as_subclass(kind)
        if requires_grad:
            tensor.requires_grad_(True)
    if computed:
        loading.note("a computed tensor has its value, but no longer the graph for backward()")
    return tensor


def restore_tensor_state(tensor: Any, state: Any) -> None:
    """The gradient, the hooks, and what was hung on a tensor."""
    gradient, hooks, attributes = state
    if gradient is not None:
        tensor.grad = gradient
    if hooks:
        tensor._backward_hooks = hooks
    tensor.__dict__.update(attributes)


def restore_tensor_storage(memory: Any) -> Any:
    """A storage itself."""
    return memory.storage


def restore_typed_storage(storage: Any, dtype: Any) -> Any:
    """A storage with a dtype."""
    return restore_module("torch").storage.TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)


def restore_torch_generator(device: str, seed: int, state: bytes) -> Any:
    """``torch.Generator``; one of a device that is not here cannot be."""
    torch = restore_module("torch")
    generator = torch.Generator(device=device)
    generator.manual_seed(seed)
    generator.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))
    return generator
