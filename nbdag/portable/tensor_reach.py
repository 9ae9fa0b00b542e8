"""What a tensor of torch leads to, which the collector does not show: its storage, and its gradient."""

from __future__ import annotations

import sys
from typing import Any, List, Tuple

from nbdag.portable.objects import instance_dict


def tensor_reach(tensor: Any) -> Tuple[List[Any], List[Tuple[int, int, bool]]]:
    """(objects it holds, the memory of its whole storage): ``t[:3]`` and ``t[5:]`` are tensors of one storage."""
    torch: Any = sys.modules["torch"]
    held: List[Any] = [instance_dict(tensor)]
    extents: List[Tuple[int, int, bool]] = []
    with torch._C.DisableTorchFunctionSubclass():
        try:
            if tensor.is_leaf and tensor.grad is not None:
                held.append(tensor.grad)
            if tensor.layout is not torch.strided:
                parts = ("_indices", "_values") if tensor.layout is torch.sparse_coo else ("crow_indices", "values")
                for name in parts:
                    held.append(getattr(tensor, name)())
                return held, extents
            storage = tensor.untyped_storage()
            begin, size = storage.data_ptr(), storage.nbytes()
        except (AttributeError, NotImplementedError, RuntimeError):  # no storage: on "meta", wrapped by a library
            return held, extents
    if begin and size:
        extents.append((begin, begin + size, True))
    return held, extents
