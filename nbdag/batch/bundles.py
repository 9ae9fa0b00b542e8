"""The bundle that is meant by a directory: itself, or the last save of a session that saves itself there."""

from __future__ import annotations

import time
from pathlib import Path

from nbdag.errors import UsageError
from nbdag.replay.saved import Saved, read_saved
from nbdag.report.units import say_count, say_seconds
from nbdag.saving.directory import CellAfter, is_autosave, last_save

MOST_CELLS = 5  # named of those that came after a save


def find_saved(path: Path) -> tuple[Saved, tuple[str, ...]]:
    """The session at ``path``, and in words what it is, how old, and what ran after it was saved.

    Raises UsageError (no bundle there, nothing saved yet), IntegrityError.
    """
    directory = path.parent if path.name == "restore.py" and path.is_file() else path
    if not is_autosave(directory):
        saved = read_saved(path)
        return saved, (_about(saved),)
    save = last_save(directory)
    if save.bundle is None:
        raise UsageError(f"{directory}: nothing was saved here yet", "the session ended before its first save was done")
    saved = read_saved(save.bundle)
    what = saved.notebook or Path(save.notebook).name or "a session"
    lines = [f"{directory} holds {what} as it saved itself {save.age_in_words}"]
    if not save.proven:
        lines.append("this save was not restored to compare it: nobody has proven it yet")
    if save.lives:
        lines.append("its kernel still runs: what is restored here is another session")
    if save.cells_after:
        lines.append(f"{say_count(len(save.cells_after), 'cell')} ran after it, and is not in it:")
        lines += [f"  {_cell(cell)}" for cell in save.cells_after[:MOST_CELLS]]
        if len(save.cells_after) > MOST_CELLS:
            lines.append(f"  and {len(save.cells_after) - MOST_CELLS} more")
    return saved, tuple(lines)


def _about(saved: Saved) -> str:
    what = saved.notebook or "a session"
    if not saved.last_ran:
        return f"{saved.path} holds {what}"
    age = time.time() - saved.last_ran
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(saved.last_ran))
    old = f"{say_seconds(age)} ago" if age >= 0 else "in the future, by this machine's clock"
    return f"{saved.path} holds {what} as it was after its last cell, {moment} ({old})"


def _cell(cell: CellAfter) -> str:
    number = f"In [{cell.count}]" if cell.count is not None else "a cell"
    line = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
    ended = {"ok": "", "running": " (it had not ended)"}.get(cell.outcome, f" ({cell.outcome})")
    return f"{number} {line[:60]}{ended}"
