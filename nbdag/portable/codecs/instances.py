"""Instances of ordinary classes when a structure is too deep for recursion.

    class Node: ...        # head -> node -> node -> ... a hundred thousand times

First every node is made without attributes, then, last of all, each gets its own: pickling one never pickles the next.
Only for classes whose instances do not need their attributes to be hashed or compared.
"""

from __future__ import annotations

import copyreg
from typing import Any

from nbdag.portable.encoder import GroupEncoder


def choose_instance_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Take instances with pickle's default form apart, if the encoder works flat."""
    if not encoder.options.get("flat") or kind in copyreg.dispatch_table or issubclass(kind, type):
        return None
    if kind.__reduce_ex__ is not object.__reduce_ex__ or kind.__reduce__ is not object.__reduce__:
        return None
    if kind.__hash__ not in (None, object.__hash__):
        return None
    return _reduce_flat


def _reduce_flat(value: Any, encoder: GroupEncoder) -> Any:
    reduction = value.__reduce_ex__(4)
    make, arguments = reduction[:2]
    more = reduction[2:] + (None,) * (5 - len(reduction))
    newobj = getattr(copyreg, "__newobj__")  # noqa: B009 - inside a class the plain spelling would be mangled
    if make is not newobj or len(arguments) != 1 or more[1] is not None or more[2] is not None:
        return reduction
    if more[0] is not None:
        encoder.finish_later("state", value, more[0])
    return make, arguments
