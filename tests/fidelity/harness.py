"""Drives a session through a real kernel, compiles it there, restores it elsewhere, and probes both sides."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdag.model.results import Compiled
from nbdag.pipeline import compile_bundle
from tests.fidelity.sessions import Session

PROBE = """
def _probe(lines, namespace, path):
    import json
    said = []
    for line in lines:
        try:
            try:
                code = compile(line, "<probe>", "eval")
            except SyntaxError:
                exec(compile(line, "<probe>", "exec"), namespace)
                said.append("done")
            else:
                said.append(repr(eval(code, namespace)))
        except BaseException as error:
            said.append("raises " + type(error).__name__ + ": " + str(error))
    with open(path, "w") as file:
        json.dump(said, file)
"""


RUN_I = """
import sys
from IPython.core.interactiveshell import InteractiveShell
sys.argv = ["ipython"]
shell = InteractiveShell.instance()
shell.run_cell("%run -i " + repr({script!r}))
exec({line!r}, {{}})
"""


@dataclass
class Played:
    """What both sides said to the probes, and what compile reported."""

    live: list[str]
    restored: list[str]
    compiled: Compiled
    exit_status: int
    stderr: str


@contextmanager
def kernel(folder: Path) -> Iterator[tuple[Any, Path]]:
    """A real kernel working in ``folder``: its client and its connection file; ended afterwards.

    It listens on sockets of its own in a new directory: ports are picked before they are bound, and two test runs on
    one machine pick the same ones now and then. A path of a socket is 107 bytes at most, so not below ``folder``.
    """
    from jupyter_client.manager import KernelManager

    connection = folder.parent / "connection.json"
    manager = KernelManager(kernel_name="python3", connection_file=str(connection))
    sockets = tempfile.mkdtemp(prefix="k") if os.name == "posix" else ""
    if sockets:
        manager.transport, manager.ip = "ipc", os.path.join(sockets, "k")
    manager.start_kernel(cwd=str(folder))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield client, connection
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        if sockets:
            shutil.rmtree(sockets, ignore_errors=True)


def run(client: Any, code: str, silent: bool = False) -> dict[str, Any]:
    """Execute ``code`` and return the reply's content; errors are the caller's business."""
    return dict(client.execute(code, silent=silent, store_history=not silent, reply=True, timeout=120)["content"])


def play(session: Session, folder: Path, **options: Any) -> Played:
    """Run, compile, restore from a copy in another directory, and probe both.

    Restored under ``python -i`` and under ``%run -i``: what either says is wrong counts.
    """
    from nbdag.analysis.agent_client import KernelAgent

    live, away, elsewhere = folder / "live", folder / "away", folder / "elsewhere"
    for directory in (live, elsewhere):
        directory.mkdir(parents=True)
    with kernel(live) as (client, connection):
        with KernelAgent(connection) as agent:
            agent.command("start", {"late": False})
        for cell in session.cells:
            run(client, cell)
        compiled = compile_bundle(folder / "bundle", connection_file=connection, **options)
        said = folder / "live.json"
        arguments = f"{list(session.probes)!r}, get_ipython().user_ns, {str(said)!r}"
        reply = run(client, f"exec({PROBE + f'_probe({arguments})'!r}, {{'get_ipython': get_ipython}})", silent=True)
        assert reply["status"] == "ok", reply
    shutil.copytree(folder / "bundle", away)
    said_here = []
    for number, command in enumerate((["-i", str(away / "restore.py")], ["-c"])):
        answer = folder / f"restored {number}.json"
        line = PROBE + f"_probe({list(session.probes)!r}, __import__('__main__').__dict__, {str(answer)!r})"
        text = f"exec({line!r}, {{}})\n"
        if command == ["-c"]:
            command, text = ["-c", RUN_I.format(script=str(away / "restore.py"), line=line)], ""
        done = subprocess.run(
            [sys.executable, *command],
            input=text,
            capture_output=True,
            text=True,
            cwd=elsewhere,
            timeout=300,
            check=False,
        )
        said_here.append(json.loads(answer.read_text()) if answer.exists() else [])
        if number == 0:
            first = done
    lived = json.loads(said.read_text())
    restored = next((found for found in said_here if found != lived), said_here[0])
    return Played(lived, restored, compiled, first.returncode, first.stderr)
