"""Bytes and seconds as people say them."""

from __future__ import annotations

import math

_BYTES = ("B", "kB", "MB", "GB", "TB", "PB")


def say_bytes(count: float) -> str:
    """``1_234_567`` -> ``"1.2 MB"``, in powers of 1000."""
    size, unit = float(count), 0
    while size >= 999.5 and unit < len(_BYTES) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} B" if unit == 0 else f"{size:.{1 if size < 99.5 else 0}f} {_BYTES[unit]}"


def say_seconds(seconds: float) -> str:
    """``0.0123`` -> ``"12 ms"``, ``200`` -> ``"3 min 20 s"``; infinite is ``"never"``."""
    if math.isinf(seconds) or math.isnan(seconds):
        return "never"
    if seconds < 0.0005:
        return "<1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def say_fine(seconds: float) -> str:
    """``0.000102`` -> ``"102 µs"``; from a millisecond on as ``say_seconds``: for costs that are compared."""
    if 0 < seconds < 0.0095:
        return f"{seconds * 1e6:.0f} µs" if seconds < 0.0009995 else f"{seconds * 1000:.1f} ms"
    return say_seconds(seconds)


def say_count(count: int, noun: str, plural: str = "") -> str:
    """``(1, "cell")`` -> ``"1 cell"``, ``(2, "cell")`` -> ``"2 cells"``."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
