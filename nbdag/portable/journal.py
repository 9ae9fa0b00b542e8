"""What ran since the session was saved last: one line of JSON per cell, written before anything can happen to it.

    {"event": "session", "session": id, "notebook": path, "time": seconds}          the file's first line
    {"event": "begin", "ordinal": 7, "time": seconds, "count": 8, "cell": id, "source": text}
    {"event": "end", "ordinal": 7, "time": seconds, "seconds": 1.5, "outcome": "ok"}

``ordinal`` counts executions as the recorder does. A bundle says in its provenance how many executions it holds, so the
cells after it are those from that ordinal on; a cell that began and did not end was running when the kernel died. The
kernel alone writes the file. A last line that was torn by a crash is passed over.
"""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Optional

JOURNAL_FILE = "journal.jsonl"
MOST_SOURCE = 20_000  # characters of a cell that the journal keeps
RESTORED_SAVES_ATTRIBUTE = "_nbdag_restored_saves"  # on the shell: the sessions whose saves were restored into this one


def read_journal(path: str) -> List[Dict[str, Any]]:
    """The lines that can be read, in their order; none where there is no file."""
    import json

    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


def cells_after(entries: List[Dict[str, Any]], session: str, executions: int) -> List[Dict[str, Any]]:
    """The cells of this session that the save of ``executions`` executions does not hold; ``ended`` says of each
    whether it ran to its end."""
    mine = ""
    cells: Dict[Any, Dict[str, Any]] = {}
    for entry in entries:
        event, ordinal = entry.get("event"), entry.get("ordinal")
        if event == "session":
            mine = str(entry.get("session"))
        elif mine != session or type(ordinal) is not int or ordinal < executions:
            continue
        elif event == "begin":
            cells[ordinal] = dict(entry, ended=False)
        elif event == "end" and ordinal in cells:
            cells[ordinal].update(ended=True, seconds=entry.get("seconds"), outcome=entry.get("outcome"))
    return [cells[ordinal] for ordinal in sorted(cells)]


def journal_beside(directory: str) -> str:
    """The journal that belongs to the bundle in ``directory``, "" where there is none."""
    path = os.path.join(os.path.dirname(os.path.abspath(directory)), JOURNAL_FILE)
    return path if os.path.isfile(path) else ""


def notes_since(saved: Any, directory: str, now: Optional[float] = None) -> List[str]:
    """What a restored session has to be told: how old the save is and which cells came after it. ``saved`` is the
    entry ``save`` of the bundle's provenance; nothing is said of a bundle without."""
    if not isinstance(saved, dict) or "executions" not in saved:
        return []
    age = (time.time() if now is None else now) - float(saved.get("time") or 0.0)
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(saved.get("time") or 0.0)))
    old = "%s ago" % words_for_age(age) if age >= 0 else "by a clock that has been set back since"
    notes = ["saved by itself at %s, %s" % (when, old)]
    if saved.get("running"):
        notes.append("a cell was running when it was saved: what it was working on may be half done")
    if saved.get("proven") is False:
        notes.append("there was no time to prove this save by restoring it")
    path = journal_beside(directory)
    if not path:
        return notes
    entries = read_journal(path)
    session = str(saved.get("session"))
    if all(entry.get("session") != session for entry in entries if entry.get("event") == "session"):
        return notes  # another session has begun to save itself there, and has not come to an end
    cells = cells_after(entries, session, int(saved["executions"]))
    if not cells:
        notes.append("no cell was run after that")
    else:
        notes.append("%d cell%s run after that and not in it:" % (len(cells), " was" if len(cells) == 1 else "s were"))
        notes += ["  " + cell_in_words(cell) for cell in cells[:20]]
        if len(cells) > 20:
            notes.append("  and %d more: %s" % (len(cells) - 20, path))
    return notes


def remember_restored(saved: Any, shell: Any) -> None:
    """Note on an IPython shell that this save came back into it: the session may go on saving itself there."""
    if shell is not None and isinstance(saved, dict) and "session" in saved:
        vars(shell).setdefault(RESTORED_SAVES_ATTRIBUTE, []).append(saved["session"])


def cell_in_words(cell: Dict[str, Any]) -> str:
    """``In [8], 1.5 s: model.fit(...)``."""
    label = "In [%s]" % (cell["count"] if type(cell.get("count")) is int else "?")
    seconds = cell.get("seconds")
    if not cell.get("ended"):
        label += " (had not ended)"
    elif cell.get("outcome") not in (None, "ok"):
        label += " (%s)" % cell["outcome"]
    elif isinstance(seconds, (int, float)):
        label += ", %.1f s" % seconds
    lines = [line.strip() for line in str(cell.get("source") or "").split("\n") if line.strip()]
    first = lines[0] if lines else ""
    text = first[:60] + ("..." if len(first) > 60 or len(lines) > 1 else "")
    return "%s: %s" % (label, "".join(character if character.isprintable() else "?" for character in text))


def words_for_age(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``, ``2 days``."""
    if seconds < 100:
        return "%.0f s" % seconds
    if seconds < 5400:
        return "%.0f min" % (seconds / 60)
    if seconds < 172800:
        return "%.1f h" % (seconds / 3600)
    return "%.0f days" % (seconds / 86400)
