"""Which input files travel in the bundle: ``--include-files auto|all|none|GLOB``.

Only files that code of the bundle may read are in question: the replayed statements, and the fallback slices of stored
values. Only relative paths can travel, and none that leads out of the working directory: elsewhere the code would not
look for it. What is in the working directory of the target under that name is read first (``portable/replaying.py``).

| | replayed statements read it | only a fallback reads it |
|---|---|---|
| auto | up to 1 MB, 16 MB in all | no |
| all | yes | yes |
| GLOB | where its path matches | where its path matches |
| none | no | no |

Hidden files (``.env``, ``.aws/credentials``) stay behind unless a GLOB names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any

from nbdag.model.findings import Diagnostic, Severity
from nbdag.model.plan import Load, Replay
from nbdag.model.trace import FileUse

LARGEST_CARRIED = 1024 * 1024
MOST_CARRIED = 16 * 1024 * 1024
"""Bytes of one input file, and of all, that travel unasked."""

AUTO, ALL, NONE = "auto", "all", "none"


def carried_inputs(
    steps: Iterable[Load | Replay], fallback: Iterable[Replay] = (), include: str = AUTO
) -> tuple[tuple[str, Path], ...]:
    """The files that travel, as (path as the code spells it, where it is now), sorted; ``include`` is the option."""
    found: dict[str, Path] = {}
    room = MOST_CARRIED
    replays = [step for step in steps if isinstance(step, Replay)]
    for step in replays if include == AUTO else [*replays, *fallback]:
        for use in step.files:
            if use.mode != "r" or use.path in found or not _wanted(use, include):
                continue
            if include == AUTO and not 0 <= use.size <= min(LARGEST_CARRIED, room):
                continue
            source = Path(use.absolute)
            if source.is_file():
                found[use.path] = source
                room -= use.size
    return tuple(sorted(found.items()))


def files_left(groups: Iterable[Mapping[str, Any]]) -> Iterator[Diagnostic]:
    """What the open handles of stored values need on the target: no file of theirs travels."""
    for group in groups:
        for path in group.get("files", ()):
            yield Diagnostic(
                "file-needed",
                Severity.WARNING,
                f"{', '.join(group['names'])} has {path} open, which does not travel: it is lost where that is missing",
                hint="copy the file to the same place, or close it and open it anew",
            )


def _wanted(use: FileUse, include: str) -> bool:
    path = PurePath(use.path)
    if include == NONE or path.is_absolute() or ".." in path.parts:
        return False
    if include not in (AUTO, ALL):
        return fnmatchcase(path.as_posix(), include)
    return not any(part.startswith(".") for part in path.parts)
