"""Real servers on loopback for the tests: what a user would have on the other machine, ended with the test session."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
from dataclasses import dataclass
from pathlib import Path

TOKEN = "sesame-open-7f3a"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens on 127.0.0.1:``port`` and takes ``TOKEN``; its files are under ``root``."""

    port: int
    root: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def make_environment(folder: Path) -> Path:
    """A virtual environment of its own that finds the packages of this one; its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    where = sysconfig.get_path("purelib", vars={"base": str(folder)}, scheme="venv")
    others = [path for path in sys.path if path.endswith("site-packages")]
    Path(where, "others.pth").write_text("".join(f"{path}\n" for path in others), encoding="utf-8")
    return folder / "bin" / "python"


def write_kernelspec(data: Path, name: str, python: Path) -> None:
    folder = data / "kernels" / name
    folder.mkdir(parents=True)
    spec = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": name,
        "language": "python",
        "env": {"PYTHONPATH": ""},
    }
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


def start(folder: Path, module: str, *options: str) -> Server:
    """Start ``python -m module`` with kernels in an environment of their own; wait until it answers."""
    port = free_port()
    root = folder / "files"
    for path in (root, folder / "home"):
        path.mkdir(parents=True)
    data = folder / "data"
    write_kernelspec(data, "elsewhere", make_environment(folder / "environment"))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY_", "NBDAG"))},
        "JUPYTER_DATA_DIR": str(data),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_TOKEN": TOKEN,
        "KG_AUTH_TOKEN": TOKEN,
        "IPYTHONDIR": str(folder / "ipython"),
        "HOME": str(folder / "home"),
    }
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *(option.format(port=port, root=root) for option in options)],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(port, root, process, log)
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(log.read_text(encoding="utf-8", errors="replace"))
        try:
            request = urllib.request.Request(f"{server.url}/api", headers={"Authorization": f"token {TOKEN}"})
            urllib.request.urlopen(request, timeout=5).close()
            return server
        except urllib.error.HTTPError:
            return server
        except OSError:
            time.sleep(0.1)
    server.stop()
    raise RuntimeError(f"no answer: {log.read_text(encoding='utf-8', errors='replace')}")


def start_jupyter(folder: Path) -> Server:
    return start(
        folder,
        "jupyter_server",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.root_dir={root}",
        "--ServerApp.open_browser=False",
        "--ServerApp.allow_root=True",
        "--ServerApp.terminals_enabled=False",
    )


def start_gateway(folder: Path) -> Server:
    return start(
        folder,
        "kernel_gateway",
        "--KernelGatewayApp.ip=127.0.0.1",
        "--KernelGatewayApp.port={port}",
        "--KernelGatewayApp.port_retries=0",
    )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
