"""The directory that a session saves itself into, and who may::

    DIR/
      restore.py      runs latest/restore.py: the directory is restored like any bundle
      latest/         the last save, an ordinary bundle, replaced as a whole
      journal.jsonl   the cells that ran since (portable/journal.py), written by the kernel
      autosave.json   whose session it is
      memory.json     what the last save knows of its values, so that the next one need not look at them again
      lock            held while a save is written

A directory belongs to one session. What a session has saved is not replaced by another one's unless that was restored
from it, or the user says so: the second save of a kernel that was restarted would else destroy what the first is for.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nbdag.analysis.processes import Process, is_running, this_host
from nbdag.analysis.session_files import write_file
from nbdag.errors import IntegrityError, OutputError, UsageError
from nbdag.portable.journal import JOURNAL_FILE, cells_after, read_journal, words_for_age
from nbdag.replay.manifests import is_bundle, read_manifest

LATEST, CLAIM, MEMORY, LOCK, LAUNCHER = "latest", "autosave.json", "memory.json", "lock", "restore.py"
ENTRIES = frozenset({LATEST, CLAIM, MEMORY, LOCK, LAUNCHER, JOURNAL_FILE, "__pycache__"})
FORMAT = "nbdag-autosave"

LAUNCHER_TEXT = """\
#!/usr/bin/env python3
# Restores the last save of a session that saves itself; latest/ is an ordinary bundle, --help says what it can do.
import sys as _nbdag_sys

_nbdag_script = _nbdag_sys._getframe().f_code.co_filename.replace("\\\\", "/")
_nbdag_script = (_nbdag_script.rpartition("/")[0] or ".") + "/latest/restore.py"
if _nbdag_sys.argv and _nbdag_sys.argv[0].replace("\\\\", "/").endswith("restore.py") and __name__ == "__main__":
    _nbdag_sys.argv[0] = _nbdag_script
try:
    with open(_nbdag_script, encoding="utf-8") as _nbdag_file:
        _nbdag_code = compile(_nbdag_file.read(), _nbdag_script, "exec")
except FileNotFoundError:
    _nbdag_sys.exit("nothing was saved here yet: there is no " + _nbdag_script)
del _nbdag_script, _nbdag_file, _nbdag_sys
exec(globals().pop("_nbdag_code"))
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose session a directory holds."""

    session: str
    notebook: str
    host: str
    kernel: Process
    started: float
    active: bool = True  # False once it was told to save itself no longer

    @property
    def lives(self) -> bool:
        """Whether its kernel still runs; of another machine it is not known, and taken to be so."""
        return self.host != this_host() or is_running(self.kernel)

    @property
    def shown(self) -> str:
        name = Path(self.notebook).name if self.notebook else f"kernel {self.kernel.pid}"
        return name if self.host == this_host() else f"{name} on {self.host}"


@dataclass(frozen=True, slots=True)
class CellAfter:
    """A cell that ran after a save. ``seconds`` is None for one that had not ended when the kernel did."""

    count: int | None
    cell_id: str | None
    source: str
    began: float
    seconds: float | None
    outcome: str


@dataclass(frozen=True, slots=True)
class LastSave:
    """What is left of a session that saved itself. ``bundle`` is None when it died before its first save was done."""

    bundle: Path | None
    notebook: str
    saved: float  # wall time, 0.0 without a bundle
    executions: int
    cells_after: tuple[CellAfter, ...]
    lives: bool  # whether the session's kernel still runs
    running: bool = False  # a cell was running when it was saved
    proven: bool = True

    @property
    def age(self) -> float:
        """Seconds since; negative when the clock has been set back."""
        return time.time() - self.saved

    @property
    def age_in_words(self) -> str:
        if self.bundle is None:
            return "never"
        return f"{words_for_age(self.age)} ago" if self.age >= 0 else "by a clock that has been set back since"


def is_autosave(directory: Path) -> bool:
    """Whether a session saves itself into this directory, or did."""
    return (directory / CLAIM).is_file()


def last_save(directory: Path) -> LastSave:
    """What ``directory`` holds: how old it is, and which cells came after. Raises UsageError, IntegrityError."""
    claim = read_claim(directory)
    if claim is None:
        raise UsageError(
            f"{directory}: no session saves itself here", "%nbdag autosave DIR, or nbdag attach --autosave"
        )
    bundle = directory / LATEST
    entries = read_journal(str(directory / JOURNAL_FILE))
    saved: dict[str, Any] = {}
    if is_bundle(bundle):
        said = read_manifest(bundle).get("provenance", {}).get("save")
        if not isinstance(said, dict):
            raise IntegrityError(f"{bundle}: a bundle, but no save of a session", "compile elsewhere")
        saved = said
    session = str(saved.get("session") or claim.session)
    executions = int(saved.get("executions") or 0)
    return LastSave(
        bundle=bundle if saved else None,
        notebook=claim.notebook,
        saved=float(saved.get("time") or 0.0),
        executions=executions,
        cells_after=tuple(_cell(entry) for entry in cells_after(entries, session, executions)),
        lives=claim.lives,
        running=bool(saved.get("running")),
        proven=saved.get("proven") is not False,
    )


def _cell(entry: dict[str, Any]) -> CellAfter:
    ended = bool(entry.get("ended"))
    return CellAfter(
        count=entry.get("count") if isinstance(entry.get("count"), int) else None,
        cell_id=entry.get("cell") if isinstance(entry.get("cell"), str) else None,
        source=str(entry.get("source") or ""),
        began=float(entry.get("time") or 0.0),
        seconds=float(entry.get("seconds") or 0.0) if ended else None,
        outcome=str(entry.get("outcome") or "ok") if ended else "running",
    )


# ------------------------------------------------------------------------------------------------ claiming


def read_claim(directory: Path) -> Claim | None:
    """Whose directory this is; None if nobody's, or if it cannot be read."""
    try:
        said = json.loads((directory / CLAIM).read_text(encoding="utf-8"))
        if said.get("format") != FORMAT:
            return None
        kernel = Process(**said["kernel"])
        started, active = float(said["started"]), bool(said["active"])
        return Claim(said["session"], said["notebook"], said["host"], kernel, started, active)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def claim_directory(directory: Path, claim: Claim, restored: Sequence[str] = (), give_up: bool = False) -> Claim:
    """Make ``directory`` that of ``claim``; returns the claim that holds: the earlier one if it is the same kernel's.

    ``restored`` are the sessions whose saves were restored into this one; ``give_up`` what another has saved. Raises
    OutputError: another session saves there, or has, the directory holds other things or cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{directory} is a file", "name a directory") from None
    except OSError as error:
        raise OutputError(f"{directory} cannot be made: {error.strerror}", "choose another directory") from None
    with locked(directory, seconds=5.0):
        _refuse_foreign(directory)
        before = read_claim(directory)
        if before is not None:
            if before.kernel == claim.kernel and before.host == claim.host:
                claim = replace(before, active=True)
            else:
                _refuse_taken(directory, before, restored, give_up)
        write_claim(directory, claim)
        (directory / LAUNCHER).write_text(LAUNCHER_TEXT, encoding="utf-8")
    return claim


def _refuse_foreign(directory: Path) -> None:
    try:
        entries = sorted(entry.name for entry in directory.iterdir())
    except OSError as error:
        raise OutputError(f"{directory} cannot be looked at: {error.strerror}", "choose another directory") from None
    if "data.msgpack" in entries:
        raise OutputError(
            f"{directory} is a bundle that nbdag compile wrote", "a session saves itself into a directory of its own"
        )
    ours = CLAIM in entries or not [name for name in entries if name != LOCK]
    foreign = [name for name in entries if name not in ENTRIES and not name.startswith((".", JOURNAL_FILE))]
    if foreign or not ours:
        name = (foreign or [name for name in entries if name != LOCK])[0]
        raise OutputError(
            f"{directory} holds {name}, which is no part of a saved session",
            "a session saves itself into a directory of its own: a new one, or an empty one",
        )


def _refuse_taken(directory: Path, before: Claim, restored: Sequence[str], give_up: bool) -> None:
    if before.active and before.host == this_host() and before.lives:
        raise OutputError(
            f"{directory}: another session saves itself there ({before.shown}, process {before.kernel.pid})",
            "choose another directory, or stop that one: %nbdag autosave off, or nbdag attach NOTEBOOK --detach",
        )
    if give_up or before.session in restored or not is_bundle(directory / LATEST):
        return
    try:
        old = last_save(directory).age_in_words
    except (UsageError, IntegrityError):
        old = "damaged"
    raise OutputError(
        f"{directory} holds what another session saved ({before.shown}, {old})",
        f"%run -i {directory}/restore.py brings it back, and autosave goes on there; --replace gives it up",
    )


def write_claim(directory: Path, claim: Claim) -> None:
    """Write autosave.json. Raises OutputError."""
    try:
        write_file(directory / CLAIM, json.dumps({"format": FORMAT, "version": 1, **asdict(claim)}, indent=1))
    except OSError as error:
        raise OutputError(f"cannot write in {directory}: {error.strerror}", "make room, or choose another") from None


def release(directory: Path, session: str) -> None:
    """The session saves itself no longer here; what it has saved is still its own."""
    claim = read_claim(directory)
    if claim is not None and claim.session == session:
        write_claim(directory, replace(claim, active=False))


@contextmanager
def locked(directory: Path, seconds: float) -> Iterator[None]:
    """Be the only one who writes here, after waiting for ``seconds`` at most. Raises OutputError."""
    try:
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise OutputError(f"cannot write in {directory}: {error.strerror}", "choose another directory") from None
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in {errno.EWOULDBLOCK, errno.EACCES, errno.EINTR}:
                    break  # a file system without locks
            if time.monotonic() >= deadline:
                raise OutputError(f"{directory}: another save is being written there", "try again in a moment")
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
