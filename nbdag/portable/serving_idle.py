"""Answers the saver from inside the kernel itself, in a pause: where the process must not be copied.

Each command is one callback of the kernel's loop, so a message of the user's waits for one command at most, and the
saver asks for one variable at a time. When a cell begins the saver is left: what it was told would not fit the rest.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from typing import Any, Callable, Dict, List, Optional

from nbdag.portable.forking import start_saver


class IdleServing:
    """One save. ``done`` is called with the saver's result, or None when it was left."""

    def __init__(
        self,
        loop: Any,
        saver: List[str],
        hello: Dict[str, Any],
        answer: Callable[[str, Dict[str, Any]], Dict[str, Any]],
        done: Callable[[Optional[Dict[str, Any]]], None],
    ) -> None:
        self.loop = loop
        self.answer = answer
        self.done = done
        self.connection, theirs = socket.socketpair()
        self.received = b""
        self.pid = start_saver(saver, theirs)
        theirs.close()
        self.send(dict(hello, live=True))
        loop.add_reader(self.connection.fileno(), self.read)

    def send(self, message: Dict[str, Any]) -> None:
        self.connection.sendall((json.dumps(message) + "\n").encode("utf-8"))

    def read(self) -> None:
        """Something has come in."""
        try:
            piece = self.connection.recv(65536)
            self.received += piece
            while b"\n" in self.received:
                line, _, self.received = self.received.partition(b"\n")
                request = json.loads(line.decode("utf-8"))
                if "result" in request:
                    self.end(request["result"])
                    return
                self.send(self.answer(request["name"], request["arguments"]))
        except (OSError, ValueError, KeyError):
            piece = b""
        if not piece:
            self.end({"error": "the saver ended before it was done"})

    def stop(self) -> None:
        """Leave the saver; it removes what it wrote."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except OSError:
            pass
        self.end(None)

    def end(self, result: Optional[Dict[str, Any]]) -> None:
        self.loop.remove_reader(self.connection.fileno())
        self.connection.close()
        try:
            os.waitpid(self.pid, 0)
        except OSError:
            pass
        self.done(result)
