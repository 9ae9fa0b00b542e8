"""Speeds as people write them."""

from __future__ import annotations

import re

from nbdag.errors import UsageError

_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "ki": 2.0**10, "mi": 2.0**20, "gi": 2.0**30}
_RATE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<prefix>[kmg]i?)?(?P<unit>b|bits?|bps)(?:/s(?:ec)?|ps)?", re.I)


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
