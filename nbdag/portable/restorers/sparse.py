"""Restorer of sparse matrices and arrays; counterpart of ``codecs/sparse.py``. Written for SciPy 1.5 and later."""

from __future__ import annotations

from typing import Any

from nbdag.portable.restorers.definitions import restore_module


def restore_sparse(name: str, shape: Any, dtype: Any, parts: Any, flags: Any) -> Any:
    """A sparse matrix or array over its very parts. The constructors would copy indices they find too wide."""
    sparse = restore_module("scipy.sparse")
    kind = getattr(sparse, name, None)
    if kind is None:  # the matrix of that format multiplies in another way
        raise ImportError("SciPy %s has no %s" % (restore_module("scipy").__version__, name))
    form = name[:3]
    if form == "bsr":
        made = kind(tuple(shape), dtype=dtype, blocksize=parts[0].shape[1:])
    elif form == "dia":
        made = kind((parts[0], parts[1]), shape=tuple(shape))
    elif form == "coo":
        try:
            made = kind((parts[0], tuple(parts[1])), shape=tuple(shape))
        except (TypeError, ValueError):
            version = restore_module("scipy").__version__
            raise ImportError("SciPy %s has no sparse arrays of %d dimensions" % (version, len(shape))) from None
    else:
        made = kind(tuple(shape), dtype=dtype)
    if form in ("csr", "csc", "bsr"):
        made.data, made.indices, made.indptr = parts
    elif form == "dia":
        made.data, made.offsets = parts
    elif form == "coo":
        made.data = parts[0]
        if hasattr(made, "coords"):
            made.coords = tuple(parts[1])
        else:
            made.row, made.col = parts[1]
    elif form == "lil":
        made.data, made.rows = parts
    elif hasattr(made, "_dict"):
        made._dict.update(parts[0])
    else:
        dict.update(made, parts[0])
    for flag, known in flags.items():
        setattr(made, flag, known)
    return made
