"""What a session of a kept kernel writes down about itself, below the state directory (``.nbdag/``)::

    last.json                     what was analyzed last, also when its kernel is gone by now
    lock                          held while last.json is changed
    sessions/<id>/                mode 700
        session.json              the Session; written by its command until the keeper has started, then by the keeper
        kept.json                 the command has handed over
        connection.json           the kernel's connection file
        trace.json                what the recorder saw
        keeper.log, kernel.log

Files are replaced, never changed: a reader sees the old text or the new one. A file that cannot be read, or that
another version of nbdag wrote, counts as absent.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nbdag.analysis.processes import NOBODY, Process

STARTING, RUNNING, KEPT, GONE = "starting", "running", "kept", "gone"

# A polite shutdown runs the session's atexit functions. A kernel that needs longer is killed; after half of the time it
# gets SIGTERM, and that half has to be enough on a machine that is busy with other things.
SHUTDOWN_SECONDS = 8.0
_REMEMBERED = 100  # notebooks in last.json


@dataclass(frozen=True, slots=True)
class Session:
    """One kept kernel. ``state``: starting, running (its command still works on it), kept, or gone.

    ``note`` says why a session is gone. ``finished`` is when its analysis handed over (0.0: it did not).
    """

    id: str
    notebook: str  # absolute path
    notebook_digest: str
    directory: str
    kernel_name: str
    cwd: str
    idle_seconds: float
    state: str = STARTING
    started: float = 0.0
    finished: float = 0.0
    host: str = ""
    owner: Process = NOBODY  # the command that analyzes
    keeper: Process = NOBODY
    kernel: Process = NOBODY
    note: str = ""

    @property
    def connection_file(self) -> Path:
        return Path(self.directory, "connection.json")

    @property
    def trace_path(self) -> Path:
        return Path(self.directory, "trace.json")


def write_session(session: Session, folder: Path | None = None) -> None:
    """Write session.json, so that a reader sees the old one or the new one."""
    write_file((folder or Path(session.directory)) / "session.json", json.dumps(asdict(session), indent=1))


def read_session(folder: Path) -> Session | None:
    """The session of this folder, None if there is none."""
    try:
        values = json.loads((folder / "session.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    session = _parse(values, folder.parent.parent)
    if session is not None and session.state == RUNNING:
        with suppress(OSError, ValueError):
            kept = json.loads((folder / "kept.json").read_text(encoding="utf-8"))
            return replace(session, state=KEPT, finished=float(kept["finished"]), owner=NOBODY)
    return session


def _parse(values: Any, state_directory: Path) -> Session | None:
    try:
        processes = {key: Process(**values[key]) for key in ("owner", "keeper", "kernel")}
        session = Session(**{**values, **processes})
    except (TypeError, KeyError):
        return None  # written by another version of nbdag
    # The directory may have been moved since; where it is now counts.
    return replace(session, directory=str(Path(os.path.abspath(state_directory), "sessions", session.id)))


def remember(session: Session) -> None:
    """Write down that this notebook is what was analyzed last."""
    state_directory = Path(session.directory).parent.parent
    with _locked(state_directory):
        memory = _recall(state_directory)
        notebooks = {**memory.get("notebooks", {}), session.notebook: asdict(session)}
        recent = sorted(notebooks, key=lambda path: notebooks[path].get("finished", 0.0))[-_REMEMBERED:]
        memory = {"last": session.notebook, "notebooks": {path: notebooks[path] for path in recent}}
        write_file(state_directory / "last.json", json.dumps(memory, indent=1))


def remember_end(session: Session, note: str) -> None:
    """Write down why a session ended, for whoever asks for it later."""
    state_directory = Path(session.directory).parent.parent
    if _entry_of(_recall(state_directory), session) is None:
        return
    with _locked(state_directory):
        memory = _recall(state_directory)
        entry = _entry_of(memory, session)
        if entry is not None:
            entry["note"] = note
            write_file(state_directory / "last.json", json.dumps(memory, indent=1))


def recall(state_directory: Path, notebook: str | None) -> Session | None:
    """The session analyzed last of this notebook (a real path), or of all; whether it still lives is not looked at."""
    memory = _recall(state_directory)
    key = memory.get("last") if notebook is None else notebook
    entry = memory.get("notebooks", {}).get(key) if isinstance(key, str) else None
    return None if entry is None else _parse(entry, state_directory)


def _entry_of(memory: dict[str, Any], session: Session) -> dict[str, Any] | None:
    entry = memory.get("notebooks", {}).get(session.notebook)
    return entry if isinstance(entry, dict) and entry.get("id") == session.id else None


def _recall(state_directory: Path) -> dict[str, Any]:
    try:
        memory = json.loads((Path(state_directory) / "last.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return memory if isinstance(memory, dict) and isinstance(memory.get("notebooks"), dict) else {}


@contextmanager
def _locked(state_directory: Path) -> Iterator[None]:
    with (state_directory / "lock").open("w") as lock:
        with suppress(OSError):  # a file system without locks: the worst is that a simultaneous analysis is forgotten
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_file(path: Path, text: str) -> None:
    """Replace the text of a file that only its owner may read."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o600)
    temporary.replace(path)
