"""The frozen copy of a kernel, as the other half of ``portable/forking.py`` sees it: commands over a socket."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from nbdag.analysis.agent_client import checked
from nbdag.errors import KernelDied, KernelProtocolError

LOOK = 5.0  # seconds between looks at whether a snapshot that does not answer is at work
STUCK = 60.0  # seconds without processor time and without a byte written after which it is taken to hang


class Snapshot:
    """Commands to a snapshot: it answers as the kernel would have at the moment when it was taken.

    ``hello`` is what it said of itself. A copy of a process has one thread; a lock that another thread held at that
    moment is never let go. So a snapshot that neither answers nor works is ended, and the command fails.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self.hello: dict[str, Any] = self._read(0)
        self.seconds: dict[str, float] = {}  # that each command has taken in all
        self.process = 0 if self.hello.get("live") else _peer(connection)

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """As ``analysis.agent_client.Agent.command``."""
        begun = time.monotonic()
        self._send({"name": name, "arguments": arguments})
        answer = self._read(self.process)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begun
        return checked(name, answer)

    def end(self, result: dict[str, Any]) -> None:
        """Tell it what became of the save; it hands that on to the kernel and ends."""
        with suppress(OSError, KernelDied):
            self._send({"result": result})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._connection.sendall((json.dumps(message) + "\n").encode("utf-8"))
        except OSError:
            raise KernelDied("the copy of the kernel ended while it was saved") from None

    def _read(self, process: int) -> dict[str, Any]:
        idle, before = 0.0, _work_of(process)
        while b"\n" not in self._received:
            if not select.select([self._connection], [], [], LOOK)[0]:
                now = _work_of(process)
                idle, before = (0.0 if now != before else idle + LOOK), now
                if process and idle >= STUCK:
                    with suppress(OSError):
                        os.kill(process, signal.SIGKILL)
                    raise KernelProtocolError("the copy of the kernel hangs: another thread of the session held a lock")
                continue
            try:
                piece = self._connection.recv(1 << 20)
            except OSError:
                piece = b""
            if not piece:
                raise KernelDied("the copy of the kernel ended while it was saved (out of memory?)")
            self._received += piece
        line, _, self._received = self._received.partition(b"\n")
        return dict(json.loads(line))


def _peer(connection: socket.socket) -> int:
    """The process at the other end, 0 where the system does not say."""
    try:
        return int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")
    except (AttributeError, OSError):
        return 0


def _work_of(process: int) -> tuple[str, ...]:
    """Something that changes when a process computes or writes."""
    if not process:
        return ()
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        written = Path(f"/proc/{process}/io").read_text(encoding="ascii")
    except OSError:
        return ()
    return (*text[text.rfind(")") + 1 :].split()[11:13], *written.splitlines()[:2])
