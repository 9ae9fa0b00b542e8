"""The sha256 of little: OpenSSL reads 2 GB/s but takes 3 ms to load, Python's own 0.4 GB/s and nothing."""

from __future__ import annotations

import sys
from typing import Any

LOADS_OPENSSL = 1 << 20  # bytes: from here on loading it pays
_HASHED_SLOWLY = [0]  # bytes so far, in this process


def new_sha256(size: int) -> Any:
    """A sha256 object of ``hashlib``'s kind for about ``size`` bytes (negative: nobody knows)."""
    if "hashlib" not in sys.modules and size >= 0 and _HASHED_SLOWLY[0] + size < LOADS_OPENSSL:
        _HASHED_SLOWLY[0] += size
        try:
            if sys.version_info >= (3, 12):
                from _sha2 import sha256
            else:
                from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]  # the older name
            return sha256()
        except ImportError:  # a Python without its own
            pass
    import hashlib

    return hashlib.sha256()


def sha256_of(content: bytes) -> str:
    """The sha256 of ``content`` in hexadecimal digits."""
    found = new_sha256(len(content))
    found.update(content)
    return str(found.hexdigest())
