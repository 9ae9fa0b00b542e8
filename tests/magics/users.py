"""Somebody at a notebook: a real kernel, cells typed into it, and what the notebook shows under them."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from nbdag.portable.serving import kernel_command


class User:
    """Types cells into the kernel of a connection file."""

    def __init__(self, connection_file: Path) -> None:
        self.client = BlockingKernelClient()
        self.client.load_connection_file(str(connection_file))
        self.client.start_channels()
        self.bundles: list[dict[str, Any]] = []  # the mime bundles that the last cell displayed
        self.count = 0  # the number that the last cell got

    def runs(self, source: str) -> str:
        """What the notebook shows under the cell, as text; an error as "Name: message"."""
        shown: list[str] = []
        self.bundles = []

        def see(message: dict[str, Any]) -> None:
            content = message["content"]
            kind = str(message["msg_type"])
            if kind == "stream":
                shown.append(content["text"])
            elif kind in {"execute_result", "display_data"}:
                self.bundles.append(content["data"])
                shown.append(content["data"]["text/plain"])
            elif kind == "error":
                shown.append(f"{content['ename']}: {content['evalue']}")

        reply = self.client.execute_interactive(source, output_hook=see, timeout=120)
        self.count = reply["content"]["execution_count"]
        return "".join(shown)

    def completes(self, line: str) -> list[str]:
        """What the Tab key offers behind ``line``."""
        reply = self.client.complete(line, reply=True, timeout=60)
        return list(reply["content"]["matches"])


@contextmanager
def kernel(
    directory: Path, bundle: Path | None = None, arguments: Sequence[str] = (), python: str = sys.executable
) -> Iterator[User]:
    """Somebody at a kernel that works in ``directory``; with a ``bundle``, one that holds its session."""
    connection_file = directory / f"kernel-{uuid.uuid4()}.json"
    command = [python, "-m", "ipykernel_launcher", "-f", str(connection_file), *arguments]
    if bundle is not None:
        command = [python, *kernel_command(str(bundle / "restore.py"), str(connection_file))[1:]]
    environment = {**os.environ, "IPYTHONDIR": str(directory / "ipython"), "JUPYTER_NO_CONFIG": "1"}
    with (directory / "kernel.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)
    try:
        wait_for(connection_file, process)
        user = User(connection_file)
        user.client.wait_for_ready(timeout=60)
        yield user
        user.client.stop_channels()
    finally:
        process.kill()
        process.wait()


def wait_for(connection_file: Path, process: subprocess.Popen[bytes]) -> None:
    import time

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if connection_file.exists() and connection_file.read_text().rstrip().endswith("}"):
            return
        assert process.poll() is None, "the kernel ended"
        time.sleep(0.02)
    raise AssertionError("the kernel does not start")
