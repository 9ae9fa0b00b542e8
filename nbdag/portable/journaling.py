"""Writes the journal (``journal.py``) from inside the kernel, at the cost of two short writes a cell.

A line is in the hands of the system as soon as it is written: a killed process loses none. That it reaches the disk,
too, for the day the machine itself goes down, a thread sees to while the session goes on.
"""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any, Dict, List

from nbdag.portable.journal import MOST_SOURCE, read_journal

LINGER = 1.0  # seconds that the thread waits for another line: starting one costs more than a line does
LARGE_JOURNAL = 1 << 20  # bytes after which what is saved is taken out


class JournalWriter:
    """The journal of one session. ``fault`` is why nothing can be written any more, "" as long as it can."""

    def __init__(self, path: str, session: str, notebook: str) -> None:
        self.path = path
        self.session = session
        self.head = {"event": "session", "session": session, "notebook": notebook, "time": time.time()}
        self.fault = ""
        self.descriptor = -1
        self.size = 0
        self.unsynced = threading.Event()
        self.syncing = False
        self.rewrite(self.earlier(read_journal(path)))

    def earlier(self, entries: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
        """What the file says of this very session already: it was told to save itself once more."""
        heads = [entry.get("session") for entry in entries if entry.get("event") == "session"]
        return [entry for entry in entries if entry.get("event") != "session"] if heads == [self.session] else []

    def begin(self, ordinal: int, info: Any, count: Any) -> None:
        """A cell is about to run."""
        source = str(getattr(info, "raw_cell", "") or "")
        self.put(
            {
                "event": "begin",
                "ordinal": ordinal,
                "time": time.time(),
                "count": count,
                "cell": getattr(info, "cell_id", None),
                "source": source[:MOST_SOURCE],
            }
        )

    def end(self, ordinal: int, seconds: float, outcome: str) -> None:
        """A cell has run."""
        self.put({"event": "end", "ordinal": ordinal, "time": time.time(), "seconds": seconds, "outcome": outcome})

    def forget(self, executions: int) -> None:
        """These first executions are saved: what the journal says of them is not needed any more."""
        if self.size > LARGE_JOURNAL:
            kept = [entry for entry in read_journal(self.path) if entry.get("ordinal", -1) >= executions]
            self.rewrite(kept)

    def rewrite(self, entries: Any) -> None:
        """Begin the file anew with these entries, in one step."""
        text = "".join(json.dumps(entry) + "\n" for entry in [self.head, *entries]).encode("utf-8")
        temporary = "%s.%d" % (self.path, os.getpid())
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        try:
            descriptor = os.open(temporary, flags, 0o600)
            os.write(descriptor, text)
            os.fsync(descriptor)
            os.replace(temporary, self.path)
        except OSError as error:
            self.fault = error.strerror or str(error)
            return
        self.close()
        self.descriptor, self.size, self.fault = descriptor, len(text), ""

    def put(self, entry: Dict[str, Any]) -> None:
        """Write a line."""
        if self.descriptor < 0:
            return
        line = (json.dumps(entry) + "\n").encode("utf-8")
        try:
            os.write(self.descriptor, line)
        except OSError as error:
            self.fault = error.strerror or str(error)
            return
        self.size += len(line)
        self.unsynced.set()
        if not self.syncing:
            self.syncing = True
            threading.Thread(target=self.sync, name="nbdag journal", daemon=True).start()

    def sync(self) -> None:
        """Have what was written reach the disk; runs in a thread of its own, which ends when there is nothing left."""
        try:
            while self.unsynced.wait(LINGER):
                self.unsynced.clear()
                os.fsync(self.descriptor)
        except (OSError, ValueError):
            pass
        self.syncing = False

    def close(self) -> None:
        """Write no more; the file stays."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
