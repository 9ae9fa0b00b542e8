"""The kernels that run on this machine, found by their connection files, and how each of them is right now.

Every kernel is asked at once, and nobody waits for one that is dead::

    heartbeat   echoes without Python          no echo: nobody is there
    control     connect_request                answers while a cell runs: there, and not stuck in C code
    shell       empty code, user_expressions   answers between two cells: idle; not: busy

``connect_request`` has no effect on a session; ``kernel_info_request`` has (IPython draws the tip of its banner from
``random``), so it is not sent. Only kernels known to speak Python are asked to evaluate anything.
"""

from __future__ import annotations

import ast
import json
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nbdag.analysis.kernelspecs import kernelspecs
from nbdag.analysis.processes import command_lines, resident_bytes
from nbdag.analysis.servers import Server, kernels_of, running_servers, runtime_directory
from nbdag.errors import EnvironmentRefused

IDLE, BUSY, STUCK, UNKNOWN = "idle", "busy", "no answer", "unknown"
"""``STUCK``: the process is there and echoes, but C code holds the interpreter; ``UNKNOWN``: only a server knows it."""

_ANSWER_SECONDS = 0.1  # after its control thread has answered, a kernel that is idle does so within that
_FIRST_ECHO_SECONDS = 0.4  # a machine under load may take so long to echo, and then for the control thread to answer

_EXPRESSION = (
    "(lambda s, o, p, a: __import__('json').dumps({'python': p.python_version(), 'pid': o.getpid(),"
    " 'status': a.command('status', {}) if a is not None else {},"
    " 'notebook': o.environ.get('JPY_SESSION_NAME', '')}))"
    "(__import__('sys'), __import__('os'), __import__('platform'), __import__('sys').modules.get('nbdag_agent'))"
)


@dataclass(frozen=True, slots=True)
class RunningKernel:
    """A kernel that somebody runs. ``recorded`` is None where it cannot be asked (busy, not Python, far away)."""

    kernel_id: str
    state: str
    notebook: str = ""
    name: str = ""  # of its kernelspec
    language: str = ""
    python: str = ""
    pid: int = 0
    memory: int = 0  # bytes resident, 0: not known
    recorded: bool | None = None
    executions: int = 0  # that the recorder knows
    connection_file: str = ""  # "" for a kernel of a server on another machine
    server: str = ""  # the address of the server that runs it, without secrets


@dataclass(frozen=True, slots=True)
class Found:
    """The kernels, and what went wrong on the way: servers that did not answer."""

    kernels: tuple[RunningKernel, ...]
    problems: tuple[str, ...] = ()


def running_kernels(
    extra: Sequence[Path] = (), *, servers: Sequence[Server] | None = None, directory: Path | None = None
) -> Found:
    """All kernels of this user on this machine, ``extra`` connection files among them; a dead one is left out.

    ``servers`` null: those that run on this machine.
    """
    problems: list[str] = []
    of_servers = {}
    for server in running_servers(directory) if servers is None else servers:
        try:
            of_servers.update({kernel.kernel_id: kernel for kernel in kernels_of(server)})
        except EnvironmentRefused as refusal:
            problems.append(refusal.message)
    files = [*extra, *connection_files(directory)]
    found = []
    for kernel in probe(list(dict.fromkeys(path.absolute() for path in files))):
        entry = of_servers.pop(kernel.kernel_id, None)
        if entry is not None:  # the server knows of a rename
            notebook = entry.notebook or kernel.notebook
            kernel = replace(kernel, notebook=notebook, name=kernel.name or entry.name, server=entry.server.shown)
        found.append(kernel)
    found += [
        RunningKernel(
            entry.kernel_id,
            entry.state if entry.state in {IDLE, BUSY} else UNKNOWN,
            entry.notebook,
            entry.name,
            server=entry.server.shown,
        )
        for entry in of_servers.values()
        if entry.state != "dead"
    ]
    return Found(tuple(sorted(found, key=lambda kernel: (kernel.notebook, kernel.kernel_id))), tuple(problems))


def connection_files(directory: Path | None = None) -> list[Path]:
    """The connection files in the runtime directory, of kernels that may be long gone."""
    return sorted((directory or runtime_directory()).glob("kernel*.json"))


def kernel_id_of(connection_file: Path) -> str:
    """How a kernel is called by its connection file: ``kernel-ID.json``, or else the file's own name."""
    stem = connection_file.stem
    if stem == "connection":  # of a kept kernel: its folder has the name
        return connection_file.parent.name
    return stem[len("kernel-") :] if stem.startswith("kernel-") else stem


# ------------------------------------------------------------------------------------------------ asking


class _Probe:
    """The sockets to one kernel and what it has said."""

    def __init__(self, context: Any, path: Path, said: dict[str, Any]) -> None:
        import zmq
        from jupyter_client.session import Session

        self.path = path
        self.said = said
        self.language = _language(said)
        self.session = Session(
            key=str(said.get("key", "")).encode(),
            signature_scheme=said.get("signature_scheme", "hmac-sha256"),
        )
        self.sockets: dict[Any, str] = {}
        for kind, port in (("hb", "hb_port"), ("control", "control_port"), ("shell", "shell_port")):
            channel = context.socket(zmq.DEALER)
            channel.linger = 0
            between = "-" if said.get("transport") == "ipc" else ":"
            channel.connect(f"{said.get('transport', 'tcp')}://{said['ip']}{between}{said[port]}")
            self.sockets[channel] = kind
        self.echoed = 0.0
        self.controlled = 0.0
        self.answer: dict[str, Any] | None = None

    def send(self) -> None:
        for channel, kind in self.sockets.items():
            if kind == "hb":
                channel.send_multipart([b"", b"nbdag"])
            elif kind == "shell" and self.language == "python":
                content = {
                    "code": "",
                    "silent": True,
                    "store_history": False,
                    "user_expressions": {"nbdag": _EXPRESSION},
                    "allow_stdin": False,
                    "stop_on_error": False,
                }
                self.session.send(channel, "execute_request", content)
            else:  # any kernel answers the second one, whatever it speaks
                self.session.send(channel, "connect_request" if kind == "control" else "comm_info_request", {})

    def receive(self, channel: Any) -> None:
        kind = self.sockets[channel]
        frames = channel.recv_multipart()
        if kind == "hb":
            self.echoed = self.echoed or time.monotonic()
            return
        with suppress(Exception):  # what is not signed with the key is from nobody we know
            _, parts = self.session.feed_identities(frames)
            message = self.session.deserialize(parts, content=True)
            if kind == "control":
                self.controlled = time.monotonic()
            else:
                self.answer = dict(message["content"])

    def done(self, now: float) -> bool:
        if self.answer is not None:
            return True
        if self.controlled:
            return now - self.controlled > _ANSWER_SECONDS
        return bool(self.echoed) and now - self.echoed > _FIRST_ECHO_SECONDS

    def close(self) -> None:
        for channel in self.sockets:
            channel.close()

    def kernel(self, processes: dict[str, int]) -> RunningKernel | None:
        if not self.echoed and self.answer is None and not self.controlled:
            return None
        state = IDLE if self.answer is not None else BUSY if self.controlled else STUCK
        told = _told(self.answer)
        pid = int(told.get("pid") or processes.get(str(self.path)) or 0)
        status = told.get("status") or {}
        notebook = str(told.get("notebook") or self.said.get("jupyter_session") or "")
        return RunningKernel(
            kernel_id=kernel_id_of(self.path),
            state=state,
            notebook=notebook if notebook.endswith((".ipynb", ".py")) else "",
            name=str(self.said.get("kernel_name") or ""),
            language=self.language,
            python=str(told.get("python") or ""),
            pid=pid,
            memory=resident_bytes(pid) if pid else 0,
            recorded=bool(status.get("recording")) if told else None,
            executions=int(status.get("executions") or 0),
            connection_file=str(self.path),
        )


def probe(files: Sequence[Path]) -> list[RunningKernel]:
    """The kernels behind these connection files that run, each as it is within about 100 ms; in the files' order."""
    import zmq

    context = zmq.Context()
    probes: list[_Probe] = []
    try:
        for path in files:
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, zmq.ZMQError):
                said = dict(json.loads(path.read_text(encoding="utf-8")))
                if _listens(said):
                    probes.append(_Probe(context, path, said))
        poller = zmq.Poller()
        owner = {channel: one for one in probes for channel in one.sockets}
        for one in probes:
            one.send()
        for channel in owner:
            poller.register(channel, zmq.POLLIN)
        begun = time.monotonic()
        while True:
            now = time.monotonic()
            waiting = [one for one in probes if not one.done(now)]
            if not waiting or (now - begun > _FIRST_ECHO_SECONDS and not any(one.echoed for one in waiting)):
                break
            for channel, _ in poller.poll(20):
                owner[channel].receive(channel)
        processes = _processes([one.path for one in probes]) if probes else {}
        found = [one.kernel(processes) for one in probes]
    finally:
        for one in probes:
            one.close()
        context.term()
    return [kernel for kernel in found if kernel is not None]


def _listens(said: dict[str, Any]) -> bool:
    """Whether anybody has the port: on the loopback a refusal comes at once, and most files are of dead kernels."""
    if said.get("transport", "tcp") != "tcp" or not str(said["ip"]).startswith("127."):
        return True
    try:
        with socket.create_connection((said["ip"], said["hb_port"]), timeout=0.2):
            return True
    except OSError:
        return False


def _told(answer: dict[str, Any] | None) -> dict[str, Any]:
    result = (answer or {}).get("user_expressions", {}).get("nbdag", {})
    try:
        said = json.loads(ast.literal_eval(result["data"]["text/plain"]))
        return said if isinstance(said, dict) else {}
    except (KeyError, ValueError, SyntaxError, TypeError):
        return {}


def _processes(files: Sequence[Path]) -> dict[str, int]:
    """connection file -> pid of the process that was started with it."""
    wanted = {str(path) for path in files}
    return {word: pid for pid, words in sorted(command_lines().items()) for word in words if word in wanted}


def _language(said: dict[str, Any]) -> str:
    name = str(said.get("kernel_name") or "")
    if not name:
        return "python"  # ipykernel's own files and those of older servers name none
    try:
        return str(kernelspecs().get_kernel_spec(name).language).lower()
    except Exception:  # a kernelspec that is gone, or broken
        return "python" if "python" in name.lower() else ""
