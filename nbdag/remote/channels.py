"""A kernel of a Jupyter server through its websocket: run code there, hear its outputs, ask it things between cells.

A thread of its own reads the socket into a queue, so that an interrupt here never tears a message apart. The server
keeps messages for a session that has gone away: connecting again with the same session id gives them.

Every answer costs the way there and back, so what need not be waited for is not: a question that follows a cell is sent
along with it (``then``), and one whose answer nobody needs is only posted. A kernel does what it is sent in that order.
"""

from __future__ import annotations

import ast
import contextlib
import queue
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nbdag.analysis.agent_client import ANSWER_KEY, silent_question
from nbdag.errors import AccessRefused, ConnectionLost, KernelDied, KernelProtocolError
from nbdag.remote.rest import JupyterServer, scrubbed
from nbdag.remote.sockets import AS_BEFORE, Gone, connect, read
from nbdag.remote.wire import Message, pack_json, pack_v1, request

_POLL = 0.2  # seconds between looks at what else may have happened
_LOOK = 10.0  # seconds without a message after which the server is asked whether the kernel lives
_LOOK_SOON = 3.0  # the same for a question between two cells
_QUIET = 3.0  # seconds without a message after which an idle kernel counts as done: its reply was lost
_IDLE_LOOKS = 2  # looks that find an idle kernel after which what it was asked counts as lost
_DOUBTFUL_LOOK = 0.4  # of one, where the server may be one that calls a busy kernel idle too
_RESENDINGS = 2  # of a question that got lost, before the kernel counts as gone
_LARGEST = 9 << 20  # bytes of a message: servers close the connection at 10 MiB


@dataclass(frozen=True, slots=True)
class Reply:
    """How code ended there: "ok", "error", "aborted", or "unknown" where the answer was lost on the way.

    ``then`` is the value of the expression that was asked for after it, None where that did not come.
    """

    status: str
    error_name: str = ""
    error_value: str = ""
    traceback: tuple[str, ...] = ()
    count: int | None = None
    then: str | None = None


@dataclass(slots=True)
class _Asked:
    """A request that waits for its reply and its last output."""

    parts: dict[str, Any]
    again: bool  # whether it may be sent again
    reply: dict[str, Any] | None = None
    idle: bool = False
    lost: bool = False

    @property
    def done(self) -> bool:
        return self.lost or (self.reply is not None and self.idle)


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
    _process: str = ""  # what the kernel's own messages say that it is: another one is another process
    _tells: bool = False  # whether the server is known to tell a busy kernel from an idle one
    _socket: Any = None
    _v1: bool = True
    _inbox: queue.Queue[Message | Gone] = field(default_factory=queue.Queue)

    def open(self) -> None:
        """Connect."""
        self._socket, self._v1 = connect(self.server, self.kernel, self.session)
        self._inbox = queue.Queue()
        threading.Thread(
            target=read, args=(self._socket, self._v1, self._inbox), name="nbdag-remote", daemon=True
        ).start()

    def close(self) -> None:
        """Disconnect; the kernel goes on."""
        socket, self._socket = self._socket, None
        if socket is not None:
            try:
                socket.close(timeout=1)
            except Exception:
                socket.shutdown()

    def evaluate(
        self, expression: str, within: float | None = None, troubled: Callable[[], bool] = lambda: False
    ) -> str:
        """The value of an expression that is a string there, between two cells; nothing in the kernel changes by it.

        KernelDied where no answer came ``within`` so many seconds. As soon as something is ``troubled`` the kernel is
        interrupted.
        """
        (asked,) = self._ask([silent_question(expression)], lambda message: None, True, within, troubled)
        if asked.reply is None:
            raise ConnectionLost(f"{self.server.url}: the answer was lost on the way", "run the cell again")
        return self._value(asked.reply)

    def post(self, expression: str) -> None:
        """Let an expression be evaluated there before anything that is asked later; nobody waits for its value, nor
        hears of it if the connection is lost.
        """
        _, parts = request("execute_request", silent_question(expression), self.session)
        if self._socket is not None:
            with contextlib.suppress(Exception):  # whatever the socket raises; what is asked next finds out
                self._put(parts)

    def execute(self, code: str, hear: Callable[[Message], None], then: str = "") -> Reply:
        """Run a cell; ``hear`` gets every message of its output as it comes. ``then`` is evaluated right after it.

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
        asked = self._ask([content, *([silent_question(then)] if then else [])], hear, False)
        value: str | None = None
        if then and asked[1].reply is not None:
            try:
                value = self._value(asked[1].reply)
            except KernelProtocolError:
                value = None  # interrupted, say: to be asked again
        reply = asked[0].reply
        if reply is None:
            return Reply("unknown", then=value)
        return Reply(
            str(reply.get("status")),
            str(reply.get("ename") or ""),
            str(reply.get("evalue") or ""),
            tuple(map(str, reply.get("traceback") or ())),
            reply.get("execution_count"),
            value,
        )

    def interrupt(self) -> None:
        """As Ctrl-C there."""
        self.server.interrupt(self.kernel)

    # -------------------------------------------------------------------------------------------- inside

    def _value(self, reply: dict[str, Any]) -> str:
        """The string that a silent question gave. Raises KernelProtocolError."""
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

    def _ask(
        self,
        contents: list[dict[str, Any]],
        hear: Callable[[Message], None],
        again: bool,
        within: float | None = None,
        troubled: Callable[[], bool] = lambda: False,
    ) -> list[_Asked]:
        """Send execute_requests, one right after another, and wait until each has its reply and its last output.

        One whose reply was lost has none in the end, unless it may be sent ``again``.
        """
        if self._socket is None:
            self.open()
        asked: dict[str, _Asked] = {}
        for content in contents:
            identity, parts = request("execute_request", content, self.session)
            asked[identity] = _Asked(parts, again)
        for identity, one in asked.items():
            self._send(one.parts, identity)
        interrupted = warned = False
        begun = heard = time.monotonic()
        seen, looks, resendings, sure = self.reconnections, 0.0, 0, False
        state = ""  # what the kernel said last of what it was asked here; of the rest (control) it says idle meanwhile

        def interrupt() -> None:
            nonlocal interrupted
            if interrupted:
                raise KeyboardInterrupt
            interrupted = True
            self.interrupt()

        while not all(one.done for one in asked.values()):
            try:
                message = self._inbox.get(timeout=_POLL)
            except queue.Empty:
                if within is not None and time.monotonic() - begun > within:
                    self.close()
                    raise KernelDied(f"the kernel at {self.server.url} does not answer", AS_BEFORE) from None
                if not warned and troubled():
                    warned = True
                    self.interrupt()
                quiet = time.monotonic() - heard
                if quiet > _QUIET and all(one.reply is not None for one in asked.values()):
                    break  # the server has dropped the message that says idle
                soon = self.reconnections != seen and quiet > _QUIET
                if soon or quiet > (_LOOK_SOON if again else _LOOK):
                    heard = time.monotonic()
                    idle = self._is_idle()
                    sure = soon or self._tells or state == "idle"
                    weight = (2.0 if soon else 1.0) if sure else _DOUBTFUL_LOOK
                    looks = looks + weight if idle and (sure or again) else 0.0
                if looks >= _IDLE_LOOKS:  # it waits for us as we do for it: what was asked, or its answer, is lost
                    # Where it may be busy after all it is asked again and again, and never counts as gone for that.
                    looks, seen, resendings = 0.0, self.reconnections, resendings + sure
                    if resendings > _RESENDINGS:
                        self.close()
                        raise KernelDied(f"the kernel at {self.server.url} does not answer", AS_BEFORE) from None
                    for identity, one in asked.items():
                        if one.again and one.reply is None:
                            self._send(one.parts, identity)
                        elif not one.again:
                            one.lost = True
                continue
            except KeyboardInterrupt:
                interrupt()
                continue
            heard, looks = time.monotonic(), 0.0
            if isinstance(message, Gone):
                try:
                    self._reconnect(message)
                except KeyboardInterrupt:
                    raise ConnectionLost(f"{self.server.url}: given up: {message.reason}") from None
                continue
            self._check_status(message)
            found = asked.get(message.parent)
            if found is None:
                continue
            if message.kind == "execute_reply":
                found.reply = message.content
                self._process = self._process or message.process
            elif message.kind == "status":
                state = str(message.content.get("execution_state"))
                found.idle = state == "idle"
            elif message.channel == "iopub":
                try:
                    hear(message)
                except KeyboardInterrupt:
                    interrupt()
        return list(asked.values())

    def _send(self, parts: dict[str, Any], identity: str) -> None:
        for attempt in (1, 2):
            try:
                self._put(parts)
                return
            except KernelProtocolError:
                raise
            except Exception as fault:  # whatever the socket, TLS or the library under it raise
                if attempt == 2:
                    raise ConnectionLost(f"{self.server.url}: {scrubbed(fault)[:200]}") from None
                self._reconnect(Gone(str(fault)))

    def _put(self, parts: dict[str, Any]) -> None:
        frame: bytes | str = pack_v1(parts) if self._v1 else pack_json(parts)
        if len(frame) > _LARGEST:
            raise KernelProtocolError("the cell is too long to be sent in one message")
        if self._v1:
            self._socket.send_binary(frame)
        else:
            self._socket.send(frame)

    def _check_status(self, message: Message) -> None:
        state = message.content.get("execution_state") if message.kind == "status" else ""
        if state in ("restarting", "dead"):
            self.close()
            raise KernelDied(f"the kernel at {self.server.url} died", AS_BEFORE)
        if state in ("starting", "busy", "idle") and self._process not in ("", message.process):
            self.close()
            raise KernelDied(f"the kernel at {self.server.url} was started anew", AS_BEFORE)

    def _is_idle(self) -> bool:
        """Whether the kernel has nothing to do, by what the server says. Raises KernelDied where it is gone."""
        try:
            found = self.server.kernel(self.kernel)
        except ConnectionLost:
            return False  # the socket will say so
        state = None if found is None else found.get("execution_state")
        if state in (None, "dead", "restarting"):
            self.close()
            raise KernelDied(f"the kernel at {self.server.url} is gone", AS_BEFORE)
        self._tells = self._tells or state == "busy"
        return state in ("idle", "starting")

    def _reconnect(self, gone: Gone) -> None:
        if gone.refused:
            raise AccessRefused(f"{self.server.url} {gone.reason}", "a new token into the environment variable")
        self.told(f"connection to {self.server.url} lost ({scrubbed(gone.reason)[:120]}); trying again")
        self._socket = None
        begun = time.monotonic()
        pause = 0.2
        while True:
            try:
                if self.server.kernel(self.kernel) is None:
                    raise KernelDied(f"the kernel at {self.server.url} is gone", AS_BEFORE)
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
