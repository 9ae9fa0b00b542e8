"""One save of a session that saves itself: the program that a snapshot starts (``portable/forking.py``), and ends with.

It compiles what the snapshot holds into the directory's ``latest``, as ``nbdag compile`` would, and proves it. The old
save stays until the new one is whole. Whatever goes wrong is the result, a line of JSON that reaches the kernel.
"""

from __future__ import annotations

import resource
import socket
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from nbdag.errors import EnvironmentRefused, NbdagError, OutputError
from nbdag.portable.forking import SAVER_SOCKET
from nbdag.saving.directory import LATEST, locked, read_claim
from nbdag.saving.memory import RememberingSnapshot
from nbdag.saving.snapshots import Snapshot

PATIENCE = 10.0  # seconds for another process that works in the directory


def main() -> None:
    """Save the session at the other end of descriptor 3."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=SAVER_SOCKET) as connection:
        snapshot = Snapshot(connection)
        try:
            result = save(snapshot)
        except NbdagError as error:
            result = {"error": error.message, "hint": error.hint, "code": error.code}
        except OSError as error:
            result = {"error": f"{error.filename or 'the disk'}: {error.strerror or error}"}
        except BaseException as fault:
            said = f"a fault of nbdag itself: {type(fault).__name__}: {fault}"
            result = {"error": said, "traceback": traceback.format_exc()[-4000:]}
        snapshot.end({"executions": snapshot.hello.get("executions"), **result})


def save(snapshot: Snapshot) -> dict[str, Any]:
    """Write and prove the save; what became of it. Raises NbdagError, OSError; the save before is then whole."""
    from nbdag import pipeline

    begun, hello = time.monotonic(), snapshot.hello
    directory = Path(hello["directory"])
    if not directory.is_dir():
        raise OutputError(f"{directory} is gone", "%nbdag autosave DIR begins anew")
    with locked(directory, PATIENCE):
        claim = read_claim(directory)
        if claim is None or claim.session != hello["session"]:
            raise OutputError(f"{directory} belongs to another session now", "choose another: %nbdag autosave DIR")
        remembering = RememberingSnapshot(snapshot, directory)
        verify = not hello.get("final")
        notebook = Path(hello["notebook"]) if hello.get("notebook") else None
        try:
            compiled = pipeline.compile_bundle(
                directory / LATEST,
                notebook=notebook if notebook is not None and _is_readable(notebook) else None,
                agent=remembering,
                verify=verify,
                compression="none",
                unchanged=remembering.find_unchanged(),
                save={
                    "session": hello["session"],
                    "executions": hello["executions"],
                    "time": hello["time"],
                    "running": bool(hello.get("running")),
                    "proven": verify,
                },
            )
        except EnvironmentRefused as refusal:
            if "no variables" in refusal.message:
                return {"empty": True, "seconds": time.monotonic() - begun, "lost": []}
            raise
        remembering.keep(compiled.verdict)
    from nbdag.report.compiled import lost_names

    bundle = compiled.bundle
    return {
        "time": hello["time"],
        "seconds": time.monotonic() - begun,
        "bytes": bundle.data_size + bundle.blobs_size,
        "commands": {name: round(seconds, 3) for name, seconds in snapshot.seconds.items()},
        "restore_seconds": compiled.verdict.restore_seconds,
        "reused": bundle.reused_blobs,
        "blobs": bundle.blobs,
        "variables": sum(len(decision.names) for decision in compiled.plan.decisions),
        "lost": list(lost_names(compiled))[:100],
        "proven": verify,
        "final": bool(hello.get("final")),
    }


def _is_readable(notebook: Path) -> bool:
    """Whether the file is there and is a notebook: it may have been renamed, or be half written."""
    from nbdag.analysis.notebook import read_notebook
    from nbdag.errors import UsageError

    try:
        read_notebook(notebook)
    except UsageError:
        return False
    return True
