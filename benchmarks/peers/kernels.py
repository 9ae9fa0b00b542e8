"""One kernel for one measurement: started, driven cell by cell, asked, ended."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

CELL_SECONDS = 180.0
"""The longest that anything a kernel is asked may take, and all of one measure."""


class Failed(Exception):
    """A system could not do what was asked of it; the text says why, as the system did."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a piece of code in a kernel."""

    seconds: float
    error: str  # "" when it went well
    text: str  # what it wrote


class Kernel:
    """A running kernel; a context manager. ``home`` is what it takes for the home directory, kept between kernels."""

    def __init__(
        self,
        python: Path,
        directory: Path,
        home: Path,
        *,
        module: str = "ipykernel_launcher",
        variables: dict[str, str] | None = None,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        # Kishu knows its kernel by the name that Jupyter Server gives to connection files.
        self.connection_file = home / f"kernel-{uuid.uuid4()}.json"
        self.manager = KernelManager(connection_file=str(self.connection_file))
        argv = [str(python), "-m", module, "-f", "{connection_file}"]
        specs = self.manager.kernel_spec_manager
        self.manager._kernel_spec = specs.kernel_spec_class(argv=argv, display_name=module, language="python")
        hidden = {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg", "IPYTHONDIR": str(home / "ipython"), "HOME": str(home)}
        # What a user's cache directory keeps from session to session (fonts, linked scripts): one for all systems.
        hidden["XDG_CACHE_HOME"] = str(python.parents[2] / "cache")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JPY_"))}
        self.manager.start_kernel(
            cwd=str(directory),
            env=environment | hidden | (variables or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.client: BlockingKernelClient = self.manager.blocking_client()
        self.client.start_channels()
        self.ends = time.monotonic() + CELL_SECONDS

    def __enter__(self) -> Kernel:
        self.client.wait_for_ready(timeout=90)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)  # type: ignore[union-attr]

    def run(self, code: str, *, silent: bool = False) -> Reply:
        """Run ``code`` as a cell; never raises for what the code does."""
        texts: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                texts.append(message["content"]["text"])

        begun = time.perf_counter()
        try:
            reply = self.client.execute_interactive(
                code, silent=silent, store_history=not silent, timeout=self.left(), allow_stdin=False, output_hook=hear
            )
        except TimeoutError:
            raise Failed(f"not finished in {CELL_SECONDS:.0f} s") from None
        seconds = time.perf_counter() - begun
        content = reply["content"]
        error = "" if content["status"] == "ok" else f"{content.get('ename')}: {content.get('evalue')}"
        return Reply(seconds, error, "".join(texts))

    def left(self) -> float:
        """Seconds that are left for what this kernel does."""
        return max(1.0, self.ends - time.monotonic())

    def must(self, code: str) -> Reply:
        """The same; raises Failed when it raised."""
        reply = self.run(code)
        if reply.error:
            raise Failed(reply.error)
        return reply

    def value(self, expression: str, code: str = "") -> str:
        """The text that ``expression`` is after ``code``, without a trace in the history."""
        message = self.client.execute(code, silent=True, store_history=False, user_expressions={"told": expression})
        while True:
            reply = self.client.get_shell_msg(timeout=CELL_SECONDS)
            if reply["parent_header"].get("msg_id") == message:
                break
        told = reply["content"].get("user_expressions", {}).get("told", {})
        if told.get("status") != "ok":
            raise Failed(f"{expression}: {told.get('evalue') or reply['content'].get('evalue')}")
        return str(ast.literal_eval(told["data"]["text/plain"]))

    def control(self, kind: str) -> dict[str, Any]:
        """The reply to a message of ``kind`` on the control channel."""
        message = self.client.session.msg(kind, {})
        self.client.control_channel.send(message)
        end = time.monotonic() + CELL_SECONDS
        while time.monotonic() < end:
            reply = self.client.get_control_msg(timeout=CELL_SECONDS)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return dict(reply["content"])
        raise Failed(f"no reply to {kind}")

    def peak_bytes(self) -> int:
        """The most memory that was resident, of this kernel's process; 0 where the system does not say."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return 0
        return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def bytes_below(path: Path) -> int:
    """Of a file, or of all files below a directory; a file under two names counts once."""
    if path.is_file():
        return path.stat().st_size
    seen: dict[int, int] = {}
    for found in path.rglob("*"):
        if found.is_file() and not found.is_symlink():
            seen[found.stat().st_ino] = found.stat().st_size
    return sum(seen.values())


def cells_of(notebook: Path) -> list[str]:
    """The texts of the code cells that are not empty."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return [text for text in texts if text.strip()]
