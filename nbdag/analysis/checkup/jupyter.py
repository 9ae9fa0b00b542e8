"""Jupyter around nbdag: where it writes down its kernels and servers, and the servers that run."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from nbdag.analysis.checkup.check import Check, State
from nbdag.analysis.servers import running_servers, runtime_directory

_STALE = 50  # connection files of kernels that are gone: harmless, until a listing takes long


def look_at_jupyter(_state_directory: Path) -> list[Check]:
    """Whether the runtime directory can be written, whether kernels can be reached, and which servers run."""
    return [_runtime(), _loopback(), _servers()]


def _runtime() -> Check:
    directory = runtime_directory()
    what = "runtime directory"
    remedy = "choose another one: export JUPYTER_RUNTIME_DIR=/some/writable/place"
    nearest = next(path for path in (directory, *directory.parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=nearest, prefix=".nbdag-doctor-"):
            pass
    except OSError as error:
        return Check(what, State.WARNING, f"{directory}: no file can be made there: {error.strerror}", remedy)
    if not directory.is_dir():
        return Check(what, State.OK, f"{directory} (made when it is needed)")
    stale = sum(1 for _ in directory.glob("kernel-*.json"))
    if stale > _STALE:
        return Check(
            what, State.INFO, f"{directory}: {stale} connection files", f"old ones may go: {directory}/kernel-*.json"
        )
    return Check(what, State.OK, str(directory))


def _loopback() -> Check:
    try:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(1)
            with socket.create_connection(listening.getsockname(), timeout=5):
                pass
    except OSError as error:
        remedy = "kernels talk over 127.0.0.1: bring the loopback interface up, and look at the firewall"
        return Check("connections to 127.0.0.1", State.PROBLEM, f"refused: {error}", remedy)
    return Check("connections to 127.0.0.1", State.OK, "work")


def _servers() -> Check:
    found = running_servers()
    if not found:
        return Check("Jupyter servers", State.INFO, "none runs here")
    return Check("Jupyter servers", State.OK, "; ".join(server.shown for server in found))
