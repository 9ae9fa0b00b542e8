"""The session that a command is about: a kept kernel, a kernel somebody else started, or a new run of the notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdag.analysis.agent_client import Agent, KernelAgent
from nbdag.analysis.kernels import (
    DEFAULT_IDLE_SECONDS,
    Session,
    find_session,
    is_alive,
    keep_session,
    notebook_digest,
    open_session,
    stop_session,
    why_gone,
)
from nbdag.analysis.notebook import read_notebook
from nbdag.analysis.runner import run_notebook
from nbdag.analysis.targets import live_kernel_of
from nbdag.errors import CellFailed, UsageError
from nbdag.model.notebook import Notebook
from nbdag.progress import Progress


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session that can be asked, and its notebook as the file is now, where one is known."""

    agent: Agent
    notebook: Notebook | None
    session: str  # the id of a kept kernel, "" for any other


@contextmanager
def live_session(
    notebook: Path | None,
    connection_file: Path | None,
    agent: Agent | None,
    state_directory: Path,
    allow_errors: bool,
    progress: Progress,
    timeout: float | None = None,
) -> Iterator[LiveSession]:
    """The session asked for: ``agent``'s, that of a connection file, the kept one, the one in which Jupyter runs the
    notebook, or a new run of it. ``timeout``: how long to wait for a kernel that is busy, None for ever.
    """
    if agent is None and connection_file is None and notebook is not None:
        connection_file = _in_jupyter(notebook, state_directory, progress)
    text = read_notebook(notebook) if notebook is not None and (agent or connection_file) else None
    if agent is not None:
        yield LiveSession(agent, text or _notebook_of(agent.command("status", {})), "")
    elif connection_file is not None:
        with KernelAgent(connection_file, wait=progress.say, busy_timeout=timeout) as kernel:
            status, new = start_recording(kernel)
            if new:
                progress.say(
                    "this kernel was not recorded: what ran in it before can be stored, but not replayed safely"
                )
            yield LiveSession(kernel, text or _notebook_of(status), "")
    else:
        session, text = find_or_run(notebook, state_directory, allow_errors, progress)
        with attach(session, progress) as kernel:
            yield LiveSession(kernel, text, session.id)


def start_recording(agent: Agent) -> tuple[Mapping[str, Any], bool]:
    """The status of the recorder, which records from now on if it did not before; and whether it is new."""
    status = agent.command("status", {})
    if status.get("recording"):
        return status, False
    return agent.command("start", {"late": True}), True


def _in_jupyter(notebook: Path, state_directory: Path, progress: Progress) -> Path | None:
    """The connection file of the kernel in which Jupyter runs the notebook, unless nbdag itself keeps one for it."""
    found = live_kernel_of(notebook)
    session = find_session(state_directory, notebook)
    if session is not None and is_alive(session):
        others = [kernel for kernel in found if kernel.pid != session.kernel.pid]
        if others:
            progress.say(
                f"{notebook.name} also runs in kernel {others[0].kernel_id}; this is the session that nbdag analyze "
                f"kept (--kernel {others[0].kernel_id} takes the other one, nbdag stop {session.id} ends this one)"
            )
        return None
    if not found:
        return None
    if len(found) > 1:
        names = ", ".join(f"{kernel.kernel_id} ({kernel.state})" for kernel in found)
        raise UsageError(f"{len(found)} kernels run {notebook}: {names}", "choose one: --kernel ID")
    kernel = found[0]
    progress.say(f"{notebook.name} runs in kernel {kernel.kernel_id} ({kernel.state}): this is its session")
    return Path(kernel.connection_file)


def _notebook_of(status: Mapping[str, Any]) -> Notebook | None:
    """The notebook that the kernel itself says it belongs to (Jupyter Server and VS Code tell it)."""
    path = str(status.get("notebook") or "")
    return _read_if_there(Path(path)) if path else None


def find_or_run(
    notebook: Path | None, state_directory: Path, allow_errors: bool, progress: Progress
) -> tuple[Session, Notebook | None]:
    """The kept session asked for, and its notebook as the file is now."""
    session = find_session(state_directory, notebook)
    if session is None and notebook is None:
        raise UsageError("no session was analyzed in this directory", "run: nbdag analyze NOTEBOOK")
    path = notebook or Path(session.notebook if session else "")
    if session is not None and is_alive(session):
        there = _read_if_there(path)
        if there is None:
            progress.say(f"{path.name} cannot be read any more; compiling the session as it ran")
        elif notebook_digest(there) != session.notebook_digest:
            progress.say(f"{path.name} has changed since it was analyzed; compiling the session as it ran")
        return session, there
    if session is not None:
        progress.say(f"the kernel of {path.name} is gone{why_gone(session)}; running the notebook again")
    text = read_notebook(path)
    session = run_in_session(
        text,
        kernel_name=session.kernel_name if session else "",
        allow_errors=allow_errors,
        state_directory=state_directory,
        cell_timeout=None,
        idle_seconds=session.idle_seconds if session else DEFAULT_IDLE_SECONDS,
        progress=progress,
    )
    return keep_session(session), text


def _read_if_there(path: Path) -> Notebook | None:
    """The notebook at ``path``; None when the file has gone or broken since: the kernel knows what ran."""
    try:
        return read_notebook(path)
    except UsageError:
        return None


def run_in_session(
    notebook: Notebook,
    *,
    kernel_name: str,
    allow_errors: bool,
    state_directory: Path,
    cell_timeout: float | None,
    idle_seconds: float,
    progress: Progress,
) -> Session:
    """Run ``notebook`` from top to bottom in a kernel of its own, recorded. The session is not kept yet."""
    session = open_session(notebook, state_directory, kernel_name, idle_seconds)
    try:
        with attach(session, progress) as agent:
            agent.command("start", {"late": False, "share": None})
        progress.begin("running", len(notebook.cells))
        try:
            run_notebook(
                session,
                notebook,
                allow_errors=allow_errors,
                cell_timeout=cell_timeout,
                on_cell=lambda index, total, seconds: progress.advance(1, f"cell {index + 1}"),
            )
        finally:
            progress.end()
    except CellFailed:
        keep_session(session)  # the user may look into it, mend it, or compile what is there
        raise
    except BaseException:
        stop_session(session)
        raise
    return session


def attach(session: Session, progress: Progress) -> KernelAgent:
    return KernelAgent(session.connection_file, wait=progress.say, alive=lambda: is_alive(session))
