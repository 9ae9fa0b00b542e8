"""Every way a call of nbdag can fail: one root, a stable code, an exit status, a message and a remedy.

A finding about a notebook is not an error but a :class:`nbdag.model.findings.Diagnostic`; an exception means that the
call cannot finish. Only ``cli.py`` and ``magics/`` turn these into text. ``docs/errors.md`` explains each code.
"""

from __future__ import annotations

from typing import ClassVar


class NbdagError(Exception):
    """The root: ``message`` names the thing, the place and the value; ``hint`` says what to do next."""

    code: ClassVar[str] = "internal"
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(NbdagError):
    """The command line, a path or an option is wrong."""

    code = "usage"
    exit_status = 2


class NotebookError(UsageError):
    """The file is not a notebook that nbdag can read."""

    code = "notebook"


class OutputError(UsageError):
    """The output directory cannot be used: a file, somebody else's directory, a full or read-only disk."""

    code = "output"


class PlanError(NbdagError):
    """No plan exists: not one variable of the session can be moved."""

    code = "plan"
    exit_status = 3


class EnvironmentRefused(NbdagError):
    """A kernelspec, an interpreter, a package or a file that is needed is not there."""

    code = "environment"
    exit_status = 4


class IntegrityError(NbdagError):
    """A bundle or a session file is damaged, truncated or does not belong together."""

    code = "integrity"
    exit_status = 5


class KernelDied(NbdagError):
    """The kernel ended while nbdag needed it (papermill's exit status for the same event)."""

    code = "kernel-died"
    exit_status = 138


class CellFailed(NbdagError):
    """A cell raised while the notebook ran and ``--allow-errors`` was not given."""

    code = "cell-failed"


class KernelProtocolError(NbdagError):
    """The code that nbdag sent into the kernel failed there."""

    code = "kernel"


class RemoteError(NbdagError):
    """A machine that cells should run on did not do what it was asked for; the session here is as it was."""

    code = "remote"


class AccessRefused(RemoteError):
    """The server there wants another token, or none of its doors is open."""

    code = "access-refused"
    exit_status = 4


class ConnectionLost(RemoteError):
    """The connection to the other machine is gone and did not come back in time."""

    code = "connection-lost"
