"""Raw rows in files: a line of JSON for each measure, written whole, small, and without a path of the machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DIRECTORY = re.compile(r"(?<![\w.:/])/(?:[\w.+@=-]+/)+")
NAMES_KEPT = 8  # of variables that are wrong: a row says how many there are besides


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file; none if it is not there. A line that was cut off while it was written is left out."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def append(path: Path, row: Mapping[str, Any]) -> None:
    """Write ``row`` behind the others, in one write, on a line of its own even where the last one was cut off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = not path.exists() or not path.stat().st_size or path.read_bytes()[-1:] == b"\n"
    with path.open("ab", buffering=0) as file:
        file.write(b"\n" * (not whole) + json.dumps(compact(row), separators=(",", ":")).encode() + b"\n")


def compact(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without what goes without saying: empty fields, more digits than a clock has, directories."""
    if "machine" in row:
        return dict(row)
    small = {key: _short(value) for key, value in row.items() if value not in ("", [], (), {}, None)}
    small = {key: value for key, value in small.items() if value or key not in _MOSTLY_ZERO}
    # Rounds after the first are there for their times, if they came back right.
    if row.get("round") and row.get("correct"):
        small = {key: small[key] for key in small if key not in _SAID_ONCE}
    return small


_MOSTLY_ZERO = frozenset({"failed_cells", "unshared", "vague", "round"})
_SAID_ONCE = frozenset(
    {"names", "right", "vague", "changed_by_saving", "failed_cells", "missing", "wrong", "unshared", "save_peak_mb"}
)


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, str):
        return DIRECTORY.sub("", value)[:200]
    if isinstance(value, Mapping):
        return {key: _short(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        kept = [_short(inner) for inner in value[:NAMES_KEPT]]
        return [*kept, f"and {len(value) - NAMES_KEPT} more"] if len(value) > NAMES_KEPT else kept
    return value
