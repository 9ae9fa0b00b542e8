"""Runs a notebook's cells one after another in a kernel, as Jupyter would, and stays answerable while it does.

Cells carry their id (``cellId``), so the recorder knows which cell ran. The tags of nbclient hold: ``skip-execution``
is not run, ``raises-exception`` may raise. Outputs are not kept: they belong into the notebook, not into a session.
"""

from __future__ import annotations

import queue
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nbdag.analysis.kernels import Session, is_alive, keep_session, stop_session, why_gone
from nbdag.analysis.processes import send_signal
from nbdag.errors import CellFailed, KernelDied
from nbdag.model.notebook import Cell, Notebook
from nbdag.model.trace import Outcome

_POLL = 0.2  # seconds between looks at the kernel's process while a cell runs
_INTERRUPT_SECONDS = 5.0  # how long a cell may take to notice an interrupt
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class CellRun:
    """How one cell ended. ``outcome`` is None for a skipped cell; ``error`` is "Name: message"."""

    index: int
    outcome: Outcome | None
    seconds: float
    error: str = ""
    count: int | None = None


def run_notebook(
    session: Session,
    notebook: Notebook,
    *,
    allow_errors: bool = False,
    cell_timeout: float | None = None,
    on_start: Callable[[int, int, str], None] = lambda index, total, first_line: None,
    on_cell: Callable[[int, int, float], None] = lambda index, total, seconds: None,
) -> list[CellRun]:
    """Run every code cell.

    ``on_start(index, total, first line)`` is called before each, ``on_cell(index, total, seconds)`` after it.
    A cell that raises ends the run with CellFailed unless ``allow_errors``; the session is then kept, so that what
    was computed until there can be looked at and compiled. Raises KernelDied. Ctrl-C ends the kernel and is raised.
    """
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient()
    client.load_connection_file(str(session.connection_file))
    client.start_channels(stdin=False, hb=False)
    runs: list[CellRun] = []
    total = len(notebook.cells)
    try:
        for cell in notebook.cells:
            on_start(cell.index, total, first_line(cell))
            run = _run_cell(client, session, cell, cell_timeout)
            runs.append(run)
            on_cell(cell.index, total, run.seconds)
            # What does not parse ran nothing: it is a finding of the analysis, and the other cells go on.
            excused = allow_errors or run.outcome is Outcome.REFUSED or "raises-exception" in cell.tags
            if run.error and not excused:
                keep_session(session)
                raise _failure(cell, run)
    except KeyboardInterrupt:
        stop_session(session)
        raise
    finally:
        client.stop_channels()
    return runs


def first_line(cell: Cell) -> str:
    """The first line of a cell that says something, to name the cell by."""
    lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("#")), lines[0] if lines else "")


def _run_cell(client: Any, session: Session, cell: Cell, timeout: float | None) -> CellRun:
    if "skip-execution" in cell.tags or not cell.source.strip():
        return CellRun(cell.index, None, 0.0)
    message = client.session.msg(
        "execute_request",
        {
            "code": cell.source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        },
        metadata={"cellId": cell.id},
    )
    identity = message["header"]["msg_id"]
    started = time.monotonic()
    client.shell_channel.send(message)
    deadline = None if timeout is None else started + timeout
    timed_out = False
    while True:
        _drain(client)
        try:
            reply = client.get_shell_msg(timeout=_POLL)
        except queue.Empty:
            reply = {}
        if reply.get("parent_header", {}).get("msg_id") == identity:
            break
        if not is_alive(session):
            raise KernelDied(
                f"the kernel died in cell {cell.index + 1} ({_shorten(first_line(cell))}){why_gone(session)}",
                "nothing of its session is left; run the cells before it by themselves to look for the reason",
            )
        if deadline is not None and time.monotonic() > deadline:
            if timed_out:
                stop_session(session)
                raise KernelDied(
                    f"cell {cell.index + 1} ({_shorten(first_line(cell))}) took longer than {timeout:g} s, "
                    "could not be interrupted, and its kernel was ended",
                    "a longer --cell-timeout, or none, lets it finish",
                )
            timed_out = True
            deadline = time.monotonic() + _INTERRUPT_SECONDS
            send_signal(session.kernel, signal.SIGINT, group=True)
    return _read_reply(cell, reply["content"], time.monotonic() - started, timeout if timed_out else None)


def _read_reply(cell: Cell, content: dict[str, Any], seconds: float, timeout: float | None) -> CellRun:
    count = content.get("execution_count")
    if content.get("status") == "ok":
        return CellRun(cell.index, Outcome.OK, seconds, count=count)
    name, text = str(content.get("ename", "Error")), _ANSI.sub("", str(content.get("evalue", "")))
    outcome = Outcome.ERROR
    if timeout is not None:
        outcome, error = Outcome.INTERRUPTED, f"it took longer than {timeout:g} s (--cell-timeout)"
    elif name == "StdinNotImplementedError":
        error = "it asks for input, and nobody is there to answer"
    elif name == "KeyboardInterrupt":
        outcome, error = Outcome.INTERRUPTED, "it was interrupted"
    elif name in {"SyntaxError", "IndentationError", "TabError"} and not _ran(content):
        outcome, error = Outcome.REFUSED, f"{name}: {text}"
    elif name == "NoneType":  # a formatter raised, and ipykernel looks where IPython has caught it already
        shown = [line for part in content.get("traceback") or () for line in _ANSI.sub("", part).splitlines() if line]
        error = f"its result cannot be displayed: {shown[-1]}" if shown else "its result cannot be displayed"
    else:
        error = f"{name}: {text}" if text else name
    return CellRun(cell.index, outcome, seconds, error, count)


def _ran(content: dict[str, Any]) -> bool:
    # A SyntaxError of the cell itself has no frame of the cell in its traceback: only the file and the caret.
    return any("Traceback" in _ANSI.sub("", line) for line in content.get("traceback", ()))


def _failure(cell: Cell, run: CellRun) -> CellFailed:
    message = run.error.splitlines()[0] if run.error else "it failed"
    hint = (
        "what ran until there is kept: `nbdag compile` moves it, `nbdag stop` ends it; "
        "--allow-errors goes on after such a cell"
    )
    if "asks for input" in message:
        hint = "put the answer into the cell, or tag it skip-execution; " + hint
    return CellFailed(f"cell {cell.index + 1} ({_shorten(first_line(cell))}) failed: {_shorten(message, 200)}", hint)


def _drain(client: Any) -> None:
    while True:
        try:
            client.get_iopub_msg(timeout=0)
        except queue.Empty:
            return


def _shorten(text: str, width: int = 50) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
