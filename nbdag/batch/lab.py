"""A JupyterLab for one notebook and one kernel: started, told about both, and ended with the command.

JupyterLab connects a notebook to the session that the server has for its path. So the session is made first, by the
server's REST API, with the kernel wanted, and the notebook file stays as it is.
https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nbdag.errors import EnvironmentRefused

STARTUP_SECONDS = 60.0


def check_lab(python: str) -> None:
    """Raise EnvironmentRefused where ``python`` has no JupyterLab."""
    test = "import importlib.util, sys; sys.exit(importlib.util.find_spec('jupyterlab') is None)"
    if subprocess.run([python, "-c", test], check=False).returncode:
        raise EnvironmentRefused(
            f"{python} has no JupyterLab",
            f"{python} -m pip install jupyterlab; or --python names an interpreter that has it; "
            "or nbdag install-kernel, and choose the kernel in the Jupyter you use",
        )


def serve(
    python: str,
    notebook: Path,
    kernel: str,
    port: int,
    *,
    browser: bool,
    say: Callable[[str], None],
    ready: Callable[[str], None] = lambda url: None,
) -> int:
    """Run JupyterLab until it ends; its exit status. ``ready`` is told the address once the kernel is there."""
    port = port or free_port()
    token = secrets.token_urlsafe(24)
    root = notebook.absolute().parent
    address = f"http://127.0.0.1:{port}"
    command = [
        python,
        "-m",
        "jupyterlab",
        "--no-browser",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={root}",
        "--ServerApp.ip=127.0.0.1",
    ]
    if getattr(os, "geteuid", lambda: 1)() == 0:  # as in most containers; it listens to this machine only
        command.append("--allow-root")
    # The token goes by the environment: a command line can be read by everybody on the machine.
    process = subprocess.Popen(
        command, env={**os.environ, "JUPYTER_TOKEN": token}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _wait_until_up(process, address, token)
        body = {"path": notebook.name, "name": notebook.name, "type": "notebook", "kernel": {"name": kernel}}
        ask(address, token, "/api/sessions", body)
        url = f"{address}/lab/tree/{quote(notebook.name)}?token={token}"
        say(f"JupyterLab runs at {url}")
        say("Ctrl-C ends it, and its kernels")
        ready(url)
        if browser:
            import webbrowser

            webbrowser.open(url)
        _drain(process)
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def ask(address: str, token: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """One request to the server. Raises EnvironmentRefused with what the server said."""
    request = urllib.request.Request(
        address + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=STARTUP_SECONDS) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        said = error.read().decode("utf-8", "replace")[:300]
        raise EnvironmentRefused(f"JupyterLab did not start the kernel: {said or error}", "see its log") from None


def _wait_until_up(process: subprocess.Popen[bytes], address: str, token: str) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = (process.stderr.read() if process.stderr else b"").decode("utf-8", "replace").strip()
            last = said.splitlines()[-1] if said else "it says nothing"
            raise EnvironmentRefused(f"JupyterLab did not start: {last}", "try: jupyter lab")
        try:
            ask(address, token, "/api/status")
            return
        except (OSError, EnvironmentRefused):
            time.sleep(0.1)
    raise EnvironmentRefused(f"JupyterLab did not answer within {STARTUP_SECONDS:g} s", "try: jupyter lab")


def _drain(process: subprocess.Popen[bytes]) -> None:
    """Read the server's log away: a full pipe would stop it."""
    import threading

    stream = process.stderr
    if stream is not None:
        threading.Thread(target=lambda: [None for _ in stream], daemon=True).start()


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
