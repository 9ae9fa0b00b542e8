"""What ``nbdag sessions`` prints."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from nbdag.analysis.processes import this_host
from nbdag.analysis.session_files import Session
from nbdag.report.paths import relative
from nbdag.report.tables import Column, Page
from nbdag.report.units import say_seconds


def print_sessions(found: Sequence[Session], page: Page) -> None:
    """One row per kernel that is kept alive."""
    page.table(
        (
            Column("id", least=12),
            Column("notebook", least=12),
            Column("state", whole=True),
            Column("age", right=True, whole=True),
            Column("kernel", whole=True),
            Column("connection file", least=16),
        ),
        [
            [
                session.id,
                relative(session.notebook),
                _state(session),
                say_seconds(max(0.0, time.time() - session.started)),
                f"pid {session.kernel.pid}",
                relative(str(session.connection_file)),
            ]
            for session in found
        ],
    )


def session_as_row(session: Session) -> dict[str, Any]:
    """What ``--format json`` says about one session."""
    return {
        "id": session.id,
        "notebook": session.notebook,
        "state": _state(session),
        "started": session.started,
        "finished": session.finished or None,
        "idle_seconds": session.idle_seconds,
        "kernel_name": session.kernel_name,
        "kernel_pid": session.kernel.pid,
        "connection_file": str(session.connection_file),
    }


def _state(session: Session) -> str:
    return session.state if session.host == this_host() else f"on {session.host}"
