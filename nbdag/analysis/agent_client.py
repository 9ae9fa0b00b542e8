"""Commands to the recorder: in a kernel through its connection file, or in this process.

Everything goes as *empty code with* ``user_expressions``. Empty code runs nothing: no hook fires, ``In``, ``Out``,
the counters and the namespace stay as they are, nothing appears in a notebook that is open on the same kernel; the
expressions are still evaluated and their values come back on the shell channel, between two cells::

    execute_request  code=""  silent=True  user_expressions={"nbdag": "<expression>"}
    execute_reply    user_expressions={"nbdag": {"data": {"text/plain": "'{...json...}'"}}}

The recorder's source is put into ``sys.modules["nbdag_agent"]`` the same way, once. A kernel that is busy with a cell
answers when it is done; it is not interrupted, and whoever waits is told.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import queue
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from nbdag.errors import KernelDied, KernelProtocolError, NotebookError, UsageError

_POLL = 0.1  # seconds between looks at whether the kernel still lives
_PATIENCE = 1.0  # seconds without an answer after which the one who waits is told why
_HEARTBEAT_GRACE = 5.0  # seconds without heartbeat until a kernel counts as dead
ANSWER_KEY = "nbdag"

# Runs in the kernel inside exec() with a namespace of its own. A recorder that is there in another version and records
# is kept, if it may be (KEEP), as long as it understands the same commands: what it saw is worth more than newer code.
# Compiled module by module and sent packed: the syntax tree of the whole would leave the kernel 20 MB larger for good.
_INSTALL = """
import __future__, base64, sys, types, zlib
SEPARATOR = "\\n# " + "-" * 100 + "\\n"
FLAGS = __future__.annotations.compiler_flag
def install(source, digest):
    there = sys.modules.get("nbdag_agent")
    if getattr(there, "__nbdag_digest__", None) == digest:
        return "same"
    module = types.ModuleType("nbdag_agent")
    module.__nbdag_digest__ = digest
    lines = 0
    for part in source.split(SEPARATOR):
        text = "\\n" * lines + part
        exec(compile(text, "<nbdag agent>", "exec", FLAGS, True), module.__dict__)
        lines += part.count("\\n") + SEPARATOR.count("\\n")
    if there is not None:
        try:
            status = there.command("status", {}) if KEEP else {}
        except Exception:
            status = {}
        if status.get("recording") and status.get("version") == getattr(module, "AGENT_VERSION", None):
            return "kept"
        there.command("stop", {})
    sys.modules["nbdag_agent"] = module
    return "new" if there is None else "replaced"
def give_back():
    # What compiling took goes back to the system; a C library without this call keeps it.
    try:
        import ctypes
        ctypes.CDLL(None).malloc_trim(0)
    except Exception:
        pass
ANSWER = install(zlib.decompress(base64.b64decode(PACKED)).decode("utf-8"), DIGEST)
give_back()
"""


class Agent(Protocol):
    """The recorder, wherever it is: one entry, values as JSON knows them (``docs/architecture.md``)."""

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run one command. Raises KernelProtocolError when it fails there, KernelDied when the kernel ended."""
        ...


class KernelBusy(KernelProtocolError):
    """The kernel worked on a cell for longer than the caller wanted to wait."""


def silent_question(expression: str) -> dict[str, Any]:
    """An execute request for a value, as the user expression ANSWER_KEY: no code runs and no count moves."""
    return {
        "code": "",
        "silent": True,
        "store_history": False,
        "user_expressions": {ANSWER_KEY: expression},
        "allow_stdin": False,
        "stop_on_error": False,
    }


class RemoteTraceback(Exception):
    """The traceback from the kernel, as the cause of a KernelProtocolError."""

    def __init__(self, traceback: str) -> None:
        super().__init__(traceback)
        self.traceback = traceback

    def __str__(self) -> str:
        return "\n" + self.traceback


def source_digest(source: str) -> str:
    """What tells one version of the recorder from another."""
    return hashlib.sha256(source.encode("utf-8")).hexdigest()


# ------------------------------------------------------------------------------------------------ in process


class LocalAgent:
    """The recorder of this very process: ``%load_ext nbdag``."""

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """As :meth:`Agent.command`."""
        from nbdag.portable import agent

        if name == "start":
            # A shell that attaches to this kernel later finds this recorder there and does not send in another one,
            # which could not compare its fingerprints with what this one has seen.
            sys.modules["nbdag_agent"] = agent
        answer = checked(name, agent.command(name, arguments))
        if name == "stop" and sys.modules.get("nbdag_agent") is agent:
            del sys.modules["nbdag_agent"]
        return answer


# ------------------------------------------------------------------------------------------------ in a kernel

IS_IPYTHON = "str(__import__('IPython').get_ipython() is not None)"


def packed(source: str) -> str:
    """A script as it is sent in: base64 of what zlib makes of it."""
    return base64.b64encode(zlib.compress(source.encode("utf-8"))).decode("ascii")


def install(evaluate: Callable[[str], str], source: str, keep: bool = True) -> str:
    """Have the recorder in the kernel where ``evaluate`` evaluates: "new", "same", "kept" or "replaced".

    ``keep`` another version that records there; without it, that one ends and what it saw is forgotten.
    """
    namespace = f"{{'PACKED': {packed(source)!r}, 'DIGEST': {source_digest(source)!r}, 'KEEP': {keep!r}}}"
    # An expression that leaves nothing behind: the namespace of exec() lives as long as the lambda's call.
    return evaluate(f"(lambda space: (exec({_INSTALL!r}, space), space['ANSWER'])[1])({namespace})")


def ask(evaluate: Callable[[str], str], name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """One command to the recorder that is installed where ``evaluate`` evaluates. Raises KernelProtocolError."""
    request = json.dumps(arguments)
    answer = evaluate(
        f"__import__('json').dumps(__import__('sys').modules['nbdag_agent']"
        f".command({name!r}, __import__('json').loads({request!r})))"
    )
    try:
        result = json.loads(answer)
    except (ValueError, TypeError):
        raise KernelProtocolError(f"the recorder's answer to {name!r} is not JSON: {str(answer)[:80]}") from None
    return checked(name, result)


class FarAgent:
    """The recorder of a kernel on another machine, which a server's websocket leads to (``evaluate``).

    Its commands that write files write them there. Raises NotebookError, KernelProtocolError, what ``evaluate`` does.
    """

    def __init__(self, name: str, evaluate: Callable[[str], str]) -> None:
        self._evaluate = evaluate
        try:
            there = evaluate(IS_IPYTHON) == "True"
        except KernelProtocolError:
            there = False
        if not there:
            raise NotebookError(f"{name}: not a Python kernel under IPython; nbdag needs ipykernel there")
        self.installed = install(evaluate, _linked_source())

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """As :meth:`Agent.command`."""
        return ask(self._evaluate, name, arguments)


class KernelAgent:
    """The recorder of a live kernel that other clients may use at the same time. A context manager.

    ``wait`` is told (a sentence) when the kernel is busy and the call has to wait; ``busy_timeout`` bounds the wait
    in seconds. ``alive`` says whether the kernel's process runs, where the caller knows better than the heartbeat.
    ``source`` is the recorder to install, the linked one unless given.
    Raises UsageError (no such connection file), NotebookError (a kernel that is not Python under IPython),
    KernelDied (nobody answers), KernelProtocolError.
    """

    def __init__(
        self,
        connection_file: Path,
        *,
        wait: Callable[[str], None] = lambda message: None,
        busy_timeout: float | None = None,
        alive: Callable[[], bool] | None = None,
        source: str = "",
    ) -> None:
        self.name = str(connection_file)
        self._wait = wait
        self._busy_timeout = busy_timeout
        self._alive = alive
        self._source = source
        self._client = _connect(Path(connection_file))
        self._last_beat = time.monotonic()
        self.installed = ""  # "new", "same", "kept" (another version that records) or "replaced"
        try:
            self._check_language()
            self._install()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> KernelAgent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the kernel; the recorder stays there."""
        self._client.stop_channels()

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """As :meth:`Agent.command`, between two cells of the kernel."""
        return ask(self._evaluate, name, arguments)

    # -------------------------------------------------------------------------------------------- inside

    def _check_language(self) -> None:
        # Not by kernel_info_request to begin with: IPython draws the tip of its banner from `random`, and the next
        # random number of the session would be another one.
        try:
            answer = self._evaluate(IS_IPYTHON)
        except KernelBusy:
            raise
        except KernelProtocolError:
            answer = ""
        if answer == "True":
            return
        content = self._request("kernel_info_request", {})
        language = str(content.get("language_info", {}).get("name", "unknown"))
        if language != "python":
            raise NotebookError(f"{self.name}: the kernel speaks {language}; nbdag moves Python sessions")
        raise NotebookError(f"{self.name}: a Python kernel without IPython; nbdag needs ipykernel there")

    def _install(self) -> None:
        self.installed = install(self._evaluate, self._source or _linked_source())

    def _evaluate(self, expression: str) -> str:
        request = silent_question(expression)
        content = self._request("execute_request", request)
        while content.get("status") == "aborted":
            # A cell of the user's failed, and the kernel dropped everything that was queued behind it.
            time.sleep(_POLL)
            content = self._request("execute_request", request)
        result = content.get("user_expressions", {}).get(ANSWER_KEY)
        if result is None:
            raise KernelProtocolError(
                f"{self.name}: the kernel does not evaluate user_expressions", "nbdag needs ipykernel 6.20 or later"
            )
        if result.get("status") == "error":
            raise KernelProtocolError(
                f"in the kernel: {result.get('ename', 'error')}: {result.get('evalue', '')}"
            ) from RemoteTraceback("\n".join(result.get("traceback", ())))
        text = result.get("data", {}).get("text/plain", "")
        try:
            return str(ast.literal_eval(text))
        except (ValueError, SyntaxError):
            raise KernelProtocolError(f"the kernel's answer cannot be read: {text[:80]}") from None

    def _request(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        message = self._client.session.msg(kind, content)
        identity = message["header"]["msg_id"]
        self._client.shell_channel.send(message)
        asked = time.monotonic()
        self._last_beat = asked
        begun = told = False
        while True:
            try:
                reply = self._client.get_shell_msg(timeout=_POLL)
            except queue.Empty:
                reply = {}
            if reply.get("parent_header", {}).get("msg_id") == identity:
                return dict(reply["content"])
            begun = self._has_begun(identity) or begun
            alive = self._check_alive()
            waited = time.monotonic() - asked
            if not begun and waited > _PATIENCE:
                if alive and not told:
                    self._wait("the kernel is busy with a cell; waiting for it (Ctrl-C gives up)")
                    told = True
                if self._busy_timeout is not None and waited > self._busy_timeout:
                    raise KernelBusy(
                        f"{self.name}: the kernel was busy for {self._busy_timeout:g} s",
                        "try again when its cell has ended, or wait longer with --timeout",
                    )

    def _has_begun(self, identity: str) -> bool:
        begun = False
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=0)
            except queue.Empty:
                return begun
            begun = begun or message.get("parent_header", {}).get("msg_id") == identity

    def _check_alive(self) -> bool:
        now = time.monotonic()
        if self._alive is not None:
            beats = bool(self._alive())
            grace = 0.0
        else:
            beats = bool(self._client.hb_channel.is_beating())
            grace = _HEARTBEAT_GRACE
        if beats:
            self._last_beat = now
        elif now - self._last_beat >= grace:
            raise KernelDied(
                f"{self.name}: no kernel answers there",
                "it has ended; %connect_info in the notebook names the connection file of the kernel that runs now",
            )
        return beats


def _linked_source() -> str:
    from nbdag.link import agent_source

    return agent_source()


def read_connection_file(path: Path) -> dict[str, Any]:
    """What a connection file says. Raises UsageError with what is wrong with it."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(said, dict):
            raise ValueError("it holds no object")
    except FileNotFoundError:
        raise UsageError(
            f"{path}: no such connection file",
            "`nbdag kernels` lists the kernels that run; in a notebook, %connect_info names its file",
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: not a connection file of a kernel ({error})") from None
    if not said.get("shell_port") or not said.get("iopub_port"):
        raise UsageError(f"{path}: not a connection file of a kernel (it names no ports)")
    return said


def _connect(connection_file: Path) -> Any:
    from jupyter_client.blocking.client import BlockingKernelClient

    read_connection_file(connection_file)
    client = BlockingKernelClient()
    try:
        client.load_connection_file(str(connection_file))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{connection_file}: not a connection file of a kernel ({error})") from None
    client.start_channels(stdin=False)
    return client


def checked(name: str, result: Any) -> dict[str, Any]:
    if not isinstance(result, dict):
        raise KernelProtocolError(f"the recorder answered {name!r} with {type(result).__name__}")
    if result.get("error"):
        raise KernelProtocolError(f"the recorder failed at {name!r}: {result['error']}") from RemoteTraceback(
            str(result.get("traceback", ""))
        )
    return result
