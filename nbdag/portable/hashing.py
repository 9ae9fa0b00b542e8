"""The hash behind fingerprints: the fastest one this process has, chosen once, by measurement.

xxh3 reads 30 GB/s, the standard library's best 1 to 2. Which of those is best depends on the CPU: sha1 and
sha256 with SHA instructions, blake2b without. Fingerprints never leave the process, so the choice need not be stable.
Not a checksum such as crc32: 32 bits meet by chance in a long session.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any, Callable, Dict

HASH_CANDIDATES = ("sha1", "blake2b", "sha256", "md5")

_CHOSEN_HASH: Dict[str, Callable[[], Any]] = {}


def new_state_hash() -> Any:
    """An object with ``update(buffer)`` and ``digest()`` of at least 128 bits."""
    make = _CHOSEN_HASH.get("")
    if make is None:
        make = _CHOSEN_HASH[""] = _choose_hash()
    return make()


def _choose_hash() -> Callable[[], Any]:
    try:
        import xxhash

        return xxhash.xxh3_128
    except Exception:  # not there, broken, or shadowed by a file of the user's
        return fastest_stdlib_hash()


def fastest_stdlib_hash() -> Callable[[], Any]:
    """A few hundred microseconds each on 256 KB, once. A FIPS build refuses some: they are left out."""
    sample = bytes(1 << 18)
    times = {}
    for name in HASH_CANDIDATES:
        try:
            make = getattr(hashlib, name)
            make(sample[:4096])
            begun = time.perf_counter()
            make(sample)
            times[name] = time.perf_counter() - begun
        except Exception:
            continue
    best = min(times, key=lambda name: times[name]) if times else "sha256"
    return getattr(hashlib, best)  # type: ignore[no-any-return]
