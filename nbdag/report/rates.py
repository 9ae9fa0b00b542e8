"""Sizes and speeds as people write them."""

from __future__ import annotations

import re

from nbdag.errors import UsageError

_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_NUMBER = r"(?P<number>\d+(?:\.\d+)?|\.\d+)\s*"
_RATE = re.compile(_NUMBER + r"(?P<prefix>[kmgt]i?)?(?P<unit>b|bits?|bps)(?:/s(?:ec)?|ps)?", re.I)
_SIZE = re.compile(_NUMBER + r"(?P<prefix>[kmgt]i?)?(?:b|bytes?)?", re.I)


_DURATION = re.compile(_NUMBER + r"(?P<unit>s|sec|seconds?|m|min|minutes?|h|hours?)?", re.I)


def parse_seconds(text: str) -> float:
    """``"60s"`` -> 60.0, ``"2min"`` -> 120.0, ``"1.5h"`` -> 5400.0; a number without a unit is seconds. Raises
    UsageError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--every {text}: not a time", "write it like 60s, 2min or 1h")
    return float(match["number"]) * {"": 1, "s": 1, "m": 60, "h": 3600}[(match["unit"] or "").lower()[:1]]


def parse_rate(text: str) -> float | None:
    """``"50MB/s"`` -> 50e6, ``"100Mbit/s"`` -> 12.5e6 bytes per second; ``"auto"`` -> None. Raises UsageError."""
    if text.strip().lower() == "auto":
        return None
    match = _RATE.fullmatch(text.strip())
    if match is None or not float(match["number"]):
        raise UsageError(f"--bandwidth {text}: not a speed", "write it like 50MB/s, 1GB/s or 100Mbit/s, or auto")
    # "MB" is bytes; "Mbit", "Mbps" and "Mb" with a small b are bits, as network people write them.
    bits = match["unit"] != "B"
    return float(match["number"]) * _FACTORS[(match["prefix"] or "").lower()] / (8 if bits else 1)


def parse_size(text: str) -> int | None:
    """``"2GB"`` -> 2_000_000_000, ``"500 MiB"`` -> 524_288_000, ``"1.5g"`` -> 1_500_000_000 bytes; "" -> None.

    A number without a unit is bytes, and none at all may be stored in ``"0"``. Raises UsageError.
    """
    if not text.strip():
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--max-size {text}: not a size", "write it like 2GB, 500 MiB or 1.5g")
    if text.strip().endswith("b") and match["prefix"] and match["prefix"][0].isupper():
        # "2Gb" is 2 gigabits to network people and 2 gigabytes to everybody else: eight times is too much to guess.
        raise UsageError(f"--max-size {text}: bits or bytes?", f"write {text.strip()[:-1]}B for bytes")
    return int(float(match["number"]) * _FACTORS[(match["prefix"] or "").lower()])
