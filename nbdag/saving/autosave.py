"""Begins and ends that a session saves itself: the one call behind ``%nbdag autosave`` and ``nbdag attach``."""

from __future__ import annotations

import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from nbdag.analysis.agent_client import Agent
from nbdag.analysis.processes import identify, this_host
from nbdag.errors import KernelProtocolError, OutputError, UsageError
from nbdag.portable.journal import JOURNAL_FILE
from nbdag.saving.directory import Claim, claim_directory, release

EVERY = 60.0  # seconds from the beginning of one save to that of the next
SHORTEST, LONGEST = 0.1, 86400.0
DEADLINE = 100.0  # seconds for the last save of a kernel that is told to end: a spot machine leaves it 120


def begin(
    agent: Agent,
    directory: Path,
    *,
    every: float = EVERY,
    notebook: str = "",
    replace: bool = False,
    deadline: float = DEADLINE,
) -> dict[str, Any]:
    """Have the session of ``agent``, which is recorded, save itself into ``directory`` from now on; its status.

    Raises UsageError (``every``), OutputError (the directory is not for this session), KernelProtocolError.
    """
    if os.name != "posix":
        raise UsageError("autosave needs Linux or macOS", "%nbdag compile DIR writes the session when you ask for it")
    if not SHORTEST <= every <= LONGEST:
        raise UsageError(f"every {every:g} s: write it like 60s, 2min or 1h; a day at most")
    status = agent.command("status", {})
    place = Path(os.path.abspath(directory))
    notebook = notebook or str(status.get("notebook") or "")
    kernel = identify(int(status.get("pid") or 0))
    if not kernel:
        raise KernelProtocolError("the kernel's process is not on this machine", "run nbdag where the kernel runs")
    mine = Claim(secrets.token_hex(8), os.path.abspath(notebook) if notebook else "", this_host(), kernel, time.time())
    restored = [str(session) for session in status.get("restored_saves") or ()]
    claim = claim_directory(place, mine, restored, replace)
    if "restored_saves" not in status:
        raise KernelProtocolError(
            "the recorder in this kernel is of an earlier nbdag, which cannot save by itself",
            "nbdag attach NOTEBOOK --detach, then once more; what ran until then is known by its text only",
        )
    answer = agent.command(
        "autosave",
        {
            "directory": str(place),
            "journal": str(place / JOURNAL_FILE),
            "session": claim.session,
            "notebook": claim.notebook,
            "every": every,
            "deadline": deadline,
            "saver": command_of_saver(),
        },
    )
    if answer.get("refused"):
        raise OutputError(f"cannot write in {place}: {answer['refused']}", "make room, or choose another directory")
    return answer


def end(agent: Agent) -> dict[str, Any] | None:
    """Have it save itself no longer; how it was until now, None if it did not. What is saved stays."""
    answer = agent.command("autosave_off", {})
    if not answer.get("was"):
        return None
    release(Path(answer["directory"]), str(answer["session"]))
    return answer


def status_of(agent: Agent) -> dict[str, Any] | None:
    """How well the session saves itself; None if it does not, or its recorder is too old to know."""
    try:
        found = agent.command("autosave_status", {}).get("autosave")
    except KernelProtocolError:
        return None
    return found if isinstance(found, dict) else None


def command_of_saver() -> list[str]:
    """The command that a snapshot starts (``commands/save.py``): this very Python, with this very nbdag, wherever the
    session's own is."""
    paths = [str(Path(__file__).resolve().parents[2]), *(path for path in sys.path if path)]
    # Not -m: that puts the working directory on sys.path, where a user's random.py would shadow Python's.
    bootstrap = f"import sys; sys.path[:] = {paths!r}; from nbdag.commands.save import main; main()"
    return [sys.executable, "-c", bootstrap]
