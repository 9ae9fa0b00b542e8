"""Hashing memory and lists of atoms where they are, without a copy of the whole."""

from __future__ import annotations

import marshal
import sys
from typing import Any, List

from nbdag.portable.hashing import new_state_hash

ARRAY_CHUNK = 1 << 24  # bytes of a strided array that are copied at a time


def feed_array(hasher: Any, plain: Any) -> None:
    """Hashes the elements of an ndarray in C order, or in F order if it is stored so. Not for object arrays.

    Of records, field by field: the padding between fields is whatever was in that memory before.
    """
    if plain.dtype.fields:
        for name in plain.dtype.names:
            feed_array(hasher, plain[name])
        return
    flags = plain.flags
    if flags.f_contiguous and not flags.c_contiguous:
        plain = plain.T
    if plain.flags.c_contiguous:
        hasher.update(array_buffer(plain))
        return
    rows = max(1, ARRAY_CHUNK // max(1, plain.nbytes // max(1, len(plain))))
    for begin in range(0, len(plain), rows):
        hasher.update(plain[begin : begin + rows].tobytes())


def array_buffer(contiguous: Any) -> Any:
    """A C-contiguous array as bytes that a hash reads in place."""
    if not contiguous.nbytes:
        return b""
    try:
        return memoryview(contiguous).cast("B")
    except (ValueError, TypeError, BufferError):  # no buffer format: datetime64, records, big endian ...
        return memoryview(contiguous.reshape(-1).view("u1"))


def hash_atoms(elements: List[Any]) -> bytes:
    """The hash of a list of atoms: version 2 of marshal writes types and bits and does not look at identity."""
    hasher = new_state_hash()
    for begin in range(0, len(elements), 50_000):  # a few MB at a time
        part = elements[begin : begin + 50_000]
        try:
            hasher.update(marshal.dumps(part, 2))
        except ValueError:  # range, NotImplemented
            hasher.update(repr(part).encode("utf-8", "surrogatepass"))
    return hasher.digest()  # type: ignore[no-any-return]


def copies_on_write() -> bool:
    """Whether pandas, if it is loaded, lets frames share memory until one is written to."""
    pandas: Any = sys.modules.get("pandas")
    try:
        release = int(pandas.__version__.partition(".")[0])
        return release >= 3 or (release == 2 and pandas.get_option("mode.copy_on_write") is True)
    except Exception:  # there is none, or half of one, or something else of that name
        return False
