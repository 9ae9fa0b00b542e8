"""Every decision that was made, and what became of it: one line of JSON each, ``%nbdag migrate log`` shows them.

What is kept: digests and the first line of the cell (none that looks like a credential), sizes, seconds, the reason. No
values, no texts, no outputs. A line that cannot be read (a crash in the middle of writing) is passed over.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from nbdag.remote.model import Where

LOG_NAME = "decisions.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell. ``predicted_here`` and ``predicted_there`` include transfers, 0 where nothing was predicted.

    ``seconds`` is what the cell took where it ran, with all that moving took; ``own_seconds`` without. ``regret`` is
    how much longer that was than the prediction for the other side: negative is a gain. ``slack`` is by how
    much the cell changed the account that the guard keeps. ``failed`` says why a run there was done again here.
    """

    time: float
    session: str
    cell: str
    label: str
    where: str
    target: str
    policy: str
    reason: str
    predicted_here: float = 0.0
    predicted_there: float = 0.0
    seconds: float = 0.0
    own_seconds: float = 0.0
    sent_bytes: int = 0
    fetched_bytes: int = 0
    whole_bytes: int = 0
    regret: float = 0.0
    slack: float = 0.0
    outcome: str = "ok"
    failed: str = ""


def regret(where: Where, seconds: float, predicted_here: float, predicted_there: float) -> float:
    """Seconds that the other side would have been expected to save; 0 where nothing was predicted of it."""
    other = predicted_there if where is Where.HERE else predicted_here
    return seconds - other if other > 0 else 0.0


def append_entry(directory: Path, entry: Entry) -> None:
    """Add a line to the log in ``directory``, which only its owner can read."""
    path = directory / LOG_NAME
    line = json.dumps(asdict(entry), ensure_ascii=True) + "\n"
    # One write of one line: two kernels that log into one directory do not tear each other's lines apart.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode("ascii"))
    finally:
        os.close(descriptor)


def read_log(directory: Path) -> tuple[Entry, ...]:
    """The entries of the log in ``directory``, oldest first; none where there is no log."""
    try:
        text = (directory / LOG_NAME).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ()
    known = {field.name: field for field in fields(Entry)}
    found = []
    for line in text.splitlines():
        try:
            values = json.loads(line)
            kept = {name: value for name, value in values.items() if name in known}
            entry = Entry(**kept)
            numbers = (
                entry.time,
                entry.seconds,
                entry.slack,
                entry.predicted_here,
                entry.predicted_there,
                entry.regret,
            )
            if all(isinstance(number, int | float) for number in numbers):
                found.append(entry)
        except (ValueError, TypeError, AttributeError):
            continue
    return tuple(found)


def saved_so_far(entries: Iterable[Entry], target: str) -> float:
    """The slack that earlier sessions left on a target (``policies/guard.py``)."""
    return sum(entry.slack for entry in entries if entry.target == target)
