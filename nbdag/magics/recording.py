"""The recorder of this very process, as the magics reach it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from nbdag.analysis.agent_client import LocalAgent


def recording_agent() -> LocalAgent:
    """The agent of this process; it begins to record where it does not yet."""
    agent = LocalAgent()
    if not agent.command("status", {}).get("recording"):
        agent.command("start", {"late": True})
    return agent


@contextmanager
def unobserved(shell: Any) -> Iterator[None]:
    """Let the recorder take no notice of what a command does that changes nothing of the session.

    # cell: %nbdag explain gen      names a generator, and does not touch it
    """
    from nbdag.portable.agent import recorder_of

    recorder = recorder_of(shell)
    frame = recorder.top() if recorder is not None else None
    if frame is not None and frame.open is not None:
        text = frame.open.text
        lines = frame.source.split("\n")[text.line - 1 : text.end_line]
        if all(line.lstrip().startswith(("%nbdag", "%%nbdag")) for line in lines if line.strip()):
            frame.open.reached = frame.open.reachable = set()
    with recorder.listener.deaf() if recorder is not None else nullcontext():
        yield


def connection_file(shell: Any) -> str:
    """The connection file of this kernel, "" where this is no kernel."""
    if getattr(shell, "kernel", None) is None:
        return ""
    try:
        from ipykernel.connect import get_connection_file

        return str(get_connection_file())
    except (ImportError, RuntimeError):
        return ""
