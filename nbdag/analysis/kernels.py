"""Kept kernels: every analysis has a kernel of its own that stays for ``compile`` and surely ends.

Who holds on to whom::

    nbdag analyze --starts--> keeper (a daemon) --starts--> kernel
         ^                      |     ^                        |
         +----- watches until --+     +--- polls its parent ---+
               it hands over

The keeper (:mod:`nbdag.analysis.keeper`) ends the kernel and removes the session's folder when the command dies before
it handed over, when the kernel was idle for too long, when it is told to (``nbdag stop``, SIGTERM) and when the kernel
dies. If the keeper itself is killed the kernel notices (ipykernel polls its parent), and the next command removes what
is left. All of it lives below the state directory (``.nbdag/``, see session_files).

Ids are unique, so analyses of one notebook at the same time do not meet; the one that ends last is "last analyzed".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from nbdag.analysis.kernelspecs import choose_kernelspec
from nbdag.analysis.processes import NOBODY, end_process, is_running, this_host, this_process
from nbdag.analysis.session_files import (
    GONE,
    KEPT,
    RUNNING,
    SHUTDOWN_SECONDS,
    STARTING,
    Session,
    read_session,
    recall,
    remember,
    remember_end,
    write_file,
    write_session,
)
from nbdag.errors import EnvironmentRefused, KernelDied, OutputError
from nbdag.model.notebook import Notebook

__all__ = [
    "DEFAULT_IDLE_SECONDS",
    "Session",
    "find_session",
    "is_alive",
    "keep_session",
    "notebook_digest",
    "open_session",
    "sessions",
    "stop_session",
    "why_gone",
]

DEFAULT_IDLE_SECONDS = 3600.0
_START_SECONDS = 60.0  # a first start may have to read all of Python from a slow disk
_PORT_TRIES = 4

# ------------------------------------------------------------------------------------------------ life


def open_session(
    notebook: Notebook,
    state_directory: Path,
    kernel_name: str = "",
    idle_seconds: float = DEFAULT_IDLE_SECONDS,
) -> Session:
    """Start a kernel for this notebook, in the notebook's directory, and wait until it answers.

    The kernel ends with the calling process unless :func:`keep_session` is called. ``kernel_name`` "" takes the
    notebook's. Raises EnvironmentRefused (no such kernelspec, it does not start), NotebookError (not Python).
    """
    name = choose_kernelspec(notebook, kernel_name)
    clean_state(state_directory)
    for _ in range(_PORT_TRIES - 1):
        with suppress(_PortTaken):
            return _open(notebook, state_directory, name, idle_seconds)
    return _open(notebook, state_directory, name, idle_seconds)


class _PortTaken(EnvironmentRefused):
    """Another program bound one of the kernel's ports between their choice and the kernel's start.

    Jupyter chooses ports before there is a kernel to hold them. ipykernel ends when that happens to its shell port,
    and lives on without ever answering when it happens to the ports of iopub or the heartbeat.
    """


def _open(notebook: Notebook, state_directory: Path, kernel_name: str, idle_seconds: float) -> Session:
    session = _create(notebook, state_directory, kernel_name, idle_seconds)
    try:
        _start_keeper(session)
        session = _wait_for_kernel(session)
        _wait_until_ready(session)
    except BaseException:
        stop_session(read_session(Path(session.directory)) or session)
        raise
    return session


def keep_session(session: Session) -> Session:
    """Hand the kernel over to its keeper: it now outlives this process, and is the last analyzed of its directory."""
    if not is_alive(session):
        raise KernelDied(f"the kernel of {_short(session.notebook)} ended before it could be kept{why_gone(session)}")
    kept = replace(session, state=KEPT, finished=time.time(), owner=NOBODY)
    remember(kept)
    write_file(Path(session.directory, "kept.json"), json.dumps({"finished": kept.finished}))
    return kept


def stop_session(session: Session) -> None:
    """End the keeper, the kernel and what the kernel started, and remove the session's folder."""
    if session.host != this_host():
        raise EnvironmentRefused(
            f"session {session.id} runs on {session.host}, not on this machine", "run `nbdag stop` there"
        )
    current = read_session(Path(session.directory)) or session
    # The keeper needs SHUTDOWN_SECONDS for the kernel, and is given a little more than that.
    end_process(current.keeper, grace=SHUTDOWN_SECONDS + 2.0)
    end_process(current.kernel, grace=0.5, group=True)
    shutil.rmtree(current.directory, ignore_errors=True)
    remember_end(current, "it was stopped")


def is_alive(session: Session) -> bool:
    """Whether the kernel of this session runs, on this machine."""
    return session.host == this_host() and is_running(session.kernel)


def why_gone(session: Session) -> str:
    """What the keeper wrote down about the end of the kernel, as ": ..." or ""."""
    if session.note:
        return f": {session.note}"
    deadline = time.monotonic() + 3.0
    while time.monotonic() < deadline:  # the keeper looks every quarter of a second
        now = read_session(Path(session.directory))
        if now is None or not is_running(now.keeper):
            return ""
        if now.note:
            return f": {now.note}"
        time.sleep(0.05)
    return ""


# ------------------------------------------------------------------------------------------------ finding


def sessions(state_directory: Path) -> list[Session]:
    """The kernels that run now, oldest first. What crashes left behind is cleaned up on the way."""
    clean_state(state_directory)
    found = (read_session(folder) for folder in _folders(state_directory))
    return sorted(
        (session for session in found if session and (session.host != this_host() or is_alive(session))),
        key=lambda session: (session.started, session.id),
    )


def find_session(state_directory: Path, notebook: Path | None = None) -> Session | None:
    """The session last analyzed in this directory, or that of ``notebook``; its state is "gone" if its kernel ended.

    None when nothing was ever analyzed here.
    """
    clean_state(state_directory)
    session = recall(state_directory, None if notebook is None else os.path.realpath(notebook))
    if session is None or (is_alive(session) and is_running(session.keeper)):
        return session
    return replace(session, state=GONE)


def clean_state(state_directory: Path) -> None:
    """End kernels that nobody keeps any more and remove folders of sessions that are over."""
    for folder in _folders(state_directory):
        session = read_session(folder)
        if session is None:
            if time.time() - _modified(folder) > _START_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        elif session.host == this_host() and not is_running(session.keeper):
            if session.state == STARTING and is_running(session.owner):
                continue  # another command is starting it just now
            end_process(session.kernel, grace=0.5, group=True)
            shutil.rmtree(folder, ignore_errors=True)


# ------------------------------------------------------------------------------------------------ starting


def _create(notebook: Notebook, state_directory: Path, kernel_name: str, idle_seconds: float) -> Session:
    path = os.path.realpath(notebook.path)
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(path).stem).strip("-")[:24] or "notebook"
    identity = f"{stem}-{secrets.token_hex(3)}"
    parent = _make_state_directory(state_directory)
    session = Session(
        id=identity,
        notebook=path,
        notebook_digest=notebook_digest(notebook),
        directory=str(parent / identity),
        kernel_name=kernel_name,
        cwd=str(Path(path).parent),
        idle_seconds=idle_seconds,
        started=time.time(),
        host=this_host(),
        owner=this_process(),
    )
    # Complete before anybody can see it: a folder without session.json would look like one of a crash.
    hidden = parent / f".{identity}"
    hidden.mkdir(mode=0o700)
    write_session(session, hidden)
    hidden.rename(parent / identity)
    return session


def _make_state_directory(state_directory: Path) -> Path:
    root = Path(os.path.abspath(state_directory))
    try:
        (root / "sessions").mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = root / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")
    except OSError as error:
        raise OutputError(
            f"{state_directory}: cannot keep a kernel here: {error.strerror}",
            "nbdag writes to .nbdag/ in the working directory; run it where you may write",
        ) from None
    return root / "sessions"


def _start_keeper(session: Session) -> None:
    root = str(Path(__file__).resolve().parents[2])
    # Not -m: that puts the working directory on sys.path, where a user's random.py would shadow Python's.
    bootstrap = (
        f"import sys; sys.path[:] = [{root!r}] + [p for p in sys.path if p]; "
        "from nbdag.analysis.keeper import main; main()"
    )
    with Path(session.directory, "keeper.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", bootstrap, session.directory],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # It forks at once and the child stays, so nobody has to collect the keeper.
    process.wait()


def _wait_for_kernel(session: Session) -> Session:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        now = read_session(Path(session.directory))
        if now is None:
            raise EnvironmentRefused(f"session {session.id} was stopped while its kernel started")
        if now.state == GONE or (now.keeper and not is_running(now.keeper)):
            raise EnvironmentRefused(
                f"kernel {session.kernel_name!r} does not start: {now.note or 'its keeper ended'}",
                "try it by itself: jupyter console --kernel " + session.kernel_name,
            )
        if now.state == RUNNING:
            return now
        time.sleep(0.02)
    raise EnvironmentRefused(
        f"kernel {session.kernel_name!r} did not start within {_START_SECONDS:.0f} s",
        _tail(Path(session.directory, "keeper.log")),
    )


def _wait_until_ready(session: Session) -> None:
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient()
    client.load_connection_file(str(session.connection_file))
    client.start_channels(stdin=False, hb=False)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            client.kernel_info()
            with suppress(Exception):  # queue.Empty: not yet
                client.get_shell_msg(timeout=1.0)
                return
            running = is_running(session.kernel)  # before its last words are read
            last_words = _tail(Path(session.directory, "kernel.log"))
            if "Address already in use" in last_words:
                raise _PortTaken(f"a port of kernel {session.kernel_name!r} is taken", "try again")
            if not running:
                raise EnvironmentRefused(
                    f"kernel {session.kernel_name!r} ended while it started{why_gone(session)}", last_words
                )
    finally:
        client.stop_channels()
    raise EnvironmentRefused(f"kernel {session.kernel_name!r} does not answer after {_START_SECONDS:.0f} s")


def notebook_digest(notebook: Notebook) -> str:
    """A digest of what would run: ids and sources of the code cells, not their outputs."""
    text = json.dumps([[cell.id, cell.source] for cell in notebook.cells])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _folders(state_directory: Path) -> list[Path]:
    try:
        return sorted(entry for entry in (Path(state_directory) / "sessions").iterdir() if entry.is_dir())
    except OSError:
        return []


def _modified(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return time.time()


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:200] if lines else ""


def _short(path: str) -> str:
    return os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path
