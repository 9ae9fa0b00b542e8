"""scipy.sparse by format and parts, so that every release reads every other: how the parts are kept has changed often.

    csr, csc, bsr   data, indices, indptr          coo   data and one array of coordinates for each axis
    dia             data, offsets                  lil   two arrays of lists            dok   (place, number) pairs

Matrices and arrays are told apart: ``*`` means another product for each.
"""

from __future__ import annotations

import sys
from typing import Any, Dict

from nbdag.portable.encoder import GroupEncoder

FORMATS = ("csr", "csc", "bsr", "coo", "dia", "dok", "lil")
# What a release may keep in an instance besides what users hang on it.
OWN_ATTRIBUTES = frozenset(
    ["data", "indices", "indptr", "row", "col", "coords", "offsets", "rows", "dtype", "maxprint", "shape", "ndim",
     "has_canonical_format", "has_sorted_indices", "blocksize"]
)  # fmt: skip
FLAGS = ("has_sorted_indices", "has_canonical_format")  # cached answers: asking again would sort nothing


def choose_sparse_codec(kind: type, encoder: GroupEncoder) -> Any:
    """SciPy's own sparse matrices and arrays; what derives from them is left to pickle."""
    sparse: Any = sys.modules.get("scipy.sparse")
    if sparse is None or getattr(sparse, kind.__name__, None) is not kind or kind.__name__[:3] not in FORMATS:
        return None
    encoder.modules.update(("scipy", "numpy"))
    return _reduce_sparse


def _reduce_sparse(value: Any, encoder: GroupEncoder) -> Any:
    attributes: Dict[str, Any] = vars(value)
    form = value.format
    if form in ("csr", "csc", "bsr"):
        parts: Any = (value.data, value.indices, value.indptr)
    elif form == "coo":
        parts = (value.data, tuple(value.coords) if hasattr(value, "coords") else (value.row, value.col))
    elif form == "dia":
        parts = (value.data, value.offsets)
    elif form == "lil":
        parts = (value.data, value.rows)
    else:
        parts = (list(attributes["_dict"].items() if "_dict" in attributes else dict.items(value)),)
    flags = {}
    for name in FLAGS:  # as far as they are known by now: the answer to a question never asked may cost a pass
        known = attributes.get(name, attributes.get("_" + name))
        if known is not None:
            flags[name] = bool(known)
    added = {name: item for name, item in attributes.items() if name not in OWN_ATTRIBUTES and name[:1] != "_"}
    arguments = (type(value).__name__, tuple(value.shape), value.dtype, parts, flags)
    if not added:
        return encoder.restorer("sparse"), arguments
    return encoder.restorer("sparse"), arguments, added, None, None, encoder.restorer("additions")
