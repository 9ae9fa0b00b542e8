"""Figures in the sentences that decisions are explained with."""

from __future__ import annotations

_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def size_in_words(count: float) -> str:
    """``1_234_567`` -> ``"1.2 MB"``."""
    for factor, unit in _BYTES:
        if count >= 0.9995 * factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count:.0f} B"


def time_in_words(seconds: float) -> str:
    """``0.0123`` -> ``"12 ms"``, ``200`` -> ``"3 min 20 s"``."""
    if not seconds < 1e9:
        return "for ever"
    if abs(seconds) < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if abs(seconds) < 119.5:
        return f"{seconds:.2g} s" if abs(seconds) < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
