"""What ``nbdag kernels`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbdag.analysis.running import RunningKernel
from nbdag.report.paths import relative
from nbdag.report.tables import Column, Page, Value
from nbdag.report.units import say_bytes

_STYLES = {"busy": "warn", "no answer": "bad", "unknown": "faint"}


def print_kernels(found: Sequence[RunningKernel], kept: Mapping[str, str], page: Page) -> None:
    """One row per kernel; ``kept`` says which connection files are of sessions that nbdag keeps."""
    page.table(
        (
            Column("kernel", least=12),
            Column("notebook", least=16),
            Column("language", whole=True),
            Column("memory", right=True, whole=True),
            Column("state", whole=True),
            Column("recorded", whole=True),
            Column("run by", least=10),
        ),
        [
            [
                kernel.kernel_id,
                relative(kernel.notebook) or "-",
                f"Python {kernel.python}" if kernel.python else (kernel.language or kernel.name or "?").capitalize(),
                say_bytes(kernel.memory) if kernel.memory else "?",
                Value(kernel.state, _STYLES.get(kernel.state, "")),
                {True: "yes", False: "no", None: "?"}[kernel.recorded],
                "nbdag analyze" if kernel.connection_file in kept else kernel.server or "-",
            ]
            for kernel in found
        ],
    )


def kernel_as_row(kernel: RunningKernel, kept: Mapping[str, str]) -> dict[str, Any]:
    """What ``--format json`` says about one kernel; null is what could not be found out."""
    return {
        "id": kernel.kernel_id,
        "notebook": kernel.notebook or None,
        "kernel_name": kernel.name or None,
        "language": kernel.language or None,
        "python": kernel.python or None,
        "pid": kernel.pid or None,
        "memory": kernel.memory or None,
        "state": kernel.state,
        "recorded": kernel.recorded,
        "executions": kernel.executions if kernel.recorded else None,
        "connection_file": kernel.connection_file or None,
        "server": kernel.server or None,
        "session": kept.get(kernel.connection_file),
    }
