"""A kernel of a Jupyter server through its websocket: run code there, hear its outputs, ask it things between cells.

A thread of its own reads the socket into a queue, so that an interrupt here never tears a message apart. The server
keeps messages for a session that has gone away: connecting again with the same session id gives them.
"""

from __future__ import annotations

import ast
import json
import os
import queue
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nbdag.analysis.agent_client import ANSWER_KEY, silent_question
from nbdag.errors import AccessRefused, ConnectionLost, EnvironmentRefused, KernelDied, KernelProtocolError
from nbdag.remote.rest import JupyterServer, scrubbed
from nbdag.remote.wire import V1, Message, pack_json, pack_v1, request, unpack

_POLL = 0.2  # seconds between looks at what else may have happened
_LOOK = 10.0  # seconds without a message after which the server is asked whether the kernel lives
_QUIET = 3.0  # seconds without a message after which an idle kernel counts as done: its reply was lost
_CONNECT_SECONDS = 60.0
_LARGEST = 9 << 20  # bytes of a message: servers close the connection at 10 MiB


@dataclass(frozen=True, slots=True)
class Reply:
    """How code ended there: "ok", "error", "aborted", or "unknown" where the answer was lost on the way."""

    status: str
    error_name: str = ""
    error_value: str = ""
    traceback: tuple[str, ...] = ()
    count: int | None = None


@dataclass(slots=True)
class _Gone:
    """In the queue: the socket is closed, and why."""

    reason: str
    refused: bool = False


@dataclass(slots=True)
class KernelChannel:
    """One kernel of ``server``. ``patience`` is how many seconds a lost connection is given to come back.

    ``told`` hears, in a sentence, when it is lost and found. Raises ConnectionLost, AccessRefused, KernelDied,
    KernelProtocolError.
    """

    server: JupyterServer
    kernel: str
    patience: float = 60.0
    told: Callable[[str], None] = lambda message: None
    session: str = field(default_factory=lambda: uuid.uuid4().hex)
    reconnections: int = 0
    _socket: Any = None
    _v1: bool = True
    _inbox: queue.Queue[Message | _Gone] = field(default_factory=queue.Queue)

    def open(self) -> None:
        """Connect."""
        self._socket = self._connect()
        self._inbox = queue.Queue()
        threading.Thread(
            target=_read, args=(self._socket, self._v1, self._inbox), name="nbdag-remote", daemon=True
        ).start()

    def close(self) -> None:
        """Disconnect; the kernel goes on."""
        socket, self._socket = self._socket, None
        if socket is not None:
            try:
                socket.close(timeout=1)
            except Exception:
                socket.shutdown()

    def evaluate(self, expression: str) -> str:
        """The value of an expression that is a string there, between two cells; nothing in the kernel changes by it."""
        reply = self._ask(silent_question(expression), lambda message: None, resend=True)
        if reply is None:
            raise ConnectionLost(f"{self.server.url}: the answer was lost on the way", "run the cell again")
        result = (reply.get("user_expressions") or {}).get(ANSWER_KEY)
        if result is None:
            raise KernelProtocolError(f"{self.server.url}: the kernel there does not evaluate user_expressions")
        if result.get("status") == "error":
            raise KernelProtocolError(f"in the kernel there: {result.get('ename')}: {str(result.get('evalue'))[:500]}")
        text = (result.get("data") or {}).get("text/plain", "")
        try:
            return str(ast.literal_eval(text))
        except (ValueError, SyntaxError):
            raise KernelProtocolError(f"the answer of the kernel there cannot be read: {text[:80]}") from None

    def execute(self, code: str, hear: Callable[[Message], None]) -> Reply:
        """Run a cell; ``hear`` gets every message of its output as it comes.

        KeyboardInterrupt here interrupts there and the wait goes on; a second one is raised.
        """
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        reply = self._ask(content, hear, resend=False)
        if reply is None:
            return Reply("unknown")
        return Reply(
            str(reply.get("status")),
            str(reply.get("ename") or ""),
            str(reply.get("evalue") or ""),
            tuple(map(str, reply.get("traceback") or ())),
            reply.get("execution_count"),
        )

    def interrupt(self) -> None:
        """As Ctrl-C there."""
        self.server.interrupt(self.kernel)

    # -------------------------------------------------------------------------------------------- inside

    def _ask(self, content: dict[str, Any], hear: Callable[[Message], None], resend: bool) -> dict[str, Any] | None:
        """Send an execute_request and wait until its reply and its last output are here; None: the reply was lost."""
        identity, parts = request("execute_request", content, self.session)
        if self._socket is None:
            self.open()
        self._send(parts, identity)
        reply: dict[str, Any] | None = None
        idle = interrupted = False
        heard = time.monotonic()
        seen = self.reconnections
        while reply is None or not idle:
            try:
                message = self._inbox.get(timeout=_POLL)
            except queue.Empty:
                quiet = time.monotonic() - heard
                if reply is not None and quiet > _QUIET:
                    return reply  # the server has dropped the message that says idle
                if self.reconnections != seen and quiet > _QUIET and self._is_idle():
                    if not resend:
                        return reply
                    seen = self.reconnections
                    self._send(parts, identity)
                elif quiet > _LOOK:
                    heard = time.monotonic()
                    self._check_alive()
                continue
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                self.interrupt()
                continue
            heard = time.monotonic()
            if isinstance(message, _Gone):
                try:
                    self._reconnect(message)
                except KeyboardInterrupt:
                    raise ConnectionLost(f"{self.server.url}: given up: {message.reason}") from None
                continue
            self._check_status(message)
            if message.parent != identity:
                continue
            if message.kind == "execute_reply":
                reply = message.content
            elif message.kind == "status":
                idle = message.content.get("execution_state") == "idle"
            elif message.channel == "iopub":
                try:
                    hear(message)
                except KeyboardInterrupt:
                    if interrupted:
                        raise
                    interrupted = True
                    self.interrupt()
        return reply

    def _send(self, parts: dict[str, Any], identity: str) -> None:
        frame: bytes | str = pack_v1(parts) if self._v1 else pack_json(parts)
        if len(frame) > _LARGEST:
            raise KernelProtocolError("the cell is too long to be sent in one message")
        for attempt in (1, 2):
            try:
                if self._v1:
                    self._socket.send_binary(frame)
                else:
                    self._socket.send(frame)
                return
            except Exception as fault:  # whatever the socket, TLS or the library under it raise
                if attempt == 2:
                    raise ConnectionLost(f"{self.server.url}: {scrubbed(fault)[:200]}") from None
                self._reconnect(_Gone(str(fault)))

    def _check_status(self, message: Message) -> None:
        if message.kind == "status" and message.content.get("execution_state") in ("restarting", "dead"):
            self.close()
            raise KernelDied(
                f"the kernel at {self.server.url} died while it ran the cell",
                "often memory; the session here is as it was before the cell",
            )

    def _check_alive(self) -> None:
        try:
            found = self.server.kernel(self.kernel)
        except ConnectionLost:
            return  # the socket will say so
        if found is None or found.get("execution_state") in ("dead", "restarting"):
            self.close()
            raise KernelDied(
                f"the kernel at {self.server.url} is gone",
                "often memory; the session here is as it was before the cell",
            )

    def _is_idle(self) -> bool:
        found = self.server.kernel(self.kernel)
        if found is None:
            self._check_alive()
        return found is not None and found.get("execution_state") == "idle"

    def _reconnect(self, gone: _Gone) -> None:
        if gone.refused:
            raise AccessRefused(f"{self.server.url} {gone.reason}", "a new token into the environment variable")
        self.told(f"connection to {self.server.url} lost ({scrubbed(gone.reason)[:120]}); trying again")
        self._socket = None
        begun = time.monotonic()
        pause = 0.2
        while True:
            try:
                if self.server.kernel(self.kernel) is None:
                    raise KernelDied(f"the kernel at {self.server.url} is gone", "the session here is as it was")
                self.open()
                break
            except ConnectionLost:
                if time.monotonic() - begun > self.patience:
                    raise ConnectionLost(
                        f"the connection to {self.server.url} was lost ({scrubbed(gone.reason)[:120]}) and did not come"
                        f" back within {self.patience:.0f} s",
                        "the session here is as it was before the cell; %nbdag remote fetch gets the result later",
                    ) from None
                time.sleep(pause)
                pause = min(2 * pause, 5.0)
        self.reconnections += 1
        self.told(f"connected to {self.server.url} again")

    def _connect(self) -> Any:
        try:
            import websocket  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ImportError:
            raise EnvironmentRefused(
                "running cells elsewhere needs the package websocket-client", "pip install 'nbdag[remote]'"
            ) from None
        certificates = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or ""
        try:
            made = websocket.create_connection(
                self.server.websocket_url(self.kernel, self.session),
                timeout=_CONNECT_SECONDS,
                header=self.server.headers,
                subprotocols=[V1],
                enable_multithread=True,
                suppress_origin=True,
                sslopt={"ca_certs": certificates} if certificates else {},
            )
        except websocket.WebSocketBadStatusException as fault:
            if fault.status_code in (401, 403):
                raise AccessRefused(
                    f"{self.server.url} does not accept the token ({fault.status_code})",
                    "a new one into the environment variable of --token-env: it may have expired",
                ) from None
            if fault.status_code == 404:
                raise KernelDied(f"the kernel at {self.server.url} is gone", "the session here is as it was") from None
            raise ConnectionLost(f"{self.server.url}: the websocket is refused ({fault.status_code})") from None
        except (websocket.WebSocketException, OSError) as fault:
            raise ConnectionLost(f"{self.server.url}: {scrubbed(fault)[:200]}", "is the server up?") from None
        self._v1 = made.getsubprotocol() == V1
        made.settimeout(None)
        return made


def _read(socket: Any, v1: bool, inbox: queue.Queue[Message | _Gone]) -> None:
    """Everything that comes, until the socket ends."""
    while True:
        try:
            code, frame = socket.recv_data()
            if code == 8:
                inbox.put(_Gone("the server closed it"))
                return
            inbox.put(unpack(frame.decode("utf-8") if code == 1 else frame, v1))
        except (ValueError, json.JSONDecodeError):
            inbox.put(_Gone("what came was no message"))
            return
        except Exception as fault:  # whatever the socket, TLS or the library under it raise
            inbox.put(_Gone(str(fault) or type(fault).__name__))
            return
